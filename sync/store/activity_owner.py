"""Whose is a row of activity that names its record by another spelling of its id, or by an address?

Activity that may name its records by more than their exact id points (column ``named_by``) at ``names``: one
row per record type, id and address that were written together, with the record that they mean. A name means

    the record of exactly that id; else the one record whose id is spelled alike under the account's
    ``id_type``; else the oldest contact that has the address, or an id that is an address. Ids that are alike
    and of several records mean nobody.

Whose a row is follows from its name and the records alone, so it does not matter in which order they arrived:
when records have changed, every name is looked up again, and the activity of those that mean somebody else
moves.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from connectors.contract import IdType
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

BLANKS = " \t\r\n\u00a0"
COLUMN = "named_by"  # of activity and parked, once a row is named so
_ALIVE = "part IN (SELECT part FROM {schema}.parts WHERE live)"


def address_of(column: str) -> str:
    """SQL of an address as it is compared: without case and blanks; an empty one is nobody's."""
    return f"lower(trim({column}::VARCHAR, {literal(BLANKS)}))"


def key_of(column: str, id_type: IdType) -> str:
    """SQL of an id as it is compared."""
    bare = f"trim({column}, {literal(BLANKS)})"
    match id_type:
        case "number":
            blanks = f"[{BLANKS}]*"
            spelled = f"regexp_full_match({column}, {literal(f'{blanks}[0-9]+([.]0*)?{blanks}')})"
            # nothing is left of zero; NULLIF computes all of it twice
            digits = f"ltrim(split_part({bare}, '.', 1), '0')"
            other = f"nullif({bare}, '')"
            return f"CASE WHEN regexp_full_match({column}, '[1-9][0-9]*') THEN {column} WHEN {spelled} THEN {digits} ELSE {other} END"
        case "salesforce":
            return f"CASE WHEN length({bare}) = 18 THEN left({bare}, 15) ELSE {bare} END"
        case "email":
            return address_of(column)
    return column


def id_type_of(mirror: AccountMirror) -> IdType:
    """How ids are compared in this account, as its activity was last read."""
    id_type = mirror.stamp("id_type")
    return id_type if id_type in ("number", "email", "salesforce") else "text"  # type: ignore[return-value]


def means_record(mirror: AccountMirror, record_type: str, id: str, id_type: IdType) -> bool:
    """Whether a record has this id, in whatever spelling."""
    sql = f"""SELECT count(*) FROM (SELECT * FROM ids SEMI JOIN records USING (record) WHERE record_type = ?) AS there
        JOIN (SELECT ?::VARCHAR AS wanted) ON id = wanted OR {key_of("id", id_type)} = {key_of("wanted", id_type)}"""
    return bool(mirror.value(sql, [record_type, id]))


def addresses(mirror: AccountMirror, ids: bool = False) -> Relation:
    """(record, record_type, own_type, address, created_at, id): every address of everybody; with
    ``ids``, ids count as addresses.

    An address of a merged or converted record is one of the survivor; ``own_type`` is the type of the record
    that has it.
    """
    schema = mirror.schema
    alive = f"(SELECT record, email, emails, created_at FROM {schema}.records WHERE {_ALIVE.format(schema=schema)})"
    every = f"SELECT record, {address_of('email')} AS address FROM {alive} WHERE email IS NOT NULL"
    further = f"SELECT record, email, unnest(emails) AS further FROM {alive} WHERE emails IS NOT NULL"
    every += f" UNION ALL SELECT record, {address_of('further')} FROM ({further}) WHERE further IS DISTINCT FROM email"
    if ids:
        every += (
            f" UNION ALL SELECT record, {address_of('id')} FROM {schema}.ids SEMI JOIN {alive} USING (record)"
        )
    if not mirror.value("SELECT count(*) FROM redirects"):
        return Relation(
            f"""SELECT record, record_type, record_type AS own_type, address, person.created_at, who.id
            FROM ({every}) JOIN {schema}.ids AS who USING (record) JOIN {alive} AS person USING (record)
            WHERE address <> ''"""
        )
    return Relation(
        f"""SELECT who.record, who.record_type, own.record_type AS own_type, address, person.created_at, who.id
        FROM ({every}) AS every JOIN {schema}.ids AS own ON own.record = every.record
        LEFT JOIN {schema}.redirects ON redirects.record = every.record
        JOIN {schema}.ids AS who ON who.record = coalesce(redirects.survivor, every.record)
        JOIN {alive} AS person ON person.record = who.record WHERE address <> ''"""
    )


def ids_of_people(mirror: AccountMirror) -> Relation:
    """(record, record_type, text): the id of everybody; who was merged is meant by the survivor."""
    schema = mirror.schema
    alive = f"SELECT record FROM {schema}.records WHERE {_ALIVE.format(schema=schema)}"
    return Relation(
        f"""SELECT coalesce(survivor, own.record) AS record, own.record_type, own.id AS text
            FROM {schema}.ids AS own LEFT JOIN {schema}.redirects ON redirects.record = own.record
            WHERE coalesce(survivor, own.record) IN ({alive})"""
    )


def oldest(alias: str) -> str:
    """SQL of the oldest of several records that share an address."""
    return f"first({alias}.record ORDER BY {alias}.created_at NULLS LAST, length({alias}.id), {alias}.id)"


def with_names(mirror: AccountMirror, frame: pa.Table) -> pa.Table:
    """A page with the column ``name``: the number of what each row names its record by."""
    return mirror.table(
        "SELECT *, (hash(record_type, record_id, record_email) >> 1)::BIGINT AS name FROM frame", frame=frame
    )


def look_up_ids(mirror: AccountMirror, page: pa.Table | None = None) -> None:
    """Table ``known``: (record_type, id, record) of all records that stand for somebody, merged ones for
    their survivor; of those alone that the activity of a page names.
    """
    frames = {} if page is None else {"frame": page.select(["record_type", "record_id"])}
    named = (
        ""
        if page is None
        else "SEMI JOIN frame ON ids.record_type = frame.record_type AND ids.id = frame.record_id"
    )
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE known AS SELECT * FROM (
               SELECT record_type, id, coalesce(survivor, ids.record) AS record FROM (FROM ids {named}) AS ids
               SEMI JOIN records USING (record) LEFT JOIN redirects USING (record)) AS named SEMI JOIN records USING (record)""",
        **frames,
    )


def look_up_names(mirror: AccountMirror, with_addresses: bool) -> None:
    """Tables ``by_key``, ``by_address`` and ``by_id`` (number, record: null where several are meant): whom a
    name can mean.

    ``number`` is that of a record type and a key, address or id: numbers are found in a fraction of the time
    of texts. Addresses are looked at only where a name has one, exact ids only where several records share
    the key.
    """
    id_type = id_type_of(mirror)
    mirror.run(
        "CREATE OR REPLACE TEMP TABLE by_address AS SELECT 0::BIGINT AS number, record FROM known WHERE false"
    )
    mirror.run("CREATE OR REPLACE TEMP TABLE shared AS SELECT number FROM by_address")
    if with_addresses or id_type == "email":
        _look_up_addresses(mirror, ids=id_type == "email")
    key = number(key_of("id", id_type))
    if id_type == "email":
        mirror.run("CREATE OR REPLACE TEMP TABLE by_key AS SELECT * FROM by_address")
    else:
        mirror.run(
            f"CREATE OR REPLACE TEMP TABLE by_key AS SELECT {key} AS number, {_ONE} AS record FROM known GROUP BY ALL"
        )
        mirror.run("CREATE OR REPLACE TEMP TABLE shared AS SELECT number FROM by_key WHERE record IS NULL")
    mirror.run(
        f"CREATE OR REPLACE TEMP TABLE by_id AS SELECT {number('id')} AS number, record FROM known WHERE {key} IN (FROM shared)"
    )


_ONE = "CASE WHEN min(record) = max(record) THEN min(record) END"


def number(column: str, record_type: str = "record_type") -> str:
    """SQL of the number of a record type and a text. Joined with a page, it must fit into a signed integer."""
    return f"(hash({record_type}, {column}) >> 1)::BIGINT"


def _look_up_addresses(mirror: AccountMirror, ids: bool) -> None:
    """Few addresses are shared: the oldest is looked for among those alone."""
    every = addresses(mirror, ids)
    living = f"SELECT {number('address')} AS number, record, created_at, id FROM ({every})"
    if mirror.value("SELECT count(*) FROM redirects"):
        living += f" UNION SELECT {number('address', 'own_type')}, record, created_at, id FROM ({every})"
    mirror.run(
        f"CREATE OR REPLACE TEMP TABLE by_address AS SELECT number, {_ONE} AS record FROM ({living}) GROUP BY number"
    )
    if mirror.value(
        "CREATE OR REPLACE TEMP TABLE shared AS SELECT number FROM by_address WHERE record IS NULL"
    ):
        mirror.run(
            f"""UPDATE by_address SET record = eldest.record FROM (
                    SELECT number, {oldest("living")} AS record FROM ({living}) AS living SEMI JOIN shared USING (number)
                    GROUP BY number) AS eldest
                WHERE by_address.number = eldest.number"""
        )


# Whom a name means by what was looked up: null for nobody.
_MEANT = """CASE WHEN by_id.record IS NOT NULL THEN by_id.record WHEN by_key.number IS NOT NULL THEN by_key.record
    ELSE by_address.record END"""


def _found(mirror: AccountMirror, source: str) -> str:
    """SQL of the names of a table, joined with what they can mean."""
    # a table of millions need not be joined
    used = "true" if mirror.value(f"SELECT count(by_address) FROM {source}") else "false"
    return f"""{source} LEFT JOIN by_id ON by_id.number = {source}.by_id LEFT JOIN by_key ON by_key.number = {source}.by_key
        LEFT JOIN (SELECT * FROM by_address WHERE {used}) AS by_address ON by_address.number = {source}.by_address"""


def learn(mirror: AccountMirror, frame: pa.Table) -> None:
    """Add the names of a page, whose column ``name`` holds their numbers, to ``names``."""
    # a tenth of what grouping their texts costs
    _, first = np.unique(frame["name"].to_numpy(), return_index=True)
    fresh = mirror.value(
        """CREATE OR REPLACE TEMP TABLE unheard AS
           SELECT name, record_type, record_id AS id, record_email AS email FROM frame ANTI JOIN names USING (name)""",
        frame=frame.select(["name", "record_type", "record_id", "record_email"]).take(np.sort(first)),
    )
    if not fresh:
        return
    key, address = key_of("id", id_type_of(mirror)), address_of("email")
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE fresh AS
            SELECT name, record_type, id, email, CASE WHEN id IS NOT NULL THEN {number("id")} END AS by_id,
                CASE WHEN key IS NOT NULL THEN {number("key")} END AS by_key,
                CASE WHEN address <> '' THEN {number("address")} END AS by_address
            FROM (SELECT *, {key} AS key, {address} AS address FROM unheard)"""
    )
    mirror.run(f"INSERT INTO names BY NAME SELECT fresh.*, {_MEANT} AS record FROM {_found(mirror, 'fresh')}")


def follow(mirror: AccountMirror) -> None:
    """Look every name up again, now that records have changed, and move the activity of those that mean
    somebody else.
    """
    if not mirror.value("SELECT count(*) FROM names"):
        return
    look_up_ids(mirror)
    look_up_names(mirror, bool(mirror.value("SELECT count(email) FROM names")))
    moved = mirror.value(
        f"""CREATE OR REPLACE TEMP TABLE moved AS SELECT name, meant AS record FROM (
                SELECT names.name, names.record, {_MEANT} AS meant FROM {_found(mirror, "names")})
            WHERE record IS DISTINCT FROM meant"""
    )
    if moved:
        _move(mirror)


def _move(mirror: AccountMirror) -> None:
    """Activity of the names in ``moved`` goes to whom they mean now, or waits."""
    mirror.run("UPDATE names SET record = moved.record FROM moved WHERE names.name = moved.name")
    mirror.run(
        "UPDATE activity SET record = moved.record FROM moved WHERE activity.named_by = moved.name AND moved.record IS NOT NULL"
    )
    mirror.run(
        """INSERT INTO parked BY NAME SELECT names.record_type, names.id, names.email, activity.* EXCLUDE (record)
           FROM activity JOIN names ON activity.named_by = names.name SEMI JOIN moved USING (name) WHERE names.record IS NULL"""
    )
    mirror.run("DELETE FROM activity WHERE named_by IN (SELECT name FROM moved WHERE record IS NULL)")
    mirror.run(
        """INSERT INTO activity BY NAME SELECT moved.record, parked.* EXCLUDE (record_type, id, email)
           FROM parked JOIN moved ON parked.named_by = moved.name WHERE moved.record IS NOT NULL"""
    )
    mirror.run("DELETE FROM parked WHERE named_by IN (SELECT name FROM moved WHERE record IS NOT NULL)")
