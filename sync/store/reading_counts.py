"""How many rows did the readings of each stream give, and how many of them count?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from connectors.schemas import RECORD_TYPES
from sync.store.joined import Found
from sync.store.mirror import AccountMirror, literal
from sync.store.parts import LIVE

_ACTIVITY = ("activity", "parked")  # of known records, and of others
Counts = Mapping[str, Mapping[str, Mapping[str, int]]]  # stream → what → reason → number


def add(mirror: AccountMirror, part: int, read_on: date, what: str, reason: str, number: int) -> None:
    """Add to what the reading of a part gave on a day.

    A part that is read again has a number of its own, and so begins at nothing.
    """
    same = [part, read_on, what, reason]
    sql = "UPDATE reading SET number = number + ? WHERE part = ? AND read_on = ? AND what = ? AND reason = ?"
    if not mirror.value(sql, [number, *same]):
        mirror.run("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", [*same, number])


def counts(mirror: AccountMirror, condition: str = "true") -> Counts:
    """Over the parts that count."""
    rows = mirror.rows(
        f"""SELECT stream, what, reason, sum(number)::BIGINT FROM reading JOIN parts USING (part)
            WHERE live AND {condition} GROUP BY ALL ORDER BY ALL"""
    )
    numbers: dict[str, dict[str, dict[str, int]]] = {}
    for stream, what, reason, number in rows:
        numbers.setdefault(stream, {}).setdefault(what, {})[reason] = number
    return numbers


def counts_since(mirror: AccountMirror, read_after: date, newer_than: date) -> Counts:
    """``counts`` of what was read after a day, without parts of activity that have no row newer than another
    day.

    A refused row seldom has a day of its own. So the rows that came with it tell how old it is: those of its
    file, and of a file that grows, those of the same reading.
    """
    dated = " UNION ALL ".join(
        f"SELECT part, max(day) AS day FROM {table} GROUP BY part" for table in _ACTIVITY
    )
    older = (
        f"SELECT part FROM ({dated}) GROUP BY part HAVING max(day) <= DATE {literal(newer_than.isoformat())}"
    )
    return counts(mirror, f"read_on > DATE {literal(read_after.isoformat())} AND part NOT IN ({older})")


def not_taken(mirror: AccountMirror, stream: str) -> int:
    """Rows that arrived, and were refused, left out or name no customer."""
    return int(
        mirror.value(
            """SELECT coalesce(sum(number), 0) FROM reading JOIN parts USING (part)
               WHERE live AND stream = ? AND what IN ('refused', 'left_out', 'ownerless')""",
            [stream],
        )
    )


def rows_that_count(mirror: AccountMirror, stream: str) -> int:
    """Rows of a stream that count at present; of activity also those of unknown records."""
    live = "part IN (SELECT part FROM parts WHERE live AND stream = ?)"
    if stream in RECORD_TYPES:
        return int(mirror.value(f"SELECT count(*) FROM records WHERE {live}", [stream]))
    count = f"SELECT count(*) FROM {{}} WHERE NOT shadowed AND {live}"
    return sum(int(mirror.value(count.format(table), [stream])) for table in _ACTIVITY)


@dataclass(frozen=True)
class CountedRows:
    """Rows that count: of known and of unknown records, and of both those dated after a day."""

    owned: int
    unknown: int
    late: int


def activity_rows(mirror: AccountMirror, as_of: date) -> CountedRows:
    """Rows of activity."""
    after = f"count(*) FILTER (day > DATE {literal(as_of.isoformat())})"
    counted = [
        mirror.rows(f"SELECT count(*), {after} FROM {table} WHERE NOT shadowed AND {LIVE}")[0]
        for table in _ACTIVITY
    ]
    (owned, late), (unknown, late_too) = counted
    return CountedRows(owned, unknown, late + late_too)


def waiting(mirror: AccountMirror) -> int:
    """Rows of activity whose record is not known (yet)."""
    return int(mirror.value("SELECT count(*) FROM parked WHERE NOT shadowed"))


def has_any(mirror: AccountMirror, types: Collection[str]) -> bool:
    """Whether there is any activity of these types, whosever it is."""
    return any(
        mirror.value(f"SELECT count(*) FROM {table} WHERE NOT shadowed AND {_of_types(types)}")
        for table in _ACTIVITY
    )


@dataclass(frozen=True)
class Feed:
    """Rows of activity of some types that count: of known records with the first and last day of those up to
    ``as_of``; of unknown ones that are named, and of nobody.
    """

    rows: int
    first_day: date | None
    last_day: date | None
    unknown: int
    unnamed: int


def feed(mirror: AccountMirror, types: Collection[str] | None, as_of: date) -> Feed:
    """Of these types of activity; None: of all."""
    counted = _counted(types)
    until = f"DATE {literal(as_of.isoformat())}"
    ends = f"min(day) FILTER (day <= {until}), max(day) FILTER (day <= {until})"
    rows, first, last = mirror.rows(f"SELECT count(*), {ends} FROM activity WHERE {counted}")[0]
    parked = f"SELECT count(*) FROM parked WHERE {counted} AND"
    unnamed = int(mirror.value(f"{parked} id IS NULL AND email IS NULL"))
    unknown = int(mirror.value(f"{parked} coalesce(id, email) IS NOT NULL"))
    return Feed(rows, first, last, unknown, unnamed)


def strangers(found: Found, types: Collection[str] | None) -> tuple[int, int]:
    """Rows of another account's records that are nobody here: those that fit nobody, and those that fit
    several.
    """
    unmatched, ambiguous = found.joined.mirror.rows(
        f"""SELECT count(*) FILTER (theirs IS NULL), count(theirs) FILTER (ours IS NULL)
            FROM activity LEFT JOIN ({found.fits}) AS fits ON activity.record = theirs WHERE {_counted(types)}"""
    )[0]
    return int(unmatched), int(ambiguous)


def _counted(types: Collection[str] | None) -> str:
    return f"NOT shadowed AND {LIVE} AND {'true' if types is None else _of_types(types)}"


def _of_types(types: Collection[str]) -> str:
    return f"kind IN ({', '.join(map(literal, sorted(types)))})"


def id_shapes(mirror: AccountMirror) -> tuple[str, str]:
    """The most common shape of the ids in activity that find nobody, and of those of contacts: ``9999.0`` and
    ``9999``.

    Digits become 9 and letters a or A; zeros that lead, and a ``.0`` that trails, stay: they are what makes
    ids differ.
    """
    tail, zeros = "regexp_extract(left(id, 40), '[.]0+$')", "regexp_extract(id, '^0*')"
    shape = f"substr(left(id, 40), length({zeros}) + 1, greatest(0, length(left(id, 40)) - length({zeros}) - length({tail})))"
    for letters, letter in ((r"[\p{Ll}\p{Lo}\p{Lt}\p{Lm}]", "a"), (r"\p{Lu}", "A"), (r"\p{N}", "9")):
        shape = f"regexp_replace({shape}, '{letters}', '{letter}', 'g')"
    shape = f"left({zeros} || {shape} || {tail}, 40)"

    def most_common(rows: str, condition: str) -> str:
        sql = f"SELECT {shape} AS shape FROM {rows} WHERE {condition} GROUP BY shape ORDER BY count(*) DESC, shape LIMIT 1"
        return mirror.value(sql) or ""

    theirs = most_common("parked", "NOT shadowed AND id IS NOT NULL")
    return theirs, most_common("ids SEMI JOIN records USING (record)", "record_type = 'contact'")
