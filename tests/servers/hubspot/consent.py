"""Who may be written to, and about what? Subscription types, and each address's status under them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import Grant, require
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import invalid
from tests.servers.hubspot.routing import Reply, Request, route

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

MAX_BATCH = 100
BASE = "/communication-preferences/v4"
BATCH, READ = "communication_preferences.statuses.batch.read", "communication_preferences.read"


@dataclass
class Subscription:
    """A type of message that people subscribe to."""

    id: int
    name: str
    active: bool = True

    def body(self, at: int) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "description": self.name,
            "isActive": self.active,
            "isDefault": False,
            "isInternal": False,
            "purpose": "Marketing",
            "communicationMethod": "Email",
            "createdAt": iso(at),
            "updatedAt": iso(at),
        }


@dataclass
class Consent:
    """Statuses by address and subscription; an address that is not listed has said nothing."""

    subscriptions: dict[int, Subscription] = field(
        default_factory=lambda: {
            each.id: each
            for each in (
                Subscription(71, "Marketing Information"),
                Subscription(72, "Customer Service Communication"),
            )
        }
    )
    statuses: dict[str, dict[int, str]] = field(default_factory=dict)
    out_of_all: set[str] = field(default_factory=set)


def _batch(request: Request) -> list[str]:
    inputs = request.object().get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, str) for each in inputs):
        raise invalid("Invalid input JSON: some required fields were not set: [inputs]")
    if len(inputs) > MAX_BATCH:
        raise invalid(f"The batch size of {len(inputs)} exceeds the limit of {MAX_BATCH}")
    if request.one("channel") != "EMAIL":
        raise invalid("The query parameter channel must be EMAIL")
    return [each.lower() for each in inputs]


def _need(grant: Grant) -> None:
    require(grant, *(() if READ in grant.scopes else (BATCH,)))


@route("GET", BASE + "/definitions")
def definitions(portal: Portal, request: Request) -> dict[str, Any]:
    _need(request.grant)
    now = iso(portal.clock.now())
    rows = [each.body(portal.began) for each in portal.consent.subscriptions.values()]
    return {"status": "COMPLETE", "results": rows, "startedAt": now, "completedAt": now}


@route("GET", "/communication-preferences/v3/definitions")
def definitions_of_old(portal: Portal, request: Request) -> dict[str, Any]:
    _need(request.grant)
    return {
        "subscriptionDefinitions": [each.body(portal.began) for each in portal.consent.subscriptions.values()]
    }


def _status(portal: Portal, email: str, subscription: int) -> str:
    if email in portal.consent.out_of_all:
        return "UNSUBSCRIBED"
    return portal.consent.statuses.get(email, {}).get(subscription, "NOT_SPECIFIED")


@route("POST", BASE + "/statuses/batch/read")
def statuses(portal: Portal, request: Request) -> Reply:
    require(request.grant, BATCH)
    now = iso(portal.clock.now())
    rows = [
        {
            "subscriberIdString": email,
            "statuses": [
                {
                    "channel": "EMAIL",
                    "source": "portal",
                    "status": _status(portal, email, each.id),
                    "subscriberIdString": email,
                    "subscriptionId": each.id,
                    "subscriptionName": each.name,
                    "timestamp": iso(portal.began),
                }
                for each in portal.consent.subscriptions.values()
            ],
        }
        for email in _batch(request)
    ]
    return Reply(200, {"status": "COMPLETE", "results": rows, "startedAt": now, "completedAt": now})


@route("POST", BASE + "/statuses/batch/unsubscribe-all/read")
def wide_statuses(portal: Portal, request: Request) -> Reply:
    require(request.grant, BATCH)
    now = iso(portal.clock.now())
    rows = []
    for email in _batch(request):
        status = "UNSUBSCRIBED" if email in portal.consent.out_of_all else "NOT_SPECIFIED"
        wide = {
            "channel": "EMAIL",
            "status": status,
            "subscriberIdString": email,
            "timestamp": iso(portal.began),
            "wideStatusType": "PORTAL_WIDE",
        }
        rows.append({"subscriberIdString": email, "wideStatuses": [wide]})
    return Reply(200, {"status": "COMPLETE", "results": rows, "startedAt": now, "completedAt": now})
