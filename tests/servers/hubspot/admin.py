"""What does a test command from outside? ``/__admin/...``: state, clock, faults, knobs, and what people do."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.hubspot import generate
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.faults import faults_of
from tests.servers.hubspot.portal import Portal
from tests.servers.hubspot.routing import Reply


def answer(portal: Portal, method: str, target: str, body: bytes) -> Reply:
    """GET a picture or POST a command: the names are in the two tables below."""
    split = urlsplit(target)
    verb = split.path.removeprefix("/__admin/").strip("/")
    query = {name: values[-1] for name, values in parse_qs(split.query).items()}
    try:
        with portal.lock:
            portal.tick()
            return Reply(
                200,
                _GET[verb](portal, query)
                if method == "GET"
                else _POST[verb](portal, json.loads(body or b"{}")),
            )
    except KeyError as missing:
        return Reply(404, {"message": f"unknown: {missing}"})
    except (TypeError, ValueError) as wrong:
        return Reply(400, {"message": str(wrong)})


def _knobs(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    portal.knobs.update(body)
    return vars(portal.knobs)


def _clock(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    """``speed``, ``set`` (ISO), ``advance`` (seconds)."""
    portal.settle(portal.clock.adjust(body))
    return {"now": iso(portal.clock.now())}


def _faults(portal: Portal, body: Any) -> dict[str, Any]:
    portal.script.rules = faults_of(body)
    return {"rules": len(portal.script.rules)}


def _edit(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": portal.put(body.get("kind", "contacts"), body.get("values", {}), body.get("id"))}


def _seed(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    generate.seed(portal, **body)
    return {"records": {name: len(shelf.live) for name, shelf in portal.store.shelves.items() if shelf.live}}


def _plain(what: str) -> Any:
    def act(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
        getattr(portal, what)(body.get("kind", "contacts"), int(body["id"]))
        return {}

    return act


def _merge(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": portal.join(body.get("kind", "contacts"), int(body["primary"]), int(body["other"]))}


def _associate(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    portal.associate(body["kind"], int(body["id"]), body["other_kind"], int(body["other"]), body.get("types"))
    return {}


def _grant(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    portal.grant(body["token"], body["scopes"], body.get("app", ""))
    return {}


_GET: dict[str, Any] = {
    "state": lambda portal, query: portal.dump(query.get("kind", "contacts")),
    "counters": lambda portal, query: portal.counts(),
    "log": lambda portal, query: [each._asdict() for each in portal.log[int(query.get("from", 0)) :]],
    "written": lambda portal, query: [each._asdict() for each in portal.written],
    "faults": lambda portal, query: [vars(rule) for rule in portal.script.rules],
    "clock": lambda portal, query: {"now": iso(portal.clock.now()), "speed": portal.clock.speed},
    "lists": lambda portal, query: {
        each.name: sorted(each.members) for each in portal.lists.all.values() if not each.deleted
    },
    "enrolments": lambda portal, query: [each._asdict() for each in portal.flows.enrolments],
}
_POST: dict[str, Any] = {
    "seed": _seed,
    "knobs": _knobs,
    "clock": _clock,
    "faults": _faults,
    "edit": _edit,
    "archive": _plain("archive"),
    "restore": _plain("restore"),
    "erase": _plain("erase"),
    "merge": _merge,
    "associate": _associate,
    "grant": _grant,
    "workflow": lambda portal, body: portal.flows.add(**body).summary(),
}
