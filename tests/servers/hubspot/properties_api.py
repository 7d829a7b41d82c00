"""What do the endpoints of property definitions and groups answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import require, schema_scope
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import invalid, missing
from tests.servers.hubspot.objects_api import batch, several
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import Kind, kind_of

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

PROPERTIES = "/crm/v3/properties/{kind}"


def _kind(request: Request, kind: str, right: str) -> Kind:
    type_ = kind_of(kind)
    require(request.grant, *schema_scope(type_, right, request.grant))
    return type_


@route("GET", PROPERTIES)
def every(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    type_ = _kind(request, kind, "read")
    archived = request.true("archived")
    return {
        "results": [
            each.body() for each in portal.schema.properties[type_.name].values() if each.archived == archived
        ]
    }


@route("GET", PROPERTIES + "/groups")
def groups(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    return {"results": list(portal.schema.groups[_kind(request, kind, "read").name].values())}


@route("POST", PROPERTIES + "/groups")
def new_group(portal: Portal, request: Request, kind: str) -> Reply:
    return Reply(201, portal.schema.add_group(_kind(request, kind, "write"), request.object()))


@route("GET", PROPERTIES + "/groups/{name}")
def group(portal: Portal, request: Request, kind: str, name: str) -> dict[str, Any]:
    existing = portal.schema.groups[_kind(request, kind, "read").name].get(name)
    if existing is None:
        raise missing(f"Property group {name} does not exist")
    return existing


@route("PATCH", PROPERTIES + "/groups/{name}")
def change_group(portal: Portal, request: Request, kind: str, name: str) -> dict[str, Any]:
    existing = group(portal, request, kind, name)
    _kind(request, kind, "write")
    assert isinstance(existing, dict)
    body = request.object()
    existing.update({key: body[key] for key in ("label", "displayOrder") if key in body})
    return existing


@route("DELETE", PROPERTIES + "/groups/{name}")
def drop_group(portal: Portal, request: Request, kind: str, name: str) -> Reply:
    type_ = _kind(request, kind, "write")
    if any(
        each.group == name and not each.archived for each in portal.schema.properties[type_.name].values()
    ):
        raise invalid("A group that holds properties cannot be deleted")
    portal.schema.groups[type_.name].pop(name, None)
    return Reply(204)


@route("POST", PROPERTIES)
def new(portal: Portal, request: Request, kind: str) -> Reply:
    return Reply(201, _add(portal, _kind(request, kind, "write"), request.object()))


def _add(portal: Portal, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    now = portal.clock.now()
    knobs = portal.knobs
    made = portal.schema.add(
        kind,
        body,
        iso(now),
        knobs.duplicate_property,
        knobs.custom_properties,
        now + int(knobs.option_lag * 1000),
    )
    return made.body()


@route("GET", PROPERTIES + "/{name}")
def one(portal: Portal, request: Request, kind: str, name: str) -> dict[str, Any]:
    definition = portal.schema.get(_kind(request, kind, "read"), name)
    if definition.archived != request.true("archived"):
        raise missing(f"Property {name} does not exist")
    return definition.body()


@route("PATCH", PROPERTIES + "/{name}")
def change(portal: Portal, request: Request, kind: str, name: str) -> dict[str, Any]:
    type_ = _kind(request, kind, "write")
    definition, now = portal.schema.get(type_, name), portal.clock.now()
    portal.schema.change(
        definition, request.object(), iso(now), now + int(portal.knobs.option_lag * 1000), type_
    )
    return definition.body()


@route("DELETE", PROPERTIES + "/{name}")
def drop(portal: Portal, request: Request, kind: str, name: str) -> Reply:
    definition = portal.schema.get(_kind(request, kind, "write"), name)
    if definition.defined:
        raise invalid(f"Property {name} belongs to HubSpot")
    definition.archived = True
    return Reply(204)


@route("POST", PROPERTIES + "/batch/read")
def batch_read(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = _kind(request, kind, "read")
    properties = portal.schema.properties[type_.name]
    names = [str(each.get("name", "")) for each in batch(request.object(), 100)]
    lost = [name for name in names if name not in properties or properties[name].archived]
    errors = [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": f"Property {name} does not exist",
            "context": {"name": [name]},
        }
        for name in lost
    ]
    return several(portal, [properties[name].body() for name in names if name not in lost], errors)


@route("POST", PROPERTIES + "/batch/create")
def batch_create(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = _kind(request, kind, "write")
    return several(portal, [_add(portal, type_, each) for each in batch(request.object(), 100)], [], 201)


@route("POST", PROPERTIES + "/batch/archive")
def batch_archive(portal: Portal, request: Request, kind: str) -> Reply:
    type_ = _kind(request, kind, "write")
    for each in batch(request.object(), 100):
        definition = portal.schema.properties[type_.name].get(str(each.get("name", "")))
        if definition is not None and not definition.defined:
            definition.archived = True
    return Reply(204)
