"""What is one kind of file taken for, and what is still to be asked about it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.files.file_sniffer import Sample
from connectors.files.format_detection import Proof
from connectors.files.platform import PlatformTable


@dataclass
class Question:
    """Something that the files do not tell: ``settle`` takes one of the answers."""

    text: str
    answers: Sequence[str]
    settle: Callable[[str], None]
    remedy: str  # for a caller who cannot be asked


@dataclass
class Guess:
    """One kind of file.

    ``columns``: our name → header; ``settings``: further keys of its table in the config.
    """

    stream: str
    sample: Sample
    names: list[str] = field(default_factory=list)  # of the files themselves
    files: list[str] = field(default_factory=list)  # patterns; none: the usual names
    columns: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)  # header → type
    settings: dict[str, Any] = field(default_factory=dict)
    platform: str = ""  # and the kind of its export; "": not recognised
    amounts: str = ""  # what an amount holds
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    currency: str = ""  # of the amounts, as far as they tell
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
        table = {
            **({"files": self.files} if self.files else {}),
            **own_habits,
            **self.settings,
            "columns": self.columns,
        }
        formats = table.get("date_format")
        return {**table, "date_format": formats[0]} if formats and len(formats) == 1 else table
