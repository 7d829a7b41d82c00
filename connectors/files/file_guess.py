"""What is one kind of file taken for? As ``connectors.tables.guess``, with what is said of files alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.files.file_sniffer import FileSample
from connectors.files.format_detection import Proof
from connectors.files.platform import PlatformTable
from connectors.tables.guess import Guess


@dataclass
class FileGuess(Guess):
    """One kind of file."""

    sample: FileSample
    files: list[str] = field(default_factory=list)  # patterns; none: the usual names
    encoding: str | None = None
    described: PlatformTable | None = None
    proof: Proof | None = None  # what whole files say of how they are written

    def table(self) -> dict[str, Any]:
        """The keys of the config's table. What the sample shows is said too."""
        habits = {
            "delimiter": self.sample.delimiter,
            "encoding": self.encoding,
            "skip_lines": self.sample.skip_lines or None,
        }
        own_habits = {
            key: value
            for key, value in habits.items()
            if value is not None and (key, value) != ("delimiter", ",")
        }
        table = {**({"files": self.files} if self.files else {}), **own_habits, **super().table()}
        formats = table.get("date_format")
        return {**table, "date_format": formats[0]} if formats and len(formats) == 1 else table
