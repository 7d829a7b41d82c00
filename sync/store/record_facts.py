"""What does the mirror hold of one record?"""

from __future__ import annotations

from typing import Any

from sync.store.identity_resolution import of_address, people
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

_PERSON = "name, email, emails, phones, country"


# letters that are no other letter with a mark, as people without them on their keyboard type them
_TYPED = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i"}


def found_by(mirror: AccountMirror, text: str) -> list[tuple[int, str, str]]:
    """(number, record type, id) of the record with this id in the CRM; else of all that have this e-mail address;
    else of all whose name has these words, in any order, whatever their case and accents.
    """
    named = mirror.record(text)
    numbers = [named[0]] if named else of_address(mirror, text) or _of_name(mirror, text)
    if not numbers:
        return []
    places = {number: place for place, number in enumerate(numbers)}
    rows = mirror.rows(
        f"SELECT record, record_type, id FROM ids WHERE record IN ({', '.join(map(str, numbers))})"
    )
    return sorted(rows, key=lambda row: places[row[0]])


def _of_name(mirror: AccountMirror, name: str) -> list[int]:
    """Records whose name has these words, the shortest ids first."""
    words = mirror.value(f"SELECT {_words(literal(name))}")
    if not words:
        return []
    asked = "[" + ", ".join(map(literal, words)) + "]"
    rows = mirror.rows(
        f"SELECT record FROM ({people(mirror)}) WHERE list_has_all({_words('name')}, {asked}) ORDER BY length(id), id"
    )
    return [int(record) for (record,) in rows]


def _words(column: str) -> str:
    """SQL of the words of a name, as they are compared."""
    plain = f"strip_accents(lower({column}))"
    for letter, typed in _TYPED.items():
        plain = f"replace({plain}, {literal(letter)}, {literal(typed)})"
    return f"list_filter(regexp_split_to_array({plain}, '[^\\pL\\pN]+'), word -> word <> '')"


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
