"""How is a portal reached? Settings of a HubSpot account, and the portal that they open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from connectors.bodies import decoded
from connectors.contract import Account
from connectors.errors import AccessError
from connectors.hubspot.answers import FIRST_RATE, SEARCH, SEARCH_RATE, Answers
from connectors.hubspot.client import Client
from connectors.hubspot.paths import Area, Version, older, path
from connectors.hubspot.refusals import Denied, Refused
from connectors.quota import Quota, Rate
from connectors.token import Token
from connectors.transport import Call, Transport
from connectors.transport import api_url as checked_url

Source = Literal["deals", "orders", "calls", "meetings", "emails", "notes", "tasks", "forms", "pages", "marketing_emails"]
_MOVED = frozenset({301, 302, 307, 308})
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "hubspot"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    api_url: Annotated[str, AfterValidator(checked_url)] = "https://api.hubapi.com"
    api_version: Version = "2026-09"
    token: SecretStr | None = None  # of a service key or private app ...
    client_id: str | None = None  # ... or these three of an OAuth app
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    activity: tuple[Source, ...] | None = None  # None: those that some segmentation uses
    won_stages: tuple[str, ...] = ()  # ids of deal stages that mean a purchase; none: the stages that HubSpot calls won
    products: bool = True  # what was bought with a deal: reads its line items, where it has some
    subscription: Annotated[str, BeforeValidator(str)] = ""  # name or id of the subscription type that says who may be mailed
    objection: str = ""  # name of the contact property that says who objects to profiling
    list_folder: str = "CRM segments"  # "" puts our lists beside all others
    list_teams: tuple[int, ...] = ()  # ids of teams that may edit our lists
    list_users: tuple[int, ...] = ()
    sweep_days: int = Field(7, ge=1)  # so often all ids are compared, to find what was erased
    calls_per_10_seconds: int | None = Field(None, ge=1)  # at most so many, also where HubSpot allows more
    threads: int = Field(8, ge=1, le=64)

    @model_validator(mode="after")
    def _one_log_in(self) -> Settings:
        apart = {"client_id": self.client_id, "client_secret": self.client_secret, "refresh_token": self.refresh_token}
        given = [name for name, value in apart.items() if value]
        if self.token is not None and given:
            raise ValueError(f"token and {given[0]} are two log-ins: keep token (service key) or the three keys of an OAuth app")
        if self.token is None and len(given) < len(apart):
            missing = " and ".join(name for name in apart if name not in given) if given else "token"
            raise ValueError(
                f'{missing} is missing: write token = "env:HUBSPOT_TOKEN" (service key), or client_id, client_secret, refresh_token'
            )
        return self


@dataclass(frozen=True)
class Details:
    """What HubSpot tells of a portal; empty where the key may not read it."""

    portal: str = ""
    time_zone: str = ""
    currency: str = ""
    currencies: tuple[str, ...] = ()
    kind: str = ""  # STANDARD, SANDBOX, DEVELOPER_TEST


class Portal:
    """The one way to a HubSpot account: paths, calls, definitions."""

    def __init__(self, account: Account, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.account = account
        self.settings: Settings = account.settings
        self._now = now
        self._details: Details | None = None
        self._definitions: dict[str, dict[str, dict[str, Any]]] = {}
        settings = self.settings
        self.answers = Answers(account.name, settings.token is None, settings.calls_per_10_seconds, self.zone, now)
        first = Rate(min(FIRST_RATE.calls, settings.calls_per_10_seconds or FIRST_RATE.calls), FIRST_RATE.seconds)
        self.quota = Quota(self._identity(), {"": first, SEARCH: SEARCH_RATE}, account.reserve)
        self.token = Token(self._log_in) if settings.token is None else Token.fixed(settings.token.get_secret_value())
        self.transport = Transport(self.answers, self.quota, self.token, threads=settings.threads)
        self._client: Client | None = None

    def path(self, area: Area, *steps: str) -> str:
        """The path of an area in the configured version of the API."""
        return path(area, self.settings.api_version, *steps)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Iterable[tuple[str, str]] = (),
        body: Any = None,
        writes: bool = False,
        repeatable: bool = True,
        happened: Callable[[], bool] | None = None,
        lane: str = "",
    ) -> Any:
        """The decoded JSON of an answer (None: it has no body). ``repeatable`` and ``happened``: see Call.

        Raises Refused (``refusal`` tells what HubSpot said), Denied (a right is missing) and what the transport raises.
        """
        built = self.client.call(method, path, list(params), body)
        call = replace(built, writes=writes, repeatable=repeatable, happened=happened, lane=lane)
        response = self.transport.send(call)
        if response.status_code in _MOVED and (moved := _by_a_slash(call.url, response.headers.get("Location") or "")):
            response = self.transport.send(replace(call, url=moved))
        if not 200 <= response.status_code < 300:
            self.answers.refuse(response)
        return decoded(response)

    def many(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """The function's results in the order of the items, some of them in flight at a time."""
        return self.transport.run(function, items)

    def search(self, kind: str, body: Mapping[str, Any]) -> Any:
        """One page of a search for records: HubSpot allows few of them by the second."""
        return self.ask("POST", self.path("objects", kind, "search"), body=body, lane=SEARCH)

    @property
    def client(self) -> Client:
        """hubspot-api-client, loaded when first used."""
        if self._client is None:
            self._client = Client(self.settings.api_url, self.token)
        return self._client

    def properties(self, kind: str) -> dict[str, dict[str, Any]]:
        """Definitions of all properties of an object type by name, read once."""
        if kind not in self._definitions:
            self._definitions[kind] = {one["name"]: one for one in self._results(self.path("properties", kind))}
        return self._definitions[kind]

    def forget(self, kind: str) -> None:
        """The definitions of an object type changed."""
        self._definitions.pop(kind, None)

    def details(self) -> Details:
        """Time zone and currency of the portal, where the key may read them."""
        if self._details is None:
            try:
                told = self._account("details")
            except (Denied, Refused):
                told = {}
            self._details = Details(
                portal=str(told.get("portalId") or ""),
                time_zone=str(told.get("timeZone") or ""),
                currency=str(told.get("companyCurrency") or ""),
                currencies=tuple(told.get("additionalCurrencies") or ()),
                kind=str(told.get("accountType") or ""),
            )
        return self._details

    def known_details(self) -> Details:
        """What was told so far, without asking."""
        return self._details or Details()

    def usage(self) -> tuple[int, int] | None:
        """(limit, left) of the day's calls, or None where HubSpot does not tell (every other log-in than a private app)."""
        try:
            results = self._account("usage").get("results") or []
        except (Denied, Refused):
            return self.answers.daily
        daily = next((one for one in results if one.get("usageLimit")), None)
        if daily is None:
            return self.answers.daily
        limit, used = int(daily["usageLimit"]), int(daily.get("currentUsage") or 0)
        self.answers.daily = (limit, max(limit - used, 0))
        self.quota.learn_daily(limit, max(limit - used, 0), self.answers.midnight())
        return self.answers.daily

    def zone(self) -> ZoneInfo:
        """Where the portal's day begins: as HubSpot told, else as the config says."""
        for name in (self._details.time_zone if self._details else "", self.account.time_zone):
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                continue
        return ZoneInfo("UTC")

    def now(self) -> datetime:
        """This machine's time."""
        return self._now()

    def close(self) -> None:
        """Let go of connections."""
        self.transport.close()

    def _results(self, path: str) -> Iterator[dict[str, Any]]:
        """What is listed under a path, also where HubSpot lists it in pages."""
        after: str | None = None
        while True:
            told = self.ask("GET", path, params=[("after", after)] if after else ())
            yield from told.get("results") or ()
            following = ((told.get("paging") or {}).get("next") or {}).get("after")
            if not following or str(following) == after:
                return
            after = str(following)

    def _account(self, area: Literal["details", "usage"]) -> dict[str, Any]:
        """Of the account; the undated path serves where the dated one is not there."""
        try:
            told = self.ask("GET", self.path(area))
        except Refused as error:
            if error.refusal.status != 404:
                raise
            told = self.ask("GET", older(area))
        return told if isinstance(told, dict) else {}

    def _log_in(self) -> tuple[str, float | None]:
        """A new access token and its life in seconds. The secrets travel in the body, which nobody logs."""
        settings = self.settings
        assert settings.client_secret is not None
        assert settings.refresh_token is not None
        form = {
            "grant_type": "refresh_token",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "refresh_token": settings.refresh_token.get_secret_value(),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url = settings.api_url.rstrip("/") + self.path("token")
        response = self.transport.send(Call("POST", url, headers=headers, body=urlencode(form).encode(), anonymous=True))
        told = decoded(response)
        if response.status_code != 200 or not isinstance(told, dict) or not told.get("access_token"):
            said = told.get("status", "") if isinstance(told, dict) else ""
            raise AccessError(
                f"HubSpot refuses to renew the token of account {self.account.name} ({response.status_code} {said}): "
                "check client_id and client_secret, and install the app again for a new refresh_token"
            )
        return str(told["access_token"]), float(told["expires_in"]) if told.get("expires_in") else None

    def _identity(self) -> str:
        """Whose limits they are: a key of the quota that tells nothing of the secret."""
        settings = self.settings
        secret = settings.token or settings.refresh_token
        assert secret is not None
        text = f"{settings.client_id or ''} {secret.get_secret_value()}"
        return f"{settings.api_url} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _by_a_slash(url: str, location: str) -> str:
    """The same address with or without the slash at its end, where that is all that an answer asks for; else ""."""
    asked, told = urlsplit(url).path, urlsplit(urljoin(url, location)).path
    return url[: len(url) - len(asked)] + told if asked != told and asked.rstrip("/") == told.rstrip("/") else ""
