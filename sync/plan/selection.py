"""Which records is a plan about?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.account.targets import Target
from sync.store.ids import MERGED, called, changed_since
from sync.store.label_tables import labels_of
from sync.store.mirror import literal
from sync.store.relation import Relation


@dataclass(frozen=True)
class Selection:
    """All records by default. ``extra_fields`` writes those of unmoved records too."""

    records: Sequence[str] | None = None  # ids
    segment: str | None = None
    since: str | None = None  # ISO day: records that changed or moved on it or later
    extra_fields: bool = False
    withdrawn: bool = False  # only those whose consent forbids a target

    @property
    def whole(self) -> bool:
        """Whether it is about every record."""
        return self.records is None and self.segment is None and self.since is None and not self.withdrawn

    def condition(self, target: Target, withdrawn: Relation) -> str:
        """SQL condition on the ``record`` of a target: those who are ``withdrawn`` from it are always selected,
        who was merged into another never else.
        """
        if self.withdrawn:
            return f"record IN ({withdrawn})"
        conditions = [f"record NOT IN (SELECT record FROM ({MERGED}))"]
        if self.records is not None:
            conditions.append(f"record IN ({called(self.records)})")
        if self.since is not None:
            conditions.append(f"record IN ({changed_since(self.since)})")
        if self.segment is not None:
            labels = labels_of(target.segmentation)
            conditions.append(
                f"record IN (SELECT record FROM ({labels}) WHERE segment = {literal(self.segment)})"
            )
        return f"(record IN ({withdrawn}) OR ({' AND '.join(conditions)}))"
