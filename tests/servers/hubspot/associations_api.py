"""What do the associations endpoints answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import object_scopes, require
from tests.servers.hubspot.errors import invalid, missing
from tests.servers.hubspot.objects_api import batch, several
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import Kind, kind_of

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

MAX_READ, MAX_CREATE, MAX_ARCHIVE = 1000, 2000, 100


@route("POST", "/crm/v4/associations/{a}/{b}/batch/read")
def batch_read(portal: Portal, request: Request, a: str, b: str) -> Reply:
    first, second = kind_of(a), kind_of(b)
    require(request.grant, *object_scopes(first, "read"), *object_scopes(second, "read"))
    rows, errors = [], []
    for each in batch(request.object(), MAX_READ):
        id = str(each.get("id", ""))
        ids = _linked(portal, first, id, second)
        if not ids and portal.knobs.lonely != "empty":
            if portal.knobs.lonely == "error":
                errors.append(_lonely(first, second, id))
            continue
        rows.append(
            {"from": {"id": id}, **_page(portal, first, id, second, ids, str(each.get("after") or "0"))}
        )
    return several(portal, rows, errors)


def _linked(portal: Portal, first: Kind, id: str, second: Kind) -> list[int]:
    if not id.isdigit() or portal.store.find(first, id, through_merges=False) is None:
        return []
    return portal.living(second, portal.links.of(first, int(id), second))


def _page(portal: Portal, first: Kind, id: str, second: Kind, ids: list[int], after: str) -> dict[str, Any]:
    if not after.isdigit():
        raise invalid("after is not valid")
    start, size = int(after), portal.knobs.association_page
    number = portal.knobs.association_ids == "number"
    to = [
        {
            "toObjectId": other if number else str(other),
            "associationTypes": portal.links.types(first, int(id), second, other),
        }
        for other in ids[start : start + size]
    ]
    page: dict[str, Any] = {"to": to}
    if start + size < len(ids):
        page["paging"] = {"next": {"after": str(start + size), "link": "https://api.hubapi.com/"}}
    return page


def _lonely(first: Kind, second: Kind, id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {second.singular} is associated with {first.singular} {id}.",
        "context": {"fromObjectId": [id], "fromObjectType": [first.id], "toObjectType": [second.id]},
    }


@route("GET", "/crm/v4/objects/{a}/{id}/associations/{b}")
@route("GET", "/crm/v3/objects/{a}/{id}/associations/{b}")
def of_one(portal: Portal, request: Request, a: str, id: str, b: str) -> dict[str, Any]:
    first, second = kind_of(a), kind_of(b)
    require(request.grant, *object_scopes(first, "read"), *object_scopes(second, "read"))
    if portal.store.find(first, id) is None:
        raise missing()
    page = _page(
        portal, first, id, second, _linked(portal, first, id, second), request.one("after", "0") or "0"
    )
    return {"results": page["to"], **({"paging": page["paging"]} if "paging" in page else {})}


@route("POST", "/crm/v4/associations/{a}/{b}/batch/create")
def batch_create(portal: Portal, request: Request, a: str, b: str) -> Reply:
    first, second = kind_of(a), kind_of(b)
    require(request.grant, *object_scopes(first, "write"), *object_scopes(second, "write"))
    rows = []
    for each in batch(request.object(), MAX_CREATE):
        from_id, other = str(each["from"]["id"]), str(each["to"]["id"])
        if portal.store.find(first, from_id) is None or portal.store.find(second, other) is None:
            raise missing()
        portal.link(first, int(from_id), second, int(other))
        rows.append(
            {
                "fromObjectTypeId": first.id,
                "fromObjectId": from_id,
                "toObjectTypeId": second.id,
                "toObjectId": other,
                "labels": [],
            }
        )
    return several(portal, rows, [], 201)


@route("POST", "/crm/v4/associations/{a}/{b}/batch/archive")
def batch_archive(portal: Portal, request: Request, a: str, b: str) -> Reply:
    first, second = kind_of(a), kind_of(b)
    require(request.grant, *object_scopes(first, "write"), *object_scopes(second, "write"))
    for each in batch(request.object(), MAX_ARCHIVE):
        for other in each.get("to") or []:
            portal.links.unlink(first, int(each["from"]["id"]), second, int(other["id"]))
    return Reply(204)
