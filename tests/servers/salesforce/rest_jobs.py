"""Bulk API 2.0 by REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.servers.salesforce.messages import Call, Response, route
from tests.servers.salesforce.refusals import Refusal

_CSV = "text/csv; charset=UTF-8"


@route("POST", "jobs/query")
def create_query(call: Call) -> Any:
    return call.org.query_jobs.create(call.request.table(), call.user, call.version, call.faults).told(
        "V2Query"
    )


@route("GET", r"jobs/(query|ingest)")
def every_job(call: Call, kind: str) -> Any:
    jobs = call.org.query_jobs.told() if kind.lower() == "query" else call.org.ingest_jobs.told()
    return {"done": True, "records": jobs, "nextRecordsUrl": None}


@route("GET", r"jobs/query/(\w+)")
def look_at_query(call: Call, id: str) -> Any:
    job = call.org.query_jobs.get(id)
    _strike(call, job)
    return job.told("V2Query")


def _strike(call: Call, job: Any) -> None:
    """A fault of a poll ends the job as its people would: at once."""
    job.polls += 1
    for fault in call.faults:
        if (
            fault["do"] == "job"
            and fault.get("state") == "Aborted"
            and job.now() not in ("JobComplete", "Failed")
        ):
            job.state = "Aborted"


@route("PATCH", r"jobs/query/(\w+)")
def abort_query(call: Call, id: str) -> Any:
    if call.request.table().get("state") != "Aborted":
        raise Refusal(400, "INVALIDJOBSTATE", "a query job can only be Aborted")
    return call.org.query_jobs.abort(id).told("V2Query")


@route("DELETE", r"jobs/query/(\w+)")
def delete_query(call: Call, id: str) -> Any:
    call.org.query_jobs.delete(id)


@route("GET", r"jobs/query/(\w+)/results")
def results(call: Call, id: str) -> Any:
    locator = call.params.get("locator")
    most = call.params.get("maxRecords")
    jobs = call.org.query_jobs
    job, start, count, following = jobs.page(
        id, call.version, None if locator in (None, "null") else locator, int(most) if most else None
    )
    headers = {"Sforce-NumberOfRecords": str(count), "Sforce-Locator": following}
    if "gzip" in call.request.headers.get("accept-encoding", "") and not call.org.knobs.nul_bytes:
        return Response(200, b" ", headers, _CSV, job.sheet.packed(start, count))
    return Response(
        200,
        _dirty(job.sheet.page(start, count)) if call.org.knobs.nul_bytes else job.sheet.page(start, count),
        headers,
        _CSV,
    )


def _dirty(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Pages with NUL bytes in some values, as they come now and then."""
    for part in parts:
        yield part.replace(b'a"', b'a\0"', 5)


@route("GET", r"jobs/query/(\w+)/resultPages")
def result_pages(call: Call, id: str) -> Any:
    return call.org.query_jobs.pages(id, call.version, call.params.get("locator"), call.root)


@route("POST", "jobs/ingest")
def create_ingest(call: Call) -> Any:
    return call.org.ingest_jobs.create(call.request.table(), call.user, call.version, call.faults).told(
        "V2Ingest"
    )


@route("PUT", r"jobs/ingest/(\w+)/batches")
def upload(call: Call, id: str) -> Any:
    if "csv" not in call.request.headers.get("content-type", ""):
        raise Refusal(400, "INVALIDBATCH", "the content must be text/csv")
    call.org.ingest_jobs.upload(id, call.request.body)
    return Response(201)


@route("GET", r"jobs/ingest/(\w+)")
def look_at_ingest(call: Call, id: str) -> Any:
    job = call.org.ingest_jobs.get(id)
    _strike(call, job)
    return job.told("V2Ingest")


@route("PATCH", r"jobs/ingest/(\w+)")
def change_ingest(call: Call, id: str) -> Any:
    return call.org.ingest_jobs.change(id, str(call.request.table().get("state")), call.faults).told(
        "V2Ingest"
    )


@route("DELETE", r"jobs/ingest/(\w+)")
def delete_ingest(call: Call, id: str) -> Any:
    call.org.ingest_jobs.delete(id)


@route("GET", r"jobs/ingest/(\w+)/(successfulResults|failedResults|unprocessedRecords)")
def ingest_results(call: Call, id: str, which: str) -> Any:
    return Response(200, call.org.ingest_jobs.results(id, which.lower()), type=_CSV)
