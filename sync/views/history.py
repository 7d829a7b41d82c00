"""What happened: every change with its run, and one record's story."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.account.segment_catalog import named_segments
from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.store import record_facts
from sync.store.journal import Journal
from sync.store.journal.batches import Batch
from sync.store.label_tables import LabelTables

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings

_OF_CHANGE = ("record_type", "id", "segmentation", "target", "action", "before", "after")
COLUMNS = ("run", "at", *_OF_CHANGE, "status", "reason")
_LABELLINGS = 400  # that a customer's way through the segments is read from
_LISTED = 20  # records that have the same name


def rows(
    journal: Journal, account: str, id: str = "", run: int | None = None, last: int | None = None
) -> list[dict[str, Any]]:
    """Changes that were tried, the oldest first, with what came of each: all, or those of a record or a run; of
    these the ``last`` ones.
    """
    parts: list[list[dict[str, Any]]] = []
    for batch in journal.batches.sent(account, run, newest_first=True):
        parts.append(_rows(journal, batch, id))
        if last is not None and sum(map(len, parts)) >= last:
            break
    every = [row for part in reversed(parts) for row in part]
    return every if last is None else every[len(every) - min(last, len(every)) :]


def _rows(journal: Journal, batch: Batch, id: str) -> list[dict[str, Any]]:
    """The rows of one batch. No value of Python becomes one of Arrow here: Arrow imports pandas for that."""
    table = batch.changes().select(_OF_CHANGE)
    places = pc.indices_nonzero(pc.match_substring(table["id"], id))
    found = places.to_pylist(), table.take(places).to_pylist()
    if not found[0]:
        return []
    status, reason = journal.batches.outcomes(batch)
    if batch.state == "open":
        status = ["unknown"] * batch.rows
    begun = {"run": batch.run, "at": batch.closed_at or batch.opened_at}
    return [
        {**begun, **row, "status": status[place], "reason": reason[place]}
        for place, row in zip(*found, strict=True)
        if not id or row["id"] == id
    ]


def changes(journal: Journal, account: str) -> Iterator[pa.Table]:
    """All changes that were tried, batch by batch from the oldest, with what came of each."""
    for batch in journal.batches.sent(account):
        yield _explained(journal, batch)


def _explained(journal: Journal, batch: Batch) -> pa.Table:
    status, reason = journal.batches.outcomes(batch)
    if batch.state == "open":
        status = ["unknown"] * batch.rows
    table = batch.changes()
    columns = {
        "run": pa.repeat(batch.run, batch.rows),
        "at": pa.repeat(batch.closed_at or batch.opened_at, batch.rows),
        **{name: table[name] for name in _OF_CHANGE},
        "status": pa.array(status, pa.string()),
        "reason": pa.array(reason, pa.string()),
    }
    return pa.table(columns).select(COLUMNS)


def export(journal: Journal, account: str, out: Path) -> int:
    """Write the whole history as CSV; returns the number of changes."""
    from connectors.files.csv_cells import guarded

    count = 0
    schema = pa.schema([("run", pa.int64()), *[(c, pa.string()) for c in COLUMNS[1:]]])
    import pyarrow.csv as arrow_csv

    with arrow_csv.CSVWriter(out, schema) as sink:
        for table in changes(journal, account):
            columns = [
                guarded(table[c]) if c in ("id", "before", "after", "reason") else table[c]
                for c in table.column_names
            ]
            sink.write_table(pa.table(columns, names=table.column_names).cast(schema))
            count += table.num_rows
    journal.exports.remember(out)
    return count


def show(session: Session, id: str) -> dict[str, Any]:
    """Why a record has its segments (or, objecting to profiling, none), since when, and every value before.

    ``id`` may be an e-mail address or a name, too. CommandError: nobody, or several, are called that.

    ``features`` hold money in minor units, as everywhere; ``money`` tells the same in units of its
    ``currency``, as exact decimals.
    """
    mirror = session.mirror()
    consent = consent_of(session.mirror(), session.joined())
    record, record_type, id = _only(session.account, record_facts.found_by(mirror, id))
    story: dict[str, Any] = {
        "account": session.account,
        "id": id,
        "record_type": record_type,
        "person": record_facts.person(mirror, record),
        "objects": record_facts.objects_to_profiling(mirror, consent.consents, record),
        "segmentations": {},
        "held": {},
        "history": [],
    }
    for settings in session.segmentations:
        every = LabelTables(mirror, settings.name).restored(session.journal.labels)
        row = record_facts.labels_of_record(mirror, every, record)
        labels = {
            s.key: s for s in named_segments(session.config, session.journal, settings, session.account)
        }
        if row:
            text = labels.get(row["segment"])
            story["segmentations"][settings.name] = {
                **{key: row[key] for key in ("segment", "since", "previous", "score", "reason")},
                "label": text.title if text else row["segment"],
                "description": text.description if text else "",
                "playbook": text.playbook if text else {},
                **_forecast(session.journal, session.account, settings),
            }
    story["held"] = record_facts.held_values(mirror, record)
    features = record_facts.features_of(mirror, record)
    if features is not None:
        story["features"] = features
        story["money"] = _money(features, session.settings.currency)
    history = rows(session.journal, session.account, id)
    story["history"] = [row for row in history if row["record_type"] == record_type]
    story["rejects"] = session.journal.rejects.of(session.account, id)
    return story


def segments_over_time(
    journal: Journal, account: str, segmentation: str, story: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The segments that the record of a ``story`` was in, the newest first: from which day on, and for how many days it is
    known. ``segment`` is None where it had none. At most the last labellings are looked at.
    """
    states: list[dict[str, Any]] = []
    for as_of, part in islice(journal.labels.days(account, segmentation, newest_first=True), _LABELLINGS):
        is_it = pc.and_(
            pc.equal(part["id"], story["id"]), pc.equal(part["record_type"], story["record_type"])
        )
        for segment in part["segment"].filter(is_it).to_pylist():
            if states and states[-1]["segment"] == segment:
                states[-1]["since"] = as_of
            else:
                states.append({"since": as_of, "segment": segment})
    return states


def _forecast(journal: Journal, account: str, settings: SegmentationSettings) -> dict[str, str]:
    """``forecast``: how far off the forecasts of its model may be; nothing where it has none that was judged."""
    from segmentation import model_file

    stored = journal.models.latest(account, settings.name)
    if stored is None or not settings.options.predicts_value:
        return {}
    figures = model_file.from_json(stored.content)["figures"]
    told = [told["words"] for told in figures.get("forecasts", []) if told["horizon"] == figures["horizon"]]
    return {"forecast": told[0]} if told else {}


def _only(account: str, found: Sequence[tuple[int, str, str]]) -> tuple[int, str, str]:
    if not found:
        raise CommandError(
            f"account {account} has no record with that id, e-mail address or name. Check it, or run `crm-segments "
            "pull` to read what is new"
        )
    if len(found) > 1:
        listed = ", ".join(f"{record_type} {id}" for _, record_type, id in found[:_LISTED])
        more = f" and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
        raise CommandError(
            f"{len(found):,} records of {account} have that name: {listed}{more}. Show one of them by id"
        )
    return found[0]


def _money(features: Mapping[str, Any], currency: str) -> dict[str, str]:
    """``{"currency": "EUR", "net_revenue": "1204.50"}``"""
    from connectors.values.currency import major_units

    amounts = {name: value for name, value in features.items() if re.match(r"net_revenue($|[._])", name)}
    return {
        "currency": currency,
        **{name: f"{major_units(value, currency):f}" for name, value in amounts.items()},
    }
