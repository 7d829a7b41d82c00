"""Single records, collections of up to 200, and what was deleted or updated, by REST."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.servers.salesforce.clock import stamp
from tests.servers.salesforce.ids import is_id, long_id
from tests.servers.salesforce.messages import Call, Response, response, route
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.rest_query import known
from tests.servers.salesforce.schema import Entity
from tests.servers.salesforce.values import shown
from tests.servers.salesforce.writing import Asking, Result

_MOST = 200
_RUNS = 10


def asking(call: Call, all_or_none: bool = False) -> Asking:
    """Who writes, with what the headers say."""
    header = call.request.headers.get("sforce-duplicate-rule-header", "")
    return Asking(call.user, "allowsave=true" in header.lower().replace(" ", ""), all_or_none)


@route("POST", r"sobjects/(\w+)")
def create(call: Call, name: str) -> Any:
    entity = known(call, name)
    call.org.access.require(call.user, entity, "create")
    (result,) = saved(call, asking(call), entity, "insert", [call.request.table()])
    if result.error:
        raise result.error
    return 201, {"id": result.id, "success": True, "errors": []}


def _row(call: Call, entity: Entity, id: str) -> dict[str, Any]:
    """A record that the user sees and that is not deleted; 404 else."""
    with call.org.store.lock:
        row = call.org.store.get(entity, long_id(id)) if is_id(id) else None
        if row is None or row.get("IsDeleted") or not call.org.writer._sees(call.user, entity, row["Id"]):
            raise not_found()
    return row


def _told(call: Call, entity: Entity, id: str, names: Sequence[str]) -> dict[str, Any]:
    seen = call.org.access.fields(call.user, entity)
    for name in names:
        if name.lower() not in seen:
            raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {entity.name}")
    wanted = [entity.fields[name.lower()].name for name in names] or [
        field.name for field in entity if field.name.lower() in seen
    ]
    text = f"SELECT {', '.join(wanted)} FROM {entity.name} WHERE Id = '{id}'"
    answer = call.org.queries.ask(
        text, call.user, everything=True, tooling=entity.tooling, path=f"{call.root}/query"
    )
    return dict(answer["records"][0])


@route("GET", r"sobjects/(\w+)/(?!deleted$|updated$|listviews$)([^/]+)")
def read(call: Call, name: str, id: str) -> Any:
    entity = known(call, name)
    if not is_id(id):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {id}")
    names = [part.strip() for part in call.params.get("fields", "").split(",") if part.strip()]
    row = _row(call, entity, id)
    return _told(call, entity, row["Id"], names)


@route("PATCH", r"sobjects/(\w+)/([^/]+)")
def update(call: Call, name: str, id: str) -> Any:
    entity = known(call, name)
    call.org.access.require(call.user, entity, "edit")
    if not is_id(id):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {id}")
    (result,) = saved(call, asking(call), entity, "update", [{**call.request.table(), "Id": id}])
    if result.error:
        raise result.error


@route("DELETE", r"sobjects/(\w+)/([^/]+)")
def delete(call: Call, name: str, id: str) -> Any:
    entity = known(call, name)
    call.org.access.require(call.user, entity, "delete")
    if not is_id(id):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {id}")
    (result,) = saved(call, asking(call), entity, "delete", [{"Id": id}])
    if result.error:
        raise result.error


@route("GET", r"sobjects/(\w+)/(deleted|updated)")
def replicated(call: Call, name: str, word: str) -> Any:
    entity = known(call, name)
    start, end = (_instant(call.params.get(key)) for key in ("start", "end"))
    now = call.org.clock.now()
    if end - start < timedelta(minutes=1) or start < now - timedelta(days=15 if word == "deleted" else 30):
        raise Refusal(
            400,
            "INVALID_REPLICATION_DATE",
            "startDate cannot be more than 15 days ago, and the span is at least one minute",
        )
    test = "SystemModstamp >= ? AND SystemModstamp < ? AND IsDeleted = ?"
    rows = call.org.rows(entity.name, test, stamp(start), stamp(end), int(word == "deleted"))
    covered = shown("datetime", stamp(min(end, now)))
    if word == "updated":
        return {"ids": [row["Id"] for row in rows], "latestDateCovered": covered}
    gone = [{"id": row["Id"], "deletedDate": shown("datetime", row["SystemModstamp"])} for row in rows]
    earliest = shown("datetime", stamp(now - timedelta(days=15)))
    return {"deletedRecords": gone, "earliestDateAvailable": earliest, "latestDateCovered": covered}


def _instant(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat((text or "").replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise Refusal(400, "INVALID_REPLICATION_DATE", f"invalid date: {text}")
    return moment.replace(second=0, microsecond=0)


@route("GET", r"sobjects/(\w+)/(?!listviews/)(\w+)/(.+)")
def read_by_key(call: Call, name: str, key: str, value: str) -> Any:
    entity = known(call, name)
    result = call.org.writer._target(asking(call), entity, "upsert", {key: value}, key)
    if result.error:
        raise result.error
    if result.created:
        raise not_found()
    return _told(call, entity, str(result.id), [])


@route("PATCH", r"sobjects/(\w+)/(\w+)/(.+)")
def upsert(call: Call, name: str, key: str, value: str) -> Any:
    entity = known(call, name)
    body = call.request.table()
    if any(field.lower() == key.lower() for field in body):
        raise Refusal(400, "INVALID_FIELD", f"The {key} field should not be specified in the sobject data.")
    row = {**body, key: value}
    if (
        call.params.get("updateOnly", "").lower() == "true"
        and call.org.writer._target(asking(call), entity, "upsert", row, key).created
    ):
        raise not_found()
    (result,) = saved(call, asking(call), entity, "upsert", [row], key)
    if result.error and result.error.status == 300:
        field = entity.field(key)
        assert field
        rows = call.org.rows(entity.name, f'"{field.name}" = ? AND IsDeleted = 0', value)
        return 300, [f"{call.root}/sobjects/{entity.name}/{row['Id']}" for row in rows]
    if result.error:
        raise result.error
    return 201 if result.created else 200, {
        "id": result.id,
        "success": True,
        "errors": [],
        "created": result.created,
    }


def saved(
    call: Call, who: Asking, entity: Entity, operation: str, rows: Sequence[Mapping[str, Any]], key: str = ""
) -> list[Result]:
    """Save, after the rows that a fault strikes were taken out."""
    struck = {position: error for position, row in enumerate(rows) if (error := struck_by(call.faults, row))}
    left = [row for position, row in enumerate(rows) if position not in struck]
    results = iter(call.org.writer.save(who, entity, operation, left, key))
    return [
        Result(row.get("Id"), error=struck[position]) if position in struck else next(results)
        for position, row in enumerate(rows)
    ]


def struck_by(faults: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> Refusal | None:
    """The refusal of a fault for one row."""
    from tests.servers.salesforce.store import bucket

    id = str(
        next(
            (value for name, value in row.items() if name.lower() in ("id", "contactid", "leadid") and value),
            "",
        )
    )
    for fault in faults:
        if fault["do"] != "item":
            continue
        ids = fault.get("ids", 1.0)
        if bucket(id) < ids if isinstance(ids, int | float) else re.search(ids, id):
            return Refusal(
                400,
                fault.get("code", "UNABLE_TO_LOCK_ROW"),
                fault.get("message", "unable to obtain exclusive access to this record"),
            )
    return None


# Collections


@route("POST", "composite/sobjects")
def create_many(call: Call) -> Any:
    return _many(call, "insert")


@route("PATCH", "composite/sobjects")
def update_many(call: Call) -> Any:
    return _many(call, "update")


@route("PATCH", r"composite/sobjects/(\w+)/(\w+)")
def upsert_many(call: Call, name: str, key: str) -> Any:
    return _many(call, "upsert", key)


@route("DELETE", "composite/sobjects")
def delete_many(call: Call) -> Any:
    ids = [id for id in call.params.get("ids", "").split(",") if id]
    _check_size(call, ids)
    rows = []
    for id in ids:
        entity = call.org.schema.of_id(id)
        rows.append({"Id": id, "attributes": {"type": entity.name if entity else "Contact"}})
    return _saved_in_runs(call, "delete", rows, call.params.get("allOrNone", "false").lower() == "true", "")


def _check_size(call: Call, rows: Sequence[Any]) -> None:
    if len(rows) > _MOST:
        message = f"record limit reached. cannot submit more than {_MOST} records into this call"
        raise Refusal(400, call.org.knobs.too_many_code, message)


def _many(call: Call, operation: str, key: str = "") -> Any:
    body = call.request.table()
    rows = body.get("records")
    if not isinstance(rows, list):
        raise Refusal(400, "JSON_PARSER_ERROR", "records is missing")
    _check_size(call, rows)
    return _saved_in_runs(call, operation, rows, bool(body.get("allOrNone")), key)


def _saved_in_runs(
    call: Call, operation: str, rows: Sequence[Mapping[str, Any]], all_or_none: bool, key: str
) -> Any:
    runs: list[tuple[str, list[Mapping[str, Any]]]] = []
    for row in rows:
        type = row.get("attributes", {}).get("type")
        if not type:
            raise Refusal(400, "INVALID_TYPE", "attributes.type is missing from a record")
        if not runs or runs[-1][0] != type:
            runs.append((type, []))
        runs[-1][1].append(row)
    if len(runs) > _RUNS:
        raise Refusal(
            400, "TOO_MANY_CHUNKS", f"Cannot process more than {_RUNS} chunks of records of one type"
        )
    answers = []
    for type, part in runs:
        entity = known(call, type)
        right = {"insert": "create", "delete": "delete"}.get(operation, "edit")
        call.org.access.require(call.user, entity, right)
        if operation != "delete" and not call.org.knobs.unknown_field_is_item_error:
            _check_names(call, entity, part)
        results = saved(call, asking(call, all_or_none), entity, operation, part, key)
        answers += [result.item(operation == "upsert") for result in results]
    return answers


def _check_names(call: Call, entity: Entity, rows: Sequence[Mapping[str, Any]]) -> None:
    for name in {name for row in rows for name in row if name.lower() not in ("attributes", "id")}:
        if "." not in name:
            call.org.writer.known_field(call.user, entity, name)


@route("GET", r"composite/sobjects/(\w+)")
def read_many(call: Call, name: str) -> Any:
    return _read_many(
        call, name, call.params.get("ids", "").split(","), call.params.get("fields", "").split(","), 800
    )


@route("POST", r"composite/sobjects/(\w+)")
def read_many_by_post(call: Call, name: str) -> Any:
    body = call.request.table()
    return _read_many(call, name, body.get("ids", []), body.get("fields", []), 2000)


def _read_many(call: Call, name: str, ids: Sequence[str], names: Sequence[str], most: int) -> Response:
    entity = known(call, name)
    if len(ids) > most:
        raise Refusal(400, call.org.knobs.too_many_code, f"cannot read more than {most} records")
    bad = [id for id in ids if not is_id(id)]
    if bad:
        raise Refusal(400, "MALFORMED_ID", f"malformed id {bad[0]}")
    for column in names:
        call.org.writer.known_field(call.user, entity, column)
    wanted = ["Id", *(entity.fields[column.lower()].name for column in names if column.lower() != "id")]
    rows_by_id: dict[str, Any] = {}
    for start in range(0, len(ids), 500):
        part = "', '".join(long_id(id) for id in ids[start : start + 500])
        text = f"SELECT {', '.join(wanted)} FROM {entity.name} WHERE Id IN ('{part}')"
        answer = call.org.queries.ask(text, call.user, path=f"{call.root}/query")
        rows_by_id |= {row["Id"]: row for row in answer["records"]}
    return response([rows_by_id.get(long_id(id)) for id in ids])
