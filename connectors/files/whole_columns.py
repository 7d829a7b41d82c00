"""What do whole columns of a stream's files hold, as text?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.files.file_reader import columns_of, headers_of
from connectors.files.folder import Folder
from connectors.tables.column_mapping import column_with
from connectors.values.text import as_text, trimmed

MOST = 1000  # different texts of a column of words


@dataclass(frozen=True)
class Cells:
    """Whole columns of a stream's files."""

    folder: Folder
    stream: str

    def pages(self, headers: Sequence[str]) -> Iterator[list[pa.Array]]:
        """Pages of columns by their headers, as trimmed text; files without one of them are passed over."""
        dialect = self.folder.dialect(self.stream)
        for file in self.folder.files(self.stream).values():
            places = [column_with(headers_of(file, dialect), header) for header in headers]
            if not all(places):
                continue
            indexes = [hits[0] for hits in places]
            for table in columns_of(file, dialect, indexes):
                yield [trimmed(as_text(table.column(str(index)))[0]) for index in indexes]

    def words(self, header: str, most: int = MOST) -> dict[str, int] | None:
        """The different texts of a column and how often each stands there; None where there are more than
        ``most``.
        """
        counts: dict[str, int] = {}
        for (column,) in self.pages([header]):
            if count_words(counts, column, most) is None:
                return None
        return counts


def count_words(counts: dict[str, int], column: pa.Array, most: int = MOST) -> dict[str, int] | None:
    """``counts`` with the texts of a page of a column; None where there are more than ``most`` now."""
    different = column.value_counts()
    for word, number in zip(
        different.field("values").to_pylist(), different.field("counts").to_pylist(), strict=True
    ):
        counts[word or ""] = counts.get(word or "", 0) + number
    return counts if len(counts) <= most else None
