"""Who is who: merges and conversions send history to the survivor, parked activity finds its record, vanished
records lose theirs.

Who is who across accounts is told by ``sync.store.joined``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sync.store import activity_owner, merged_consent, repeats
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation


def reconcile(mirror: AccountMirror) -> None:
    """After records or activity moved: make every activity row stand with the record that it belongs to, or
    park it.
    """
    _settle(mirror)
    repeats.settle(mirror)
    mirror.touched()


def unsettle(mirror: AccountMirror) -> None:
    """Say that records changed: whose activity is whose must be looked up again before more of it is taken."""
    mirror.set_stamp("owners", "unsettled")


def settle(mirror: AccountMirror) -> None:
    """What stands in the mirror belongs to whom the records say, before more activity is set beside it."""
    if mirror.stamp("owners") != "settled":
        _settle(mirror)


def _settle(mirror: AccountMirror) -> None:
    _redirect(mirror)
    merged_consent.follow(mirror)
    if mirror.stamp("owners") != "settled":
        activity_owner.follow(mirror)
    _unpark(mirror)
    _park_orphans(mirror)
    mirror.set_stamp("owners", "settled")


def _redirect(mirror: AccountMirror) -> None:
    """Follow ``merged_into`` and ``converted_to`` to their ends. A ring of merges has no survivor and stays
    as it is.

    A survivor that is gone itself, or not known yet, is one all the same: who was merged into it stands for
    nobody.
    """
    mirror.run("DELETE FROM redirects")
    if not mirror.value(
        "SELECT count(*) FROM records WHERE merged_into IS NOT NULL OR converted_to IS NOT NULL"
    ):
        return
    mirror.register(
        mirror.table(
            """SELECT CASE WHEN merged_into IS NOT NULL THEN record_type ELSE 'contact' END AS record_type,
                      coalesce(merged_into, converted_to) AS id
               FROM records JOIN ids USING (record) WHERE merged_into IS NOT NULL OR converted_to IS NOT NULL"""
        )
    )
    mirror.run(
        """INSERT INTO redirects
           WITH RECURSIVE step AS (
               SELECT r.record, t.record AS survivor FROM records AS r JOIN ids AS s ON s.record = r.record
               JOIN ids AS t ON t.id = coalesce(r.merged_into, r.converted_to)
                   AND t.record_type = CASE WHEN r.merged_into IS NOT NULL THEN s.record_type ELSE 'contact' END
               WHERE r.record <> t.record),
           walk AS (
               SELECT record, survivor, 1 AS steps FROM step
               UNION ALL SELECT walk.record, step.survivor, steps + 1 FROM walk JOIN step ON step.record = walk.survivor WHERE steps < 50)
           SELECT record, arg_max(survivor, steps) FROM walk GROUP BY record HAVING max(steps) < 50"""
    )
    mirror.run(
        "UPDATE activity SET record = survivor FROM redirects WHERE activity.record = redirects.record"
    )


def _park_orphans(mirror: AccountMirror) -> None:
    """Activity of records that are gone waits, without a name, in case they come back."""
    vanished = "SELECT record FROM ids ANTI JOIN records USING (record)"
    if not mirror.value(f"CREATE OR REPLACE TEMP TABLE vanished AS {vanished}"):
        return
    orphaned = "SELECT DISTINCT record FROM activity SEMI JOIN vanished USING (record)"
    if not mirror.value(f"CREATE OR REPLACE TEMP TABLE orphaned AS {orphaned}"):
        return
    mirror.run(
        """INSERT INTO parked BY NAME SELECT ids.record_type, ids.id, activity.* EXCLUDE (record)
           FROM activity JOIN orphaned USING (record) JOIN ids USING (record)"""
    )
    mirror.run("DELETE FROM activity WHERE record IN (SELECT record FROM orphaned)")


def _unpark(mirror: AccountMirror) -> None:
    """Parked activity whose record is known by now.

    What was named by more than an exact id has been followed already.
    """
    if not mirror.value("SELECT count(*) FROM parked"):
        return
    exact = (
        f"parked.{activity_owner.COLUMN} IS NULL"
        if activity_owner.COLUMN in mirror.columns("parked")
        else "true"
    )
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE found AS
           SELECT ids.record_type, ids.id, coalesce(redirects.survivor, ids.record) AS record
           FROM ids JOIN (SELECT DISTINCT record FROM records) AS known USING (record) LEFT JOIN redirects USING (record)
           SEMI JOIN (SELECT * FROM parked WHERE {exact}) AS parked ON ids.record_type = parked.record_type AND ids.id = parked.id"""
    )
    mirror.run(
        f"""INSERT INTO activity BY NAME SELECT found.record, parked.* EXCLUDE (record_type, id, email)
           FROM parked JOIN found USING (record_type, id) WHERE {exact}"""
    )
    mirror.run(
        f"DELETE FROM parked USING found WHERE parked.record_type = found.record_type AND parked.id = found.id AND {exact}"
    )


def of_address(mirror: AccountMirror, address: str) -> list[int]:
    """Everybody who has an address, the oldest first; who was merged is meant by the survivor."""
    everybody = f"""SELECT DISTINCT record, created_at, id FROM ({activity_owner.addresses(mirror)})
                    WHERE address = {activity_owner.address_of("?")}"""
    query = f"SELECT record FROM ({everybody}) ORDER BY created_at NULLS LAST, length(id), id"
    return [int(record) for (record,) in mirror.rows(query, [address])]


def of_id(mirror: AccountMirror, id: str) -> list[int]:
    """Records of any type that have an id in the CRM."""
    return [int(record) for (record,) in mirror.rows("SELECT record FROM ids WHERE id = ?", [id])]


def unknown_of_id(mirror: AccountMirror, id: str) -> list[tuple[str, str]]:
    """(record type, id) under which activity of unknown records stands by an id."""
    rows = mirror.rows("SELECT DISTINCT record_type, id FROM parked WHERE id = ?", [id])
    return [(record_type, id) for record_type, id in rows]


def names_any(mirror: AccountMirror, texts: Collection[str]) -> bool:
    """Whether activity names a record by one of these ids or addresses, be it known or not."""
    listed = ", ".join(map(literal, sorted(texts)))
    return any(
        mirror.value(f"SELECT count(*) FROM {table} WHERE id IN ({listed}) OR email IN ({listed})")
        for table in ("parked", "names")
    )


def names_of(mirror: AccountMirror, ids: Collection[str]) -> set[str]:
    """Ids and addresses by which activity names the records of these ids, as they are written there."""
    listed = ", ".join(map(literal, ids)) or "NULL"
    rows = mirror.rows(
        f"SELECT names.id, names.email FROM names JOIN ids USING (record) WHERE ids.id IN ({listed})"
    )
    return {text for row in rows for text in row if text}


def same_person(mirror: AccountMirror, records: Sequence[int]) -> list[tuple[str, str, list[str]]]:
    """(record type, id, addresses) of these records and of all that were merged with or converted into them."""
    numbers = ", ".join(map(str, records)) or "NULL"
    addresses = "list_distinct(list_filter(list_append(coalesce(emails, []), email), x -> x IS NOT NULL))"
    rows = mirror.rows(
        f"""WITH everybody AS (SELECT ids.*, coalesce(survivor, ids.record) AS person FROM ids LEFT JOIN redirects USING (record))
            SELECT DISTINCT record_type, id, {addresses} FROM everybody LEFT JOIN records USING (record)
            WHERE person IN (SELECT person FROM everybody WHERE record IN ({numbers})) ORDER BY ALL"""
    )
    return [(record_type, id, emails or []) for record_type, id, emails in rows]


def phones_of(mirror: AccountMirror, named: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """(number, country or "") of each phone number of the records of these types and ids."""
    chosen = ", ".join(f"({literal(record_type)}, {literal(id)})" for record_type, id in sorted(named))
    if not chosen:
        return []
    return mirror.rows(
        f"""SELECT DISTINCT unnest(phones), coalesce(country, '') FROM records JOIN ids USING (record)
            WHERE (record_type, id) IN ({chosen})"""
    )


def people(mirror: AccountMirror) -> Relation:
    """The records that stand for someone: merged and converted ones excluded, the less permissive
    consent won.
    """
    alive = "SELECT part FROM parts WHERE live"
    plain = (
        f"SELECT records.*, ids.record_type, ids.id FROM {mirror.schema}.records JOIN {mirror.schema}.ids USING (record) WHERE "
        f"part IN ({alive.replace('parts', mirror.schema + '.parts')})"
    )
    bound = "SELECT 1 FROM redirects UNION ALL SELECT 1 FROM merged_consents WHERE survivor IS NOT NULL"
    if not mirror.value(f"SELECT count(*) FROM ({bound})"):
        return Relation(plain)
    objects, *reachable = map(quoted, merged_consent.COLUMNS)
    columns = ", ".join([objects, *reachable])
    consents = [f"bool_or({objects}) AS {objects}", *(f"bool_and({name}) AS {name}" for name in reachable)]
    won = [f"coalesce(alive.{objects}, false) OR coalesce(consent.{objects}, false) AS {objects}"]
    won += [
        f"CASE WHEN consent.survivor IS NULL THEN alive.{name} ELSE least(alive.{name}, consent.{name}) END AS {name}"
        for name in reachable
    ]
    return Relation(
        f"""WITH alive AS NOT MATERIALIZED ({plain}),
        consent AS (SELECT survivor, {", ".join(consents)} FROM (
            SELECT survivor, {columns} FROM alive JOIN {mirror.schema}.redirects USING (record)
            UNION ALL SELECT survivor, {columns} FROM {mirror.schema}.merged_consents WHERE survivor IS NOT NULL) GROUP BY survivor)
        SELECT alive.* REPLACE ({", ".join(won)}) FROM alive LEFT JOIN consent ON consent.survivor = alive.record
        WHERE alive.record NOT IN (SELECT record FROM {mirror.schema}.redirects)"""
    )
