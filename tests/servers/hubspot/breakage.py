"""How does a fault look on the wire?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.hubspot.errors import correlation
from tests.servers.hubspot.faults import Fault
from tests.servers.hubspot.limits import too_many
from tests.servers.hubspot.routing import Reply

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

_NOT_UTF8 = "<html><body><h1>{status} Störung</h1></body></html>"
_CATEGORIES = {
    423: ("LOCKED", "This record is locked by another process."),
    477: ("MIGRATION_IN_PROGRESS", "This account is being moved to another data center."),
    403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call."),
    401: ("EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired 7 second(s) ago."),
    500: ("INTERNAL_ERROR", "Internal error"),
    503: ("SERVICE_UNAVAILABLE", "The service is not available right now."),
}


def broken(fault: Fault, portal: Portal) -> Reply:
    """The reply of a call that a fault kept from being done."""
    if fault.status == 429:
        refusal = too_many(fault.policy, portal.knobs, fault.retry_after)
        return Reply(429, refusal.body, refusal.headers)
    headers = {} if fault.retry_after is None else {"Retry-After": str(int(fault.retry_after))}
    if fault.body == "html" or (not fault.body and fault.status in (502, 504, *range(520, 531))):
        page = _NOT_UTF8.format(status=fault.status).encode("latin-1", "replace")
        return Reply(fault.status, page, headers, "text/html")
    if fault.body.startswith("{"):
        return Reply(fault.status, fault.body.encode(), headers)
    if fault.body == "empty":
        return Reply(fault.status, None, headers)
    category, message = _CATEGORIES.get(fault.status, ("", "The request failed."))
    body = {
        "status": "error",
        "message": message,
        "correlationId": correlation(),
        **({"category": category} if category else {}),
    }
    return Reply(fault.status, body, headers)
