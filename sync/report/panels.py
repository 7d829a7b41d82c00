"""What does one piece of the page consist of?

A title, a remark, pictures with the names of their colours, and the table behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Shade:
    """A cell of a table that is tinted: ``heat`` from -1 (the one colour) over 0 (none) to 1 (the other)."""

    text: str
    heat: float

    @property
    def style(self) -> str:
        """CSS that says how strong the tint is."""
        return f"--heat:{min(abs(self.heat), 1.0):.3f}"

    @property
    def tint(self) -> str:
        """Class of the colour."""
        return "cold" if self.heat < 0 else "hot"


Text = str | Shade


@dataclass(frozen=True)
class Table:
    """Rows of texts; ``numbers``: places of columns that stand at the right.

    ``matrix``: its first column names the rows.
    """

    head: tuple[str, ...]
    rows: Sequence[Sequence[Text]]
    numbers: frozenset[int] = frozenset()
    matrix: bool = False


@dataclass(frozen=True)
class Picture:
    """A chart; of several in one panel each has a caption, and a figure beside it."""

    drawn: Markup
    caption: str = ""
    figure: str = ""


@dataclass(frozen=True)
class Panel:
    """One piece. A table without pictures is open, else it waits behind them."""

    title: str
    remark: str = ""
    pictures: Sequence[Picture] = ()
    key: tuple[str, ...] = ()  # what colours 0, 1, ... stand for; "": that one is not used
    table: Table | None = None
    wide: bool = False
    folded: bool = False  # the table waits for a click, pictures or none
    more: tuple[str, Table] | None = None  # a further table that waits, under its title


def table(head: Sequence[str], rows: Sequence[Sequence[Text]], texts: int = 1) -> Table:
    """A table of which the first columns are texts and the others numbers."""
    return Table(tuple(head), rows, frozenset(range(texts, len(head))))


def matrix(head: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    """A table of tinted cells; the first column names the rows and stays where it is."""
    return Table(tuple(head), rows, frozenset(range(1, len(head))), matrix=True)
