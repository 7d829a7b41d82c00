"""What do the changes of a plan do to segments and to customers? Counted when the plan is made, while its changes
still stand in the mirror.

Changes are given as ``sync.plan.finish`` has them: (record, target, kind, segmentation, extra_field, before,
after, action, …).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sync.store.actual import HELD
from sync.store.features_table import kept_features
from sync.store.identity_resolution import people
from sync.store.ids import IDS, PRESENT
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation
from sync.store.segment_figures import YEARLY_REVENUE
from sync.store.test_contacts import without

_OWN = "kind = 'field' AND NOT extra_field"  # the fields that hold segments


def totals(mirror: AccountMirror, changes: Relation) -> dict[str, int]:
    """How many records there are, and how many of them get another segment, their first one, or lose theirs."""
    moved, first, cleared, extra, members = mirror.rows(
        f"""SELECT count(DISTINCT record) FILTER ({_OWN} AND coalesce(before, '') <> '' AND coalesce(after, '') <> ''),
                   count(DISTINCT record) FILTER ({_OWN} AND coalesce(before, '') = ''),
                   count(DISTINCT record) FILTER ({_OWN} AND coalesce(after, '') = ''),
                   count(*) FILTER (kind = 'field' AND extra_field), count(*) FILTER (kind = 'list') FROM ({changes})"""
    )[0]
    return {
        "records": int(mirror.value(f"SELECT count(*) FROM ({without(mirror, PRESENT)})")),
        "moved": moved,
        "first": first,
        "cleared": cleared,
        "extra_values": extra,
        "list_members": members,
    }


def segments(mirror: AccountMirror, changes: Relation) -> list[dict[str, Any]]:
    """Each segment of a field that is changed: records that have it ``now``, that come ``in`` and go ``out``, and
    what these spent in the last year (minor units; None: not known).
    """
    own = f"SELECT segmentation, target, record, coalesce(before, '') AS old, coalesce(after, '') AS new FROM ({changes}) WHERE {_OWN}"
    return _now_in_out(
        mirror,
        own,
        f"""SELECT target, value AS segment, record, 'now' AS part FROM ({without(mirror, HELD)}) WHERE target IN (SELECT target FROM own)
            UNION ALL SELECT target, new, record, 'in' FROM own WHERE new <> ''
            UNION ALL SELECT target, old, record, 'out' FROM own WHERE old <> ''""",
    )


def lists(mirror: AccountMirror, changes: Relation) -> list[dict[str, Any]]:
    """The same of each list that is changed; ``segment`` is empty."""
    own = f"SELECT segmentation, target, record, coalesce(after, '') AS new FROM ({changes}) WHERE kind = 'list'"
    return _now_in_out(
        mirror,
        own,
        f"""SELECT target, '' AS segment, record, 'now' AS part FROM ({without(mirror, HELD)}) WHERE target IN (SELECT target FROM own)
            UNION ALL SELECT target, '', record, CASE WHEN new <> '' THEN 'in' ELSE 'out' END FROM own""",
    )


def _now_in_out(mirror: AccountMirror, own: str, parts: str) -> list[dict[str, Any]]:
    names = ("now", "in", "out")
    counts = ", ".join(f"count(*) FILTER (part = '{name}')" for name in names)
    money, features = _yearly(mirror)
    sums = ", ".join(
        f"sum({money}) FILTER (part = '{name}')::BIGINT" if money else "NULL::BIGINT" for name in names
    )
    rows = mirror.rows(
        f"""WITH own AS MATERIALIZED ({own}), parts AS ({parts}),
            named AS (SELECT target, any_value(segmentation) AS segmentation FROM own GROUP BY target)
            SELECT segmentation, target, segment, {counts}, {sums} FROM parts JOIN named USING (target) {features}
            GROUP BY ALL ORDER BY ALL"""
    )
    columns = ("segmentation", "target", "segment", *names, *(f"{name}_revenue" for name in names))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def losing_status(
    mirror: AccountMirror, changes: Relation, places: Mapping[str, Mapping[str, int]], most: int
) -> list[dict[str, Any]]:
    """The ``most`` records with the highest revenue of the last year that get a worse segment, or none.

    ``places``: segmentation → segment → its place, 0 the best. What consent takes away is not counted.
    """
    money, features = _yearly(mirror)
    ranked = [
        f"({literal(name)}, {literal(segment)}, {place})"
        for name, of_segment in places.items()
        for segment, place in of_segment.items()
    ]
    if not money or not ranked:
        return []
    rows = mirror.rows(
        f"""WITH places(segmentation, segment, place) AS (VALUES {", ".join(ranked)})
            SELECT ids.record_type, ids.id, c.segmentation, c.before, coalesce(c.after, ''), {money}::BIGINT AS revenue
            FROM ({changes}) AS c {features} JOIN ({IDS}) AS ids USING (record)
            JOIN places AS old ON old.segmentation = c.segmentation AND old.segment = c.before
            LEFT JOIN places AS new ON new.segmentation = c.segmentation AND new.segment = c.after
            WHERE {_OWN} AND action <> 'withdraw' AND {money} > 0
                AND (coalesce(c.after, '') = '' OR new.place > old.place)
            ORDER BY revenue DESC, length(ids.id), ids.id, c.segmentation LIMIT {most}"""
    )
    names = ("record_type", "id", "segmentation", "before", "after", "revenue")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _yearly(mirror: AccountMirror) -> tuple[str, str]:
    """SQL of a record's revenue of the last year, and of the join that gives it; empty where it is not known."""
    features = kept_features(mirror)
    if features is None or YEARLY_REVENUE not in mirror.columns("features"):
        return "", ""
    kept = f"SELECT record, {quoted(YEARLY_REVENUE)} AS yearly FROM ({features})"
    return "coalesce(yearly, 0)", f"LEFT JOIN ({kept}) AS features USING (record)"


def contacts_of(
    mirror: AccountMirror, ids: Collection[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, str]]:
    """(record type, id) → name and e-mail address, of those of these records that the mirror still has."""
    pairs = ", ".join(f"({literal(record_type)}, {literal(id)})" for record_type, id in ids)
    if not pairs:
        return {}
    rows: Sequence[tuple[str, str, str, str]] = mirror.rows(
        f"""SELECT record_type, id, coalesce(any_value(name), ''), coalesce(any_value(email), '') FROM ({people(mirror)})
            WHERE (record_type, id) IN ({pairs}) GROUP BY record_type, id"""
    )
    return {(record_type, id): {"name": name, "email": email} for record_type, id, name, email in rows}
