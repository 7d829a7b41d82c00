"""When did rows change, by the column that the config names, and from where on must they be read again?

Times are microseconds since 1970 in the column's own clock: one without a zone is not converted. A value of
the future, or of no calendar, moves no bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import RequestError
from connectors.sql.engines.base import NUMERIC
from connectors.values.text import as_text, flat, is_text
from connectors.values.timestamps import instants

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1)
_NUMBER = r"^[0-9]{9,19}(\.[0-9]+)?$"
# microseconds of one, of a number of so many digits before its point: Unix seconds, milliseconds, microseconds
_UNITS = ((11, SECOND), (14, 1_000), (17, 1))


@dataclass(frozen=True)
class ChangeClock:
    """What a column of changes holds: instant, local, date, text or number; of numbers, the microseconds of one."""

    kind: str
    unit: int = 0

    def bound(self, floor: int) -> str:
        """A value of the column that lies at or before a time."""
        if self.kind == "number":
            return str(floor // self.unit)
        # texts may name another offset, and a blank sorts before the T of others
        moment = _EPOCH + timedelta(microseconds=floor - (DAY if self.kind == "text" else 0))
        if self.kind == "date":
            return moment.date().isoformat()
        shown = moment.replace(microsecond=0).isoformat(" ")
        return shown + "+00:00" if self.kind == "instant" else shown


def clock_of(column: pa.ChunkedArray, metadata: object, where: str) -> ChangeClock | None:
    """What a page of the column holds; None where it holds nothing. RequestError where that is no time."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return ChangeClock("instant" if kind.tz else "local")
    if pa.types.is_date(kind):
        return ChangeClock("date")
    if not (is_text(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise RequestError(
            f"{where} is of the type {kind}, which is not a time: name a column of times, or leave changed_at out"
        )
    texts = as_text(column)[0].drop_null()
    if not len(texts):
        return None
    numbers = pc.match_substring_regex(texts, _NUMBER)
    if pc.all(numbers).as_py():
        digits = len(re.split(r"\.", texts[len(texts) - 1].as_py())[0])
        unit = next((unit for most, unit in _UNITS if digits <= most), None)
        if unit is not None:
            return ChangeClock("number", unit)
    if not is_text(kind) or metadata == NUMERIC or instants(texts, "UTC")[0].null_count == len(texts):
        raise RequestError(f"{where} has no times: name a column of times, or leave changed_at out")
    return ChangeClock("text")


def stamps(column: pa.ChunkedArray, clock: ChangeClock) -> pa.Array:
    """The times of a page's rows (int64), null where there is none."""
    if clock.kind == "number":
        seconds = as_text(column)[0].cast(pa.decimal128(24, 6), safe=False)
        whole = pc.multiply(seconds, pa.scalar(clock.unit, pa.decimal128(8, 0)))
        return whole.cast(pa.decimal128(33, 0), safe=False).cast(pa.int64(), safe=False)
    return flat(instants(column, "UTC")[0]).cast(pa.int64())


def latest(times: pa.Array, now: datetime) -> int | None:
    """The last time that is not of the future."""
    most = (now.astimezone(UTC).replace(tzinfo=None) - _EPOCH + timedelta(days=1)) // timedelta(
        microseconds=1
    )
    past = times.filter(pc.less_equal(times, most))
    top: int | None = pc.max(past).as_py() if len(past) else None
    return top
