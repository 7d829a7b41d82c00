"""How are the rows of a bulk query kept?

As CSV in large blocks, sliced by rows wherever a page begins and ends.
"""

from __future__ import annotations

import csv
import io
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

BLOCK = 10_000  # rows


class Sheet:
    """A CSV of many rows, every value in quotes, without its header.

    Blocks have BLOCK rows, but for the last.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self.header = _line(header)
        self.blocks: list[bytes] = []
        self.rows = 0
        self._packed: dict[tuple[int, int], bytes] = {}
        self._lock = threading.Lock()

    def append(self, rows: list[tuple[Any, ...]]) -> None:
        """Add the next block; only the last may be short."""
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        self.blocks.append(text.getvalue().encode())
        self.rows += len(rows)

    def page(self, start: int, count: int) -> Iterator[bytes]:
        """The header and so many rows, in parts."""
        yield self.header
        after = min(start + count, self.rows)
        while start < after:
            number, offset = divmod(start, BLOCK)
            block = self.blocks[number]
            last = min(after - number * BLOCK, BLOCK)
            size = min(BLOCK, self.rows - number * BLOCK)
            yield block if offset == 0 and last == size else _rows(block, offset, last)
            start = number * BLOCK + last

    def packed(self, start: int, count: int) -> bytes:
        """The same page in gzip; made once."""
        with self._lock:
            packed = self._packed.get((start, count))
        if packed is None:
            packer = zlib.compressobj(1, wbits=31)
            packed = b"".join([*(packer.compress(part) for part in self.page(start, count)), packer.flush()])
            with self._lock:
                self._packed[start, count] = packed
        return packed


def _line(values: Sequence[str]) -> bytes:
    return (",".join(f'"{value}"' for value in values) + "\n").encode()


def _rows(block: bytes, first: int, after: int) -> bytes:
    """Rows of a block: its lines end at the breaks that stand outside quotes."""
    letters = np.frombuffer(block, np.uint8)
    outside = np.cumsum(letters == ord('"'), dtype=np.int32) % 2 == 0
    ends = np.flatnonzero((letters == ord("\n")) & outside) + 1
    return block[int(ends[first - 1]) if first else 0 : int(ends[after - 1])]
