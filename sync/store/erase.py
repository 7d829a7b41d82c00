"""How is a person taken out of the mirror, so that no byte of them is left, and nothing of anybody else is
read again?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from sync.store import repeats
from sync.store.activity_owner import address_of
from sync.store.mirror import AccountMirror, Mirror, literal, quoted
from sync.store.soundness import remove_set_aside


@dataclass
class Names:
    """What a person is called in one account."""

    records: set[tuple[str, str]] = field(default_factory=set)  # record type, id
    texts: set[str] = field(default_factory=set)  # ids as activity writes them, and addresses


def erase(mirror: Mirror, people: Mapping[str, Names]) -> None:
    """Delete all rows of these people, and write what is left into a new file: deleted rows stay readable in
    the old one.

    ``people``: by account. The mirror is closed afterwards. Older mirrors that were set aside go too.
    """
    for account, names in people.items():
        _delete(mirror.account(account), names)
    mirror.compact()
    for kind in ("damaged", "outdated"):
        remove_set_aside(mirror.path, kind)


def _delete(mirror: AccountMirror, names: Names) -> None:
    schema = literal(mirror.name)
    columns = mirror.rows(
        f"SELECT table_name, list(column_name) FROM duckdb_columns() WHERE schema_name = {schema} GROUP BY table_name"
    )
    tables = {table: set(listed) for table, listed in columns}
    pairs = ", ".join(f"({literal(kind)}, {literal(id)})" for kind, id in names.records) or "(NULL, NULL)"
    numbers = mirror.rows(f"SELECT record FROM ids WHERE (record_type, id) IN ({pairs})")
    who, texts = _listed(str(number) for (number,) in numbers), _listed(map(literal, _all_texts(names)))
    with mirror.transaction():
        for table, listed in tables.items():
            conditions = [f"record IN ({who})"] if "record" in listed else []
            if table in ("redirects", "merged_consents"):
                conditions.append(f"survivor IN ({who})")
            if table in ("parked", "names"):
                same = f"(SELECT {address_of('text')} FROM (SELECT unnest([{texts}]::VARCHAR[]) AS text))"
                conditions += [f"id IN ({texts})", f"{address_of('email')} IN {same}"]
            if conditions:
                mirror.run(f"DELETE FROM {quoted(table)} WHERE {' OR '.join(conditions)}")
        if mirror.stamp("newest_wins") == "yes":  # what a row of theirs stood above counts again
            repeats.settle(mirror)
        mirror.touched()


def _all_texts(names: Names) -> Set[str]:
    return names.texts | {id for _type, id in names.records}


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts) or "NULL"
