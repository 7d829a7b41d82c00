"""How do records move? Sizes of segments over time, the share that moves, and the share that comes back.

``sync.store.label_moves`` tells what a move and a return are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sync.store.journal import Journal
from sync.store.label_moves import label_history
from sync.store.label_tables import LabelTables, labels_of, states
from sync.store.mirror import AccountMirror
from sync.store.segment_figures import moves_between

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


@dataclass(frozen=True)
class Since:
    """What became of the segments of an earlier day: moves, and what who moved spent in the last year (minor
    units; None: not known).
    """

    day: date
    moves: Sequence[tuple[Flow, int | None]]

    @property
    def flows(self) -> list[Flow]:
        """The moves alone."""
        return [flow for flow, _revenue in self.moves]

    def size(self, segment: str) -> int:
        """Records that a segment had on that day."""
        return sum(flow.records for flow in self.flows if flow.before == segment)

    def moved(self, sources: Collection[str], targets: Collection[str]) -> tuple[int, int | None]:
        """Records that came from the ones into the others, and what they spent."""
        chosen = [(f, spent) for f, spent in self.moves if f.before in sources and f.after in targets]
        known = [spent for _flow, spent in chosen if spent is not None]
        return sum(f.records for f, _spent in chosen), sum(known) if known or not chosen else None


MONTH_DAYS = 25  # an earlier labelling is "last month's" from so many days on


def since_last_month(
    mirror: AccountMirror, journal: Journal, name: str, as_of: date, days: Sequence[date]
) -> Since | None:
    """What became of the labels of about a month ago, else of the oldest; None at the first labelling.

    ``days``: of all labellings.
    """
    earlier = sorted(day for day in days if day < as_of)
    month_old = [day for day in earlier if (as_of - day).days >= MONTH_DAYS]
    if not earlier:
        return None
    day = month_old[-1] if month_old else earlier[0]
    with states(journal.labels, mirror, name, (day + timedelta(days=1)).isoformat()) as then:
        moves = moves_between(mirror, then, labels_of(name))
    return Since(day, [(Flow(before, after, records), spent) for before, after, records, spent in moves])


def flows(mirror: AccountMirror, name: str) -> list[Flow]:
    """What became of the segments of the labelling before, as the mirror holds both states."""
    tables = LabelTables(mirror, name)
    return [Flow(*row) for row in tables.moves()] if tables.keeps_before else []


def movement(mirror: AccountMirror, journal: Journal, name: str, until: date | None) -> Movement:
    """Lay the changes of every day up to ``until`` end to end."""
    history = label_history(mirror, journal.labels.days(mirror.name, name), until, RETURN_DAYS)
    sizes = history.sizes.values()
    records = [sum(column) for column in zip(*sizes, strict=True)] if sizes else [0] * len(history.days)
    return Movement(
        [
            Motion(day, count, history.moved.get(day, 0), history.returned.get(day, 0))
            for day, count in zip(history.days, records, strict=True)
        ],
        history.sizes,
        history.ever,
        history.ever_returned,
    )
