"""What does the automation API answer about workflows?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.servers.hubspot.access import require
from tests.servers.hubspot.errors import Refused, missing
from tests.servers.hubspot.objects_api import batch, several
from tests.servers.hubspot.routing import Reply, Request, route

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

FLOWS = "/automation/v4/flows"
SCOPE = "automation"
MAX_PAGE = 100


def _may(portal: Portal, request: Request) -> None:
    require(request.grant, SCOPE)
    if not portal.knobs.flows:
        raise Refused(403, "FORBIDDEN", "This account does not have access to workflows.")


@route("GET", FLOWS)
def every(portal: Portal, request: Request) -> dict[str, Any]:
    _may(portal, request)
    after, limit = int(request.one("after", "0") or "0"), min(int(request.one("limit", "20")), MAX_PAGE)
    flows = [flow for flow in portal.flows.all.values() if flow.id > after]
    answer: dict[str, Any] = {"results": [flow.summary() for flow in flows[:limit]]}
    if len(flows) > limit:
        answer["paging"] = {"next": {"after": str(flows[limit - 1].id), "link": "https://api.hubapi.com/"}}
    return answer


@route("GET", FLOWS + "/{id}")
def one(portal: Portal, request: Request, id: str) -> dict[str, Any]:
    _may(portal, request)
    flow = portal.flows.all.get(int(id)) if id.isdigit() else None
    if flow is None:
        raise missing()
    return flow.body()


@route("POST", FLOWS + "/batch/read")
def several_flows(portal: Portal, request: Request) -> Reply:
    _may(portal, request)
    wanted = [str(each.get("flowId", "")) for each in batch(request.object(), 100)]
    flows_by_id = {str(flow.id): flow for flow in portal.flows.all.values()}
    lost = [id for id in wanted if id not in flows_by_id]
    errors = (
        [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "resource not found",
                "context": {"ids": lost},
            }
        ]
        if lost
        else []
    )
    return several(portal, [flows_by_id[id].body() for id in wanted if id in flows_by_id], errors)
