"""What do whole columns of a stream's files hold? Each file is read once for all that inference asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from connectors.files.file_reader import ahead, headers_of, tables_of, without_headers
from connectors.files.folder import Folder
from connectors.files.format_detection import Proof, prove_by
from connectors.files.joined_columns import text_of
from connectors.files.whole_columns import Cells, count_words
from connectors.tables.column_mapping import Place, column_with
from connectors.tables.distinct_ids import DistinctIds
from connectors.values.text import is_text

_Step = Callable[[], None]
_STEPS = 2  # that run at a time


@dataclass
class ColumnScan:
    """What was seen. ``words`` reads the files again for a column that was not asked for before."""

    cells: Cells
    proof: Proof
    single: bool = True  # no two rows share an order, and each has one: as far as it was asked
    words_of: dict[str, dict[str, int] | None] = field(default_factory=dict)
    _orders: DistinctIds = field(default_factory=DistinctIds)
    _rows: int = 0

    def words(self, header: str) -> dict[str, int] | None:
        """The different texts of a column and how often each stands there; None where there are too many."""
        return self.words_of[header] if header in self.words_of else self.cells.words(header)

    def count(self, header: str, column: pa.Array) -> None:
        """Take a page of a column of words into account."""
        counts = self.words_of[header]
        if counts is not None:
            self.words_of[header] = count_words(counts, column)

    def order(self, column: pa.Array) -> None:
        """Take a page of the orders' ids into account, as long as none of them is of two rows."""
        if not self.single:
            return
        self._rows += len(column)
        self.single = not column.null_count and self._orders.add_numbered(column)

    def end(self) -> None:
        """Call it behind the last page."""
        self.single = self.single and self._orders.count() == self._rows
        self._orders = DistinctIds()


def scan(
    folder: Folder,
    stream: str,
    places: Mapping[str, tuple[Path, Place]],
    words: Sequence[str] = (),
    order: str | None = None,
) -> ColumnScan:
    """Read all files of a stream once.

    ``words``: headers of columns of few different texts; ``order``: that of the orders' ids.
    """
    dialect = folder.dialect(stream)
    seen = ColumnScan(Cells(folder, stream), Proof.of(folder, dialect), order is not None)
    if stream == "activity" and dialect.orders.join:
        prove_by(seen.proof, folder, places)
        return ColumnScan(seen.cells, seen.proof, single=False)
    seen.words_of.update({header: {} for header in words})
    with ThreadPoolExecutor(_STEPS) as pool:
        for part, (path, layout) in places.items():
            headers = headers_of(path, dialect)
            evidence = seen.proof.columns_of(part, layout)
            indexes = {header: hits[0] for header in words if (hits := column_with(headers, header))}
            orders = column_with(headers, order)[:1] if order is not None else []
            wanted = sorted({*evidence.values(), *indexes.values(), *orders})
            for table in ahead(tables_of(path, dialect, wanted)) if wanted else ():
                for running in [
                    pool.submit(step) for step in _steps(seen, table, headers, evidence, indexes, orders)
                ]:
                    running.result()
    seen.end()
    return seen


def _steps(
    seen: ColumnScan,
    table: pa.Table,
    headers: Sequence[str],
    evidence: Mapping[str, int],
    words: Mapping[str, int],
    orders: list[int],
) -> list[_Step]:
    """What is to be done with a page: each for itself, as if its columns alone had been read."""

    def column(index: int) -> pa.Array:
        return text_of(without_headers(table.select([str(index)]), headers).column(0))

    steps: list[_Step] = [partial(lambda index: seen.order(column(index)), index) for index in orders]
    steps += [
        partial(lambda header, index: seen.count(header, column(index)), header, index)
        for header, index in words.items()
    ]
    if evidence:
        chosen = without_headers(
            table.select([str(index) for index in sorted(set(evidence.values()))]), headers
        )
        cells = {name: chosen.column(str(index)) for name, index in evidence.items()}
        steps += seen.proof.steps(
            {name: text_of(each) if is_text(each.type) else each for name, each in cells.items()}
        )
    return steps
