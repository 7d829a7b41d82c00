"""What do the objects endpoints answer: pages, single records, batches, search, merges and erasures?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.hubspot import search
from tests.servers.hubspot.access import object_scopes, require
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import BadValues, Conflict, Refused, invalid, missing
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import Kind, kind_of
from tests.servers.hubspot.standard import defaults
from tests.servers.hubspot.store import Record
from tests.servers.hubspot.validation import checked

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

OBJECTS = "/crm/v3/objects/{kind}"
MAX_PAGE, MAX_PAGE_WITH_HISTORY, MAX_BATCH = 100, 50, 100


def columns(portal: Portal, kind: Kind, wanted: list[str]) -> list[str]:
    """The property names of an answer: those asked for that exist, and those that always come."""
    defined = portal.schema.properties[kind.name]
    always = ("createdate", "hs_object_id", kind.stamp) if wanted else ()
    return list(dict.fromkeys([name for name in wanted or defaults(kind) if name in defined] + list(always)))


def represent(
    kind: Kind, record: Record, names: list[str], history: list[str] | None = None
) -> dict[str, Any]:
    """A record as JSON."""
    values = record.values
    body: dict[str, Any] = {
        "id": values["hs_object_id"],
        "properties": {name: values.get(name) for name in names},
        "createdAt": values["createdate"],
        "updatedAt": values[kind.stamp],
        "archived": bool(record.archived),
    }
    if record.archived:
        body["archivedAt"] = iso(record.archived)
    if history:
        body["propertiesWithHistory"] = {name: _versions(record, name) for name in history}
    return body


def _versions(record: Record, name: str) -> list[dict[str, Any]]:
    from tests.servers.hubspot.store import _first

    versions = (record.history or {}).get(name) or _first(record.values, name)
    return [
        {
            "value": each.value,
            "timestamp": iso(each.at),
            "sourceType": each.source,
            "sourceId": "4242",
            "sourceLabel": each.source,
        }
        for each in versions
    ]


@route("GET", OBJECTS)
def page(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "read"))
    history = request.many("propertiesWithHistory")
    most = MAX_PAGE_WITH_HISTORY if history else MAX_PAGE
    limit = _limit(portal, request, most)
    after = request.one("after", "0") or "0"
    if not after.isdigit():
        raise invalid(f"{after} is not a valid paging token")
    exclusive = portal.knobs.cursor == "last"
    shelf = portal.store.shelves[type_.name]
    records, following = shelf.page(int(after) + exclusive, limit, request.true("archived"))
    names = columns(portal, type_, request.many("properties"))
    rows = [represent(type_, record, names, history) for record in records]
    for other in request.many("associations"):
        for row, record in zip(rows, records, strict=True):
            _with_associations(portal, row, type_, record, other)
    answer: dict[str, Any] = {"results": rows}
    if following is not None:
        cursor = str(records[-1].id if exclusive else following)
        answer["paging"] = {
            "next": {
                "after": cursor,
                "link": f"https://api.hubapi.com/crm/v3/objects/{type_.name}?after={cursor}",
            }
        }
    return answer


def _limit(portal: Portal, request: Request, most: int) -> int:
    text = request.one("limit", "10")
    if not text.isdigit() or int(text) < 1:
        raise invalid(f"{text} is not a valid limit")
    if int(text) > most and portal.knobs.page_limit == "refuse":
        raise invalid(f"The limit must be at most {most}, not {text}")
    return min(int(text), most)


def _with_associations(portal: Portal, row: dict[str, Any], kind: Kind, record: Record, other: str) -> None:
    target = kind_of(other)
    ids = portal.living(target, portal.links.of(kind, record.id, target))
    if not ids:
        return
    shown = ids[: portal.knobs.association_page]
    rows = []
    for id in shown:
        for each in portal.links.types(kind, record.id, target, id):
            label = (each["label"] or "").lower().replace(" ", "_")
            rows.append({"id": str(id), "type": label or portal.links.type_name(kind, target)})
    linked: dict[str, Any] = {"results": rows}
    if len(ids) > len(shown):
        linked["paging"] = {"next": {"after": str(ids[len(shown)]), "link": "https://api.hubapi.com/"}}
    row.setdefault("associations", {})[target.name.replace("_", " ")] = linked


@route("POST", OBJECTS + "/search", search=True)
def search_objects(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "read"))
    body = request.object()
    limit, after = search.check(body, len(request.body.decode()))
    ids = portal.index.find(type_, body, portal.schema.properties[type_.name], portal.links)
    names = columns(portal, type_, body.get("properties") or [])
    seen = portal.index.seen.get(type_.name, {})
    shown = ids[after : after + limit]
    rows = [_as_indexed(type_, seen[id], names) for id in shown]
    answer: dict[str, Any] = {"total": len(ids), "results": rows}
    if after + limit < len(ids):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return answer


def _as_indexed(kind: Kind, values: dict[str, str], names: list[str]) -> dict[str, Any]:
    return represent(kind, Record(int(values["hs_object_id"]), values, 0), names)


@route("POST", OBJECTS + "/batch/read")
def batch_read(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "read"))
    body = request.object()
    history = body.get("propertiesWithHistory") or []
    inputs = batch(body, MAX_PAGE_WITH_HISTORY if history else MAX_BATCH)
    by = body.get("idProperty") or ""
    if by and not _unique(portal, type_, by):
        raise invalid(f"{by} is not a unique property")
    names = columns(portal, type_, body.get("properties") or [])
    archived = request.true("archived")
    rows, lost = {}, []
    for each in inputs:
        record = portal.store.find(type_, str(each.get("id", "")), by, archived, portal.knobs.reads_merged)
        if record is None:
            lost.append(str(each.get("id", "")))
        else:
            rows[record.id] = represent(type_, record, names, history)
    shuffled = list(rows.values())
    portal.dice.shuffle(shuffled)
    errors = []
    if lost:
        errors.append(
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Could not get some {type_.singular.upper()} objects, they may be deleted or not exist.",
                "context": {"ids": lost},
            }
        )
    return several(portal, shuffled, errors, status_of_none=207)


def _unique(portal: Portal, kind: Kind, name: str) -> bool:
    definition = portal.schema.properties[kind.name].get(name)
    return bool(definition and definition.unique)


def batch(body: dict[str, Any], most: int, what: str = "inputs") -> list[dict[str, Any]]:
    """The inputs of a batch; refuses too many, and what is no list of objects."""
    inputs = body.get(what)
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise invalid(f"Invalid input JSON: some required fields were not set: [{what}]")
    if len(inputs) > most:
        raise invalid(f"The batch size of {len(inputs)} exceeds the limit of {most}")
    return inputs


def several(
    portal: Portal,
    rows: list[dict[str, Any]],
    errors: list[dict[str, Any]],
    status: int = 200,
    status_of_none: int = 207,
) -> Reply:
    """The answer to a batch: 207 where some failed."""
    now = iso(portal.clock.now())
    body: dict[str, Any] = {"status": "COMPLETE", "results": rows, "startedAt": now, "completedAt": now}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
        status = 207 if rows else status_of_none
    return Reply(status, body)


@route("POST", OBJECTS + "/batch/update")
def batch_update(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    inputs = _distinct(portal, batch(request.object(), MAX_BATCH))
    if any(each.get("idProperty") == "email" for each in inputs):
        raise invalid("Unable to perform update/upsert by non-unique 0-1 property: email")
    portal.refuse_poison([str(each.get("id", "")) for each in inputs])
    rows, errors, planned = [], [], []
    for each in inputs:
        id = str(each.get("id", ""))
        context = {
            "ids": [id],
            **(
                {"objectWriteTraceId": [each["objectWriteTraceId"]]} if each.get("objectWriteTraceId") else {}
            ),
        }
        record = portal.store.find(
            type_, id, str(each.get("idProperty") or ""), through_merges=portal.knobs.reads_merged
        )
        if record is None:
            errors.append(
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "resource not found",
                    "context": context,
                }
            )
            continue
        try:
            portal.refuse_each(id)
            planned.append(
                (
                    record,
                    checked(
                        each.get("properties") or {},
                        portal.schema.properties[type_.name],
                        portal.knobs,
                        portal.clock.now(),
                    ),
                    each,
                )
            )
        except BadValues as fault:
            if portal.knobs.batch_refusal == "whole":
                raise invalid(fault.message) from None
            errors.append(fault.envelope(**context))
    for record, values, each in planned:
        try:
            portal.write(type_, record, values)
        except Conflict as conflict:
            errors.append(conflict.envelope(ids=[str(record.id)]))
            continue
        row = represent(type_, record, columns(portal, type_, list(values)))
        if each.get("objectWriteTraceId"):
            row["objectWriteTraceId"] = each["objectWriteTraceId"]
        rows.append(row)
    return several(portal, rows, errors)


def _distinct(portal: Portal, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_id = {str(each.get("id", "")): each for each in inputs}
    if len(by_id) < len(inputs) and portal.knobs.duplicate_inputs == "refuse":
        raise invalid("Duplicate IDs found in batch input. IDs must be unique.")
    return list(by_id.values())


@route("POST", OBJECTS + "/batch/create")
def batch_create(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    inputs = batch(request.object(), MAX_BATCH)
    traces = [each.get("objectWriteTraceId") for each in inputs]
    each_alone = all(traces) and len(set(traces)) == len(traces)
    rows, errors, made = [], [], []
    for each in inputs:
        try:
            made.append(portal.make(type_, each))
            rows.append(
                represent(type_, made[-1], columns(portal, type_, list(each.get("properties") or {})))
            )
        except (BadValues, Conflict) as fault:
            if not each_alone:
                for record in made:
                    portal.store.erase(type_, record)
                raise _refusal(fault) from None
            errors.append(fault.envelope(objectWriteTraceId=[str(each["objectWriteTraceId"])]))
    return several(portal, rows, errors, 201)


def _refusal(fault: BadValues | Conflict) -> Refused:
    return invalid(fault.message) if isinstance(fault, BadValues) else Refused(409, "CONFLICT", fault.message)


@route("POST", OBJECTS + "/batch/upsert")
def batch_upsert(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    rows, errors = [], []
    for each in batch(request.object(), MAX_BATCH):
        by = str(each.get("idProperty") or "")
        if by and not _unique(portal, type_, by):
            raise invalid(f"Unable to perform update/upsert by non-unique {type_.id} property: {by}")
        values = dict(each.get("properties") or {})
        record = portal.store.find(type_, str(each.get("id", "")), by)
        try:
            if record is None:
                record, new = (
                    portal.make(type_, {**each, "properties": values | ({by: each["id"]} if by else {})}),
                    True,
                )
            else:
                kept = checked(values, portal.schema.properties[type_.name], portal.knobs, portal.clock.now())
                portal.write(type_, record, kept)
                new = False
        except (BadValues, Conflict) as fault:
            errors.append(fault.envelope(ids=[str(each.get("id"))]))
            continue
        rows.append({**represent(type_, record, columns(portal, type_, list(values))), "new": new})
    return several(portal, rows, errors)


@route("POST", OBJECTS + "/batch/archive")
def batch_archive(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    for each in batch(request.object(), MAX_BATCH):
        record = portal.store.find(type_, str(each.get("id", "")))
        if record is not None:
            portal.store.archive(type_, record)
    return Reply(204)


@route("POST", OBJECTS)
def create(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    body = request.object()
    try:
        record = portal.make(type_, body)
    except (BadValues, Conflict) as fault:
        raise _refusal(fault) from None
    return Reply(201, represent(type_, record, columns(portal, type_, list(body.get("properties") or {}))))


def _one(portal: Portal, request: Request, kind: Kind, id: str) -> Record:
    record = portal.store.find(
        kind, id, request.one("idProperty"), request.true("archived"), portal.knobs.reads_merged
    )
    if record is None:
        raise missing()
    return record


@route("POST", OBJECTS + "/merge")
def merge(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    body = request.object()
    both = [
        portal.store.find(type_, str(body.get(name, ""))) for name in ("primaryObjectId", "objectIdToMerge")
    ]
    if both[0] is None or both[1] is None:
        raise missing()
    if both[0] is both[1]:
        raise invalid("A record cannot be merged with itself")
    survivor = portal.merge(type_, both[0], both[1])
    return represent(type_, survivor, columns(portal, type_, []))


@route("POST", OBJECTS + "/gdpr-delete")
def gdpr_delete(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    body = request.object()
    by = str(body.get("idProperty") or "")
    record = portal.store.find(type_, str(body.get("objectId", "")), by) or portal.store.find(
        type_, str(body.get("objectId", "")), by, True
    )
    if record is not None:
        portal.store.erase(type_, record)
    elif by != "email":
        raise missing()
    return Reply(204)


@route("GET", OBJECTS + "/{id}")
def read_one(portal: Portal, request: Request, kind: str, id: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "read"))
    record = _one(portal, request, type_, id)
    row = represent(
        type_,
        record,
        columns(portal, type_, request.many("properties")),
        request.many("propertiesWithHistory"),
    )
    for other in request.many("associations"):
        _with_associations(portal, row, type_, record, other)
    return row


@route("PATCH", OBJECTS + "/{id}")
def update_one(portal: Portal, request: Request, kind: str, id: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    record = _one(portal, request, type_, id)
    try:
        portal.refuse_each(id)
        values = checked(
            request.object().get("properties") or {},
            portal.schema.properties[type_.name],
            portal.knobs,
            portal.clock.now(),
        )
        portal.write(type_, record, values)
    except (BadValues, Conflict) as fault:
        raise _refusal(fault) from None
    return represent(type_, record, columns(portal, type_, list(values)))


@route("DELETE", OBJECTS + "/{id}")
def archive_one(portal: Portal, request: Request, kind: str, id: str) -> Reply:
    type_ = kind_of(kind)
    require(request.grant, *object_scopes(type_, "write"))
    record = portal.store.find(type_, id)
    if record is not None:
        portal.store.archive(type_, record)
    return Reply(204)
