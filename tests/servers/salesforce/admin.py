"""What do people and tests do to a running server? /__admin: edits as a person makes them, knobs, clock,
faults, log, dump.

POST /__admin/edit    {"do": "edit", "object": "Contact", "id": "003...", "values": {"Email":
                      "a@example.org"}}; ``do`` names a method of Org: create, edit, delete, undelete, purge,
                      merge, convert, touch, overwrite, late, add_field, grant, revoke; or hide, show, freeze,
                      deny, allow of its access; or validation, duplicates, automation: a new rule
POST /__admin/seed    {"contacts": 1000, ...}: as ``seeding.seed`` takes it
POST /__admin/clock   {"advance": 3600} | {"speed": 60} | {"set": "2026-01-01T00:00:00Z"}
POST /__admin/knobs   {"token_seconds": 60, ...}: as ``Knobs`` has them;  GET: all of them
POST /__admin/faults  a list of rules: added;  DELETE: all are gone;  GET: what happened
POST /__admin/expire  all sessions end
GET  /__admin/log     requests since the start;  DELETE: forget them
GET  /__admin/dump?object=Contact      stored rows
GET  /__admin/state   counts, log-ins, jobs, runs of automation, limits, errors of the server
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.servers.salesforce import seeding
from tests.servers.salesforce.messages import Request, Response, response
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.rules import Automation, Duplicates, Validation

_RULES: dict[str, tuple[str, Callable[..., Any]]] = {
    "validation": ("validations", Validation),
    "duplicates": ("duplicates", Duplicates),
    "automation": ("automations", Automation),
}


def _add_rule(org: Org, action: dict[str, Any]) -> None:
    kept, rule = _RULES[action["do"]]
    getattr(org.rules, kept).append(rule(action["object"], **action.get("values", {})))


_DEEDS: dict[str, Callable[[Org, dict[str, Any]], Any]] = {
    "create": lambda org, a: org.create(a["object"], **a.get("values", {})),
    "late": lambda org, a: org.late(a["seconds"], a["object"], a.get("id"), **a.get("values", {})),
    "edit": lambda org, a: org.edit(a["object"], a["id"], **a.get("values", {})),
    "overwrite": lambda org, a: org.overwrite(a["object"], a["id"], **a.get("values", {})),
    "delete": lambda org, a: org.delete(a["object"], a["id"]),
    "undelete": lambda org, a: org.undelete(a["object"], a["id"]),
    "purge": lambda org, a: org.purge(a["object"], *a.get("ids", [a["id"]] if "id" in a else [])),
    "touch": lambda org, a: org.touch(a["object"], *a.get("ids", [a["id"]] if "id" in a else [])),
    "merge": lambda org, a: org.merge(a["object"], a["id"], *a["losers"]),
    "convert": lambda org, a: org.convert(a["id"], a.get("contact"), a.get("account")),
    "add_field": lambda org, a: (
        org.add_field(a["object"], a["field"], a.get("type", "string"), **a.get("values", {})).name
    ),
    "grant": lambda org, a: org.grant(*a["rights"]),
    "revoke": lambda org, a: org.revoke(*a["rights"]),
    "hide": lambda org, a: org.access.hide(*a["fields"]),
    "show": lambda org, a: org.access.show(*a["fields"]),
    "freeze": lambda org, a: org.access.freeze(*a["fields"]),
    "deny": lambda org, a: org.access.deny(a["object"], *a["rights"]),
    "allow": lambda org, a: org.access.allow(a["object"]),
    "validation": _add_rule,
    "duplicates": _add_rule,
    "automation": _add_rule,
}


def edit(org: Org, action: dict[str, Any]) -> Any:
    """One thing that a person does; gives what the method of ``Org`` gives."""
    if action.get("do") not in _DEEDS:
        raise ValueError(f"nobody can {action.get('do')!r}; people can {', '.join(_DEEDS)}")
    return _DEEDS[action["do"]](org, action)


def administered(org: Org, request: Request) -> Response:
    """The answer of the admin side."""
    word = request.path.removeprefix("/__admin").strip("/")
    try:
        answer = _ROUTES[request.method, word](org, request)
    except KeyError as error:
        return response((404, {"error": f"not found: {error}"}))
    except (Refusal, ValueError, TypeError) as error:
        return response((400, {"error": str(error)}))
    return response(answer if answer is not None else {})


def _clock(org: Org, request: Request) -> Any:
    org.clock.advance(org.clock.adjust(request.table()))
    return {"now": org.clock.now().isoformat()}


def _faults(org: Org, request: Request) -> Any:
    org.faults.add(*request.json())
    return {"rules": len(org.faults.script)}


def _state(org: Org, request: Request) -> Any:
    counts = {entity.name: org.queries.counted(entity) for entity in org.schema if not entity.plain}
    automation = {trigger.name: len(trigger.runs) for trigger in org.rules.automations}
    jobs = [*org.query_jobs.told(), *org.ingest_jobs.told()]
    summary = {
        "counts": counts,
        "logins": org.login.logins,
        "refused": org.login.refused,
        "jobs": jobs,
        "automation": automation,
    }
    return summary | {
        "limits": org.limits.told(),
        "errors": [repr(error) for error in org.errors],
        "requests": len(org.log),
    }


def _seed(org: Org, request: Request) -> Any:
    return seeding.seed(org, **request.table())


def _dump(org: Org, request: Request) -> Any:
    return org.rows(request.params["object"], request.params.get("where", "1"))


_ROUTES: dict[tuple[str, str], Callable[[Org, Request], Any]] = {
    ("POST", "edit"): lambda org, request: {"result": edit(org, request.table())},
    ("POST", "seed"): _seed,
    ("POST", "clock"): _clock,
    ("GET", "clock"): lambda org, request: {"now": org.clock.now().isoformat()},
    ("POST", "knobs"): lambda org, request: org.knobs.update(request.table()),
    ("GET", "knobs"): lambda org, request: asdict(org.knobs),
    ("POST", "faults"): _faults,
    ("GET", "faults"): lambda org, request: [{"did": deed, "call": call} for deed, call in org.faults.log],
    ("DELETE", "faults"): lambda org, request: org.faults.clear(),
    ("POST", "expire"): lambda org, request: org.login.expire(),
    ("GET", "log"): lambda org, request: org.log,
    ("DELETE", "log"): lambda org, request: org.log.clear(),
    ("GET", "dump"): _dump,
    ("GET", "state"): _state,
}
