"""What does the mirror hold of one record?"""

from __future__ import annotations

from typing import Any

from sync.store.identity_resolution import of_address
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

_PERSON = "name, email, emails, phones, country"


def found_by(mirror: AccountMirror, id_or_address: str) -> tuple[int, str, str] | None:
    """(number, record type, id) of a record by its id in the CRM, or of the oldest that has an address."""
    named = mirror.record(id_or_address)
    number = named[0] if named else next(iter(of_address(mirror, id_or_address)), None)
    if number is None:
        return None
    record_type, id = mirror.rows(f"SELECT record_type, id FROM ids WHERE record = {number}")[0]
    return number, str(record_type), str(id)


def person(mirror: AccountMirror, record: int) -> dict[str, Any]:
    """Name, addresses, numbers and country, as far as the source has them."""
    alive = "part IN (SELECT part FROM parts WHERE live)"
    rows = _row(mirror, Relation(f"SELECT record, {_PERSON} FROM records WHERE {alive}"), record)
    return {key: value for key, value in rows.items() if value is not None}


def objects_to_profiling(mirror: AccountMirror, consents: Relation, record: int) -> bool:
    """Whether the person objects, by these consents."""
    return bool(mirror.value(f"SELECT bool_or(objects) FROM ({consents}) WHERE record = {record}"))


def labels_of_record(mirror: AccountMirror, labels: Relation, record: int) -> dict[str, Any]:
    """Its row of a labelling; empty where it has none."""
    return _row(mirror, labels, record)


def held_values(mirror: AccountMirror, record: int) -> dict[str, str]:
    """What the CRM holds of it in our fields and lists, by target."""
    return dict(mirror.rows(f"SELECT target, value FROM actual WHERE record = {record} ORDER BY target"))


def features_of(mirror: AccountMirror, record: int) -> dict[str, Any] | None:
    """Its features that have a value; None where the mirror keeps no features."""
    if not mirror.has_table("features"):
        return None
    features = _row(mirror, Relation("SELECT * FROM features"), record)
    return {key: value for key, value in features.items() if value is not None}


def _row(mirror: AccountMirror, rows: Relation, record: int) -> dict[str, Any]:
    """The record's row without its number; empty where there is none."""
    row = mirror.table(f"SELECT * EXCLUDE (record) FROM ({rows}) WHERE record = {record}").to_pylist()
    return dict(row[0]) if row else {}
