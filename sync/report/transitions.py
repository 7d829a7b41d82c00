"""How do records move? Sizes of segments over time, the share that moves, and the share that comes back.

``sync.store.label_moves`` tells what a move and a return are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sync.store.journal import Journal
from sync.store.label_moves import label_history
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror

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
