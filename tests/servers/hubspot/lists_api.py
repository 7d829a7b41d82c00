"""What do the lists endpoints answer?"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import require
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import invalid, missing
from tests.servers.hubspot.lists import Listed
from tests.servers.hubspot.objects_api import batch
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import kind_of

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

LISTS = "/crm/v3/lists"
MAX_COUNT, MAX_OFFSET = 500, 10_000
READ, WRITE = "crm.lists.read", "crm.lists.write"


def _get(portal: Portal, request: Request, id: str, *scopes: str) -> Listed:
    require(request.grant, *scopes)
    return portal.lists.get(id)


@route("POST", LISTS)
def create(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, WRITE)
    return {"list": portal.lists.create(request.object()).body(portal.clock.now())}


@route("GET", LISTS)
def by_ids(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, READ)
    filters, now = request.true("includeFilters"), portal.clock.now()
    wanted = [int(id) for id in request.many("listIds") if id.isdigit()]
    lists = [
        portal.lists.all[id] for id in wanted if id in portal.lists.all and not portal.lists.all[id].deleted
    ]
    return {"lists": [each.body(now, filters) for each in lists]}


@route("POST", LISTS + "/search")
def search(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, READ)
    body = request.object()
    query, types = str(body.get("query") or "").lower(), body.get("processingTypes") or []
    offset, count = int(body.get("offset") or 0), int(body.get("count") or 20)
    if count > MAX_COUNT or offset > MAX_OFFSET:
        raise invalid(f"count must be at most {MAX_COUNT}, and offset at most {MAX_OFFSET}")
    ids, kind = body.get("listIds") or [], body.get("objectTypeId")
    matches = [
        each
        for each in portal.lists.all.values()
        if not each.deleted and query in each.name.lower() and (not types or each.processing in types)
        if (not ids or str(each.id) in ids) and (not kind or each.kind.id == kind)
    ]
    now, shown = portal.clock.now(), matches[offset : offset + count]
    further = body.get("additionalProperties") or []
    rows = [_row(portal, each, now, further) for each in shown]
    return {
        "lists": rows,
        "offset": offset + len(shown),
        "hasMore": offset + len(shown) < len(matches),
        "total": len(matches),
    }


def _row(portal: Portal, each: Listed, now: int, further: list[str]) -> dict[str, Any]:
    properties = {
        "hs_list_size": str(len(each.members)),
        "hs_list_reference_count": "0",
        "hs_last_record_added_at": str(each.added or ""),
        "hs_last_record_removed_at": str(each.removed or ""),
        "hs_folder_id": str(each.folder),
        "hs_folder_name": "",
    }
    if portal.knobs.custom_list_properties:
        properties |= each.custom
    row = each.body(now)
    del row["size"]
    return {**row, "additionalProperties": {name: properties[name] for name in further if name in properties}}


@route("GET", LISTS + "/object-type-id/{kind}/name/{name}")
def by_name(portal: Portal, request: Request, kind: str, name: str) -> dict[str, Any]:
    require(request.grant, READ)
    listed = portal.lists.named(kind_of(kind), name)
    if listed is None:
        raise missing("List does not exist", subCategory="ILS.LIST_NOT_FOUND")
    return {"list": listed.body(portal.clock.now(), request.true("includeFilters"))}


# Folders come before single lists: their path would pass for a list's id.


@route("GET", LISTS + "/folders")
def folders(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, READ)
    return {"folder": portal.lists.folder(request.one("folderId", "0"))}


@route("POST", LISTS + "/folders")
def new_folder(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, READ, WRITE)
    body = request.object()
    return {
        "folder": portal.lists.add_folder(str(body.get("name") or ""), str(body.get("parentFolderId") or "0"))
    }


@route("PUT", LISTS + "/folders/move-list")
def move_list(portal: Portal, request: Request) -> Reply:
    require(request.grant, READ, WRITE)
    body = request.object()
    listed = portal.lists.get(str(body.get("listId", "")))
    listed.folder = int(portal.lists.folder(str(body.get("newFolderId", "")))["id"])
    return Reply(204)


@route("PUT", LISTS + "/folders/{id}/rename")
def rename_folder(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    require(request.grant, READ, WRITE)
    portal.lists.folder(id)
    portal.lists.folders[int(id)]["name"] = request.one("newFolderName")
    return {"folder": portal.lists.folder(id)}


@route("DELETE", LISTS + "/folders/{id}")
def drop_folder(portal: Portal, request: Request, id: str) -> Reply:
    require(request.grant, READ, WRITE)
    folder = portal.lists.folder(id)
    if id == "0" or folder["childNodes"] or folder["childLists"]:
        raise invalid("Only an empty folder can be deleted")
    del portal.lists.folders[int(id)]
    return Reply(204)


@route("GET", LISTS + "/{id}")
def one(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    return {"list": _get(portal, request, id, READ).body(portal.clock.now(), request.true("includeFilters"))}


@route("DELETE", LISTS + "/{id}")
def drop(portal: Portal, request: Request, id: str) -> Reply:
    portal.lists.delete(_get(portal, request, id, READ, WRITE))
    return Reply(204)


@route("PUT", LISTS + "/{id}/restore")
def restore(portal: Portal, request: Request, id: str) -> Reply:
    require(request.grant, READ, WRITE)
    portal.lists.restore(id)
    return Reply(204)


@route("PUT", LISTS + "/{id}/update-list-name")
def rename(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    listed = _get(portal, request, id, READ, WRITE)
    portal.lists.rename(listed, request.one("listName"))
    return {"updatedList": listed.body(portal.clock.now(), request.true("includeFilters"))}


@route("PUT", LISTS + "/{id}/update-list-filters")
def refilter(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    listed = _get(portal, request, id, READ, WRITE)
    portal.lists.refilter(listed, request.object().get("filterBranch"))
    return {"updatedList": listed.body(portal.clock.now(), filters=True)}


@route("PUT", LISTS + "/{id}/memberships/add")
def add(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    return dict(portal.lists.edit(_get(portal, request, id, READ, WRITE), request.strings(), []))


@route("PUT", LISTS + "/{id}/memberships/remove")
def remove(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    return dict(portal.lists.edit(_get(portal, request, id, READ, WRITE), [], request.strings()))


@route("PUT", LISTS + "/{id}/memberships/add-and-remove")
def add_and_remove(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    body = request.object()
    for required in ("recordIdsToAdd", "recordIdsToRemove"):
        if not isinstance(body.get(required), list):
            raise invalid(f"Invalid input JSON: some required fields were not set: [{required}]")
    listed = _get(portal, request, id, READ, WRITE)
    return dict(
        portal.lists.edit(
            listed,
            [str(each) for each in body["recordIdsToAdd"]],
            [str(each) for each in body["recordIdsToRemove"]],
        )
    )


@route("PUT", LISTS + "/{id}/memberships/add-from/{source}")
def add_from(portal: Portal, request: Request, id: str, source: str) -> Reply:
    listed = _get(portal, request, id, READ, WRITE)
    portal.lists.edit(listed, [str(each) for each in portal.lists.get(source).members], [])
    return Reply(204)


@route("DELETE", LISTS + "/{id}/memberships")
def clear(portal: Portal, request: Request, id: str) -> Reply:
    portal.lists.clear(_get(portal, request, id, READ, WRITE))
    return Reply(204)


@route("GET", LISTS + "/{id}/memberships")
def members(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    listed = _get(portal, request, id, READ)
    ids = sorted(listed.members)
    after = request.one("after", "0") or "0"
    start = bisect_left(ids, int(after)) if after.isdigit() else 0
    return _members(portal, request, listed, ids, start, True)


@route("GET", LISTS + "/{id}/memberships/join-order")
def members_by_joining(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    listed = _get(portal, request, id, READ)
    ids = sorted(listed.members, key=lambda each: (listed.members[each], each))
    return _members(portal, request, listed, ids, int(request.one("after", "0") or "0"), False)


def _members(
    portal: Portal, request: Request, listed: Listed, ids: list[int], start: int, by_id: bool
) -> dict[str, Any]:
    limit = int(request.one("limit", "100"))
    if not 0 < limit <= portal.knobs.member_page:
        raise invalid(f"The limit must be between 1 and {portal.knobs.member_page}")
    shown = ids[start : start + limit]
    answer: dict[str, Any] = {
        "results": [{"recordId": str(id), "membershipTimestamp": iso(listed.members[id])} for id in shown],
        "total": len(ids),
    }
    if start + limit < len(ids):
        answer["paging"] = {
            "next": {
                "after": str(ids[start + limit] if by_id else start + limit),
                "link": "https://api.hubapi.com/",
            }
        }
    return answer


def _of_record(portal: Portal, kind: str, id: str) -> list[dict[str, Any]]:
    type_ = kind_of(kind)
    lists = [
        each
        for each in portal.lists.all.values()
        if each.kind == type_ and not each.deleted and id.isdigit() and int(id) in each.members
    ]
    return [
        {
            "listId": str(each.id),
            "listVersion": each.version,
            "firstAddedTimestamp": iso(each.members[int(id)]),
            "lastAddedTimestamp": iso(each.members[int(id)]),
            "isPublicList": False,
        }
        for each in lists
    ]


@route("GET", LISTS + "/records/{kind}/{id}/memberships")
def of_record(portal: Portal, request: Request, kind: str, id: str) -> dict[str, Any]:
    require(request.grant, READ)
    rows = _of_record(portal, kind, id)
    return {"results": rows, "total": len(rows)}


@route("POST", LISTS + "/records/memberships/batch/read")
def of_records(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, READ)
    rows = [
        {
            "objectTypeId": each["objectTypeId"],
            "recordId": str(each["recordId"]),
            "recordListMemberships": _of_record(portal, each["objectTypeId"], str(each["recordId"])),
        }
        for each in batch(request.object(), 1000)
    ]
    now = iso(portal.clock.now())
    return {"status": "COMPLETE", "results": rows, "startedAt": now, "completedAt": now}


@route("PUT", LISTS + "/{id}/schedule-conversion")
def convert(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    listed = _get(portal, request, id, READ, WRITE)
    if listed.processing != "DYNAMIC":
        raise invalid("Only DYNAMIC lists can be converted")
    return {"listId": id, "requestedConversionTime": request.object()}
