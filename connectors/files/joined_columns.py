"""Further columns of each row, from other files: an order's customer and day where the base file holds only
its payments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import RequestError
from connectors.files.file_reader import columns_of, headers_of
from connectors.files.folder import FileDialect, Folder
from connectors.files.settings import Join
from connectors.files.utf8_file import stamp_of
from connectors.values.text import as_text, flat, trimmed


@dataclass
class Lookup:
    """The files of one join, in memory: their key, and a column per header that is wanted of them."""

    on: str
    headers: list[str]  # further headers that it adds
    keys: pa.Array
    columns: dict[str, pa.Array] = field(default_factory=dict)

    def add_to(self, columns: dict[str, pa.Array]) -> None:
        """Give each row the columns of the file's row of the same key; null where there is none.

        Of equal keys the last one counts.
        """
        rows = pc.index_in(text_of(columns[self.on]), value_set=self.keys)
        for header in self.headers:
            columns[header] = self.columns[header].take(rows)


def lookups(folder: Folder, dialect: FileDialect, base: Sequence[str], wanted: set[str]) -> list[Lookup]:
    """The joins of a stream whose base file has these headers, ready to use.

    ``wanted``: headers that somebody asks for.
    """
    headers, joins = list(base), []
    for join in dialect.orders.join:
        setting = f"[{folder.setting(dialect.stream)}] join"
        if join.on not in headers:
            raise RequestError(
                f"{join.on!r} of {setting} is not a column of the files before it; there are {', '.join(headers[:30])}: correct on"
            )
        lookup = _read(folder, dialect, join, wanted - set(headers), setting)
        headers += lookup.headers
        joins.append(lookup)
    return joins


def joined_headers(folder: Folder, dialect: FileDialect) -> list[str]:
    """All headers that joins can add."""
    return [
        header
        for join in dialect.orders.join
        for path in folder.matching(join.files).values()
        for header in headers_of(path, dialect)
    ]


def join_stamps(folder: Folder, dialect: FileDialect) -> list[tuple[str, tuple[int, int, int]]]:
    """What changes as soon as a joined file does."""
    return [
        (name, stamp_of(path))
        for join in dialect.orders.join
        for name, path in folder.matching(join.files).items()
    ]


def _read(folder: Folder, dialect: FileDialect, join: Join, wanted: set[str], setting: str) -> Lookup:
    files = folder.matching(join.files)
    if not files:
        raise RequestError(
            f"no file {', '.join(join.files)} in {folder.path}, which {setting} names: put it there, or correct files"
        )
    tables: list[pa.Table] = []
    headers: list[str] = []
    further = {other_join.on for other_join in dialect.orders.join}
    for name, path in files.items():
        there = headers_of(path, dialect)
        if join.on not in there:
            raise RequestError(
                f"{name} has no column {join.on!r}, by which {setting} finds its rows; there are {', '.join(there[:30])}"
            )
        chosen = [header for header in there if header == join.on or header in wanted | further]
        indexes = [there.index(header) for header in chosen]
        headers += [header for header in chosen if header not in (join.on, *headers)]
        tables += [
            table.rename_columns(chosen) for table in _named(columns_of(path, dialect, indexes), indexes)
        ]
    whole = (
        pa.concat_tables(tables, promote_options="default")
        if tables
        else pa.table({join.on: pa.array([], pa.string())})
    )
    keys = text_of(whole[join.on])
    last = (
        pa.table({"key": keys, "row": pa.array(range(len(keys)), pa.int64())})
        .group_by("key")
        .aggregate([("row", "max")])["row_max"]
    )
    rows = last.combine_chunks()
    missing = pa.nulls(len(keys), pa.string())
    columns = {
        header: flat(whole[header]).take(rows) if header in whole.column_names else missing.take(rows)
        for header in headers
    }
    return Lookup(join.on, headers, keys.take(rows), columns)


def _named(tables: Iterable[pa.Table], indexes: list[int]) -> list[pa.Table]:
    return [table.select([str(index) for index in indexes]) for table in tables]


def text_of(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as trimmed text, to compare by."""
    return trimmed(as_text(column)[0])
