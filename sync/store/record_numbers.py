"""Which record does each id of a page mean, where a page has a million of them?

Ids are mostly whole numbers that lie close to each other, as databases give them: then an array that is read at the
place of an id costs a fifth of joining texts. Other ids, and small pages, are joined in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sync.store.mirror import AccountMirror

WORTH_IT = 50_000  # rows of a page from which on the array is made
_ROOM = 4  # places of the array for each id that is known


@dataclass(frozen=True)
class RecordNumbers:
    """The records of one record type by their ids."""

    records: np.ndarray[Any, np.dtype[np.int64]]  # record by id; -1: no record has it

    def of(self, ids: pa.ChunkedArray) -> pa.Array | None:
        """The record of each id (int64, null where it is not known); None where some id is no plain number."""
        numbers = _whole_numbers(ids)
        if numbers is None:
            return None
        last = len(self.records) - 1  # at which no record stands
        found = self.records[np.where((numbers >= 0) & (numbers < last), numbers, last)]
        return pa.array(found, mask=found < 0)


def record_numbers(mirror: AccountMirror, table: str, record_type: str) -> RecordNumbers | None:
    """By a ``table`` of (record_type, id, record); None where too few ids are plain numbers that lie close."""
    plain = f"""SELECT record, number FROM (SELECT record, id, try_cast(id AS BIGINT) AS number FROM {table}
        WHERE record_type = ?) WHERE number >= 0 AND number::VARCHAR = id"""
    count, last = mirror.rows(f"SELECT count(*), max(number) FROM ({plain})", [record_type])[0]
    if not count or last >= _ROOM * count:
        return None
    rows = mirror.table(plain, [record_type])
    records = np.full(last + 2, -1, np.int64)
    records[rows["number"].to_numpy()] = rows["record"].to_numpy()
    return RecordNumbers(records)


def _whole_numbers(ids: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """Ids as numbers, -1 where there is none; None where one is written in another way, such as 007."""
    try:
        numbers = ids.cast(pa.int64()).fill_null(-1).to_numpy()
    except pa.ArrowInvalid:
        return None
    largest = int(numbers.max(initial=0))
    digits = int(np.count_nonzero(numbers >= 0))
    for power in range(1, len(str(largest))):
        digits += int(np.count_nonzero(numbers >= 10**power))
    letters = sum(_letters(chunk) for chunk in ids.chunks)
    # any other way to write a number takes more letters
    return numbers if digits == letters else None


def _letters(texts: pa.Array) -> int:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return int(offsets[-1] - offsets[0]) if len(texts) else 0
