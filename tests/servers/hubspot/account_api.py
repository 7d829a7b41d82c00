"""What do log-in, account, limits, owners, pipelines and currencies answer?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from tests.servers.hubspot.access import require
from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import Refused, missing
from tests.servers.hubspot.routing import Reply, Request, route
from tests.servers.hubspot.schema import KINDS, kind_of
from tests.servers.hubspot.standard import STAGES
from tests.servers.hubspot.store import LOST, WON

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal


@route("POST", "/oauth/v1/token", public=True)
@route("POST", "/oauth/v3/token", public=True)
def token(portal: Portal, request: Request) -> Reply:
    form = dict(parse_qsl(request.body.decode()))
    return Reply(200, portal.access.renew(form, portal.clock.now(), portal.knobs.bad_refresh))


def _may_ask(portal: Portal, request: Request) -> None:
    if not portal.knobs.account_info and not request.grant.oauth:
        raise Refused(403, "MISSING_SCOPES", "This key cannot read account information.")


@route("GET", "/account-info/v3/details")
def details(portal: Portal, request: Request) -> dict[str, Any]:
    _may_ask(portal, request)
    zone = ZoneInfo(portal.knobs.time_zone)
    offset = datetime.fromtimestamp(portal.clock.now() / 1000, UTC).astimezone(zone).strftime("%z")
    seconds = datetime.fromtimestamp(portal.clock.now() / 1000, UTC).astimezone(zone).utcoffset()
    return {
        "portalId": portal.knobs.portal_id,
        "accountType": "STANDARD",
        "timeZone": portal.knobs.time_zone,
        "companyCurrency": portal.knobs.currency,
        "additionalCurrencies": list(portal.knobs.further_currencies),
        "utcOffset": f"{offset[:3]}:{offset[3:]}",
        "utcOffsetMilliseconds": int(seconds.total_seconds() * 1000) if seconds else 0,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "eu1",
    }


@route("GET", "/account-info/v3/api-usage/daily/private-apps")
def usage(portal: Portal, request: Request) -> dict[str, Any]:
    _may_ask(portal, request)
    now = portal.clock.now()
    used = portal.knobs.daily - portal.limits.left()
    return {
        "results": [
            {
                "name": "private-apps-api-calls-daily",
                "usageLimit": portal.knobs.daily,
                "currentUsage": used,
                "collectedAt": iso(now),
                "fetchStatus": "SUCCESS",
                "resetsAt": iso(midnight(portal)),
            }
        ]
    }


def midnight(portal: Portal) -> int:
    """The next midnight of the account, an instant."""
    zone = ZoneInfo(portal.knobs.time_zone)
    today = datetime.fromtimestamp(portal.clock.now() / 1000, UTC).astimezone(zone).date()
    following = today + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=zone).timestamp() * 1000)


@route("GET", "/crm/v3/limits/custom-properties")
def property_limits(portal: Portal, request: Request) -> dict[str, Any]:
    rows = []
    for kind in KINDS:
        used = len(
            [
                each
                for each in portal.schema.properties[kind.name].values()
                if not each.defined and not each.archived
            ]
        )
        most = portal.knobs.custom_properties
        rows.append(
            {
                "objectTypeId": kind.id,
                "singularLabel": kind.singular.capitalize(),
                "pluralLabel": kind.name.capitalize(),
                "usage": used,
                "limit": most,
                "percentage": 100 * used / most if most else 100.0,
            }
        )
    total = sum(int(str(row["usage"])) for row in rows)
    return {
        "byObjectType": rows,
        "overallLimit": 10_000,
        "overallUsage": total,
        "overallPercentage": total / 100,
    }


@route("GET", "/crm/v3/owners")
def owners(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "crm.objects.owners.read")
    return {"results": portal.owners}


@route("GET", "/settings/v3/users/teams")
def teams(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "settings.users.teams.read")
    return {"results": portal.teams}


@route("GET", "/settings/v3/users")
def users(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "settings.users.read")
    return {"results": portal.users}


@route("GET", "/crm/v3/pipelines/{kind}")
def pipelines(portal: Portal, request: Request, kind: str) -> dict[str, Any]:
    type_ = kind_of(kind)
    require(request.grant, f"crm.objects.{type_.name}.read")
    return {"results": [_pipeline(portal)]}


@route("GET", "/crm/v3/pipelines/{kind}/{id}")
def pipeline(portal: Portal, request: Request, kind: str, id: str) -> dict[str, Any]:
    if id != "default":
        raise missing()
    return _pipeline(portal)


def _pipeline(portal: Portal) -> dict[str, Any]:
    made = iso(portal.began)
    stages = []
    for position, stage in enumerate(STAGES):
        probability = {WON: "1.0", LOST: "0.0"}.get(stage, "0.4")
        metadata = {"isClosed": str(stage in (WON, LOST)).lower(), "probability": probability}
        stages.append(
            {
                "id": stage,
                "label": stage,
                "displayOrder": position,
                "metadata": metadata,
                "archived": False,
                "createdAt": made,
                "updatedAt": made,
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            }
        )
    return {
        "id": "default",
        "label": "Sales",
        "displayOrder": 0,
        "stages": stages,
        "archived": False,
        "createdAt": made,
        "updatedAt": made,
    }


@route("GET", "/settings/v3/currencies/company-currency")
def company_currency(portal: Portal, request: Request) -> dict[str, Any]:
    require(request.grant, "settings.currencies.read")
    return {
        "id": "1",
        "currencyCode": portal.knobs.currency,
        "currencyName": portal.knobs.currency,
        "createdAt": iso(portal.began),
        "updatedAt": iso(portal.began),
    }
