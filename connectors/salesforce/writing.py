"""How do changes of fields reach Salesforce, and what came of each?

Up to about two thousand records go as collections of 200 a call, more as one Bulk job: Salesforce's own line
("API Request Limits and Allocations"). A job's id is kept before its upload, so that a crash finds it again
instead of uploading twice. Rows that a lock refused are tried again, fewer at a time and ordered by the
account that they share.
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
import pyarrow.compute as pc
from pyarrow import csv

from connectors.contract import Ticket
from connectors.salesforce import soql
from connectors.salesforce.api_errors import Refusal, Refused, of_cell, of_item
from connectors.salesforce.batch_rows import OBJECTS, Answers, RowAnswers, Rows
from connectors.salesforce.bulk import NULL, UPLOAD_LIMIT, Bulk, Status, refused_job
from connectors.salesforce.current_values import api_name, holding, looked_up
from connectors.salesforce.session import Org

COLLECTION = 200  # records of one call ("sObject Collections")
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
Places = npt.NDArray[np.int64]  # rows, by their number
_INTERRUPTED = "interrupted before the write"
_OF_A_BOX = frozenset({"true", "false", "", None})


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
        if 0 < len(set(answers.ids)) <= self._org.settings.compare_up_to:
            self._compare(answers, changes)
        for record_type in OBJECTS:
            rows, positions = self._rows(answers, record_type)
            if len(rows) > self._org.settings.bulk_writes_above and not _says_null(rows):
                if self._check(answers, record_type):
                    rows, positions = self._rows(answers, record_type)
                outcomes = RowAnswers(len(rows))
                self._by_jobs(rows, outcomes, jobs)
                self._again(rows, outcomes)
                answers.take(positions, outcomes)
            elif len(rows):
                self._by_calls(answers, record_type)
        return answers.outcomes()

    def _compare(self, answers: Answers, changes: pa.Table) -> None:
        """Records of which somebody changed a field since the pull are left alone with all that goes with it:
        the next run reads them.

        One call for 2,000 records. What is as it shall be is done.
        """
        values, seen = looked_up(self._org, changes, described=False)
        now = np.where([value is None for value in values], "", values)
        before = np.asarray([value or "" for value in changes["before"].to_pylist()], object)
        arrived = seen & (now == answers.after)
        moved = np.isin(answers.ids.astype(str), answers.ids[seen & ~arrived & (now != before)].astype(str))
        answers.skip(moved & ~arrived, "somebody changed it, or what goes with it, since the pull")
        answers.status[arrived] = "done"

    def _by_calls(self, answers: Answers, record_type: str) -> None:
        """Collections. Only where one is refused for a field, it is looked up which: that costs a call."""
        for seen in (False, True):
            rows, positions = self._rows(answers, record_type)
            outcomes = RowAnswers(len(rows))
            try:
                self._by_collections(rows, np.arange(len(rows)), outcomes, COLLECTION)
                self._again(rows, outcomes)
            except Refused as error:
                answers.take(positions, outcomes)
                if seen:
                    raise
                self._check(answers, record_type)
                if not len(self._rows(answers, record_type)[0]):
                    return
                if error.refusal.kind != "permission":
                    raise
            else:
                answers.take(positions, outcomes)
                return

    def settle(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Outcomes of a batch whose end is unknown.

        A job that has its rows runs to its end; one that has not is ended, and its rows were never written.
        What did not go as a job, or as one that Salesforce no longer knows, is read back.
        """
        jobs = Jobs(ticket)
        answers = Answers(changes)
        for record_type in dict.fromkeys(answers.types):
            self._check(answers, str(record_type))
        for record_type in OBJECTS:
            rows, positions = self._rows(answers, record_type)
            outcomes = RowAnswers(len(rows))
            for piece, (at, _content) in enumerate(_pieces(rows) if jobs else ()):
                for name in jobs.of(f"{rows.table}.{piece}"):
                    self._learn(jobs, name, rows, at, outcomes)
            answers.take(positions, outcomes)
        left = answers.open()
        if left.any():
            values = holding(self._org, changes.filter(pa.array(left))).to_pylist()
            arrived = np.zeros(len(left), bool)
            arrived[left] = [
                (now or "") == wanted for now, wanted in zip(values, answers.after[left], strict=True)
            ]
            answers.status[arrived] = "done"
            answers.reject(left & ~arrived, "transient", _INTERRUPTED)
        return answers.outcomes()

    def _rows(self, answers: Answers, record_type: str) -> tuple[Rows, Places]:
        """The open changes of a record type as rows, and the row of each change (-1: none).

        Which fields are check boxes is looked up only where a field is to hold nothing but yes and no.
        """
        rows, positions = answers.rows(record_type)
        perhaps = [name for name, column in rows.values.items() if set(column) <= _OF_A_BOX]
        if not perhaps:
            return rows, positions
        fields = self._org.fields(rows.table)
        boxes = [name for name in perhaps if fields.get(api_name(name), {}).get("type") == "boolean"]
        return rows.with_boxes(boxes), positions

    # Fields that cannot be written

    def _check(self, answers: Answers, record_type: str) -> bool:
        """Changes of fields that are not there, or that this user may not edit, are answered.

        Whether there are any.
        """
        has_refused = False
        fields = self._org.fields(OBJECTS[record_type])
        here = answers.open() & (answers.types == record_type)
        for target in dict.fromkeys(answers.targets[here]):
            name, which = api_name(str(target)), here & (answers.targets == target)
            remedy = "run `crm-segments setup`, then assign the permission set to this user"
            if name not in fields:
                answers.reject(
                    which, "permission", f"field {name} is not there or hidden from this user: {remedy}"
                )
                has_refused = True
            elif not fields[name].get("updateable", True):
                answers.reject(which, "permission", f"this user may not edit field {name}: {remedy}")
                has_refused = True
        return has_refused

    # Bulk

    def _by_jobs(self, rows: Rows, outcomes: RowAnswers, jobs: Jobs) -> None:
        """A job for each upload; what it did not come to goes once more.

        TemporaryError, QuotaError: Bulk does not work now.
        """
        for piece, (places, content) in enumerate(_pieces(rows)):
            name = f"{rows.table}.{piece}"
            status = self._job(name, rows, places, content, outcomes, jobs)
            for attempt in range(1, _JOB_ROUNDS + 1):
                left = places[outcomes.passing(places)]
                if not len(left) or status.state == "Aborted":  # which somebody in the org did, and meant
                    break
                if len(left) > self._org.settings.bulk_writes_above:
                    self._sleep(random.uniform(0.5, 1.5) * 2**attempt)
                    status = self._job(f"{name}.{attempt}", rows, left, _csv(rows.part(left)), outcomes, jobs)
                else:
                    self._by_collections(rows, outcomes.without_answer(left), outcomes, COLLECTION)
                    break
            if len(outcomes.without_answer(places)):
                raise refused_job(status)

    def _job(
        self, name: str, rows: Rows, places: Places, content: bytes, outcomes: RowAnswers, jobs: Jobs
    ) -> Status:
        """One job from its beginning to its end. Rows that it did not come to have no answer."""
        job = self._bulk.open(rows.table)
        jobs.opened(name, job)
        self._bulk.upload(job, content)
        jobs.uploaded(name)
        self._bulk.start(job)
        return self._collect(job, rows, places, outcomes)

    def _learn(self, jobs: Jobs, name: str, rows: Rows, places: Places, outcomes: RowAnswers) -> None:
        """Find a job again, and learn from it what it can tell."""
        job, has_rows = jobs[name]
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
        self._collect(job, rows, places, outcomes)

    def _collect(self, job: str, rows: Rows, places: Places, outcomes: RowAnswers) -> Status:
        """Wait for a job, and answer each row that it came to by its id: results come in an order of their
        own.
        """
        status = self._bulk.wait("ingest", job, len(places))
        tables = self._bulk.answers(job, len(places))
        sent = pa.array(rows.ids[places], pa.string())
        outcomes.done(places[_among(tables["successful"], sent).drop_null().to_numpy()])
        failed = tables.get("failed")
        if failed is not None and failed.num_rows:
            for at, error in zip(
                _among(failed, sent).to_pylist(), failed["sf__Error"].to_pylist(), strict=True
            ):
                if at is not None:
                    refusal = of_cell(error or "")
                    outcomes.reject(int(places[at]), refusal.kind, _reason(refusal, job))
        return status

    # Collections

    def _by_collections(self, rows: Rows, places: Places, outcomes: RowAnswers, size: int) -> None:
        for start in range(0, len(places), size):
            self._collection(rows, places[start : start + size], outcomes)

    def _collection(self, rows: Rows, places: Places, outcomes: RowAnswers) -> None:
        """One call; one that Salesforce refuses whole is halved until the record that it refuses stands
        alone.
        """
        records = [_record(rows, int(at)) for at in places]
        try:
            items = self._org.ask(
                "PATCH",
                "composite/sobjects",
                body={"allOrNone": False, "records": records},
                headers=_HEADERS,
                writes=True,
            )
        except Refused as error:
            if error.refusal.code == "INVALID_FIELD":
                raise  # of all records: whoever asked looks which field it is
            if len(places) == 1:
                outcomes.reject(int(places[0]), error.refusal.kind, error.refusal.reason)
                return
            middle = len(places) // 2
            self._collection(rows, places[:middle], outcomes)
            self._collection(rows, places[middle:], outcomes)
            return
        for at, item in zip(places, items, strict=True):
            if item["success"]:
                outcomes.done([int(at)])
            else:
                refusal = of_item(item)
                outcomes.reject(int(at), refusal.kind, _reason(refusal))

    def _again(self, rows: Rows, outcomes: RowAnswers) -> None:
        """Try again what passes by itself (a lock, say): after a while, in smaller calls, contacts of one
        account in the same call.

        That takes no more calls than the records themselves, or ten: what is locked for long waits for the
        next run.
        """
        calls = max(_EXTRA_CALLS, -(-len(rows) // COLLECTION))
        order: Places | None = None
        for attempt, size in enumerate(_ROUNDS):
            passing = np.nonzero(outcomes.kind == "transient")[0]
            if not len(passing) or calls <= 0:
                return
            self._sleep(random.uniform(0.5, 1.5) * 2**attempt)
            if order is None:
                order = self._by_parent(rows, passing)
                calls -= -(-len(order) // COLLECTION)
            chosen = order[np.isin(order, passing)][: max(calls, 1) * size]
            calls -= -(-len(chosen) // size)
            self._by_collections(rows, chosen, outcomes, size)

    def _by_parent(self, rows: Rows, places: Places) -> Places:
        if rows.table != "Contact" or "AccountId" not in self._org.fields("Contact"):
            return places
        parents: dict[str, str] = {}
        for start in range(0, len(places), COLLECTION):
            ids = [str(id) for id in rows.ids[places[start : start + COLLECTION]]]
            for page in self._org.query(soql.Select(["Id", "AccountId"], "Contact", [soql.among("Id", ids)])):
                parents.update({row["Id"]: row["AccountId"] or "" for row in page})
        return np.asarray(sorted(places, key=lambda at: (parents.get(str(rows.ids[at]), ""), at)), np.int64)


class Jobs:
    """The jobs of a batch, as its ticket keeps them: name → (id of the job, whether it has its rows).

    The name is that of the piece; further jobs, for what the first one did not come to, have a number behind
    it.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._known: dict[str, list[Any]] = json.loads(ticket.job) if ticket.job else {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def of(self, piece: str) -> list[str]:
        """Names of a piece's jobs, in their order."""
        return [name for name in self._known if name == piece or name.startswith(f"{piece}.")]

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
    values = {
        api_name(name): column[at] == "true" if name in rows.boxes else column[at] or None
        for name, column in rows.values.items()
        if column[at] is not None
    }
    return {"attributes": {"type": rows.table}, "id": rows.ids[at], **values}


def _pieces(rows: Rows) -> Iterator[tuple[Places, bytes]]:
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
        cells = ["" if cell is None else cell or NULL for cell in column]
        columns[api_name(name)] = pa.array(cells, pa.string())
    sink = io.BytesIO()
    csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()


def _says_null(rows: Rows) -> bool:
    """Whether a value is the very text that clears a field in an upload: then the rows go as collections."""
    return any(NULL in set(column) for column in rows.values.values())


def _among(results: pa.Table, sent: pa.Array) -> pa.Array:
    """Which of the records that were sent each result is about; null: none of them."""
    name = "Id" if "Id" in results.column_names else "sf__Id"
    return pc.index_in(results[name].combine_chunks(), value_set=sent)


def _reason(refusal: Refusal, job: str = "") -> str:
    return refusal.reason + (f" [Bulk job {job}]" if job else "")
