"""How is a portal reached? The portal that the settings of an account open."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast, get_args
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import Account, AccountDefaults
from connectors.errors import TemporaryError
from connectors.http.credentials import Token
from connectors.http.rate_limit import Rate
from connectors.http.response_bodies import decoded
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.client import Client
from connectors.hubspot.login import LogIn
from connectors.hubspot.paths import Area, Version, older, path
from connectors.hubspot.response_policy import FIRST_RATE, SEARCH, SEARCH_RATE, Answers
from connectors.hubspot.settings import Settings
from connectors.hubspot.shapes import ACCOUNT, FOUND, PROPERTIES, USAGE, following
from connectors.rest.api_errors import UnknownVersion
from connectors.rest.paging import pages
from connectors.rest.session import Session
from connectors.rest.shapes import Shape

_MOVED = frozenset({301, 302, 307, 308})


_PAGES = re.compile(r"app(-[a-z0-9]+)?\.hubspot\.com")


def _pages(domain: str, portal: str) -> str:
    """Of a host of HubSpot alone, whatever was answered."""
    host = domain if _PAGES.fullmatch(domain) else "app.hubspot.com"
    return f"https://{host}/contacts/{portal}" if portal.isascii() and portal.isdigit() else ""


class Portal(Session):
    """The one way to a HubSpot account: paths, calls, definitions."""

    def __init__(self, account: Account, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.settings = settings = cast(Settings, account.settings)
        self.now = now  # this machine's time
        self._details: AccountDefaults | None = None
        self._pages = ""
        self._definitions: dict[str, dict[str, dict[str, Any]]] = {}
        self._read_at: dict[str, float] = {}  # when definitions were read, on a monotonic clock
        self._sizes: dict[str, tuple[int, int]] = {}
        self.counted: dict[str, int] = {}  # records by object type, as far as somebody asked
        ceiling = settings.calls_per_10_seconds
        self.answers = Answers(account.name, settings.token is None, ceiling, self.zone, now)
        rates = {"": Rate(min(FIRST_RATE.units, ceiling or FIRST_RATE.units), FIRST_RATE.seconds)}
        secret = settings.token or settings.refresh_token
        assert secret is not None
        owner = f"{settings.client_id or ''} {secret.get_secret_value()}"
        super().__init__(account, self.answers, {**rates, SEARCH: SEARCH_RATE}, owner)
        log_in = LogIn(account.name, settings, self.transport)
        self.token = Token(log_in) if settings.token is None else Token.fixed(secret.get_secret_value())
        self.transport.token = self.token
        self._guard = threading.Lock()
        self._spoken: Version | None = None  # a version that HubSpot knows: ours, once it has answered in it

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
        shape: Shape | None = None,
    ) -> Any:
        """The decoded JSON of an answer (None: it has no body). ``repeatable`` and ``happened``: see Call.

        ``shape``: what the answer must look like; where it does not, HubSpot is taken to be away
        (TemporaryError). Raises Refused (``refusal`` tells what HubSpot said), Denied (a right is missing)
        and what the transport raises.
        """
        built = self.client.call(method, path, list(params), body)
        call = replace(built, writes=writes, repeatable=repeatable, happened=happened, lane=lane)
        response = self.transport.send(call)
        moved = response.headers.get("Location") if response.status_code in _MOVED else None
        if moved and (url := _by_a_slash(call.url, moved)):
            response = self.transport.send(replace(call, url=url))
        if not 200 <= response.status_code < 300:
            if response.status_code == 404:
                self._check_version()
            self.answers.refuse(response)
        if self._spoken is None and self.settings.api_version in (*path.split("/"), "legacy"):
            self._spoken = self.settings.api_version
        answer = decoded(response)
        wrong = shape(answer) if shape is not None else ""
        if wrong:
            raise TemporaryError(
                f"{method} {path}: HubSpot's answer is not as expected ({wrong}) and was not used. Try again later."
            )
        return answer

    def _check_version(self) -> None:
        """UnknownVersion where a path is missing because HubSpot does not know the configured version of its
        API.
        """
        wanted = self.settings.api_version
        with self._guard:
            if self._spoken is None:
                versions = dict.fromkeys((wanted, *sorted(get_args(Version), key=_newest_first)))
                self._spoken = next(filter(self._speaks, versions), wanted)
        if self._spoken != wanted:
            raise UnknownVersion(
                f"HubSpot does not know version {wanted} of its API (account {self.account.name})",
                f'set api_version = "{self._spoken}" in [accounts.{self.account.name}], the newest that HubSpot and this program both know',
            )

    def _speaks(self, version: Version) -> bool:
        """Whether contacts are where this version has them."""
        call = self.client.call("GET", path("objects", version, "contacts"), [("limit", "1")], None)
        return self.transport.send(call).status_code != 404

    def search(self, kind: str, body: Mapping[str, Any]) -> Any:
        """One page of a search for records: HubSpot allows few of them by the second."""
        return self.ask("POST", self.path("objects", kind, "search"), body=body, lane=SEARCH, shape=FOUND)

    def total(self, kind: str) -> int:
        """How many records of an object type search knows: asked once until somebody takes it."""
        if kind not in self._sizes:
            sorts = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
            query = {"filterGroups": [], "sorts": sorts, "properties": [], "limit": 1, "after": "0"}
            body = self.search(kind, query)
            self.counted[kind] = int(body["total"])
            self._sizes[kind] = (int(body["results"][0]["id"]) if body["results"] else 0), self.counted[kind]
        return self._sizes[kind][1]

    def take_size(self, kind: str) -> tuple[int, int]:
        """The highest id and the same number, for who goes on from them: the next who wants them asks again."""
        self.total(kind)
        return self._sizes.pop(kind)

    @cached_property
    def client(self) -> Client:
        """hubspot-api-client, loaded when first used."""
        return Client(self.settings.api_url, self.token)

    def properties(self, kind: str) -> dict[str, dict[str, Any]]:
        """Definitions of all properties of an object type by name, read once."""
        if kind not in self._definitions:
            definitions = {
                str(row["name"]): row for row in self.listing(self.path("properties", kind), shape=PROPERTIES)
            }
            if not definitions:
                raise TemporaryError(
                    f"HubSpot's answer lists no property of {kind} at all, which cannot be right: try again later"
                )
            self._definitions[kind], self._read_at[kind] = definitions, time.monotonic()
        return self._definitions[kind]

    def known_properties(self, kind: str) -> dict[str, dict[str, Any]]:
        """The same as far as they were read, without asking."""
        return self._definitions.get(kind, {})

    def forget(self, kind: str, older_than: float = -1.0) -> None:
        """The definitions of an object type changed, or may have, if they were read so many seconds ago."""
        if time.monotonic() - self._read_at.get(kind, 0.0) > older_than:
            self._definitions.pop(kind, None)

    def details(self) -> AccountDefaults:
        """Time zone and currency of the portal, where the key may read them; asked once."""
        if self._details is None:
            body: dict[str, Any] = {}
            with suppress(Denied, Refused):
                body = self.ask_either("details", shape=ACCOUNT)
            self._pages = _pages(str(body.get("uiDomain") or ""), str(body.get("portalId") or ""))
            names = ("timeZone", "companyCurrency")
            self._details = AccountDefaults(*(str(body.get(name) or "") for name in names))
        return self._details

    def pages(self) -> str:
        """Where the pages of the portal's contacts begin; "" where the key may not read it."""
        self.details()
        return self._pages

    @property
    def known_details(self) -> AccountDefaults:
        """What was told so far, without asking."""
        return self._details or AccountDefaults()

    def usage(self) -> tuple[int, int] | None:
        """(limit, left) of the day's calls, or None where HubSpot does not tell (every other log-in than a
        private app).
        """
        with suppress(Denied, Refused):
            results = self.ask_either("usage", shape=USAGE)["results"]
            daily = next((row for row in results if row.get("usageLimit")), None)
            if daily is not None:
                limit = int(daily["usageLimit"])
                left = max(limit - int(daily.get("currentUsage") or 0), 0)
                self.answers.daily = (limit, left)
                self.rate_limit.learn_daily(limit, left, self.answers.midnight())
        return self.answers.daily

    def zone(self) -> ZoneInfo:
        """Where the portal's day begins: as HubSpot told, else as the config says."""
        for name in (self.known_details.time_zone, self.account.time_zone):
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                continue
        return ZoneInfo("UTC")

    def listing(
        self, path: str, params: Sequence[tuple[str, str]] = (), shape: Shape | None = None
    ) -> Iterator[dict[str, Any]]:
        """All that is listed under a path, in as many pages as HubSpot likes."""

        def page(after: str | None) -> dict[str, Any]:
            further = [] if after is None else [("after", after)]
            answer: dict[str, Any] = self.ask("GET", path, params=[*params, *further], shape=shape)
            return answer

        for answer in pages(page, following):
            yield from answer["results"]

    def ask_for(self, path: str, params: Sequence[tuple[str, str]] = (), shape: Shape | None = None) -> Any:
        """What stands under a path; None: HubSpot has nothing there."""
        try:
            return self.ask("GET", path, params=params, shape=shape)
        except Refused as error:
            if error.refusal.status != 404:
                raise
            return None

    def ask_either(
        self, area: Area, *steps: str, params: Sequence[tuple[str, str]] = (), shape: Shape | None = None
    ) -> Any:
        """As ``ask``: what stands under the undated path where it is not (yet) under the dated one."""
        dated, undated = self.path(area, *steps), older(area, *steps)
        answer = None if dated == undated else self.ask_for(dated, params, shape)
        return self.ask("GET", undated, params=params, shape=shape) if answer is None else answer


def _newest_first(version: Version) -> tuple[int, ...]:
    """Sorts dated versions before the undated one, the newest first."""
    return tuple(-int(part) for part in version.split("-")) if version != "legacy" else (0, 0)


def _by_a_slash(url: str, location: str) -> str:
    """The same address with or without the slash at its end, where that is all that an answer asks for; else
    "".
    """
    asked, target = urlsplit(url).path, urlsplit(urljoin(url, location)).path
    by_a_slash = asked != target and asked.rstrip("/") == target.rstrip("/")
    return url[: len(url) - len(asked)] + target if by_a_slash else ""
