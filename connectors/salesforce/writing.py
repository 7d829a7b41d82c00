"""How do changes of fields reach Salesforce, and what came of each?

Up to about two thousand records go as collections of 200 a call, more as one Bulk job: Salesforce's own line ("API Request
Limits and Allocations"). A job's id is kept before its upload, so that a crash finds it again instead of uploading twice.
Rows that a lock refused are tried again, fewer at a time and ordered by the account that they share.
"""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from connectors.contract import Ticket
from connectors.errors import TemporaryError
from connectors.salesforce import soql
from connectors.salesforce.bulk import NULL, UPLOAD_LIMIT, Bulk, Status, refused_job
from connectors.salesforce.holding import api_name, holding
from connectors.salesforce.refusals import Refusal, Refused, of_cell, of_item
from connectors.salesforce.rows import OBJECTS, Answers, RowAnswers, Rows
from connectors.salesforce.session import Org

COLLECTION = 200  # records of one call ("sObject Collections")
_LOCKED_COLLECTION = 50
_LOCK_ROUNDS = 4
# No assignment rules, no "recently used", and alerts (not blocks) of duplicate rules are overridden.
_HEADERS = {
    "Sforce-Call-Options": "client=crm-segments",
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Mru": "updateMru=false",
    "Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true",
}
_INTERRUPTED = "interrupted before the write"


class Writing:
    """Writes fields of contacts, leads and accounts."""

    def __init__(self, org: Org, sleep: Callable[[float], object] = time.sleep) -> None:
        self._org = org
        self._bulk = Bulk(org, sleep)
        self._sleep = sleep

    def write(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Carry out changes; an outcome for each."""
        self._org.may_write()
        answers, jobs = Answers(changes), Jobs(ticket)
        for record_type in OBJECTS:
            rows, place = answers.rows(record_type)
            if len(rows) > self._org.settings.bulk_writes_above and not _says_null(rows):
                self._check(answers, record_type)
                rows, place = answers.rows(record_type)
                told = RowAnswers(len(rows))
                self._by_jobs(rows, told, jobs)
                self._unlock(rows, told)
                answers.take(place, told)
            elif len(rows):
                self._by_calls(answers, record_type)
        return answers.outcomes()

    def _by_calls(self, answers: Answers, record_type: str) -> None:
        """Collections. Only where one is refused for a field, it is looked up which: that costs a call."""
        for seen in (False, True):
            rows, place = answers.rows(record_type)
            told = RowAnswers(len(rows))
            try:
                self._by_collections(rows, np.arange(len(rows)), told, COLLECTION)
                self._unlock(rows, told)
            except Refused as error:
                answers.take(place, told)
                if seen:
                    raise
                self._check(answers, record_type)
                if not len(answers.rows(record_type)[0]):
                    return
                if error.refusal.kind != "permission":
                    raise
            else:
                answers.take(place, told)
                return

    def settle(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Outcomes of a batch whose end is unknown.

        A job that has its rows runs to its end; one that has not is ended, and its rows were never written. What did
        not go as a job, or as one that Salesforce no longer knows, is read back.
        """
        jobs = Jobs(ticket)
        answers = Answers(changes)
        for record_type in dict.fromkeys(answers.types):
            self._check(answers, str(record_type))
        for record_type in OBJECTS:
            rows, place = answers.rows(record_type)
            told = RowAnswers(len(rows))
            for piece, (at, _content) in enumerate(_pieces(rows) if jobs else ()):
                name = f"{rows.table}.{piece}"
                if name in jobs:
                    self._again(jobs, name, rows, at, told)
            answers.take(place, told)
        left = answers.open()
        if left.any():
            held = holding(self._org, changes.filter(pa.array(left))).to_pylist()
            arrived = np.zeros(len(left), bool)
            arrived[left] = [(now or "") == wanted for now, wanted in zip(held, answers.after[left], strict=True)]
            answers.status[arrived] = "done"
            answers.reject(left & ~arrived, "transient", _INTERRUPTED)
        return answers.outcomes()

    # Fields that cannot be written

    def _check(self, answers: Answers, record_type: str) -> None:
        """Changes of fields that are not there, or that this user may not edit, are answered."""
        fields = self._org.fields(OBJECTS[record_type])
        here = answers.open() & (answers.types == record_type)
        for target in dict.fromkeys(answers.targets[here]):
            name, which = api_name(str(target)), here & (answers.targets == target)
            remedy = "run `crm-segments setup`, then assign the permission set to this user"
            if name not in fields:
                answers.reject(which, "permission", f"field {name} is not there or hidden from this user: {remedy}")
            elif not fields[name].get("updateable", True):
                answers.reject(which, "permission", f"this user may not edit field {name}: {remedy}")

    # Bulk

    def _by_jobs(self, rows: Rows, told: RowAnswers, jobs: Jobs) -> None:
        for piece, (places, content) in enumerate(_pieces(rows)):
            name = f"{rows.table}.{piece}"
            job = self._bulk.open(rows.table)
            jobs.opened(name, job)
            self._bulk.upload(job, content)
            jobs.uploaded(name)
            self._bulk.start(job)
            self._collect(job, rows, places, told)

    def _again(self, jobs: Jobs, name: str, rows: Rows, places: npt.NDArray[np.int64], told: RowAnswers) -> None:
        """Find a job again, and learn from it what it can tell."""
        job, has_rows = jobs[name]
        status = self._bulk.status("ingest", job)
        if status is None:
            return
        if status.state == "Open" and not has_rows:
            self._bulk.abort("ingest", job)
            return
        if status.state in ("Failed", "Aborted") and not status.processed:
            return  # it ended before its first row: what is not there by other ways is written anew
        if status.state == "Open":
            self._bulk.start(job)
        self._collect(job, rows, places, told)

    def _collect(self, job: str, rows: Rows, places: npt.NDArray[np.int64], told: RowAnswers) -> None:
        """Wait for a job, and answer each of its rows by its id: results come in an order of their own."""
        status = self._bulk.wait("ingest", job)
        found = self._bulk.answers(job, len(places))
        where = {str(id): int(at) for id, at in zip(rows.ids[places], places, strict=True)}
        told.done([where[id] for id in _column(found["successful"], "Id", "sf__Id") if id in where])
        failed = found.get("failed")
        if failed is not None and failed.num_rows:
            for id, error in zip(_column(failed, "Id", "sf__Id"), _column(failed, "sf__Error"), strict=True):
                if id in where:
                    refusal = of_cell(error or "")
                    told.reject(where[id], refusal.kind, _reason(refusal, job))
        left = [int(at) for at in places if told.status[at] is None]
        if left and len(left) == len(places) and status.state != "JobComplete":
            raise refused_job(status)
        for at in left:
            told.reject(at, "transient", f"Bulk job {job} ended ({_ended(status)}) before it came to this record")

    # Collections

    def _by_collections(self, rows: Rows, places: npt.NDArray[np.int64], told: RowAnswers, size: int) -> None:
        for start in range(0, len(places), size):
            self._collection(rows, places[start : start + size], told)

    def _collection(self, rows: Rows, places: npt.NDArray[np.int64], told: RowAnswers) -> None:
        """One call; one that Salesforce refuses whole is halved until the record that it refuses stands alone."""
        records = [_record(rows, int(at)) for at in places]
        try:
            items = self._org.ask(
                "PATCH", "composite/sobjects", body={"allOrNone": False, "records": records}, headers=_HEADERS, writes=True
            )
        except Refused as error:
            if error.refusal.code == "INVALID_FIELD":
                raise  # of all records: whoever asked looks which field it is
            if len(places) == 1:
                told.reject(int(places[0]), error.refusal.kind, error.refusal.reason)
                return
            middle = len(places) // 2
            self._collection(rows, places[:middle], told)
            self._collection(rows, places[middle:], told)
            return
        if not isinstance(items, list) or len(items) != len(places):
            raise TemporaryError("Salesforce answered a collection with another number of records; the next run looks what was written")
        for at, item in zip(places, items, strict=True):
            if item.get("success"):
                told.done([int(at)])
            else:
                refusal = of_item(item)
                told.reject(int(at), refusal.kind, _reason(refusal))

    def _unlock(self, rows: Rows, told: RowAnswers) -> None:
        """Try again what a lock refused: after a while, in small calls, contacts of one account in the same call."""
        size = _LOCKED_COLLECTION
        for attempt in range(_LOCK_ROUNDS):
            locked = np.nonzero(told.kind == "transient")[0]
            locked = locked[["LOCK" in str(reason) for reason in told.reason[locked]]] if len(locked) else locked
            if not len(locked):
                return
            self._sleep(random.uniform(0.5, 1.5) * 2**attempt)
            self._by_collections(rows, self._by_parent(rows, locked), told, size)
            size = max(1, size // 4)

    def _by_parent(self, rows: Rows, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if rows.table != "Contact" or "AccountId" not in self._org.fields("Contact"):
            return places
        parents: dict[str, str] = {}
        for start in range(0, len(places), COLLECTION):
            ids = [str(id) for id in rows.ids[places[start : start + COLLECTION]]]
            for page in self._org.query(soql.Select(["Id", "AccountId"], "Contact", [soql.among("Id", ids)])):
                parents.update({row["Id"]: row["AccountId"] or "" for row in page})
        return np.asarray(sorted(places, key=lambda at: (parents.get(str(rows.ids[at]), ""), at)), np.int64)


class Jobs:
    """The jobs of a batch, as its ticket keeps them: name of the piece → (id of the job, whether it has its rows)."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._known: dict[str, list[Any]] = json.loads(ticket.job) if ticket.job else {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __getitem__(self, name: str) -> tuple[str, bool]:
        job, has_rows = self._known[name]
        return str(job), bool(has_rows)

    def opened(self, name: str, job: str) -> None:
        """A job was made; nothing runs yet."""
        self._known[name] = [job, False]
        self._ticket.save(json.dumps(self._known))

    def uploaded(self, name: str) -> None:
        """The job has its rows."""
        self._known[name][1] = True
        self._ticket.save(json.dumps(self._known))


def _record(rows: Rows, at: int) -> dict[str, Any]:
    values = {api_name(name): column[at] or None for name, column in rows.values.items() if column[at] is not None}
    return {"attributes": {"type": rows.table}, "id": rows.ids[at], **values}


def _pieces(rows: Rows) -> Iterator[tuple[npt.NDArray[np.int64], bytes]]:
    """(places, CSV) of uploads that Salesforce takes. The same rows give the same pieces, whenever."""
    if not len(rows):
        return
    content = _csv(rows)
    count = -(-len(content) // UPLOAD_LIMIT)
    for places in np.array_split(np.arange(len(rows), dtype=np.int64), count):
        yield places, content if count == 1 else _csv(rows.part(places))


def _csv(rows: Rows) -> bytes:
    columns = {"Id": pa.array(rows.ids, pa.string())}
    for name, column in rows.values.items():
        cells = ["" if one is None else one or NULL for one in column]
        columns[api_name(name)] = pa.array(cells, pa.string())
    sink = io.BytesIO()
    csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()


def _says_null(rows: Rows) -> bool:
    """Whether a value is the very text that clears a field in an upload: then the rows go as collections."""
    return any(NULL in set(column) for column in rows.values.values())


def _column(table: pa.Table, *names: str) -> list[str | None]:
    for name in names:
        if name in table.column_names:
            found: list[str | None] = table[name].to_pylist()
            return found
    return [None] * table.num_rows


def _reason(refusal: Refusal, job: str = "") -> str:
    return refusal.reason + (f" [Bulk job {job}]" if job else "")


def _ended(status: Status) -> str:
    return f"{status.state}{': ' + status.error if status.error else ''}"
