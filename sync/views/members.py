"""Who is in a segment? A page of its members, for people. Whoever objects to profiling is on none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.values.currency import exponent
from sync.store import segment_members
from sync.store.features_table import kept_features
from sync.store.label_tables import LabelTables
from sync.store.segment_members import Members
from sync.views.segment_file import Known, segmentation_of

_COLUMNS = ("id", "record_type", "since", "previous", "score", "reason")
_PERSONAL = ("name", "email")


@dataclass(frozen=True)
class Wanted:
    """A page of members. ``looked_for``: letters of an id, or of a name or address where these are shown."""

    segment: str
    looked_for: str = ""
    limit: int = 50
    offset: int = 0
    personal: bool = False


def members(known: Known, wanted: Wanted) -> dict[str, Any]:
    """``rows`` of the page, ``total`` of the segment, and how many of them ``match``. UsageError: there is no such
    segment.
    """
    mirror = known.mirror
    settings, key = segmentation_of(known.config, mirror.name, wanted.segment)
    labels = LabelTables(mirror, settings.name).restored(known.journal.labels)
    purchases = segment_members.OF_PURCHASES if kept_features(mirror) is not None else ()
    columns = (*_COLUMNS, *purchases, *(_PERSONAL if wanted.personal else ()))
    people = Members(known.people, labels, key, {})
    rows = people.rows(mirror, columns, exponent(known.settings.currency))
    searched = ("id", *(_PERSONAL if wanted.personal else ()))
    page = segment_members.page(mirror, rows, searched, wanted.looked_for, wanted.limit, wanted.offset)
    return {**page, "total": people.counts(mirror).get("", 0)}
