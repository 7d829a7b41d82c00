"""Which contacts of another account are contacts here, and which attributes do they bring along?

Contacts are found by a key that both accounts have: the id, every e-mail address, or an attribute. A contact of
theirs that fits two contacts here is neither of them: nothing of it counts here, and it is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.schemas import ATTRIBUTE, SPELLING
from sync.store import activity_owner
from sync.store.identity_resolution import people
from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation
from sync.store.scratch import remembered

ID_TYPE = "contact_id_type"  # stamp: how ids of contacts are compared, as the account was last read
_SQL_TYPES = {"number": "DOUBLE", "date": "DATE", "bool": "BOOLEAN"}


@dataclass(frozen=True)
class Joined:
    """Another account, by what its contacts are found here (``id``, ``email`` or an attribute), and what of it is
    used.
    """

    mirror: AccountMirror
    own: str = "email"
    other: str = "email"
    activity: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)  # their name there → type

    @property
    def name(self) -> str:
        """Of the account."""
        return self.mirror.name

    def signature(self) -> list[object]:
        """All that decides what comes from it, beside its records."""
        return [
            self.name,
            self.own,
            self.other,
            self.activity,
            [list(pair) for pair in sorted(self.attributes.items())],
        ]


# -- who is who --------------------------------------------------------------------------------------------


def fitting(ours: AccountMirror, joined: Joined) -> Relation:
    """(theirs, ours): every contact of theirs that shares a key with a contact here; ``ours`` is null where it
    shares one with several.
    """
    theirs, own = _keyed(ours, joined)
    return Relation(
        f"""SELECT theirs.record AS theirs,
                CASE WHEN min(own.lowest) = max(own.highest) THEN min(own.lowest) END AS ours
            FROM ({theirs}) AS theirs
            JOIN (SELECT key, min(record) AS lowest, max(record) AS highest FROM ({own}) GROUP BY key) AS own
            ON theirs.key = own.key GROUP BY theirs.record"""
    )


@dataclass(frozen=True)
class Found:
    """Another account, and whom its contacts fit here (as ``fitting`` tells)."""

    joined: Joined
    fits: Relation


def found(ours: AccountMirror, joined: Joined) -> Found:
    """Computed now, for all that is counted of it; it holds until it is asked for again."""
    return Found(joined, remembered(ours, f"fitting_{joined.name}", fitting(ours, joined)))


def same_people(ours: AccountMirror, joined: Joined) -> Relation:
    """(theirs, ours): which contact of another account is which contact here. Nobody of theirs is two of ours;
    several of theirs may be one of ours.
    """
    return Relation(f"SELECT theirs, ours FROM ({fitting(ours, joined)}) WHERE ours IS NOT NULL")


def alike_people(ours: AccountMirror, joined: Joined) -> Relation:
    """(theirs, ours): every pair that shares a key.

    What binds a person binds all records that may be theirs.
    """
    theirs, own = _keyed(ours, joined)
    return Relation(
        f"""SELECT DISTINCT theirs.record AS theirs, own.record AS ours
            FROM ({theirs}) AS theirs JOIN ({own}) AS own ON theirs.key = own.key"""
    )


def alike(ours: AccountMirror, joined: Joined, records: Sequence[int]) -> list[int]:
    """Contacts of theirs that may be one of these here."""
    numbers = ", ".join(map(str, records)) or "NULL"
    pairs = alike_people(ours, joined)
    return [
        theirs
        for (theirs,) in ours.rows(f"SELECT theirs FROM ({pairs}) WHERE ours IN ({numbers}) ORDER BY 1")
    ]


@dataclass(frozen=True)
class Matched:
    """Contacts of another account: all, those found here, and those that fit several contacts here."""

    contacts: int
    matched: int
    ambiguous: int

    @property
    def unmatched(self) -> int:
        """Those that fit nobody here."""
        return self.contacts - self.matched - self.ambiguous


def matched(found: Found) -> Matched:
    """How many of their contacts are found here."""
    theirs = found.joined.mirror
    contacts = theirs.value(f"SELECT count(*) FROM ({people(theirs)}) WHERE record_type = 'contact'")
    fit, one = theirs.rows(f"SELECT count(*), count(ours) FROM ({found.fits})")[0]
    return Matched(int(contacts), one, fit - one)


# -- keys ----------------------------------------------------------------------------------------------------


def _keyed(ours: AccountMirror, joined: Joined) -> tuple[Relation, Relation]:
    """(record, key) of their contacts and of ours, in the form in which the two are compared: as numbers or as
    ids of Salesforce where one side is of them, else without case and blanks.
    """
    sides = ((joined.mirror, joined.other), (ours, joined.own))
    forms = {_form(mirror, name) for mirror, name in sides}
    form = next((form for form in ("number", "salesforce") if form in forms), "email")
    theirs, own = (_keys(mirror, name, form) for mirror, name in sides)
    return theirs, own


def _form(mirror: AccountMirror, name: str) -> str:
    if name == "id":
        return mirror.stamp(ID_TYPE) or "text"
    return "number" if mirror.attributes().get(ATTRIBUTE + name) == "DOUBLE" else "text"


def _keys(mirror: AccountMirror, name: str, form: str) -> Relation:
    if name == "email":
        addresses = activity_owner.addresses(mirror)
        texts = Relation(f"SELECT record, record_type, address AS text FROM ({addresses})")
    elif name == "id":
        texts = activity_owner.ids_of_people(mirror)
    else:
        text = _text(mirror, name, form)
        texts = Relation(f"SELECT record, record_type, {text} AS text FROM ({people(mirror)})")
    key = activity_owner.key_of("text", form)  # type: ignore[arg-type]
    return Relation(f"SELECT record, {key} AS key FROM ({texts}) WHERE record_type = 'contact' AND key <> ''")


def _text(mirror: AccountMirror, name: str, form: str) -> str:
    """SQL of an attribute as text; a whole number without decimals, as ids have none."""
    columns, column = mirror.attributes(), quoted(ATTRIBUTE + name)
    if ATTRIBUTE + name not in columns:
        return "NULL::VARCHAR"
    if columns[ATTRIBUTE + name] == "DOUBLE":
        whole = f"{column} = trunc({column}) AND abs({column}) < 1e15"
        return f"CASE WHEN {whole} THEN {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END"
    if form == "salesforce" and SPELLING + name in mirror.columns("records"):  # where case tells ids apart
        return quoted(SPELLING + name)
    return f"{column}::VARCHAR"


# -- attributes ------------------------------------------------------------------------------------------------


def with_attributes(ours: AccountMirror, people: Relation, joined: Sequence[Joined]) -> Relation:
    """People of ours (with ``record``), with the attributes of other accounts as ``attribute.ACCOUNT.NAME``.

    Where several of their records are one contact here and do not agree, the attribute is not known. It holds
    until it is asked for again.
    """
    for source in joined:
        if source.attributes:
            people = _joined(ours, people, source)
    return people


def _joined(ours: AccountMirror, people: Relation, source: Joined) -> Relation:
    columns = _columns(source)
    rows = remembered(ours, f"attributes_of_{source.name}", _values(ours, source, columns))
    taken = {name.lower() for name in columns}
    hidden = [quoted(name) for name in ours.columns("records") if name.lower() in taken]
    own = f"people.* EXCLUDE ({', '.join(hidden)})" if hidden else "people.*"
    return Relation(
        f"SELECT {own}, {', '.join(f'theirs.{quoted(name)}' for name in columns)} FROM ({people}) AS people "
        f"LEFT JOIN ({rows}) AS theirs ON theirs.record = people.record"
    )


def _columns(source: Joined) -> dict[str, str]:
    """Name of each column here → SQL of its value in a record of theirs."""
    held, columns = source.mirror.columns("records"), {}
    for name, type in source.attributes.items():
        columns[f"{ATTRIBUTE}{source.name}.{name}"] = _value(name, type, held)
        if SPELLING + name in held:
            columns[f"{SPELLING}{source.name}.{name}"] = f"person.{quoted(SPELLING + name)}"
    return columns


def _value(name: str, type: str, held: set[str]) -> str:
    if ATTRIBUTE + name not in held:
        return f"NULL::{_SQL_TYPES.get(type, 'VARCHAR')}"
    column = f"person.{quoted(ATTRIBUTE + name)}"
    if type == "set":  # in which order the elements stand does not matter
        return f"array_to_string(list_sort(list_distinct(string_split({column}, ';'))), ';')"
    return column


def _values(ours: AccountMirror, source: Joined, columns: Mapping[str, str]) -> Relation:
    """(record, columns): of each contact here the value on which its records there agree; spellings may
    differ.
    """
    agreed = [
        f"min({value}) AS {quoted(name)}"
        if name.startswith(SPELLING)
        else f"CASE WHEN min({value}) = max({value}) THEN min({value}) END AS {quoted(name)}"
        for name, value in columns.items()
    ]
    return _grouped(source, fitting(ours, source), ", ".join(["fits.ours AS record", *agreed]))


@dataclass(frozen=True)
class Known:
    """Contacts here that have an attribute of another account, and those of whom its records disagree."""

    known: int
    disagreeing: int


def known(found: Found) -> dict[str, Known]:
    """By the name that the attribute has here."""
    columns = {
        name.removeprefix(ATTRIBUTE): value
        for name, value in _columns(found.joined).items()
        if name.startswith(ATTRIBUTE)
    }
    if not columns:
        return {}
    ends = [f"min({value}), max({value})" for value in columns.values()]
    names = [f"low_{n}, high_{n}" for n in range(len(ends))]
    counts = [
        f"count(*) FILTER (low_{n} = high_{n}), count(*) FILTER (low_{n} <> high_{n})"
        for n in range(len(ends))
    ]
    rows = f"SELECT * FROM ({_grouped(found.joined, found.fits, ', '.join(['fits.ours', *ends]))}) AS of_each(record, {', '.join(names)})"
    row = found.joined.mirror.rows(f"SELECT {', '.join(counts)} FROM ({rows})")[0]
    return {name: Known(*row[2 * n : 2 * n + 2]) for n, name in enumerate(columns)}


def _grouped(source: Joined, fits: Relation, selected: str) -> Relation:
    return Relation(
        f"""SELECT {selected} FROM ({fits}) AS fits
            JOIN ({people(source.mirror)}) AS person ON person.record = fits.theirs
            WHERE fits.ours IS NOT NULL GROUP BY fits.ours"""
    )
