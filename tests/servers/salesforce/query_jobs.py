"""How does a bulk query run?

In the background, block by block, into pages that stay the same however often they are fetched.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.bulk_job import Job
from tests.servers.salesforce.compile import Statement
from tests.servers.salesforce.ids import make_id
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.sheets import BLOCK, Sheet

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

_PARALLEL = 5


@dataclass
class QueryJob(Job):
    """A bulk query and its rows."""

    sheet: Sheet = field(default_factory=lambda: Sheet([]))
    ready: threading.Event = field(default_factory=threading.Event)


@dataclass
class QueryJobs:
    """All bulk queries of an org."""

    org: Org
    jobs: dict[str, QueryJob] = field(default_factory=dict)
    _number: int = 0

    def told(self) -> list[dict[str, Any]]:
        return [job.told("V2Query") for job in list(self.jobs.values())]

    def create(
        self, body: Mapping[str, Any], user: str, version: str, faults: Sequence[Mapping[str, Any]]
    ) -> QueryJob:
        """A new job; it begins at once."""
        operation, text = body.get("operation"), body.get("query")
        if operation not in ("query", "queryAll") or not text:
            raise Refusal(400, "INVALIDJOB", "operation must be query or queryAll, and query must be given")
        if body.get("contentType", "CSV") != "CSV":
            raise Refusal(400, "INVALIDJOB", "contentType must be CSV")
        if self.org.limits.used("query jobs") >= self.org.knobs.bulk_query_jobs:
            raise Refusal(400, "LIMIT_EXCEEDED", "Daily limit of bulk query jobs exceeded")
        _, statement = self.org.queries.compile(str(text), user, operation == "queryAll")
        _check(statement)
        self.org.limits.spend("query jobs")
        self._number += 1
        job = QueryJob(
            self.org,
            make_id("750", self._number),
            str(operation),
            statement.entity.name,
            user,
            version,
            self.org.clock.now(),
            "",
        )
        names = [".".join(column.path) for column in statement.columns]
        job.sheet = Sheet(names)
        job.more["isPkChunkingSupported"] = not (statement.limited or statement.tail)
        job.strike(faults)
        self.jobs[job.id] = job
        job.begin()
        threading.Thread(
            target=self._work, args=(job, statement), daemon=True, name=f"query {job.id}"
        ).start()
        return job

    def _work(self, job: QueryJob, statement: Statement) -> None:
        try:
            for rows in self._blocks(statement):
                if job.state == "Aborted":
                    return
                job.sheet.append(rows)
                job.processed = job.sheet.rows
            cut = job.cut(job.sheet.rows)
            job.processed = cut
            self.org.limits.spend("query bytes", sum(map(len, job.sheet.blocks)))
            job.end(job.outcome, job.message)
        except Exception as error:  # the job ends as the org's would
            self.org.errors.append(error)
            job.end("Failed", f"InternalServerError : {error}")
        finally:
            job.ready.set()

    def _blocks(self, statement: Statement) -> Iterator[list[tuple[Any, ...]]]:
        """Rows in blocks, by id where nothing else orders them, so that others may write in between."""
        sql = f"SELECT {', '.join(_cells(statement, self.org.knobs.bulk_datetime))}"
        if statement.limited or statement.tail:
            sql += statement.sql[statement.sql.index(statement.body) - 1 :]
            with self.org.store.lock:
                rows = self.org.store.run(sql, statement.parameters)
            for start in range(0, len(rows), BLOCK):
                yield rows[start : start + BLOCK]
            return
        word = "AND" if " WHERE " in statement.body else "WHERE"
        sql = f'{sql}, t0."Id" {statement.body} {word} t0."Id" > ? ORDER BY t0."Id" LIMIT {BLOCK}'
        last = ""
        while True:
            with self.org.store.lock:
                rows = self.org.store.run(sql, [*statement.parameters, last])
            if rows:
                last = rows[-1][-1]
                yield [row[:-1] for row in rows]
            if len(rows) < BLOCK:
                return

    def get(self, id: str) -> QueryJob:
        """The job; 404 else."""
        job = self.jobs.get(id) or next((entry for entry in self.jobs.values() if entry.id[:15] == id), None)
        if job is None:
            raise not_found()
        return job

    def abort(self, id: str) -> QueryJob:
        job = self.get(id)
        if job.now() in ("JobComplete", "Failed", "Aborted"):
            raise Refusal(400, "INVALIDJOBSTATE", f"Aborting already {job.state} job not allowed")
        job.state, job.message = "Aborted", ""
        return job

    def delete(self, id: str) -> None:
        if self.get(id).now() not in ("JobComplete", "Failed", "Aborted"):
            raise Refusal(
                400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated"
            )
        del self.jobs[self.get(id).id]

    # Results

    def page(
        self, id: str, version: str, locator: str | None, most: int | None
    ) -> tuple[QueryJob, int, int, str]:
        """The job, the first row and the number of rows of a page, and the locator of the next one (or
        ``null``).
        """
        job = self._finished(id, version)
        start, size = _placed(locator) if locator else (0, 0)
        size = most or size or self.org.knobs.page_rows
        if start > job.sheet.rows or size < 1:
            raise Refusal(400, "INVALIDLOCATOR", f"Invalid locator: {locator}")
        count = min(size, job.sheet.rows - start)
        after = start + count
        return job, start, count, _locator(after, size) if after < job.sheet.rows else "null"

    def pages(self, id: str, version: str, locator: str | None, root: str) -> dict[str, Any]:
        """Up to five pages that may be fetched at the same time."""
        job = self._finished(id, version)
        start, size = _placed(locator) if locator else (0, self.org.knobs.page_rows)
        places = range(start, max(job.sheet.rows, 1), size)
        here = places[:_PARALLEL]
        url = f"{root}/jobs/query/{job.id}"
        answer: dict[str, Any] = {
            "resultPages": [{"resultUrl": f"{url}/results?locator={_locator(first, size)}"} for first in here]
        }
        remaining = places[_PARALLEL:]
        following = f"{url}/resultPages?locator={_locator(remaining[0], size)}" if remaining else None
        return {**answer, self.org.knobs.next_records_key: following, "done": not remaining}

    def _finished(self, id: str, version: str) -> QueryJob:
        job = self.get(id)
        if float(job.version) != float(version):
            raise Refusal(
                409,
                "API_ERROR",
                f"the job was created with version {job.version} of the API, the request uses {version}",
            )
        if job.now() != "JobComplete":
            raise Refusal(
                400,
                "INVALIDJOBSTATE",
                f"Job {job.id} is in state {job.state}; results are there when it is JobComplete",
            )
        return job


def _check(statement: Statement) -> None:
    if statement.aggregate or statement.offset:
        raise Refusal(
            400,
            "API_ERROR",
            "Implementation restriction: aggregates, GROUP BY and OFFSET are not supported in bulk queries",
        )
    if any(column.type in ("address", "location") for column in statement.columns):
        raise Refusal(400, "INVALID_FIELD", "Selecting compound data not supported in Bulk Query")
    if statement.entity.plain or statement.entity.tooling:
        raise Refusal(
            400, "INVALIDENTITY", f"Entity '{statement.entity.name}' is not supported by the Bulk API."
        )


def _cells(statement: Statement, suffix: str) -> Iterator[str]:
    """SQL of the columns, with booleans and instants as text."""
    for sql, column in zip(statement.selected, statement.columns, strict=True):
        if column.type == "boolean":
            yield f"CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
        elif column.type == "datetime" and suffix != "Z":
            yield f"replace({sql}, 'Z', '{suffix}')"
        else:
            yield sql


def _locator(start: int, size: int) -> str:
    return (
        base64.urlsafe_b64encode(f"{start:x}.{size:x}.{(start * 2654435761 + size) % 65521:x}".encode())
        .decode()
        .rstrip("=")
    )


def _placed(locator: str) -> tuple[int, int]:
    try:
        start, size, check = (
            int(part, 16)
            for part in base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode().split(".")
        )
    except ValueError:
        raise Refusal(400, "INVALIDLOCATOR", f"Invalid locator: {locator}") from None
    if (start * 2654435761 + size) % 65521 != check:
        raise Refusal(400, "INVALIDLOCATOR", f"Invalid locator: {locator}")
    return start, size
