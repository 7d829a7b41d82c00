"""What becomes of imports and exports? They advance with the clock, and are carried out when they are done."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import require
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import BadValues, Refused, invalid, missing
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import Kind, kind_of
from tests.servers.hubspot.validation import checked

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

IMPORTS, EXPORTS = "/crm/v3/imports", "/crm/v3/exports/export/async"
MAX_RUNNING_IMPORTS, MAX_EXPORTS_A_DAY = 3, 30


@dataclass
class Import:
    """A file on its way into the account."""

    id: int
    kind: Kind
    name: str
    started: int
    rows: list[dict[str, str]]
    mappings: list[dict[str, Any]]
    state: str = "STARTED"
    errors: list[dict[str, Any]] = field(default_factory=list)
    updated: int = 0

    def body(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "state": self.state,
            "importName": self.name,
            "createdAt": iso(self.started),
            "updatedAt": iso(self.started),
            "optOutImport": False,
            "mappedObjectTypeIds": [self.kind.id],
            "metadata": {
                "counters": {
                    "TOTAL_ROWS": len(self.rows),
                    "UPDATED_OBJECTS": self.updated,
                    "ERRORS": len(self.errors),
                },
                "fileIds": [str(self.id)],
                "objectLists": [],
            },
        }


@dataclass
class Transfers:
    """Imports and exports of the account."""

    imports: dict[int, Import] = field(default_factory=dict)
    exports: dict[int, dict[str, Any]] = field(default_factory=dict)

    def settle(self, portal: Portal) -> None:
        step = portal.knobs.import_time * 1000
        running = [
            each for each in self.imports.values() if each.state in ("STARTED", "PROCESSING", "DEFERRED")
        ]
        for each in running[:MAX_RUNNING_IMPORTS]:
            age = portal.clock.now() - each.started
            if age >= 2 * step:
                _carry_out(portal, each)
                each.state = "DONE"
            elif age >= step:
                each.state = "PROCESSING"


def _carry_out(portal: Portal, job: Import) -> None:
    names = {each["columnName"]: each for each in job.mappings}
    ids = [each["columnName"] for each in job.mappings if each.get("columnType") == "HUBSPOT_OBJECT_ID"]
    for line, row in enumerate(job.rows, 2):
        values = {
            names[column]["propertyName"]: text
            for column, text in row.items()
            if column in names and column not in ids
        }
        record = portal.store.find(job.kind, row.get(ids[0], "")) if ids else None
        error = "OBJECT_NOT_FOUND" if record is None else ""
        if record is not None:
            try:
                portal.write(
                    job.kind,
                    record,
                    checked(
                        values, portal.schema.properties[job.kind.name], portal.knobs, portal.clock.now()
                    ),
                    "IMPORT",
                )
                job.updated += 1
            except BadValues as fault:
                error = fault.faults[0]["error"]
        if error:
            source = {
                "sourceType": "ROW",
                "lineNumber": line,
                "fileId": job.id,
                "containsEncryptedProperties": False,
            }
            job.errors.append(
                {
                    "id": str(len(job.errors) + 1),
                    "errorType": error,
                    "sourceData": source,
                    "createdAt": job.started,
                }
            )


@route("POST", IMPORTS)
def start_import(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "crm.import")
    parts = _parts(request)
    try:
        order = json.loads(parts["importRequest"])
        file = order["files"][0]
        mappings = file["fileImportPage"]["columnMappings"]
        kind = kind_of(mappings[0]["columnObjectTypeId"])
        rows = list(csv.DictReader(io.StringIO(parts["files"].decode("utf-8-sig"))))
    except (KeyError, IndexError, ValueError) as fault:
        raise invalid(f"The import request is not valid: {fault}") from None
    if rows and set(rows[0]) - {each["columnName"] for each in mappings}:
        raise invalid("Every column of the file must be mapped")
    properties = portal.schema.properties[kind.name]
    unknown = [
        each["propertyName"]
        for each in mappings
        if each.get("propertyName") and each["propertyName"] not in properties
    ]
    if unknown:
        raise invalid(f"Unknown properties: {unknown}")
    job = Import(
        len(portal.transfers.imports) + 1, kind, order.get("name", ""), portal.clock.now(), rows, mappings
    )
    running = [each for each in portal.transfers.imports.values() if each.state in ("STARTED", "PROCESSING")]
    if len(running) >= MAX_RUNNING_IMPORTS:
        job.state = "DEFERRED"
    portal.transfers.imports[job.id] = job
    return job.body()


def _parts(request: Request) -> dict[str, bytes]:
    boundary = re.search(r'boundary="?([^";]+)', request.headers.get("content-type", ""))
    if boundary is None:
        raise Refused(415, "VALIDATION_ERROR", "multipart/form-data is expected")
    parts = {}
    for piece in request.body.split(b"--" + boundary[1].encode()):
        head, _, content = piece.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        if name:
            parts[name[1].decode()] = content.removesuffix(b"\r\n")
    return parts


def _import(portal: Portal, request: Request, id: str) -> Import:
    require(request.grant, "crm.import")
    job = portal.transfers.imports.get(int(id)) if id.isdigit() else None
    if job is None:
        raise missing()
    return job


@route("GET", IMPORTS)
def imports(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "crm.import")
    return {"results": [each.body() for each in portal.transfers.imports.values()]}


@route("GET", IMPORTS + "/{id}")
def one_import(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    return _import(portal, request, id).body()


@route("GET", IMPORTS + "/{id}/errors")
def import_errors(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    return {"results": _import(portal, request, id).errors}


@route("POST", IMPORTS + "/{id}/cancel")
def cancel_import(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    job = _import(portal, request, id)
    if job.state == "DONE":
        raise invalid("A finished import cannot be cancelled")
    job.state = "CANCELED"
    now = iso(portal.clock.now())
    return {"status": "COMPLETE", "startedAt": now, "completedAt": now}


@route("POST", EXPORTS)
def start_export(portal: Portal, request: Request) -> Reply:
    require(request.grant, "crm.export")
    now, order = portal.clock.now(), request.object()
    if order.get("format") != "CSV" or order.get("exportType") not in ("VIEW", "LIST"):
        raise invalid("Only exports of views and lists as CSV are known here")
    recent = [each for each in portal.transfers.exports.values() if now - each["started"] < 86_400_000]
    if len(recent) >= MAX_EXPORTS_A_DAY:
        raise Refused(429, "RATE_LIMITS", f"At most {MAX_EXPORTS_A_DAY} exports in 24 hours")
    id = len(portal.transfers.exports) + 1
    portal.transfers.exports[id] = {"started": now, "order": order, "host": request.headers.get("host", "")}
    return Reply(202, {"id": str(id), "links": {"status": ""}})


@route("GET", EXPORTS + "/tasks/{id}/status")
def export_status(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    require(request.grant, "crm.export")
    export = portal.transfers.exports.get(int(id)) if id.isdigit() else None
    if export is None:
        raise missing()
    step, started = portal.knobs.import_time * 1000, export["started"]
    age = portal.clock.now() - started
    status = "PENDING" if age < step else "PROCESSING" if age < 2 * step else "COMPLETE"
    answer: dict[str, Any] = {
        "status": status,
        "startedAt": iso(started),
        "requestedAt": iso(started),
        "completedAt": iso(started + int(2 * step)),
    }
    return answer | ({"result": f"http://{export['host']}/__files/{id}.csv"} if status == "COMPLETE" else {})


@route("GET", "/__files/{id}.csv", public=True)
def exported(portal: Portal, request: Request, id: str) -> Reply:
    order = portal.transfers.exports[int(id)]["order"]
    kind, names = kind_of(order["objectType"]), order["objectProperties"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([record.values.get(name, "") for name in names] for record in portal.store.all(kind))
    return Reply(200, text.getvalue().encode(), content_type="text/csv")
