"""What is one kind of table taken for, and what is still to be asked about it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.tables.sample import Sample


@dataclass
class Question:
    """Something that the tables do not tell: ``settle`` takes one of the answers."""

    text: str
    answers: Sequence[str]
    settle: Callable[[str], None]
    remedy: str  # for a caller who cannot be asked


@dataclass
class Guess:
    """One kind of table.

    ``columns``: our name → header; ``settings``: further keys of its table in the config.
    """

    stream: str
    sample: Sample
    names: list[str] = field(default_factory=list)  # of the files or tables themselves
    columns: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)  # header → type
    settings: dict[str, Any] = field(default_factory=dict)
    platform: str = ""  # and the kind of its export or landed table; "": not recognised
    amounts: str = ""  # what an amount holds
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    currency: str = ""  # of the amounts, as far as they tell

    def table(self) -> dict[str, Any]:
        """The keys of the config's table."""
        return {**self.settings, "columns": self.columns}
