"""How do changes of fields reach Salesforce, and what came of each?

Up to about two thousand records go as collections of 200 a call, more as one Bulk job: Salesforce's own line
("API Request Limits and Allocations"). A job's id is kept before its upload, so that a crash finds it again
instead of uploading twice. Rows that a lock refused are tried again, fewer at a time and ordered by the
account that they share.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from connectors.contract import Ticket
from connectors.rest.batch_writer import Held, bisected, read_back, slices
from connectors.rest.jobs import Jobs
from connectors.rest.outcomes import Outcomes, Record, targets_of
from connectors.salesforce import soql
from connectors.salesforce.api_errors import Refusal, Refused, of_cell, of_item
from connectors.salesforce.bulk import NULL, UPLOAD_LIMIT, Bulk, Status, refused_job
from connectors.salesforce.fields import as_text
from connectors.salesforce.names import OBJECTS, api_name
from connectors.salesforce.session import Org

COLLECTION = 200  # records of one call ("sObject Collections")
UNANSWERED = "Salesforce gave no answer about this record; the next run looks again"
_READ = 2000  # records of one call that reads them ("sObject Collections", retrieve by POST)
_ROUNDS = (200, 100, 50, 25)  # records of a call, in each round of trying again what passes by itself
_EXTRA_CALLS = 10  # at least so many calls may trying again take, or as many as the records themselves
_JOB_ROUNDS = 2  # further jobs for what a job did not come to
# No assignment rules, no "recently used", and alerts (not blocks) of duplicate rules are overridden.
_HEADERS = {
    "Sforce-Call-Options": "client=crm-segments",
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Mru": "updateMru=false",
    "Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true",
}
_INTERRUPTED = "interrupted before the write"
_REMEDY = "run `crm-segments setup`, then assign the permission set to this user"


class Writing:
    """Writes fields of contacts, leads and accounts, and reads back what records hold."""

    def __init__(self, org: Org, sleep: Callable[[float], object] = time.sleep) -> None:
        self._org = org
        self._sleep = sleep

    def write(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Carry out changes; an outcome for each."""
        self._org.may_write()
        return _Batch(self._org, self._sleep, changes, ticket).write()

    def settle(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Outcomes of a batch whose end is unknown."""
        return _Batch(self._org, self._sleep, changes, ticket).settle()

    def current(self, changes: pa.Table) -> list[str | None]:
        """What each change's record holds in its field: text in normal form, null for nothing or for what
        this user does not see.
        """
        outcomes = Outcomes(changes)
        return outcomes.values(_held(self._org, outcomes))


@dataclass(frozen=True)
class _Rows:
    """The changes of one object, a row for each record, in the order of their ids."""

    table: str
    records: Sequence[Record]
    after: Sequence[str | None]
    boxes: frozenset[str]  # fields that are check boxes: "true" or "false", and never empty

    def text(self, record: Record, target: str) -> str:
        """What a field shall hold; "": nothing. Clearing a check box takes its tick away."""
        return self.after[record.cells[target]] or ("false" if target in self.boxes else "")

    def item(self, record: Record) -> dict[str, Any]:
        """The row of a record in a collection."""
        texts = {target: self.text(record, target) for target in record.cells}
        values = {
            api_name(target): text == "true" if target in self.boxes else text or None
            for target, text in texts.items()
        }
        return {"attributes": {"type": self.table}, "id": record.id, **values}

    def csv(self, records: Sequence[Record]) -> bytes:
        """Some of the rows as an upload: a blank cell leaves the field of a record as it is."""
        columns = {"Id": pa.array([record.id for record in records], pa.string())}
        for target in targets_of(records):
            cells = [
                self.text(record, target) or NULL if target in record.cells else "" for record in records
            ]
            columns[api_name(target)] = pa.array(cells, pa.string())
        sink = io.BytesIO()
        csv.write_csv(pa.table(columns), sink)
        return sink.getvalue()

    def uploads(self) -> Iterator[tuple[Sequence[Record], bytes]]:
        """Pieces that Salesforce takes. The same rows give the same pieces, whenever."""
        if not self.records:
            return
        content = self.csv(self.records)
        count = -(-len(content) // UPLOAD_LIMIT)
        for piece in slices(self.records, -(-len(self.records) // count)):
            yield piece, content if count == 1 else self.csv(piece)


class _Batch:
    """One table of changes on its way."""

    def __init__(self, org: Org, sleep: Callable[[float], object], changes: pa.Table, ticket: Ticket) -> None:
        self._org = org
        self._bulk = Bulk(org, sleep)
        self._sleep = sleep
        self._outcomes = Outcomes(changes)
        self._jobs = Jobs(ticket)

    def write(self) -> pa.Table:
        if 0 < len(set(self._outcomes.ids)) <= self._org.settings.compare_up_to:
            self._compare()
        for record_type in OBJECTS:
            rows = self._rows(record_type)
            if len(rows.records) > self._org.settings.bulk_writes_above and not _says_null(rows):
                if self._reject_hidden(record_type):
                    rows = self._rows(record_type)
                self._by_jobs(rows)
                self._again(rows)
            elif rows.records:
                self._by_calls(record_type)
        return self._outcomes.table(UNANSWERED)

    def settle(self) -> pa.Table:
        """A job that has its rows runs to its end; one that has not is ended, and its rows were never
        written.

        What did not go as a job, or as one that Salesforce no longer knows, is read back.
        """
        for record_type in dict.fromkeys(self._outcomes.types):
            self._reject_hidden(record_type)
        for record_type in OBJECTS if self._jobs else ():
            rows = self._rows(record_type)
            for number, (piece, _content) in enumerate(rows.uploads()):
                for name in self._jobs.of(f"{rows.table}.{number}"):
                    self._learn(name, piece)
        left = self._outcomes.unanswered(range(len(self._outcomes.ids)))
        if left:
            values = self._outcomes.values(_held(self._org, self._outcomes))
            arrived = [row for row in left if (values[row] or "") == (self._outcomes.after[row] or "")]
            self._outcomes.done(arrived)
        return self._outcomes.table(_INTERRUPTED)

    def _compare(self) -> None:
        """Records of which somebody changed a field since the pull are left alone with all that goes with it:
        the next run reads them.

        One call for 2,000 records. What is as it shall be is done.
        """
        held = _held(self._org, self._outcomes, described=False)
        before, after = self._outcomes.before, self._outcomes.after
        for record_type, records in self._outcomes.records().items():
            for record in records:
                values = held.get((record_type, record.id), {})
                seen = {row: values[target] or "" for target, row in record.cells.items() if target in values}
                arrived = [row for row, value in seen.items() if value == (after[row] or "")]
                self._outcomes.done(arrived)
                if any(value != (before[row] or "") for row, value in seen.items() if row not in arrived):
                    left = self._outcomes.unanswered(record.rows)
                    self._outcomes.skip(left, "somebody changed it, or what goes with it, since the pull")

    def _by_calls(self, record_type: str) -> None:
        """Collections. Only where one is refused for a field, it is looked up which: that costs a call."""
        try:
            rows = self._rows(record_type)
            self._by_collections(rows, rows.records, COLLECTION)
            self._again(rows)
        except Refused as error:
            self._reject_hidden(record_type)
            rows = self._rows(record_type)
            if not rows.records:
                return
            if error.refusal.kind != "permission":
                raise
            self._by_collections(rows, rows.records, COLLECTION)
            self._again(rows)

    def _rows(self, record_type: str) -> _Rows:
        """The changes of a record type of which nothing is known.

        Which fields are check boxes is looked up only where a field is to hold nothing but yes and no.
        """
        table = OBJECTS[record_type]
        records = sorted(self._outcomes.records().get(record_type, ()), key=attrgetter("id"))
        texts: dict[str, set[str]] = {}
        for record in records:
            for target, row in record.cells.items():
                texts.setdefault(target, set()).add(self._outcomes.after[row] or "")
        perhaps = [target for target, of_target in texts.items() if of_target <= {"true", "false", ""}]
        fields = self._org.fields(table) if perhaps else {}
        boxes = (name for name in perhaps if fields.get(api_name(name), {}).get("type") == "boolean")
        return _Rows(table, records, self._outcomes.after, frozenset(boxes))

    def _reject_hidden(self, record_type: str) -> bool:
        """Changes of fields that are not there, or that this user may not edit, are answered.

        Whether there are any.
        """
        fields = self._org.fields(OBJECTS[record_type])
        rows_by_target: dict[str, list[int]] = {}
        for record in self._outcomes.records().get(record_type, ()):
            for target, row in record.cells.items():
                rows_by_target.setdefault(target, []).append(row)
        rejected = False
        for target, rows in rows_by_target.items():
            name = api_name(target)
            if name not in fields:
                reason = f"field {name} does not exist or is hidden from this user: {_REMEDY}"
            elif not fields[name].get("updateable", True):
                reason = f"this user may not edit field {name}: {_REMEDY}"
            else:
                continue
            self._outcomes.reject(rows, "permission", reason)
            rejected = True
        return rejected

    # Bulk

    def _by_jobs(self, rows: _Rows) -> None:
        """A job for each upload; what it did not come to goes once more.

        TemporaryError, QuotaError: Bulk does not work now.
        """
        for number, (records, content) in enumerate(rows.uploads()):
            name = f"{rows.table}.{number}"
            status = self._job(name, rows.table, records, content)
            for attempt in range(1, _JOB_ROUNDS + 1):
                left = [record for record in records if self._is_open(record) or self._is_passing(record)]
                if not left or status.state == "Aborted":  # which somebody in the org did, and meant
                    break
                if len(left) <= self._org.settings.bulk_writes_above:
                    self._by_collections(rows, list(filter(self._is_open, left)), COLLECTION)
                    break
                self._sleep(random.uniform(0.5, 1.5) * 2**attempt)
                status = self._job(f"{name}.{attempt}", rows.table, left, rows.csv(left))
            if any(map(self._is_open, records)):
                raise refused_job(status)

    def _job(self, name: str, table: str, records: Sequence[Record], content: bytes) -> Status:
        """One job from its beginning to its end. Rows that it did not come to have no answer."""
        job = self._bulk.open(table)
        self._jobs.opened(name, job)
        self._bulk.upload(job, content)
        self._jobs.uploaded(name)
        self._bulk.start(job)
        return self._collect(job, records)

    def _learn(self, name: str, records: Sequence[Record]) -> None:
        """Find a job again, and learn from it what it can tell."""
        job, has_rows = self._jobs[name]
        status = self._bulk.status("ingest", job)
        if status is None:
            return
        if status.state == "Open" and not has_rows:
            self._bulk.abort("ingest", job)
            return
        if status.state in ("Failed", "Aborted") and not status.processed:
            return  # it ended before its first row: what is not there by other ways is written once more
        if status.state == "Open":
            self._bulk.start(job)
        self._collect(job, records)

    def _collect(self, job: str, records: Sequence[Record]) -> Status:
        """Wait for a job, and answer each row that it came to by its id: results come in an order of their
        own.
        """
        status = self._bulk.wait("ingest", job, len(records))
        tables = self._bulk.answers(job, len(records))
        sent = pa.array([record.id for record in records], pa.string())
        for at in _among(tables["successful"], sent).drop_null().to_pylist():
            self._outcomes.done(records[at].rows)
        failed = tables.get("failed")
        if failed is not None and failed.num_rows:
            errors = zip(_among(failed, sent).to_pylist(), failed["sf__Error"].to_pylist(), strict=True)
            for at, error in errors:
                if at is not None:
                    refusal = of_cell(error or "")
                    self._outcomes.reject(
                        records[at].rows, refusal.kind, f"{refusal.reason} [Bulk job {job}]"
                    )
        return status

    # Collections

    def _by_collections(self, rows: _Rows, records: Sequence[Record], size: int) -> None:
        """Calls of so many records; one that Salesforce refuses whole is halved until the record that it
        refuses stands alone.
        """

        def send(records: Sequence[Record]) -> Any:
            body = {"allOrNone": False, "records": [rows.item(record) for record in records]}
            return self._org.ask("PATCH", "composite/sobjects", body=body, headers=_HEADERS, writes=True)

        for call in slices(records, size):
            # INVALID_FIELD is about all records: whoever asked looks which field it is
            for sent, answer in bisected(send, call, lambda refusal: refusal.code != "INVALID_FIELD"):
                refusals = [answer] if isinstance(answer, Refusal) else map(_refusal, answer)
                for record, refusal in zip(sent, refusals, strict=True):
                    if refusal is None:
                        self._outcomes.done(record.rows)
                    else:
                        self._outcomes.reject(record.rows, refusal.kind, refusal.reason)

    def _again(self, rows: _Rows) -> None:
        """Try again what passes by itself (a lock, say): after a while, in smaller calls, contacts of one
        account in the same call.

        That takes no more calls than the records themselves, or ten: what is locked for long waits for the
        next run.
        """
        calls = max(_EXTRA_CALLS, -(-len(rows.records) // COLLECTION))
        order: Sequence[Record] | None = None
        for attempt, size in enumerate(_ROUNDS):
            passing: Sequence[Record] = list(filter(self._is_passing, order or rows.records))
            if not passing or calls <= 0:
                return
            self._sleep(random.uniform(0.5, 1.5) * 2**attempt)
            if order is None:
                order = passing = self._by_parent(rows.table, passing)
                calls -= -(-len(order) // COLLECTION)
            chosen = passing[: max(calls, 1) * size]
            calls -= -(-len(chosen) // size)
            self._by_collections(rows, chosen, size)

    def _by_parent(self, table: str, records: Sequence[Record]) -> Sequence[Record]:
        if table != "Contact" or "AccountId" not in self._org.fields("Contact"):
            return records
        parents: dict[str, str] = {}
        for some in slices(records, COLLECTION):
            where = soql.among("Id", (record.id for record in some))
            rows = self._org.rows(["Id", "AccountId"], "Contact", where)
            parents.update({row["Id"]: row["AccountId"] or "" for row in rows})
        return sorted(records, key=lambda record: parents.get(record.id, ""))

    def _is_open(self, record: Record) -> bool:
        return bool(self._outcomes.unanswered(record.rows))

    def _is_passing(self, record: Record) -> bool:
        return any(map(self._outcomes.is_passing, record.rows))


def _held(org: Org, outcomes: Outcomes, described: bool = True) -> Held:
    """What the records of open changes hold in their fields, in normal form, as far as this user sees it.

    Not ``described``: it is not asked first which fields there are, which costs a call, but where one is
    refused.
    """

    def read(
        record_type: str, targets: Sequence[str], ids: Sequence[str]
    ) -> dict[str, dict[str, str | None]]:
        """One unsound id does not hide the others."""
        table = OBJECTS[record_type]
        visible = org.fields(table) if described else None
        # a list's key has a point
        names = {
            target: api_name(target)
            for target in targets
            if "." not in target and (visible is None or api_name(target) in visible)
        }
        if not names:
            return {}

        def send(ids: Sequence[str]) -> Any:
            body = {"ids": ids, "fields": ["Id", *dict.fromkeys(names.values())]}
            return org.ask("POST", f"composite/sobjects/{table}", body=body, repeatable=True)

        def divides(refusal: Refusal) -> bool:
            return described or refusal.code != "INVALID_FIELD"

        answers = [answer for _, answer in bisected(send, ids, divides) if not isinstance(answer, Refusal)]
        return {
            record["Id"]: {target: as_text(record.get(name)) for target, name in names.items()}
            for answer in answers
            for record in answer
            if record
        }

    try:
        return read_back(org.transport, outcomes.records(), read, _READ)
    except Refused as error:
        if described or error.refusal.code != "INVALID_FIELD":
            raise
        return _held(org, outcomes)


def _refusal(item: dict[str, Any]) -> Refusal | None:
    return None if item["success"] else of_item(item)


def _says_null(rows: _Rows) -> bool:
    """Whether a value is the very text that clears a field in an upload: then the rows go as collections."""
    return any(rows.after[row] == NULL for record in rows.records for row in record.rows)


def _among(results: pa.Table, sent: pa.Array) -> pa.Array:
    """Which of the records that were sent each result is about; null: none of them."""
    name = "Id" if "Id" in results.column_names else "sf__Id"
    return pc.index_in(results[name].combine_chunks(), value_set=sent)
