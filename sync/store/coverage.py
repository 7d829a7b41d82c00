"""Of how many people is something known? Of those who do not object to profiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.store.identity_resolution import people
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.test_contacts import without


def everyone(mirror: AccountMirror, record_types: Sequence[str]) -> Relation:
    """Records of these types that stand for someone who does not object to profiling in this account, without test
    contacts.
    """
    types = ", ".join(map(literal, record_types)) or "NULL"
    willing = f"SELECT * FROM ({people(mirror)}) WHERE NOT coalesce(objects_to_profiling, false) AND record_type IN ({types})"
    return without(mirror, Relation(willing))


def count(mirror: AccountMirror, rows: Relation) -> int:
    """How many there are."""
    return int(mirror.value(f"SELECT count(*) FROM ({rows})"))


def counts_with(mirror: AccountMirror, rows: Relation, columns: Mapping[str, str]) -> dict[str, int]:
    """Name → records of which its column (SQL) holds something."""
    counts = ", ".join(f"count({column})" for column in columns.values())
    return dict(zip(columns, mirror.rows(f"SELECT {counts} FROM ({rows})")[0], strict=True))
