"""May this call go through now?

Rolling windows, never fixed ones, and a day that ends at the account's midnight.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.servers.hubspot.access import Grant
from tests.servers.hubspot.errors import Refused, correlation
from tests.servers.hubspot.knobs import Knobs

_POLICIES = {
    "TEN_SECONDLY_ROLLING": "ten_secondly_rolling",
    "SECONDLY": "secondly",
    "DAILY": "daily",
}


def too_many(policy: str, knobs: Knobs, retry_after: float | None = None) -> Refused:
    """A 429 in HubSpot's words."""
    more = {
        "policyName": policy,
        "groupName": "publicapi:private-apps-api-calls:4242",
        "requestId": correlation(),
        **({} if knobs.rate_category else {"errorType": "RATE_LIMIT"}),
    }
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    category = "RATE_LIMITS" if knobs.rate_category else ""
    return Refused(429, category, f"You have reached your {_POLICIES[policy]} limit.", headers, **more)


class Limits:
    """Calls of each app and of the account."""

    def __init__(self, knobs: Knobs, now: Callable[[], int]) -> None:
        self.knobs, self.now = knobs, now
        self._calls: dict[str, deque[int]] = {}
        self._searches: deque[int] = deque()
        self._day = ""
        self.today = 0  # calls of ours today
        self.fullest = 0  # most calls that one window has ever held

    def admit(self, grant: Grant, search: bool) -> dict[str, str]:
        """Count a call; the headers that its answer carries. Refuses with 429."""
        now, knobs = self.now(), self.knobs
        calls = self._calls.setdefault(grant.app, deque())
        _forget(calls, now - knobs.window * 1000)
        _forget(self._searches, now - 1000)
        self._turn_page(now)
        limit = knobs.limit_oauth if grant.oauth else knobs.limit
        if knobs.limited:
            refusal = self._refusal(grant, search, limit, calls, now)
            if refusal is not None:
                if knobs.refused_count:
                    calls.append(now)
                raise refusal
        calls.append(now)
        self.today += 1
        self.fullest = max(self.fullest, len(calls))
        if search:
            self._searches.append(now)
            return {}
        headers = {
            "X-HubSpot-RateLimit-Max": str(limit),
            "X-HubSpot-RateLimit-Remaining": str(max(0, limit - len(calls))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(knobs.window * 1000)),
        }
        if not grant.oauth:
            headers |= {
                "X-HubSpot-RateLimit-Daily": str(knobs.daily),
                "X-HubSpot-RateLimit-Daily-Remaining": str(self.left()),
            }
        return headers

    def _refusal(self, grant: Grant, search: bool, limit: int, calls: deque[int], now: int) -> Refused | None:
        knobs = self.knobs
        if not grant.oauth and self.left() <= 0:
            return too_many("DAILY", knobs)
        if len(calls) >= limit:
            wait = (calls[0] + knobs.window * 1000 - now) / 1000
            return too_many("TEN_SECONDLY_ROLLING", knobs, wait if knobs.retry_after else None)
        if search and len(self._searches) >= knobs.search_limit:
            return too_many("SECONDLY", knobs, 1 if knobs.retry_after else None)
        return None

    def left(self) -> int:
        """Calls that the account has left today."""
        self._turn_page(self.now())
        return max(0, self.knobs.daily - self.today - self.knobs.used_today)

    def _turn_page(self, now: int) -> None:
        day = (
            datetime.fromtimestamp(now / 1000, UTC)
            .astimezone(ZoneInfo(self.knobs.time_zone))
            .date()
            .isoformat()
        )
        if day != self._day:
            if self._day:
                self.knobs.used_today = 0
            self._day, self.today = day, 0


def _forget(times: deque[int], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
