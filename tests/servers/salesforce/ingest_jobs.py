"""How does a bulk upload run?

Rows of CSV, in batches of 10,000 and transactions of 200, each with its own end.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.bulk_job import TERMINAL, Job
from tests.servers.salesforce.ids import make_id
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.schema import Entity
from tests.servers.salesforce.writing import TRANSACTION, Asking

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

_BATCH = 10_000
_OPERATIONS = {
    "insert": "create",
    "update": "edit",
    "upsert": "edit",
    "delete": "delete",
    "hardDelete": "delete",
}
_DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
csv.field_size_limit(10**7)


@dataclass
class IngestJob(Job):
    """A bulk upload and the end of its rows."""

    key: str = ""  # external id of an upsert
    content: bytes | None = None
    header: list[str] = field(default_factory=list)
    good: list[tuple[str, bool, list[str]]] = field(default_factory=list)  # id, created, cells
    bad: list[tuple[str, str, list[str]]] = field(default_factory=list)  # id, error, cells
    left: list[list[str]] = field(default_factory=list)
    item_faults: list[Mapping[str, Any]] = field(default_factory=list)

    def told(self, kind: str) -> dict[str, Any]:
        answer = super().told(kind)
        answer["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
        return {**answer, "externalIdFieldName": self.key} if self.key else answer


@dataclass
class IngestJobs:
    """All bulk uploads of an org."""

    org: Org
    jobs: dict[str, IngestJob] = field(default_factory=dict)
    uploads: int = 0  # how often content was uploaded
    _number: int = 5_000_000

    def told(self) -> list[dict[str, Any]]:
        return [job.told("V2Ingest") for job in list(self.jobs.values())]

    def create(
        self, body: Mapping[str, Any], user: str, version: str, faults: Sequence[Mapping[str, Any]]
    ) -> IngestJob:
        """A new job, open for its content."""
        operation, name = str(body.get("operation")), str(body.get("object"))
        entity = self.org.access.entity(user, name)
        if operation not in _OPERATIONS:
            raise Refusal(400, "INVALIDJOB", f"Unknown operation: {operation}")
        if entity is None or entity.plain:
            raise Refusal(
                400, "INVALIDJOB", f"InvalidEntity : Entity '{name}' is not supported by the Bulk API."
            )
        self.org.access.require(user, entity, _OPERATIONS[operation])
        if operation == "hardDelete" and not self.org.access.may(user, "PermissionsBulkApiHardDelete"):
            raise Refusal(
                400, "FEATURENOTENABLED", "hardDelete operation requires special user profile permission"
            )
        delimiter, ending = body.get("columnDelimiter", "COMMA"), body.get("lineEnding", "LF")
        if delimiter not in _DELIMITERS or ending not in ("LF", "CRLF"):
            raise Refusal(400, "INVALIDJOB", "columnDelimiter or lineEnding is unknown")
        key = str(body.get("externalIdFieldName", ""))
        if operation == "upsert" and not key:
            raise Refusal(400, "INVALIDJOB", "externalIdFieldName is required for upsert")
        self._number += 1
        job = IngestJob(
            self.org,
            make_id("750", self._number),
            operation,
            entity.name,
            user,
            version,
            self.org.clock.now(),
            "Open",
            key=key,
        )
        job.more = {"columnDelimiter": delimiter, "lineEnding": ending}
        job.strike(faults)
        self.jobs[job.id] = job
        return job

    def get(self, id: str) -> IngestJob:
        """The job; 404 else."""
        job = self.jobs.get(id) or next((entry for entry in self.jobs.values() if entry.id[:15] == id), None)
        if job is None:
            raise not_found()
        return job

    def upload(self, id: str, content: bytes) -> None:
        job = self.get(id)
        if job.state != "Open":
            raise Refusal(
                400,
                "INVALIDJOBSTATE",
                f"Object is in state {job.state}, content can be uploaded only while it is Open",
            )
        if job.content is not None:
            raise Refusal(400, "INVALIDBATCH", "Found multiple contents for job: only one upload is allowed")
        if len(content) * 4 / 3 > self.org.knobs.upload_bytes:
            raise Refusal(413, "ENTITY_TOO_LARGE", "the content is larger than 150 MB after base64")
        self.uploads += 1
        job.content = content

    def change(self, id: str, state: str, faults: Sequence[Mapping[str, Any]]) -> IngestJob:
        """UploadComplete starts the work, Aborted stops it."""
        job = self.get(id)
        now = job.now()
        if state == "Aborted":
            if now in TERMINAL:
                raise Refusal(400, "INVALIDJOBSTATE", f"Aborting already {now} job not allowed")
            job.state = "Aborted"
            return job
        if state != "UploadComplete" or now != "Open":
            raise Refusal(400, "INVALIDJOBSTATE", f"a job in state {now} cannot become {state}")
        if job.content is None:
            raise Refusal(400, "INVALIDJOBSTATE", "no content was uploaded")
        job.strike(faults)
        job.item_faults = [fault for fault in faults if fault["do"] == "item"]
        job.begin()
        threading.Thread(target=self._work, args=(job,), daemon=True, name=f"ingest {job.id}").start()
        return job

    def delete(self, id: str) -> None:
        if self.get(id).now() not in (*TERMINAL, "UploadComplete"):
            raise Refusal(
                400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated"
            )
        del self.jobs[self.get(id).id]

    # The work

    def _work(self, job: IngestJob) -> None:
        try:
            self._process(job)
        except Refusal as refusal:
            job.end("Failed", refusal.message)
        except Exception as error:  # the job ends as the org's would
            self.org.errors.append(error)
            job.end("Failed", f"InternalServerError : {error}")

    def _process(self, job: IngestJob) -> None:
        rows = self._parsed(job)
        entity = self.org.schema[job.entity]
        self.org.limits.spend("batches", -(-len(rows) // _BATCH))
        if self.org.limits.used("batches") > self.org.knobs.bulk_batches:
            job.left = rows
            raise Refusal(400, "ExceededQuota", "ExceededQuota : ApiBatchItems Limit exceeded.")
        cut = job.cut(len(rows))
        for start in range(0, cut, TRANSACTION):
            if job.state == "Aborted":
                job.left = rows[start:]
                return
            self._transaction(job, entity, rows[start : min(start + TRANSACTION, cut)])
        job.left = rows[cut:]
        job.end(job.outcome, job.message)

    def _parsed(self, job: IngestJob) -> list[list[str]]:
        """The rows of the content, whose header must name fields that the user may write."""
        text = (job.content or b"").decode("utf-8-sig")
        ending = "\r\n" if job.more["lineEnding"] == "CRLF" else "\n"
        header, _, _ = text.partition("\n")
        if len(header) > 32_000:
            raise Refusal(400, "INVALIDBATCH", "InvalidBatch : the header is too long")
        if text and header.endswith("\r") != (ending == "\r\n"):
            raise Refusal(
                400,
                "INVALIDBATCH",
                f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {job.more['lineEnding']}",
            )
        lines = list(
            csv.reader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[job.more["columnDelimiter"]])
        )
        job.header = lines[0] if lines else []
        entity = self.org.schema[job.entity]
        for name in job.header:
            is_known = entity.field(name) or "." in name
            if not is_known or (
                "." not in name and name.lower() not in self.org.access.fields(job.user, entity)
            ):
                raise Refusal(400, "INVALIDBATCH", f"InvalidBatch : Field name not found : {name}")
        return [line for line in lines[1:] if line]

    def _transaction(self, job: IngestJob, entity: Entity, rows: list[list[str]]) -> None:
        from tests.servers.salesforce.rest_records import struck_by

        short = [row for row in rows if len(row) != len(job.header)]
        job.bad += [
            ("", "INVALID_ARGUMENT:the row has another number of cells than the header:--", row)
            for row in short
        ]
        tables = [
            (row, dict(zip(job.header, row, strict=True))) for row in rows if len(row) == len(job.header)
        ]
        struck = [(row, error) for row, table in tables if (error := struck_by(job.item_faults, table))]
        job.bad += [
            (_id(dict(zip(job.header, row, strict=True))), error.cell(), row) for row, error in struck
        ]
        hit = {id(row) for row, _ in struck}
        tables = [(row, table) for row, table in tables if id(row) not in hit]
        asking = Asking(job.user, cells=True)
        operation = "delete" if job.operation == "hardDelete" else job.operation
        results = self.org.writer.save(asking, entity, operation, [table for _, table in tables], job.key)
        for (row, table), result in zip(tables, results, strict=True):
            if result.error:
                job.bad.append((result.id or _id(table), result.error.cell(), row))
            else:
                job.good.append((str(result.id), result.created, row))
        if job.operation == "hardDelete":
            self.org.purge(entity.name, *(str(result.id) for result in results if not result.error))
        job.processed += len(rows)
        job.failed = len(job.bad)

    # Results

    def results(self, id: str, which: str) -> bytes:
        """CSV of the rows that went well, that failed, or that were not reached."""
        job = self.get(id)
        if job.now() not in TERMINAL:
            raise Refusal(
                400,
                "INVALIDJOBSTATE",
                f"Job {job.id} is in state {job.state}; results are there when it has ended",
            )
        if which == "successfulresults":
            return self._csv(
                ["sf__Id", "sf__Created", *job.header],
                [[id, str(made).lower(), *row] for id, made, row in job.good],
            )
        if which == "failedresults":
            return self._csv(
                ["sf__Id", "sf__Error", *job.header], [[id, error, *row] for id, error, row in job.bad]
            )
        return self._csv(job.header, job.left)

    def _csv(self, header: list[str], rows: list[list[str]]) -> bytes:
        rows = list(rows)
        if self.org.knobs.shuffle:
            self.org.chance.shuffle(rows)
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return text.getvalue().encode()


def _id(table: Mapping[str, str]) -> str:
    return next((value for name, value in table.items() if name.lower() == "id"), "")
