"""What is to be done with an answer: take it, send the call again, renew the token, or stop? And what does it
tell of limits?

The reactions follow HubSpot's developer documentation, "API usage guidelines" and "Error handling".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

import requests

from connectors.errors import AccessError, QuotaError, RequestError
from connectors.http.rate_limit import Rate, RateLimit
from connectors.http.response_bodies import decoded, is_json
from connectors.http.transport import Call, Verdict
from connectors.hubspot.api_errors import Denied, Refused, of_answer

SEARCH = "search"  # the lane of calls that HubSpot counts by the second
FIRST_RATE = Rate(90, 10.0)  # before the first answer tells: below the smallest portal's 100 calls
SEARCH_RATE = Rate(5, 1.0)  # of the whole portal, whoever asks
# HubSpot's own troubles, which pass
_ELSEWHERE = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524, 408})
_MISPLACED = frozenset({525, 526, 530})  # the host is not HubSpot's
_LOCKED, _MIGRATING = 423, 477
_LOCK_SECONDS = 2.0
_GARBAGE = "1970-"  # a token that never was one "expired" at the beginning of time ...
_DAYS_AGO = re.compile(r"expired (\d+) day")
_YEARS = 3650  # ... so many days ago, or more


class Answers:
    """Judges the answers of one account. ``renewable``: the token comes from a refresh token."""

    def __init__(
        self,
        account: str,
        renewable: bool,
        ceiling: int | None,
        zone: Callable[[], ZoneInfo],
        now: Callable[[], datetime],
    ) -> None:
        self._account = account
        self._renewable = renewable
        self._ceiling = ceiling
        self._zone = zone
        self._now = now
        self.learned: Rate | None = None  # what the headers said
        # calls of the day, and how many are left, once HubSpot told
        self.daily: tuple[int, int] | None = None
        self.date = ""  # HubSpot's clock, as the last answer told it

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        """The verdict on an answer; an error where nobody needs to see it. Sets ``decoded`` on a good answer."""
        status = response.status_code
        if 200 <= status < 300:
            return Verdict("answer" if not response.content or is_json(response) else "again")
        if status == 401:
            return self._unknown(response)
        if status == 429:
            return self._too_fast(call, response, attempt)
        if status == _LOCKED:
            return Verdict("again", wait=_LOCK_SECONDS * attempt)
        if status == _MIGRATING:
            return Verdict("again", wait=_seconds(response) or 30.0)
        if status in _ELSEWHERE:
            return Verdict("again", wait=_seconds(response))
        return Verdict("answer")

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        """Limits from the headers, which answers to a search do not have."""
        headers = response.headers
        self.date = headers.get("Date") or self.date
        if response.status_code == 429 and "DAILY" in _policy(response):
            quota.exhausted(self.midnight())
        calls, span, remaining, limit, left = (
            _number(headers.get(f"X-HubSpot-RateLimit-{name}"))
            for name in ("Max", "Interval-Milliseconds", "Remaining", "Daily", "Daily-Remaining")
        )
        if calls:
            rate = Rate(min(calls, self._ceiling or calls), (span or 10_000) / 1000)
            if rate != self.learned:
                self.learned = rate
                quota.learn_rate("", rate)
        if remaining is not None:
            quota.learn_left(remaining)
        if limit and left is not None:
            self.daily = (limit, left)
            quota.learn_daily(limit, left, self.midnight())

    def midnight(self) -> datetime:
        """When the day's budget comes back: at midnight in the portal's time zone."""
        zone = self._zone()
        tomorrow = (self._now().astimezone(zone) + timedelta(days=1)).date()
        return datetime.combine(tomorrow, datetime.min.time(), zone)

    def refuse(self, response: requests.Response) -> NoReturn:
        """Raise what an answer that is no success means. Only after ``judge`` let it through."""
        refusal = of_answer(response.status_code, decoded(response))
        trace = f" (correlation id {refusal.correlation})" if refusal.correlation else ""
        if refusal.status == 403:
            scopes = ", ".join(refusal.scopes)
            lacks = f"the key of account {self._account} lacks the scope {scopes}"
            what = lacks if scopes else f"HubSpot denies this to account {self._account}"
            words = f" (HubSpot says: {refusal.text})" if refusal.text else ""
            where = "in HubSpot (Development > Keys > Service keys)"
            raise Denied(f"{what}{words}{trace}; add it to the service key {where}, or to the app", refusal)
        if refusal.status in _MISPLACED:
            raise RequestError(
                f"the host answers {refusal.status}: set api_url of account {self._account} to HubSpot's address{trace}"
            )
        if refusal.status == 414:
            raise Refused(f"the address of a call is too long for HubSpot{trace}", refusal)
        raise Refused(f"HubSpot refuses with {refusal.status}: {refusal.reason}", refusal)

    def _unknown(self, response: requests.Response) -> Verdict:
        refusal = of_answer(401, decoded(response))
        if self._renewable:
            return Verdict("renew")
        ages = _DAYS_AGO.search(refusal.text)
        never = refusal.expired.startswith(_GARBAGE) or (ages and int(ages[1]) > _YEARS)
        if never or refusal.category != "EXPIRED_AUTHENTICATION":
            what = "HubSpot does not know this token: it is wrong, mistyped or withdrawn"
        else:
            what = "HubSpot says that the token expired: it was rotated or withdrawn"
        words = f" ({refusal.text})" if refusal.text else ""
        raise AccessError(
            f"{what}{words}. Copy the service key's token again into the token of account {self._account}"
        )

    def _too_fast(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        policy = _policy(response)
        seconds = _seconds(response)
        if "DAILY" in policy:
            raise QuotaError(
                f"HubSpot's calls of the day are used up for account {self._account}", self.midnight()
            )  # who tells it adds when
        if "TEN_SECONDLY" not in policy and ("SECONDLY" in policy or call.lane == SEARCH):
            return Verdict("again", wait=seconds or float(attempt), everybody=True, lane=SEARCH)
        window = (_number(response.headers.get("X-HubSpot-RateLimit-Interval-Milliseconds")) or 10_000) / 1000
        return Verdict("again", wait=seconds or window, everybody=True)


def _policy(response: requests.Response) -> str:
    refusal = of_answer(429, decoded(response))
    return f"{refusal.policy} {refusal.text}".upper()


def _seconds(response: requests.Response) -> float | None:
    """``Retry-After`` in seconds, where there is one."""
    number = _number(response.headers.get("Retry-After"))
    return None if number is None else float(number)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None
