"""How does a table begin that nobody has described?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Some rows of a table: cells as text by header, trimmed; "" is a cell without a value."""

    name: str
    columns: Mapping[str, Sequence[str]]
    size: int  # by which two tables of one kind are compared: the larger one holds more

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that are not empty."""
        return tuple(self.columns)
