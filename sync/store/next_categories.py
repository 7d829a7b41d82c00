"""Which categories do the members of each segment want next? (by the labels of a segmentation that offers categories)"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sync.store.label_tables import value_column
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

BETWEEN = "; "  # names of a joined value; no name holds a semicolon


def wanted_by_segment(
    mirror: AccountMirror, by: Relation, offers: Relation, values: Sequence[str], none: Collection[str]
) -> list[tuple[str, str, int]]:
    """(segment of ``by``, category, records) of the labels ``offers``: by their ``values`` where they have some, else
    by their segments, of which ``none`` are no category.
    """
    columns = ", ".join(value_column(name) for name in values)
    each = f"unnest(string_split(concat_ws({literal(BETWEEN)}, {columns}), {literal(BETWEEN)}))"
    no_category = ", ".join(map(literal, sorted(none))) or "NULL"
    given = (
        f"SELECT DISTINCT record, {each} AS category FROM ({offers})"
        if values
        else f"SELECT record, segment AS category FROM ({offers}) WHERE segment NOT IN ({no_category})"
    )
    return mirror.rows(
        f"""SELECT l.segment, o.category, count(*) FROM ({by}) AS l JOIN ({given}) AS o USING (record)
            WHERE l.segment IS NOT NULL AND coalesce(o.category, '') <> '' GROUP BY ALL ORDER BY ALL"""
    )
