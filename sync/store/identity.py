"""Who is who: merges and conversions send history to the survivor, parked activity finds its record, vanished records lose theirs.

Across accounts: which records of a shop are which records of the CRM.
"""

from __future__ import annotations

from connectors.contract import CHANNELS
from sync.store.mirror import AccountMirror, quoted


def reconcile(mirror: AccountMirror) -> None:
    """After records or activity moved: make every activity row stand with the record that it belongs to, or park it."""
    _redirect(mirror)
    _unpark(mirror)
    _park_orphans(mirror)
    mirror.touched()


def _redirect(mirror: AccountMirror) -> None:
    """Follow ``merged_into`` and ``converted_to`` to their ends. A ring of merges has no survivor and stays as it is.

    A survivor that is gone itself, or not known yet, is one all the same: who was merged into it stands for nobody.
    """
    mirror.run("DELETE FROM redirects")
    if not mirror.value("SELECT count(*) FROM records WHERE merged_into IS NOT NULL OR converted_to IS NOT NULL"):
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
    mirror.run("UPDATE activity SET record = survivor FROM redirects WHERE activity.record = redirects.record")


def _park_orphans(mirror: AccountMirror) -> None:
    """Activity of records that are gone waits, without a name, in case they come back."""
    gone = "SELECT DISTINCT record FROM activity ANTI JOIN records USING (record)"
    if not mirror.value(f"SELECT count(*) FROM ({gone})"):
        return
    mirror.run(f"CREATE OR REPLACE TEMP TABLE gone AS {gone}")
    mirror.run(
        """INSERT INTO parked BY NAME SELECT ids.record_type, ids.id, activity.* EXCLUDE (record)
           FROM activity JOIN gone USING (record) JOIN ids USING (record)"""
    )
    mirror.run("DELETE FROM activity WHERE record IN (SELECT record FROM gone)")


def _unpark(mirror: AccountMirror) -> None:
    """Parked activity whose record is known by now."""
    if not mirror.value("SELECT count(*) FROM parked"):
        return
    mirror.run(
        """CREATE OR REPLACE TEMP TABLE found AS
           SELECT ids.record_type, ids.id, coalesce(redirects.survivor, ids.record) AS record
           FROM ids JOIN (SELECT DISTINCT record FROM records) AS known USING (record) LEFT JOIN redirects USING (record)
           SEMI JOIN parked ON ids.record_type = parked.record_type AND ids.id = parked.id"""
    )
    mirror.run(
        """INSERT INTO activity BY NAME SELECT found.record, parked.* EXCLUDE (record_type, id)
           FROM parked JOIN found USING (record_type, id)"""
    )
    mirror.run("DELETE FROM parked USING found WHERE parked.record_type = found.record_type AND parked.id = found.id")


def people(mirror: AccountMirror) -> str:
    """SQL of the records that stand for someone: merged and converted ones excluded, the less permissive consent won."""
    alive = "SELECT part FROM parts WHERE live"
    plain = (
        f"SELECT records.*, ids.record_type, ids.id FROM {mirror.schema}.records JOIN {mirror.schema}.ids USING (record) WHERE "
        f"part IN ({alive.replace('parts', mirror.schema + '.parts')})"
    )
    if not mirror.value("SELECT count(*) FROM redirects"):
        return plain
    objects, *reachable = (quoted(name) for name in ("objects_to_profiling", *(f"reachable.{channel}" for channel in CHANNELS)))
    consents = [f"bool_or({objects}) AS {objects}", *(f"bool_and({name}) AS {name}" for name in reachable)]
    won = [f"coalesce(alive.{objects}, false) OR coalesce(consent.{objects}, false) AS {objects}"]
    won += [
        f"CASE WHEN consent.survivor IS NULL THEN alive.{name} ELSE least(alive.{name}, consent.{name}) END AS {name}" for name in reachable
    ]
    return f"""WITH alive AS NOT MATERIALIZED ({plain}),
        consent AS (SELECT survivor, {", ".join(consents)} FROM alive JOIN {mirror.schema}.redirects USING (record) GROUP BY survivor)
        SELECT alive.* REPLACE ({", ".join(won)}) FROM alive LEFT JOIN consent ON consent.survivor = alive.record
        WHERE alive.record NOT IN (SELECT record FROM {mirror.schema}.redirects)"""


def same_people(ours: AccountMirror, theirs: AccountMirror, match: str) -> str:
    """SQL of (theirs, ours): which record of another account is which record here.

    Keys are compared without case and blanks. Where several records here share a key, the oldest gets the activity,
    so that no purchase counts twice.
    """

    def keyed(mirror: AccountMirror) -> str:
        column = "email" if match == "email" else quoted("attribute." + match)
        known = match == "email" or "attribute." + match in mirror.attributes()
        key = f"nullif(lower(trim({column}::VARCHAR)), '')" if known else "NULL::VARCHAR"
        return f"SELECT record, id, created_at, {key} AS key FROM ({people(mirror)}) WHERE record_type = 'contact'"

    return f"""SELECT theirs.record AS theirs, ours.record AS ours FROM ({keyed(theirs)}) AS theirs
        JOIN (SELECT key, first(record ORDER BY created_at NULLS LAST, length(id), id) AS record FROM ({keyed(ours)}) WHERE key IS NOT
            NULL GROUP BY key) AS ours
        ON theirs.key = ours.key"""
