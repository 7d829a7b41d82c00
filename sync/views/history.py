"""What happened: every change with its run, and one record's story."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.account.segment_catalog import named_segments
from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.store.features_table import kept_features
from sync.store.identity_resolution import of_address
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror

COLUMNS = (
    "run",
    "at",
    "record_type",
    "id",
    "segmentation",
    "target",
    "action",
    "before",
    "after",
    "status",
    "reason",
)


def changes(journal: Journal, account: str, id: str | None = None) -> Iterator[pa.Table]:
    """All changes that were tried, batch by batch from the oldest, with what came of each."""
    for batch in journal.batches.sent(account):
        table = _explained(journal, batch)
        yield table if id is None else table.filter(pc.equal(table["id"], id))


def _explained(journal: Journal, batch: Batch) -> pa.Table:
    status, reason = journal.batches.outcomes(batch)
    if batch.state == "open":
        status = ["unknown"] * batch.rows
    table = batch.changes()
    columns = {
        "run": pa.repeat(batch.run, batch.rows),
        "at": pa.repeat(batch.closed_at or batch.opened_at, batch.rows),
        **{
            name: table[name]
            for name in ("record_type", "id", "segmentation", "target", "action", "before", "after")
        },
        "status": pa.array(status, pa.string()),
        "reason": pa.array(reason, pa.string()),
    }
    return pa.table(columns).select(COLUMNS)


def export(session: Session, out: Path) -> int:
    """Write the whole history as CSV; returns the number of changes."""
    from connectors.files.csv_cells import guarded

    count = 0
    schema = pa.schema([("run", pa.int64()), *[(c, pa.string()) for c in COLUMNS[1:]]])
    import pyarrow.csv as arrow_csv

    with arrow_csv.CSVWriter(out, schema) as sink:
        for table in changes(session.journal, session.account):
            columns = [
                guarded(table[c]) if c in ("id", "before", "after", "reason") else table[c]
                for c in table.column_names
            ]
            sink.write_table(pa.table(columns, names=table.column_names).cast(schema))
            count += table.num_rows
    session.journal.exports.remember(out)
    return count


def show(session: Session, id: str) -> dict[str, Any]:
    """Why a record has its segments (or, objecting to profiling, none), since when, and every value before.

    ``features`` hold money in minor units, as everywhere; ``money`` tells the same in units of its
    ``currency``, as exact decimals.
    """
    mirror = session.mirror()
    consent = consent_of(session)
    record = mirror.record(id) or _by_address(mirror, id)
    if record is None:
        raise CommandError(
            f"account {session.account} has no record {id!r} that we know of: `crm-segments pull` reads what is new"
        )
    number, record_type = record
    id = str(mirror.value("SELECT id FROM ids WHERE record = ?", [number]))
    story: dict[str, Any] = {
        "account": session.account,
        "id": id,
        "record_type": record_type,
        "person": _person(mirror, number),
        "objects": bool(
            mirror.value(f"SELECT bool_or(objects) FROM ({consent.consents}) WHERE record = ?", [number])
        ),
        "segmentations": {},
        "held": {},
        "history": [],
    }
    for settings in session.segmentations:
        every = LabelTables(mirror, settings.name).restored(session.journal.labels)
        rows = mirror.table(f"SELECT * FROM ({every}) WHERE record = {number}").to_pylist()
        labels = {
            s.key: s for s in named_segments(session.config, session.journal, settings, session.account)
        }
        for row in rows:
            text = labels.get(row["segment"])
            story["segmentations"][settings.name] = {
                **{key: row[key] for key in ("segment", "since", "previous", "score", "reason")},
                "label": text.title if text else row["segment"],
                "description": text.description if text else "",
                "playbook": text.playbook if text else {},
            }
    story["held"] = dict(
        mirror.rows("SELECT target, value FROM actual WHERE record = ? ORDER BY target", [number])
    )
    features = kept_features(mirror)
    if features is not None:
        rows = mirror.table(
            f"SELECT * EXCLUDE (record) FROM ({features}) WHERE record = {number}"
        ).to_pylist()
        story["features"] = {
            key: value for key, value in (rows[0] if rows else {}).items() if value is not None
        }
        story["money"] = _money(story["features"], session.settings.currency)
    for part in changes(session.journal, session.account, id):
        story["history"] += [row for row in part.to_pylist() if row["record_type"] == record_type]
    story["rejects"] = session.journal.rejects.of(session.account, id)
    return story


def _by_address(mirror: AccountMirror, address: str) -> tuple[int, str] | None:
    """The oldest record that has an address."""
    records = of_address(mirror, address)
    return (
        (records[0], str(mirror.value("SELECT record_type FROM ids WHERE record = ?", records[:1])))
        if records
        else None
    )


def _person(mirror: AccountMirror, record: int) -> dict[str, Any]:
    """Name, addresses, numbers and country, as far as the source has them."""
    alive = f"record = {record} AND part IN (SELECT part FROM parts WHERE live)"
    rows = (
        mirror.run(f"SELECT name, email, emails, phones, country FROM records WHERE {alive}")
        .to_arrow_table()
        .to_pylist()
    )
    return {key: value for key, value in (rows[0] if rows else {}).items() if value is not None}


def _money(features: Mapping[str, Any], currency: str) -> dict[str, str]:
    """``{"currency": "EUR", "net_revenue": "1204.50"}``"""
    from connectors.values.currency import major_units

    amounts = {name: value for name, value in features.items() if re.match(r"net_revenue($|[._])", name)}
    return {
        "currency": currency,
        **{name: f"{major_units(value, currency):f}" for name, value in amounts.items()},
    }
