"""What does the CRM hold in our fields and lists, as it was last read or written?"""

from __future__ import annotations

from sync.store.mirror import literal
from sync.store.relation import Relation

# (record, target, value) of all that is not empty
HELD = Relation("SELECT record, target, value FROM actual WHERE coalesce(value, '') <> ''")


def values_in(target: str) -> Relation:
    """(record, value) of a target."""
    return Relation(f"SELECT record, value FROM actual WHERE target = {literal(target)}")
