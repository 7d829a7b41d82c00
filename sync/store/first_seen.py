"""On which day did a pull first see a record of which nobody says when it was made?

It is kept in the local copy. Where that is read anew, such records count as first seen on that day: too late
rather than too early.
"""

from __future__ import annotations

from datetime import date

from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation


def note(mirror: AccountMirror, day: date) -> None:
    """Remember the day of those that were not there before."""
    mirror.run("CREATE TABLE IF NOT EXISTS first_seen (record BIGINT, day DATE)")
    mirror.run(
        f"""INSERT INTO first_seen SELECT DISTINCT record, {literal(day.isoformat())}::DATE
            FROM records ANTI JOIN first_seen USING (record) WHERE created_at IS NULL"""
    )


def by(mirror: AccountMirror, day: str) -> Relation:
    """(record) of those that were seen by a day (in SQL)."""
    if not mirror.has_table("first_seen"):
        return Relation("SELECT NULL::BIGINT AS record WHERE false")
    return Relation(f"SELECT record FROM {mirror.schema}.first_seen WHERE day <= {day}")
