"""How are the numbers and times of a stream's files written? Proven on every cell of the columns that hold
such, or refused.

What the config says is taken as said. What it leaves out is proven, each time that a file changed, on all
files of the stream; where two readings fit, nothing is read, and the error shows both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.errors import RequestError
from connectors.files.file_reader import columns_of
from connectors.files.folder import FileDialect, Folder
from connectors.files.joined_columns import lookups, text_of
from connectors.tables.column_mapping import Place
from connectors.tables.dialect import MONEY, TIMES, Habits
from connectors.tables.orders import moment, within
from connectors.values.money import Evidence, Notation
from connectors.values.text import is_text
from connectors.values.timestamp_formats import TimeEvidence
from connectors.values.timestamps import ISO


def stated(dialect: FileDialect) -> Habits:
    """What the config says; where it does not, a decimal point and ISO 8601."""
    return Habits(
        Notation(dialect.decimal or ".", dialect.thousands, dialect.negative),
        {"*": dialect.date_format} if dialect.date_format else {},
    )


def prove(folder: Folder, dialect: FileDialect, places: Mapping[str, tuple[Path, Place]]) -> Habits:
    """What the config says, and for what it leaves out what the files prove.

    RequestError where two readings fit.
    """
    if dialect.decimal and dialect.date_format:
        return stated(dialect)
    proof = Proof.of(folder, dialect, brief=True)
    prove_by(proof, folder, places)
    if proof.passed and proof.numbers.comma:  # what was passed over counts now
        proof = Proof.of(folder, dialect)
        prove_by(proof, folder, places)
    return judge(folder, dialect, places, proof.numbers, proof.times)


def judge(
    folder: Folder,
    dialect: FileDialect,
    places: Mapping[str, tuple[Path, Place]],
    numbers: Evidence,
    times: Mapping[str, TimeEvidence],
) -> Habits:
    """As ``prove``, of what was gathered before."""
    habits = stated(dialect)
    setting = f"[{folder.setting(dialect.stream)}]"
    if not dialect.decimal:
        decimal = numbers.decimal
        if decimal is None:
            raise RequestError(
                f'{_shown(places)}: {numbers.doubt()}: set decimal = "." or decimal = "," in {setting}'
            )
        habits = Habits(Notation(decimal, dialect.thousands, dialect.negative), habits.formats)
    if dialect.date_format:
        return habits
    formats = {}
    for name, evidence in times.items():
        if not evidence.cells:
            continue
        chosen = evidence.formats()
        if chosen is None and evidence.readings():
            choices = " or ".join(f'date_format = "{format_}"' for format_ in evidence.readings())
            raise RequestError(
                f"{_shown(places)}: column {name}: {evidence.doubt()}: set {choices} in {setting}"
            )
        # of a column that holds no times, every row is refused by itself
        formats[name] = tuple(chosen or (ISO,))
    return Habits(habits.notation, formats)


def prove_by(proof: Proof, folder: Folder, places: Mapping[str, tuple[Path, Place]]) -> None:
    """Take all cells of the stream's files into account."""
    for part, (path, layout) in places.items():
        for page in _pages(folder, proof.dialect, path, layout, proof.columns_of(part, layout)):
            for step in proof.steps(page):
                step()


@dataclass
class Proof:
    """What the cells of a stream's files say of how they are written, page by page."""

    dialect: FileDialect
    typed: Mapping[str, str]  # attribute → type
    # pass over cells that tell no more of a decimal sign that is proven: they are not counted
    brief: bool = False
    passed: bool = False  # whether some were
    numbers: Evidence = field(default_factory=Evidence)
    times: dict[str, TimeEvidence] = field(default_factory=dict)
    _columns: dict[str, dict[str, int]] = field(default_factory=dict)  # part → our name → column

    @classmethod
    def of(cls, folder: Folder, dialect: FileDialect, brief: bool = False) -> Proof:
        """Of no file yet."""
        return cls(
            dialect, {name: attribute.type for name, attribute in folder.account.attributes.items()}, brief
        )

    def columns_of(self, part: str, layout: Place) -> dict[str, int]:
        """The columns of a file that tell something, by our name."""
        columns = {
            name: index for name, index in layout.columns.items() if name in (*MONEY, "date", "time", *TIMES)
        }
        columns |= {
            name: index
            for name, index in layout.attributes.items()
            if self.typed.get(name) in ("number", "date")
        }
        self._columns[part] = columns
        return columns

    def holds_for(self, places: Mapping[str, tuple[Path, Place]]) -> bool:
        """Whether it was made of the same columns of the same files."""
        return self._columns == Proof(self.dialect, self.typed).all_columns(places)

    def all_columns(self, places: Mapping[str, tuple[Path, Place]]) -> dict[str, dict[str, int]]:
        """``columns_of`` for all files."""
        return {part: self.columns_of(part, layout) for part, (_, layout) in places.items()}

    def steps(self, page: Mapping[str, pa.Array]) -> list[Callable[[], None]]:
        """Take a page of these columns into account: steps that may run at a time, but all of them before
        those of the next page.
        """
        texts = {name: column for name, column in _with_moment(page).items() if is_text(column.type)}
        money = [name for name in texts if name in MONEY or self.typed.get(name) == "number"]
        days = [
            name for name in texts if name not in money and (name in TIMES or self.typed.get(name) == "date")
        ]

        def amounts() -> None:
            for name in money:
                cells = _bare(self.dialect, name, texts[name])
                if self.brief and self.numbers.tells_no_more(cells):
                    self.passed = True
                else:
                    self.numbers.add(cells)

        evidence = {name: self.times.setdefault(name, TimeEvidence()) for name in days}
        return [amounts, *(partial(evidence[name].add, texts[name]) for name in days)]


def _bare(dialect: FileDialect, name: str, column: pa.Array) -> pa.Array:
    """Amounts as they stand within texts, where the config says how to find them."""
    if name != "refunded" or not dialect.orders.refunded_pattern:
        return column
    return pa.array(
        [
            part
            for text in column.drop_null().to_pylist()
            for part in within(text, dialect.orders.refunded_pattern)
        ],
        pa.string(),
    )


def _with_moment(page: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """``date`` and ``time`` as the one column that they are."""
    columns = dict(page)
    if "date" in columns:
        columns["occurred_at"] = moment(columns.pop("date"), columns.pop("time", None))
    columns.pop("time", None)
    return columns


def _pages(
    folder: Folder, dialect: FileDialect, path: Path, layout: Place, columns: Mapping[str, int]
) -> Iterator[dict[str, pa.Array]]:
    """Pages of some of a file's columns by our name, joined ones too."""
    if not columns:
        return
    width = len(layout.headers) - len(layout.joined)
    joined = {index for index in columns.values() if index >= width}
    joins = (
        lookups(folder, dialect, layout.headers[:width], {layout.headers[index] for index in joined})
        if joined
        else []
    )
    keys = {layout.headers.index(join.on) for join in joins if join.on in layout.headers[:width]}
    wanted = sorted({index for index in columns.values() if index < width} | keys) or [0]
    for table in columns_of(path, dialect, wanted):
        cells = {layout.headers[int(name)]: table.column(name) for name in table.column_names}
        for join in joins:
            join.add_to(cells)
        by_index = {int(name): table.column(name) for name in table.column_names}
        by_index |= {index: cells[layout.headers[index]] for index in joined}
        yield {
            name: text_of(by_index[index]) if is_text(by_index[index].type) else by_index[index]
            for name, index in columns.items()
        }


def _shown(places: Mapping[str, Any]) -> str:
    names = list(places)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
