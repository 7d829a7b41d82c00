"""Forget: take a person out of every file of ours, and see that no later export brings them back."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import CHANGE_SCHEMA
from sync.account.session import Session
from sync.apply.delivery import JournalTicket
from sync.apply.pace import stamp
from sync.pull.pull import forget_digest, pull
from sync.store.journal import Journal, now, packed, unpacked
from sync.store.mirror import Mirror, literal

Person = tuple[str, str, str]  # account, record type, id


def people_of(session: Session, id: str) -> list[Person]:
    """The record of that id in the account, and those of the same e-mail address in the accounts whose activity it uses."""
    found: list[Person] = []
    mails: set[str] = set()
    for account in session.sources():
        mirror = session.mirror(account)
        rows = (
            mirror.rows(
                "SELECT DISTINCT ids.record_type, ids.id, lower(trim(email)) FROM ids LEFT JOIN records USING (record) WHERE ids.id = ?",
                [id],
            )
            if account == session.account
            else []
        )
        if mails:
            rows += mirror.rows(
                f"SELECT record_type, id, lower(trim(email)) FROM records JOIN ids USING (record) WHERE lower(trim(email)) IN "
                f"({', '.join(map(literal, mails))})"
            )
        rows += (
            [(t, i, None) for t, i in mirror.rows("SELECT DISTINCT record_type, id FROM parked WHERE id = ?", [id])]
            if account == session.account
            else []
        )
        found += [(account, record_type, key) for record_type, key, _mail in rows]
        mails.update(mail for _, _, mail in rows if mail)
    return list(dict.fromkeys(found)) or [(session.account, "contact", id)]


def forget(session: Session, id: str) -> dict[str, Any]:
    """Clear what we wrote on a person in the CRM, then purge the journal, the mirror and files that we exported.

    The person's own rows in the CRM's exports are the customer's: they are not touched, only never read again.
    """
    if not session.mirror().value("SELECT count(*) FROM records"):  # the last one who was forgotten took it along
        pull(session)
    people = people_of(session, id)
    cleared = _clear(session, [p for p in people if p[0] == session.account])
    for account, record_type, key in people:
        session.journal.execute(
            "INSERT OR IGNORE INTO forgotten VALUES (?, ?)", forget_digest(session.journal, account, record_type, key), now()
        )
    rows = sum(
        purge_journal(session.journal, account, {(t, i) for name, t, i in people if name == account})
        for account in {name for name, _, _ in people}
    )
    files = _purge_exports(session.journal, {key for _, _, key in people})
    for account in session.sources():
        session.mirror(account)
    _drop_mirror(session.mirror_file)
    return {"forgotten": len(people), "cleared": cleared, "journal_rows": rows, "files": files}


def _clear(session: Session, people: list[Person]) -> int:
    """Take our values and memberships off the person's records. Not journalled: a record of it would remember the person.

    A person asked for it, so no pace holds it back; but what comes later finds it counted.
    """
    mirror, cleared = session.mirror(), 0
    made = {row["key"]: row for row in session.journal.made(session.account)}
    lists = session.lists if any(row["kind"] == "list" for row in made.values()) else {}
    ticket = JournalTicket(session.journal, 0)
    for _account, record_type, id in people:
        held = mirror.rows("SELECT target, value FROM actual JOIN ids USING (record) WHERE record_type = ? AND id = ?", [record_type, id])
        changes = [{"record_type": record_type, "id": id, "target": t, "before": v, "after": None} for t, v in held if t in made]
        fields = [c for c in changes if made[str(c["target"])]["kind"] == "field"]
        if fields:
            session.journal.add_written(session.account, 1, stamp(session))
            session.connector().write_fields(pa.Table.from_pylist(fields, schema=CHANGE_SCHEMA), ticket)
        for change in changes:
            if change not in fields and made[str(change["target"])]["remote"] in lists:
                remote = lists[made[str(change["target"])]["remote"]]
                session.journal.add_written(session.account, 1, stamp(session))
                session.connector().write_members(remote, pa.Table.from_pylist([change], schema=CHANGE_SCHEMA), ticket)
        cleared += len(changes)
    return cleared


def purge_journal(journal: Journal, account: str, people: set[tuple[str, str]]) -> int:
    """Rewrite everything in the journal that names one of these (record type, id); returns how many rows went."""
    count = 0
    ids = {id for _type, id in people}
    with journal.transaction() as connection:
        for row in journal.rows("SELECT batch FROM batches WHERE account = ?", account):
            count += _purge_batch(journal, row["batch"], people)
        for row in journal.rows("SELECT segmentation, as_of, part FROM labels WHERE account = ?", account):
            place = (account, row["segmentation"], row["as_of"], row["part"])
            one = "account = ? AND segmentation = ? AND as_of = ? AND part = ?"
            table = unpacked(journal.value(f"SELECT content FROM labels WHERE {one}", *place))
            kept = table.filter(pc.invert(_are(table, people)))
            if kept.num_rows < table.num_rows:
                count += table.num_rows - kept.num_rows
                connection.execute(f"UPDATE labels SET content = ? WHERE {one}", (packed(kept), *place))
        connection.executemany("DELETE FROM rejects WHERE account = ? AND record_id = ?", [(account, id) for id in ids])
        for name, key in (("plans", "plan"), ("runs", "run")):
            for row in journal.rows(f"SELECT {key} AS number, summary FROM {name} WHERE account = ? AND summary IS NOT NULL", account):
                cleaned = json.dumps(_without(json.loads(row["summary"]), ids))
                connection.execute(f"UPDATE {name} SET summary = ? WHERE {key} = ?", (cleaned, row["number"]))
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        journal.connection.execute(statement)
    return count


def _are(table: pa.Table, people: set[tuple[str, str]]) -> pa.ChunkedArray:
    """Which rows are about one of these people; types are looked at only where an id is met."""
    met = pc.is_in(table["id"], value_set=pa.array(sorted({id for _type, id in people}), pa.string()))
    if not pc.any(met).as_py():
        return met
    types = table["record_type"].to_pylist()
    ids = table["id"].to_pylist()
    return pa.chunked_array(
        [pa.array([bool(m) and (t, i) in people for m, t, i in zip(met.to_pylist(), types, ids, strict=True)], pa.bool_())]
    )


def _purge_batch(journal: Journal, number: int, people: set[tuple[str, str]]) -> int:
    """Drop changes of these people from a batch and move the notes on the others to their new places."""
    batch = journal.batch(number)
    changes = batch.changes()
    gone = _are(changes, people).to_pylist()
    if not any(gone):
        return 0
    place, places = 0, {}
    for position, is_gone in enumerate(gone):
        if not is_gone:
            places[position], place = place, place + 1
    notes = journal.rows("SELECT * FROM exceptions WHERE batch = ?", number)
    journal.execute("DELETE FROM exceptions WHERE batch = ?", number)
    for note in notes:
        if note["position"] in places:
            row = (number, places[note["position"]], note["status"], note["kind"], note["reason"])
            journal.execute("INSERT INTO exceptions VALUES (?, ?, ?, ?, ?)", *row)
    kept = changes.filter(pa.array([not is_gone for is_gone in gone]))
    journal.execute("UPDATE batches SET content = ?, rows = ? WHERE batch = ?", packed(kept), kept.num_rows, number)
    if batch.state == "planned":  # of others the pace still counts what they moved
        journal.execute("UPDATE batches SET records = ? WHERE batch = ?", pc.count_distinct(kept["id"]).as_py(), number)
    return int(changes.num_rows - kept.num_rows)


def _without(value: Any, ids: set[str]) -> Any:
    """A summary without the entries that name one of these ids, and without the words of a CRM or an error that quote one."""
    quoted = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, ids)) + r")(?!\w)")

    def cleaned(one: Any) -> Any:
        if isinstance(one, dict):
            kept = {key: inner for key, inner in one.items() if not quoted.search(key)}
            return {key: quoted.sub("?", inner) if key == "stopped" else cleaned(inner) for key, inner in kept.items()}
        if isinstance(one, list):
            return [cleaned(inner) for inner in one if not (isinstance(inner, dict) and inner.get("id") in ids)]
        return one

    return cleaned(value)


def _purge_exports(journal: Journal, ids: set[str]) -> int:
    """Files that we were told to write (``--out``): rows of the person are dropped where the file is still there."""
    count = 0
    for row in journal.rows("SELECT path FROM exports"):
        path = Path(row["path"])
        if path.suffix != ".csv" or not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as source:
            rows = list(csv.reader(source))
        place = rows[0].index("id") if rows and "id" in rows[0] else 0
        kept = [r for n, r in enumerate(rows) if n == 0 or len(r) <= place or r[place].lstrip("'") not in ids]
        if len(kept) < len(rows):
            temporary = path.with_name(f".{path.name}.crm-segments.tmp")
            with temporary.open("w", newline="", encoding="utf-8") as sink:
                csv.writer(sink, lineterminator="\n").writerows(kept)
            os.replace(temporary, path)
            count += 1
    return count


def _drop_mirror(mirror: Mirror) -> None:
    """Throw the cache away: that leaves no byte of anybody, and the next pull brings back all others."""
    mirror.close()
    for path in mirror.path.parent.glob(mirror.path.name + "*"):
        if path.is_file():
            path.unlink()
