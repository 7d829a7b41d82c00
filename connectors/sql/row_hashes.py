"""Is a row, or a whole table, as it was when it was read last? By numbers that name no customer."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

MOST = 200_000  # rows of the look-back that are remembered one by one; of more, what they are together
_TOGETHER = "#"  # before the digest of those
_LOW = np.uint64(0xFFFFFFFF)
Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@lru_cache(1)
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": "1"})


def row_hashes(table: pa.Table) -> Hashes:
    """One number for each row, of all its cells (uint64)."""
    names = [f"c{index}" for index in range(table.num_columns)]
    cursor = _engine().cursor()
    cursor.register("page", table.rename_columns(names).replace_schema_metadata(None))
    numbers = cursor.execute(f"SELECT hash({', '.join(names)}) AS h FROM page").fetchnumpy()["h"]
    cursor.close()
    return np.asarray(numbers, np.uint64)


@dataclass
class ContentDigest:
    """The content of a table, in whatever order its rows come."""

    rows: int = 0
    total: int = 0
    mixed: int = 0

    def add(self, table: pa.Table) -> None:
        self.add_hashes(row_hashes(table))

    def add_hashes(self, hashes: Hashes) -> None:
        """Rows by their numbers."""
        self.rows += len(hashes)
        self.total += (int((hashes >> np.uint64(32)).sum()) << 32) + int((hashes & _LOW).sum())
        self.mixed ^= int(np.bitwise_xor.reduce(hashes)) if len(hashes) else 0

    def text(self) -> str:
        return f"{self.rows}:{self.total:x}:{self.mixed:x}"


@dataclass
class SeenRows:
    """Rows of the look-back that were delivered: their times and hashes. Where they are too many to remember, as after a
    statement that changed millions of rows at one time, ``together`` tells only whether all are still as they were.
    """

    times: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.zeros(0, np.int64))
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    together: str = ""  # the digest that was remembered in the place of rows

    def add(self, times: pa.Array, hashes: Hashes) -> None:
        """Delivered just now. Rows without a time are always looked back at."""
        filled = times.fill_null(np.iinfo(np.int64).max).to_numpy(zero_copy_only=False)
        self.times = np.concatenate([self.times, filled])
        self.hashes = np.concatenate([self.hashes, hashes])

    def has(self, hashes: Hashes) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows were delivered as they are."""
        return np.isin(hashes, self.hashes)

    def since(self, floor: int) -> SeenRows:
        """Those that the next reading looks back at."""
        kept = self.times >= floor
        return SeenRows(self.times[kept], self.hashes[kept])

    def dumps(self) -> str:
        """As text."""
        if not len(self.hashes):
            return ""
        if len(self.hashes) > MOST:
            digest = ContentDigest()
            digest.add_hashes(self.hashes)
            return _TOGETHER + digest.text()
        order = np.argsort(self.hashes)
        raw = self.times[order].astype("<i8").tobytes() + self.hashes[order].astype("<u8").tobytes()
        return base64.b85encode(zlib.compress(raw, 6)).decode()

    @classmethod
    def loads(cls, text: str) -> SeenRows:
        """From text."""
        if not text or text.startswith(_TOGETHER):
            return cls(together=text.removeprefix(_TOGETHER))
        raw = zlib.decompress(base64.b85decode(text))
        half = len(raw) // 2
        return cls(
            np.frombuffer(raw[:half], "<i8").astype(np.int64),
            np.frombuffer(raw[half:], "<u8").astype(np.uint64),
        )
