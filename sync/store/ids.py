"""Which record of the CRM has which number here, which of them were merged, and which of them moved?"""

from __future__ import annotations

from collections.abc import Sequence

from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

IDS = Relation("SELECT record, record_type, id FROM ids")
MERGED = Relation("SELECT record, survivor FROM redirects")  # or converted
PRESENT = Relation("SELECT record FROM records")  # those that the CRM holds


def numbered(rows: Relation) -> Relation:
    """Rows with ``record_type`` and ``id``, under the ``record`` numbers of those that we know."""
    return Relation(f"SELECT * FROM ({rows}) AS named JOIN ids USING (record_type, id)")


def called(ids: Sequence[str]) -> Relation:
    """Records of any type that have one of these ids."""
    return Relation(f"SELECT record FROM ids WHERE id IN ({', '.join(map(literal, ids)) or 'NULL'})")


def changed_since(day: str) -> Relation:
    """Records that were made or changed in the CRM on a day (ISO) or later."""
    since = f"{literal(day)}::DATE"
    return Relation(f"SELECT record FROM records WHERE changed_at >= {since} OR created_at >= {since}")


def changed_after(mirror: AccountMirror, instant: str) -> int:
    """How many records were changed in the CRM after an instant (ISO)."""
    sql = f"SELECT count(*) FROM records WHERE changed_at > {literal(instant)}::TIMESTAMPTZ"
    return int(mirror.value(sql))
