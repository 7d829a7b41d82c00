"""What stands in a table or query? Some rows, the words of a column, and how many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from connectors.sql import statements
from connectors.sql.engines.base import Engine
from connectors.sql.statements import RowSource
from connectors.tables.sample import Sample
from connectors.values.text import as_text, readable, trimmed

ROWS = 500
_MOST = 1000  # different words of a column


class Probe:
    """Asks one table or query. Errors are those of ``connectors.errors``."""

    def __init__(self, engine: Engine, source: RowSource) -> None:
        self._engine, self._source = engine, source

    def sample(self, name: str) -> Sample:
        """Some rows, whichever the database gives first; ``name`` is what they are called."""
        schema = self._schema()
        asked = [self._engine.plain(statements.name(field.name), field) for field in schema]
        rows = self._read(self._source.rows(asked, limit=ROWS))
        cells = {
            field.name: _cells(rows, number) for number, field in enumerate(schema) if field.name.strip()
        }
        return Sample(name, cells, self.count())

    def count(self, column: str | None = None) -> int:
        """Rows, or different values of a column."""
        counted: exp.Expression = exp.Star()
        if column is not None:
            counted = exp.Distinct(expressions=[statements.name(column)])
        rows = self._read(self._source.rows([exp.Count(this=counted)]))
        return int(as_text(rows.column(0))[0][0].as_py() or 0)

    def words(self, column: str) -> dict[str, int] | None:
        """The different texts of a column and how often each stands there; None where there are too many."""
        if column not in self._schema().names:
            return None
        rows = self._read(self._source.words(statements.name(column), _MOST + 1))
        if not rows.num_columns:
            return {}
        if rows.num_rows > _MOST or not readable(rows.column(0).type):
            return None
        numbers = as_text(rows.column(1))[0].to_pylist()
        counts: dict[str, int] = {}
        for word, number in zip(_cells(rows, 0), numbers, strict=True):
            counts[word] = counts.get(word, 0) + int(number or 0)
        return counts

    def pages(self, order: str | None = None) -> Callable[[Sequence[str]], Iterator[list[pa.Array]]]:
        """A reader of columns of all rows, as text, by the values of a column."""

        def pages_of(columns: Sequence[str]) -> Iterator[list[pa.Array]]:
            statement = self._source.rows([statements.name(column) for column in columns], order=order)
            with self._engine.asking(self._source.shown):
                for batch in self._engine.batches(statement):
                    yield [trimmed(as_text(column)[0]) for column in batch.columns]

        return pages_of

    def _schema(self) -> pa.Schema:
        with self._engine.asking(self._source.shown):
            return self._engine.schema(self._source.everything())

    def _read(self, statement: str) -> pa.Table:
        with self._engine.asking(self._source.shown):
            batches = [*self._engine.batches(statement)]
        return pa.concat_tables(batches, promote_options="permissive") if batches else pa.table({})


def _cells(rows: pa.Table, number: int) -> list[str]:
    if not rows.num_columns or not readable((column := rows.column(number)).type):
        return [""] * rows.num_rows
    cells: list[str] = pc.fill_null(trimmed(as_text(column)[0]), "").to_pylist()
    return cells
