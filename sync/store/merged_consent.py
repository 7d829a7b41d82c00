"""What did people say no to under records that were merged since?

Of a merged record a CRM may tell no more than its survivor (HubSpot), or nothing once its recycle bin was
emptied (Salesforce). The less permissive consent wins all the same. So the table ``merged_consents`` keeps what a
record said no to when its row is replaced or leaves: (record, survivor, objects_to_profiling, a column per
channel). It counts once the record's survivor is known. The journal keeps those rows, because a mirror is
only a cache.

Two things end a no: the record comes back and speaks for itself, or the survivor said no too and somebody
took that away in the CRM.
"""

from __future__ import annotations

import pyarrow as pa

from connectors.schemas import CHANNELS, REACHABLE
from sync.store.journal import Journal
from sync.store.mirror import AccountMirror, quoted

_OBJECTS = "objects_to_profiling"
_REACHABLE = [REACHABLE + channel for channel in CHANNELS]
COLUMNS = [_OBJECTS, *_REACHABLE]
# Whoever has no address cannot be reached by e-mail, and said no to nothing.
_SAYS_NO = " OR ".join(
    [
        f"coalesce({_OBJECTS}, false)",
        *(
            f"NOT coalesce({quoted(name)}, true)"
            + (" AND email IS NOT NULL" if name.endswith("email") else "")
            for name in _REACHABLE
        ),
    ]
)


def gather(mirror: AccountMirror, frame: pa.Table) -> None:
    """Keep what records said no to of which a page says that they are merged or gone, before it replaces
    their rows; and drop what a survivor no longer says no to itself.
    """
    leaving = [f"frame.{name}" for name in ("merged_into", "converted_to") if name in frame.column_names]
    conditions = [f"{name} IS NOT NULL" for name in leaving]
    conditions += ["frame.deleted"] if "deleted" in frame.column_names else []
    if conditions:
        mirror.run(
            f"""CREATE OR REPLACE TEMP TABLE leaving AS SELECT DISTINCT ids.record FROM frame JOIN ids USING (record_type, id)
                WHERE {" OR ".join(conditions)}""",
            frame=frame,
        )
        _keep(mirror, "records.record IN (SELECT record FROM leaving)")
    if mirror.value("SELECT count(*) FROM merged_consents WHERE survivor IS NOT NULL"):
        _lift(mirror, frame)


def gather_missing(mirror: AccountMirror, old: int, new: int) -> None:
    """Keep what records said no to that a new reading of a whole part does not name any more."""
    _keep(
        mirror,
        f"records.part = {old} AND records.record NOT IN (SELECT record FROM records WHERE part = {new})",
    )


def _keep(mirror: AccountMirror, condition: str) -> None:
    sums = [f"bool_or({_OBJECTS}) AS {_OBJECTS}"]
    sums += [f"bool_and({quoted(name)}) AS {quoted(name)}" for name in _REACHABLE]
    no = [
        _OBJECTS,
        *(f"CASE WHEN NOT {quoted(name)} THEN false END AS {quoted(name)}" for name in _REACHABLE),
    ]
    columns = ", ".join(map(quoted, COLUMNS))
    mirror.run(
        f"""CREATE OR REPLACE TEMP TABLE refusing AS SELECT record, max(survivor) AS survivor, {", ".join(sums)} FROM (
                SELECT record, NULL::BIGINT AS survivor, {", ".join(no)} FROM records WHERE ({condition}) AND ({_SAYS_NO})
                UNION ALL SELECT record, survivor, {columns} FROM merged_consents) GROUP BY record"""
    )
    mirror.run("DELETE FROM merged_consents")
    mirror.run(f"INSERT INTO merged_consents SELECT record, survivor, {columns} FROM refusing")


def _lift(mirror: AccountMirror, frame: pa.Table) -> None:
    """Somebody took away in the CRM what the survivor itself said no to: what was merged into it binds it no
    longer.
    """
    for name in COLUMNS:
        if name in frame.column_names:
            column, no = quoted(name), str(name == _OBJECTS).lower()
            mirror.run(
                f"""UPDATE merged_consents SET {column} = NULL WHERE {column} IS NOT NULL AND survivor IN (
                        SELECT records.record FROM records JOIN ids USING (record) JOIN frame USING (record_type, id)
                        WHERE records.{column} IS NOT DISTINCT FROM {no} AND frame.{column} IS DISTINCT FROM {no})""",
                frame=frame,
            )


def follow(mirror: AccountMirror) -> None:
    """Once it is known who was merged into whom: name the survivors, and let those speak who are there
    themselves.
    """
    mirror.run(
        "UPDATE merged_consents SET survivor = r.survivor FROM redirects AS r WHERE merged_consents.record = r.record"
    )
    mirror.run(
        "UPDATE merged_consents SET survivor = r.survivor FROM redirects AS r WHERE merged_consents.survivor = r.record"
    )
    mirror.run(
        """DELETE FROM merged_consents WHERE record IN (SELECT record FROM records WHERE NOT coalesce(deleted, false))
           AND record NOT IN (SELECT record FROM redirects)"""
    )


def recall(journal: Journal, mirror: AccountMirror) -> None:
    """A new mirror learns from the journal who said no."""
    if mirror.stamp("merged_consents") is not None:
        return
    rows = journal.merged_consents.of(mirror.name)
    kept = pa.table(
        {
            "record_type": pa.array([row.record_type for row in rows], pa.string()),
            "id": pa.array([row.id for row in rows], pa.string()),
            "survivor": pa.array([row.survivor for row in rows], pa.string()),
            "survivor_type": pa.array([row.survivor_type for row in rows], pa.string()),
            "refused": pa.array([row.refused.split() for row in rows], pa.list_(pa.string())),
        }
    )
    no = ", ".join(
        f"CASE WHEN list_contains(refused, '{name}') THEN {str(name == _OBJECTS).lower()} END"
        for name in COLUMNS
    )
    survivors = kept.select(["survivor_type", "survivor"]).rename_columns(["record_type", "id"])
    with mirror.transaction():
        mirror.register(pa.concat_tables([kept.select(["record_type", "id"]), survivors]))
        mirror.run(
            f"""INSERT INTO merged_consents SELECT own.record, other.record, {no} FROM kept
                JOIN ids AS own ON own.record_type = kept.record_type AND own.id = kept.id
                JOIN ids AS other ON other.record_type = kept.survivor_type AND other.id = kept.survivor""",
            kept=kept,
        )
        mirror.set_stamp("merged_consents", "recalled")


def remember(journal: Journal, mirror: AccountMirror) -> None:
    """The journal keeps what binds survivors."""
    names = ", ".join(
        f"CASE WHEN {quoted(name)} IS NOT NULL AND {quoted(name)} = {str(name == _OBJECTS).lower()} THEN '{name}' END"
        for name in COLUMNS
    )
    refused = f"array_to_string(list_filter([{names}], x -> x IS NOT NULL), ' ')"
    rows = mirror.rows(
        f"""SELECT own.record_type, own.id, other.record_type, other.id, {refused} AS refused FROM merged_consents
            JOIN ids AS own ON own.record = merged_consents.record JOIN ids AS other ON other.record = merged_consents.survivor
            WHERE refused <> '' ORDER BY ALL"""
    )
    if journal.merged_consents.of(mirror.name) != sorted(rows):
        journal.merged_consents.replace(mirror.name, rows)
