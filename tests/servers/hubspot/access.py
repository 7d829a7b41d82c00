"""Who asks, and may they?"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import Refused
from tests.servers.hubspot.schema import Kind

TOKEN = "pat-eu1-11111111-2222-3333-4444-555555555555"
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "client-1", "client-secret-1", "refresh-1"
_AS_CONTACTS = {"calls", "meetings", "notes", "tasks", "emails", "communications"}

ALL_SCOPES = frozenset(
    f"{area}.{right}"
    for area in (
        *(f"crm.objects.{name}" for name in ("contacts", "companies", "deals", "orders", "line_items", "products", "carts", "owners")),
        *(f"crm.schemas.{name}" for name in ("contacts", "companies", "deals", "orders", "line_items")),
        "crm.lists",
    )
    for right in ("read", "write")
) | {
    "tickets", "automation", "sales-email-read", "crm.import", "crm.export", "content", "settings.users.read", "settings.users.teams.read",
    "settings.currencies.read", "communication_preferences.read", "communication_preferences.statuses.batch.read", "business-intelligence",
    "account-info.security.read", "oauth", "forms",
}  # fmt: skip


@dataclass
class Grant:
    """What a token may do. ``expires`` is an instant; 0 = never."""

    app: str
    scopes: frozenset[str] = ALL_SCOPES
    oauth: bool = False
    expires: int = 0


@dataclass
class Access:
    """Tokens that were given out."""

    grants: dict[str, Grant] = field(default_factory=lambda: {TOKEN: Grant("private")})
    refresh: dict[str, tuple[str, str, frozenset[str]]] = field(
        default_factory=lambda: {REFRESH_TOKEN: (CLIENT_ID, CLIENT_SECRET, ALL_SCOPES)}
    )
    lifetime: int = 1800
    refreshed: int = 0  # how often a token was renewed

    def who(self, authorization: str, now: int) -> Grant:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. Send a Bearer token in the Authorization header.",
            )
        grant = self.grants.get(token)
        if grant is None:
            raise expired(0, now)
        if grant.expires and grant.expires <= now:
            raise expired(grant.expires, now)
        return grant

    def renew(self, form: dict[str, str], now: int, bad_status: int) -> dict[str, object]:
        """An answer of the token endpoint."""
        client, secret, scopes = self.refresh.get(form.get("refresh_token", ""), ("", "", frozenset()))
        if form.get("grant_type") != "refresh_token":
            raise _bad("BAD_GRANT_TYPE", "missing or unknown grant type")
        if not client:
            raise _bad("BAD_REFRESH_TOKEN", "missing or unknown refresh token", bad_status)
        if (form.get("client_id"), form.get("client_secret")) != (client, secret):
            raise _bad("BAD_CLIENT_ID", "missing or unknown client id or secret")
        token = "at-" + secrets.token_hex(120)
        self.grants[token] = Grant("oauth-" + client, scopes, True, now + self.lifetime * 1000)
        self.refreshed += 1
        return {
            "access_token": token,
            "refresh_token": form["refresh_token"],
            "token_type": "bearer",
            "token_use": "access_token",
            "expires_in": self.lifetime,
            "scopes": sorted(scopes),
        }


def _bad(name: str, message: str, status: int = 400) -> Refused:
    """The token endpoint tells its errors in ``status``."""
    refused = Refused(status, "", message)
    refused.body["status"] = name
    return refused


def expired(at: int, now: int) -> Refused:
    """The answer to a token that has expired, or that HubSpot does not know."""
    ago = (now - at) // 1000
    since = f"{ago} second(s)" if ago < 86_400 else f"{ago // 86_400} day(s)"
    return Refused(
        401,
        "EXPIRED_AUTHENTICATION",
        f"The OAuth token used to make this call expired {since} ago.",
        context={"expire time": [iso(at)]},
    )


def require(grant: Grant, *scopes: str) -> None:
    """Refuse a token that lacks any of the scopes."""
    lacking = sorted(set(scopes) - grant.scopes)
    if lacking:
        message = (
            "This app hasn't been granted all required scopes to make this call."
            " Read more about required scopes in the documentation."
        )
        detail = {
            "message": f"One or more of the following scopes are required: [{', '.join(lacking)}]",
            "context": {"requiredGranularScopes": lacking},
        }
        raise Refused(
            403,
            "MISSING_SCOPES",
            message,
            errors=[detail],
            links={"scopes": "https://developers.hubspot.com/scopes"},
        )


def object_scopes(kind: Kind, right: str) -> tuple[str, ...]:
    """What reading or writing objects of a type takes."""
    area = "contacts" if kind.name in _AS_CONTACTS else kind.name
    if kind.name == "tickets":
        return ("tickets",)
    further = ("sales-email-read",) if kind.name == "emails" and right == "read" else ()
    return (f"crm.objects.{area}.{right}", *further)


def schema_scope(kind: Kind, right: str, grant: Grant) -> tuple[str, ...]:
    """What property definitions take; reading them comes with the objects' own read scope."""
    area = "contacts" if kind.name in _AS_CONTACTS else kind.name
    if kind.name == "tickets":
        return ("tickets",)
    if right == "read" and f"crm.objects.{area}.read" in grant.scopes:
        return ()
    return (f"crm.schemas.{area}.{right}",)
