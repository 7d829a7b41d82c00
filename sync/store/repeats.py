"""Which rows of activity repeat another, where the parts are exports of one source and the newest of them is
right?

This is the law for accounts whose connector says ``newest_wins``. It looks at all parts at once, after the
last of them is there, so that neither the order of loading nor a lost mirror matters:

    an order   Rows of several parts that share order, owner, time and kind are one order that was exported
               more than once, perhaps edited in between. At that time the order's rows of the newest part
               count, and those of the others are ``shadowed``. Rows of the order at another time (a refund
               weeks later) are another matter, and so is another kind at the same time (a file of refunds
               that carry the day of their order).
    an id      Of rows under one id that are left, the one of the newest part counts; within a part the last,
               and the others go.
    content    Rows without order and id are known by their content: the n-th of one part is the n-th of
               another.
    a void     An order or id of which the newest part says that it does not count (cancelled, given back)
               counts in no part, nor do refunds of it: nothing was kept of it, so that nothing is left to be
               given back.

Newest is the part with the latest ``updated_at`` of the order (or row) where all parts that hold it have one,
else the one whose name comes last: ``orders-9`` before ``orders-10``, ``orders`` before ``orders (1)``.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from sync.store.mirror import AccountMirror

TABLES = ("activity", "parked")
# kind of a row that says that its order does not count; always ``shadowed``, at a time that says nothing
VOID = "(void)"
_OWNERS = {"activity": "record::HUGEINT", "parked": "-1 - hash(record_type, id, email)::HUGEINT"}


def as_activity(voids: pa.Table) -> pa.Table:
    """VOID_SCHEMA as rows of activity."""
    never = pa.scalar(0, pa.timestamp("us", "UTC"))
    rows = voids.append_column("kind", pa.repeat(pa.scalar(VOID), len(voids)))
    return rows.append_column("occurred_at", pa.repeat(never, len(voids)))


def fold(mirror: AccountMirror, part: int, old: int | None) -> list[tuple[int, str | None]]:
    """A part is whole: of an id that comes twice in it the last row stays; (line, record id) of the others,
    which are gone.

    Rows elsewhere that gave way to the part which is now replaced count again until ``settle`` looks at them.
    """
    if old is not None:
        replaced = " UNION ALL ".join(
            f'SELECT key, "order" FROM {source} WHERE part = {old}' for source in TABLES
        )
        for table in TABLES:
            mirror.run(
                f"""UPDATE {table} SET shadowed = false WHERE shadowed AND kind <> '{VOID}' AND part NOT IN ({part}, {old})
                    AND (key IN (SELECT key FROM ({replaced})) OR "order" IN (SELECT "order" FROM ({replaced})))"""
            )
    return _last_of_each_id(mirror, part)


def _last_of_each_id(mirror: AccountMirror, part: int) -> list[tuple[int, str | None]]:
    named = f"part = {part} AND named"
    keys = np.concatenate(
        [mirror.run(f"SELECT key FROM {table} WHERE {named}").fetchnumpy()["key"] for table in TABLES]
    )
    keys = np.sort(keys)  # 8 times cheaper than grouping 20 million
    if not bool((keys[1:] == keys[:-1]).any()):
        return []
    owner = {"activity": "(SELECT id FROM ids WHERE ids.record = activity.record)", "parked": "id"}
    rows = " UNION ALL ".join(
        f"SELECT {parked} AS of_parked, rowid AS place, key, line, kind, {owner[table]} AS id FROM {table} WHERE {named}"
        for table, parked in zip(TABLES, ("false", "true"), strict=True)
    )
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE losers AS SELECT * FROM ({rows})
            QUALIFY row_number() OVER (PARTITION BY key ORDER BY coalesce(line, 0) DESC, of_parked, place DESC) > 1"""
    )
    for table, parked in zip(TABLES, ("false", "true"), strict=True):
        mirror.run(
            f"DELETE FROM {table} WHERE rowid IN (SELECT place FROM losers WHERE of_parked = {parked})"
        )
    return [
        (line, id)
        for line, id in mirror.rows(f"SELECT line, id FROM losers WHERE kind <> '{VOID}' ORDER BY line")
    ]


def settle(mirror: AccountMirror) -> None:
    """Shadow the rows of all parts that repeat another, and no others."""
    if mirror.stamp("newest_wins") != "yes":
        return
    parts = mirror.rows("SELECT part, name FROM parts WHERE stream = 'activity' AND live")
    mirror.run("CREATE OR REPLACE TEMP TABLE repeated (of_parked BOOLEAN, place BIGINT)")
    void = any(mirror.value(f"SELECT EXISTS (FROM {table} WHERE kind = '{VOID}')") for table in TABLES)
    if len(parts) > 1 or void:
        ordered = sorted(parts, key=lambda part: natural(part[1]))
        ranks = pa.table({"part": [part for part, _ in ordered], "rank": list(range(len(ordered)))})
        mirror.run("CREATE OR REPLACE TEMP TABLE ranks AS SELECT * FROM frame", frame=ranks)
        mirror.run(f"CREATE OR REPLACE TEMP VIEW stated AS {_rows(mirror)}")
        mirror.run("CREATE OR REPLACE TEMP VIEW live_rows AS SELECT * FROM stated")
        if void:
            _void_orders(mirror)
            _void_ids(mirror)
            mirror.run(
                "CREATE OR REPLACE TEMP TABLE void_rows AS SELECT DISTINCT of_parked, place FROM repeated"
            )
            mirror.run(f"""CREATE OR REPLACE TEMP VIEW live_rows AS SELECT * FROM stated ANTI JOIN void_rows USING (of_parked, place)
                           WHERE kind <> '{VOID}'""")
        if len(parts) > 1:
            mirror.run(_NEAR)
            _orders(mirror)
            _ids(mirror)
            _contents(mirror)
            mirror.run("DROP TABLE temp.near")
        mirror.run("DROP TABLE temp.ranks")
    for table, parked in zip(TABLES, ("false", "true"), strict=True):
        repeated = f"(SELECT place FROM repeated WHERE of_parked = {parked})"
        mirror.run(
            f"UPDATE {table} SET shadowed = false WHERE shadowed AND kind <> '{VOID}' AND rowid NOT IN {repeated}"
        )
        mirror.run(f"UPDATE {table} SET shadowed = true WHERE NOT shadowed AND rowid IN {repeated}")


def natural(name: str) -> tuple[list[str | int], str]:
    """A key that sorts the names of parts as people number files; the suffix does not count, but where all
    else is the same.
    """
    stem = re.sub(r"\.[A-Za-z][A-Za-z0-9]*$", "", name)
    pieces = re.split(r"([0-9]+)", stem.casefold())
    return [int(piece) if position % 2 else piece for position, piece in enumerate(pieces)], name


def _rows(mirror: AccountMirror) -> str:
    """SQL of all rows of live parts, of records and of strangers."""
    recorded = "updated_at" if "updated_at" in mirror.columns("activity") else "NULL::TIMESTAMP AS updated_at"
    columns = f'part, line, key, named, "order", kind, day, occurred_at, amount, {recorded}'
    return " UNION ALL ".join(
        f"SELECT {parked} AS of_parked, {table}.rowid AS place, {columns}, {_OWNERS[table]} AS owner, rank "
        f"FROM {mirror.schema}.{table} JOIN ranks USING (part)"
        for table, parked in zip(TABLES, ("false", "true"), strict=True)
    )


# For each part the times that another part has too: what repeats a row of another part stands in them.
_NEAR = """CREATE OR REPLACE TEMP TABLE near AS
    WITH spans AS (SELECT part, min(occurred_at) AS first, max(occurred_at) AS last FROM live_rows GROUP BY part)
    SELECT own.part, min(greatest(own.first, other.first)) AS first, max(least(own.last, other.last)) AS last
    FROM spans AS own JOIN spans AS other ON own.part <> other.part AND own.first <= other.last AND other.first <= own.last
    GROUP BY own.part"""
_NEAR_ROWS = "(SELECT r.* FROM live_rows AS r JOIN near ON r.part = near.part AND r.occurred_at BETWEEN near.first AND near.last)"


def _void_orders(mirror: AccountMirror) -> None:
    """All purchases and refunds of the orders whose newest part says that they do not count."""
    mirror.run(
        f"""INSERT INTO repeated
            WITH voids AS (SELECT DISTINCT "order", owner FROM stated WHERE kind = '{VOID}' AND "order" IS NOT NULL),
            versions AS (
                SELECT "order", owner, part, rank, max(updated_at) AS updated_at, bool_or(kind = 'purchase') AS sold
                FROM stated SEMI JOIN voids USING ("order", owner) WHERE kind IN ('purchase', '{VOID}') GROUP BY ALL),
            dated AS (
                SELECT * REPLACE (CASE WHEN bool_and(updated_at IS NOT NULL) OVER (PARTITION BY "order", owner) THEN updated_at END
                    AS updated_at) FROM versions),
            newest AS (SELECT * FROM dated QUALIFY row_number() OVER (PARTITION BY "order", owner ORDER BY updated_at DESC, rank DESC) = 1)
            SELECT of_parked, place FROM stated SEMI JOIN (SELECT * FROM newest WHERE NOT sold) USING ("order", owner)
            WHERE kind IN ('purchase', 'refund')"""
    )


def _void_ids(mirror: AccountMirror) -> None:
    """All rows under an id of which the newest part says that it does not count."""
    mirror.run(
        f"""INSERT INTO repeated
            WITH voids AS (SELECT DISTINCT key FROM stated WHERE kind = '{VOID}' AND named),
            dated AS (
                SELECT of_parked, place, key, rank, kind, CASE WHEN bool_and(updated_at IS NOT NULL) OVER (PARTITION BY key)
                    THEN updated_at END AS updated_at
                FROM stated SEMI JOIN voids USING (key) WHERE named),
            newest AS (SELECT * FROM dated QUALIFY row_number() OVER (PARTITION BY key ORDER BY updated_at DESC, rank DESC,
                kind = '{VOID}') = 1)
            SELECT of_parked, place FROM stated SEMI JOIN (SELECT * FROM newest WHERE kind = '{VOID}') USING (key) WHERE named"""
    )


def _orders(mirror: AccountMirror) -> None:
    several = f'SELECT "order" FROM {_NEAR_ROWS} WHERE "order" IS NOT NULL GROUP BY "order" HAVING min(part) <> max(part)'
    if not mirror.value(f"CREATE OR REPLACE TEMP TABLE several AS {several}"):
        return
    mirror.run(
        'CREATE OR REPLACE TEMP TABLE standing AS SELECT * FROM live_rows SEMI JOIN several USING ("order")'
    )
    mirror.run(
        """INSERT INTO repeated
           WITH recorded AS (SELECT "order", owner, part, max(updated_at) AS updated_at FROM standing GROUP BY ALL),
           versions AS (SELECT DISTINCT "order", owner, occurred_at, kind, part, rank FROM standing),
           dated AS (
               SELECT versions.*, CASE WHEN bool_and(updated_at IS NOT NULL) OVER same THEN updated_at END AS updated_at
               FROM versions JOIN recorded USING ("order", owner, part) WINDOW same AS (PARTITION BY "order", owner, occurred_at)),
           placed AS (SELECT *, rank() OVER (PARTITION BY "order", owner, occurred_at ORDER BY updated_at, rank) AS version FROM dated),
           outdated AS (
               SELECT DISTINCT "order", owner, occurred_at, part FROM placed
               QUALIFY version < max(version) OVER (PARTITION BY "order", owner, occurred_at, kind))
           SELECT of_parked, place FROM standing SEMI JOIN outdated USING ("order", owner, occurred_at, part)"""
    )
    mirror.run("DROP TABLE temp.standing")


def _ids(mirror: AccountMirror) -> None:
    if not mirror.value("SELECT count(*) FROM live_rows WHERE named"):
        return
    mirror.run(
        """INSERT INTO repeated
           WITH left_over AS (SELECT * FROM live_rows ANTI JOIN repeated USING (of_parked, place) WHERE named),
           several AS (SELECT key FROM left_over GROUP BY key HAVING min(part) <> max(part)),
           dated AS (
               SELECT of_parked, place, key, rank, CASE WHEN bool_and(updated_at IS NOT NULL) OVER (PARTITION BY key) THEN updated_at
                   END AS updated_at
               FROM left_over SEMI JOIN several USING (key))
           SELECT of_parked, place FROM dated
           QUALIFY row_number() OVER (PARTITION BY key ORDER BY updated_at DESC, rank DESC, of_parked, place) > 1"""
    )


def _contents(mirror: AccountMirror) -> None:
    """What stays is the row of the first part by name, so that an export that grows changes nothing."""
    unnamed = 'NOT named AND "order" IS NULL'
    several = f"SELECT key FROM {_NEAR_ROWS} WHERE {unnamed} GROUP BY key HAVING min(part) <> max(part)"
    if not mirror.value(f"CREATE OR REPLACE TEMP TABLE several AS {several}"):
        return
    mirror.run(
        f"""INSERT INTO repeated
            WITH numbered AS (
                SELECT of_parked, place, key, day, amount, rank,
                    row_number() OVER (PARTITION BY part, key, day, amount ORDER BY line, place) AS nth
                FROM live_rows SEMI JOIN several USING (key) WHERE {unnamed})
            SELECT of_parked, place FROM numbered
            QUALIFY row_number() OVER (PARTITION BY key, day, amount, nth ORDER BY of_parked, rank) > 1"""
    )
