"""How did records move between the segments of a segmentation, day after day?

The journal keeps what each day changed; here those changes are laid end to end. A *move* is a change from one
segment into another. A *return* is a move into a segment that the record had left at most so many days
before, whatever lay in between (science: A-B-A and A-B-C-A alike). Who enters or leaves the population does
not move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate

import pyarrow as pa

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation
from sync.store.scratch import computed


@dataclass(frozen=True)
class LabelHistory:
    """Counts of records by day, from the oldest day on."""

    days: list[date] = field(default_factory=list)
    sizes: dict[str, list[int]] = field(default_factory=dict)  # segment → records, one figure for each day
    moved: dict[date, int] = field(default_factory=dict)
    returned: dict[date, int] = field(default_factory=dict)
    ever: int = 0  # records that have had a segment
    ever_returned: int = 0  # of them, those that came back at least once


def label_history(
    mirror: AccountMirror, changed: Iterable[tuple[str, pa.Table]], until: date | None, return_days: int
) -> LabelHistory:
    """Of the changes of each day up to ``until``: (ISO day, rows with record_type, id and segment), the oldest
    first; a day may come in parts.
    """
    days = _lay_out(mirror, changed, until)
    if not days:
        return LabelHistory()
    with computed(mirror, _STEPS) as steps:
        mirror.run("DROP TABLE states")
        moves = f"SELECT * FROM ({steps}) WHERE segment IS NOT NULL AND before IS NOT NULL"
        came_back = f"""SELECT DISTINCT later.as_of, later.record FROM ({moves}) AS later JOIN ({moves}) AS earlier
            ON later.record = earlier.record AND later.segment = earlier.before
            AND earlier.as_of < later.as_of AND earlier.as_of >= later.as_of - {return_days}"""
        with computed(mirror, came_back) as returns:
            moved, returned = (
                dict(mirror.rows(f"SELECT as_of, count(*) FROM ({rows}) GROUP BY as_of"))
                for rows in (moves, returns)
            )
            return LabelHistory(
                days,
                _sizes(mirror, steps, days),
                moved,
                returned,
                mirror.value(f"SELECT count(DISTINCT record) FROM ({steps}) WHERE segment IS NOT NULL"),
                mirror.value(f"SELECT count(DISTINCT record) FROM ({returns})"),
            )


# (as_of, record, segment, before): each change of a record's segment
_STEPS = """SELECT as_of, record, segment, before
    FROM (SELECT *, lag(segment) OVER (PARTITION BY record ORDER BY as_of) AS before FROM states)
    WHERE segment IS DISTINCT FROM before"""


def _lay_out(
    mirror: AccountMirror, changed: Iterable[tuple[str, pa.Table]], until: date | None
) -> list[date]:
    """The table that ``_STEPS`` reads: the segment of each record whose state a day changed. Returns the days."""
    days: list[date] = []
    mirror.run("CREATE OR REPLACE TEMP TABLE states (as_of DATE, record BIGINT, segment VARCHAR)")
    for day, table in changed:
        if until is not None and date.fromisoformat(day) > until:
            break
        if not days or days[-1] != date.fromisoformat(day):
            days.append(date.fromisoformat(day))
        mirror.run(
            f"INSERT INTO states SELECT DATE '{days[-1]}', record, segment FROM frame JOIN ids USING (record_type, id)",
            frame=table.select(["record_type", "id", "segment"]),
        )
    return days


def _sizes(mirror: AccountMirror, steps: Relation, days: list[date]) -> dict[str, list[int]]:
    """Records in each segment on each day: who came, less who went, added up."""
    rows = mirror.rows(
        f"""SELECT as_of, segment, count(*) FROM ({steps}) WHERE segment IS NOT NULL GROUP BY ALL
            UNION ALL SELECT as_of, before, -count(*) FROM ({steps}) WHERE before IS NOT NULL GROUP BY ALL"""
    )
    changed: dict[str, dict[date, int]] = {}
    for day, segment, number in rows:
        of_segment = changed.setdefault(segment, {})
        of_segment[day] = of_segment.get(day, 0) + number
    return {
        segment: list(accumulate(of_day.get(day, 0) for day in days)) for segment, of_day in changed.items()
    }
