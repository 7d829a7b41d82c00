"""Which rows does a Parquet file hold? Pages of a million, whatever its row groups are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.errors import AccessError, RequestError

PAGE_ROWS = 1_000_000
MAGIC = b"PAR1"


class ParquetRows:
    """One Parquet file. Every fault of the file is a RequestError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _Faults(path):
            self._file = pq.ParquetFile(path, pre_buffer=False)
            self.headers = list(self._file.schema_arrow.names)
        self.rows: int = self._file.metadata.num_rows

    def pages(self, start: int, wanted: list[int]) -> Iterator[pa.Table]:
        """Tables of at most a million rows from a row on, with one column per index asked for, named by it."""
        metadata = self._file.metadata
        groups, before = [], 0
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).num_rows
            if before + size > start:
                groups.append(group)
            else:
                start, before = start - size, before
        names = [str(index) for index in wanted]
        with _Faults(self.path):
            columns = self._columns(wanted)
            for batch in self._file.iter_batches(
                PAGE_ROWS, row_groups=groups, columns=columns, use_threads=True
            ):
                if start >= len(batch):
                    start -= len(batch)
                    continue
                table = pa.Table.from_batches([batch]).slice(start)
                start = 0
                headers = table.column_names
                yield pa.table([table.column(headers.index(self.headers[index])) for index in wanted], names)

    def _columns(self, wanted: list[int]) -> list[str]:
        return list(dict.fromkeys(self.headers[index] for index in wanted))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class _Faults:
    """Turn what Arrow says of a broken file into a RequestError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PermissionError):
            raise AccessError(f"{self._path} cannot be read: {error.strerror}") from error
        if isinstance(error, (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)):
            message = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise RequestError(
                f"{self._path.name} cannot be read as Parquet ({message}): export it again"
            ) from error
