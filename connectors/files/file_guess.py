"""What is one kind of file taken for? As ``connectors.tables.guess``, with what is said of files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.files.file_sniffer import FileSample
from connectors.files.format_detection import Proof
from connectors.files.platform import PlatformTable
from connectors.tables.guess import Guess

# our name of the buyer in orders, the likeliest to be found among the contacts of a CRM first
_BUYER = ("contact_email", "contact_id")


@dataclass
class FileGuess(Guess):
    """One kind of file."""

    sample: FileSample
    files: list[str] = field(default_factory=list)  # patterns; none: the usual names
    encoding: str | None = None
    described: PlatformTable | None = None
    proof: Proof | None = None  # what whole files say of how they are written

    def buyers(self, patterns: Sequence[str]) -> FileGuess | None:
        """Orders taken for a file of contacts too: whoever ordered is one, by the address or else by the id.

        ``patterns``: the usual names of such files. None where the orders name buyers by neither.
        """
        header = next((self.columns[name] for name in _BUYER if name in self.columns), None)
        if header is None:
            return None
        columns = {"id": header}
        if "contact_email" in self.columns:
            columns["email"] = header
        return FileGuess(
            stream="contact",
            sample=self.sample,
            names=self.names,
            columns=columns,
            settings={"of_orders": True},
            platform=self.platform,
            files=self.files or list(patterns),
            encoding=self.encoding,
        )

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
