"""How do records move? Sizes of segments over time, the share that moves, and the share that comes back.

The journal keeps what each day changed; here those changes are laid end to end. A *move* is a change from one
segment into another. A *return* is a move into a segment that the record had left at most twelve weeks
before, whatever lay in between (science: A-B-A and A-B-C-A alike). Who enters or leaves the population does
not move.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate

from sync.account.session import Session
from sync.store.mirror import quoted

RETURN_DAYS = 84  # twelve weeks


@dataclass(frozen=True)
class Motion:
    """What one labelling moved. ``records`` had a segment on that day."""

    as_of: date
    records: int
    moved: int
    returned: int

    @property
    def share(self) -> float:
        """Of the records that moved."""
        return self.moved / self.records if self.records else 0.0

    @property
    def returned_share(self) -> float:
        """Of the records that came back to an earlier segment."""
        return self.returned / self.records if self.records else 0.0


@dataclass(frozen=True)
class Movement:
    """All labellings of a segmentation that the journal keeps, the oldest first."""

    motions: list[Motion] = field(default_factory=list)
    # segment → records, one figure for each of ``motions``
    sizes: dict[str, list[int]] = field(default_factory=dict)
    ever: int = 0  # records that have had a segment
    returned: int = 0  # of them, those that came back at least once within twelve weeks

    @property
    def moved_per_week(self) -> float | None:
        """Share of records that move in seven days, over the whole time; None before a second labelling."""
        if len(self.motions) < 2:
            return None
        days = (self.motions[-1].as_of - self.motions[0].as_of).days
        return sum(motion.share for motion in self.motions[1:]) * 7 / days

    @property
    def returned_share(self) -> float | None:
        """Share of records that came back within twelve weeks at least once; None before a third labelling."""
        return self.returned / self.ever if len(self.motions) > 2 and self.ever else None


@dataclass(frozen=True)
class Flow:
    """So many records had ``before`` and have ``after``; None: they were, or are, outside of the population."""

    before: str | None
    after: str | None
    records: int


def flows(session: Session, name: str) -> list[Flow]:
    """What became of the segments of the labelling before, as the mirror holds both states."""
    mirror = session.mirror()
    if not mirror.has_table("before_" + name):
        return []
    rows = mirror.rows(
        f"""SELECT b.segment, l.segment, count(*) FROM {quoted("before_" + name)} AS b
            FULL JOIN {quoted("labels_" + name)} AS l USING (record) GROUP BY ALL ORDER BY ALL"""
    )
    return [Flow(*row) for row in rows]


def movement(session: Session, name: str, until: date | None) -> Movement:
    """Lay the changes of every day up to ``until`` end to end."""
    days = _lay_out(session, name, until)
    if not days:
        return Movement()
    mirror = session.mirror()
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE steps AS SELECT as_of, record, segment, before
           FROM (SELECT *, lag(segment) OVER (PARTITION BY record ORDER BY as_of) AS before FROM states)
           WHERE segment IS DISTINCT FROM before"""
    )
    mirror.run(
        "CREATE OR REPLACE TEMP TABLE moves AS FROM steps WHERE segment IS NOT NULL AND before IS NOT NULL"
    )
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE returns AS SELECT DISTINCT later.as_of, later.record FROM moves AS later JOIN moves AS earlier
            ON later.record = earlier.record AND later.segment = earlier.before
            AND earlier.as_of < later.as_of AND earlier.as_of >= later.as_of - {RETURN_DAYS}"""
    )
    sizes = _sizes(session, days)
    moved, returned = (
        dict(mirror.rows(f"SELECT as_of, count(*) FROM {table} GROUP BY as_of"))
        for table in ("moves", "returns")
    )
    records = [sum(column) for column in zip(*sizes.values(), strict=True)] if sizes else [0] * len(days)
    return Movement(
        [
            Motion(day, count, moved.get(day, 0), returned.get(day, 0))
            for day, count in zip(days, records, strict=True)
        ],
        sizes,
        mirror.value("SELECT count(DISTINCT record) FROM steps WHERE segment IS NOT NULL"),
        mirror.value("SELECT count(DISTINCT record) FROM returns"),
    )


def _lay_out(session: Session, name: str, until: date | None) -> list[date]:
    """Table ``states``: the segment of each record whose state a day changed. Returns the days."""
    mirror = session.mirror()
    days: list[date] = []
    mirror.run("CREATE OR REPLACE TEMP TABLE states (as_of DATE, record BIGINT, segment VARCHAR)")
    for day, table in session.journal.labels.days(session.account, name):
        if until is not None and date.fromisoformat(day) > until:
            break
        if not days or days[-1] != date.fromisoformat(day):  # a day may come in parts
            days.append(date.fromisoformat(day))
        frame = table.select(["record_type", "id", "segment"])
        mirror.run(
            f"INSERT INTO states SELECT DATE '{days[-1]}', record, segment FROM frame JOIN ids USING (record_type, id)",
            frame=frame,
        )
    return days


def _sizes(session: Session, days: list[date]) -> dict[str, list[int]]:
    """Records in each segment on each day: who came, less who went, added up."""
    rows = session.mirror().rows(
        """SELECT as_of, segment, count(*) FROM steps WHERE segment IS NOT NULL GROUP BY ALL
           UNION ALL SELECT as_of, before, -count(*) FROM steps WHERE before IS NOT NULL GROUP BY ALL"""
    )
    changed: dict[str, dict[date, int]] = {}
    for day, segment, number in rows:
        of_segment = changed.setdefault(segment, {})
        of_segment[day] = of_segment.get(day, 0) + number
    return {
        segment: list(accumulate(steps.get(day, 0) for day in days)) for segment, steps in changed.items()
    }
