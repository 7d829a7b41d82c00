"""What is to be done with an answer: take it, send the call again, renew the session, or stop? And what does
it tell of limits?

The reactions follow Salesforce's "REST API Developer Guide" (Status Codes and Error Responses; Limit Info
Header) and "API Request Limits and Allocations": codes decide, because one HTTP status stands for very
different things.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import requests

from connectors.errors import AccessError, ConnectorError, QuotaError, TemporaryError
from connectors.http.rate_limit import RateLimit
from connectors.http.response_bodies import decoded, is_json
from connectors.http.transport import Call, Verdict
from connectors.salesforce.api_errors import EXPIRED, LIMIT, Denied, Refusal, Refused, of_answer

# troubles of the server or of what stands before it, which pass
_ELSEWHERE = frozenset({406, 408, 420, 429, 500, 502, 503, 504})
# what an org answers later that is less busy then
SLOW = frozenset({"QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG"})
_CROWDED_SECONDS = 30.0  # too many long requests at once: some of them must end first
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


class Answers:
    """Judges the answers of one account, and keeps what they tell of the server's time and of the day's
    budget.
    """

    def __init__(self, account: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._account = account
        self._now = now
        self._ahead = timedelta()  # of the server's clock before ours

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        """The verdict on an answer; an error where nobody needs to see it."""
        status = response.status_code
        if 200 <= status < 300:
            return Verdict("answer") if call.stream or self._whole(response) else Verdict("again")
        refusals = of_answer(status, body_of(response))
        codes = {refusal.code for refusal in refusals}
        if LIMIT in codes:
            return self._too_much(refusals)
        if not call.anonymous and (status == 401 or EXPIRED in codes):
            return Verdict("renew")
        if call.repeatable and (codes & SLOW or self._cut(response)):
            return Verdict("again")
        stays = status == 500 and any(refusal.kind != "transient" for refusal in refusals)
        passes = status in _ELSEWHERE and not stays and (call.repeatable or status in (429, 503))
        return Verdict("again" if passes else "answer")

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        """The day's budget and the server's clock, from the headers."""
        date = response.headers.get("Date")
        if date:
            with suppress(TypeError, ValueError):
                self._ahead = parsedate_to_datetime(date) - self._now()
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage:
            used, limit = int(usage[1]), int(usage[2])
            quota.learn_daily(limit, max(limit - used, 0), None)

    def server_time(self) -> datetime:
        """Now, on Salesforce's clock (to the second, as of its last answer)."""
        return (self._now() + self._ahead).astimezone(UTC)

    def refuse(self, status: int, body: Any) -> NoReturn:
        """Raise what an answer that is no success means. Only after ``judge`` let it through."""
        refusal = of_answer(status, body)[0]
        if status == 401:
            what = f"Salesforce does not accept the session of account {self._account}"
        elif status == 403 and refusal.kind == "permission":
            what = f"Salesforce denies this to the user of account {self._account}"
        else:
            raise Refused(f"Salesforce refuses with {status}: {refusal.reason}", refusal)
        raise Denied(f"{what}: {refusal.reason}", refusal)

    def _too_much(self, refusals: list[Refusal]) -> Verdict:
        """Either too many long requests at this moment, or the calls of the day are gone."""
        explanation = " ".join(refusal.text for refusal in refusals).upper()
        if "CONCURRENT" in explanation:
            return Verdict("again", wait=_CROWDED_SECONDS, everybody=True)
        resets = self._now() + timedelta(hours=1)
        raise QuotaError(
            f"Salesforce's API requests of the last 24 hours are used up for account {self._account}; some come back every hour",
            resets,
        )

    @staticmethod
    def _cut(response: requests.Response) -> bool:
        """Is it a refusal in JSON that broke off, so that nobody can tell what was refused?"""
        is_json = "json" in response.headers.get("Content-Type", "")
        return is_json and bool(response.content) and decoded(response) is None

    @staticmethod
    def _whole(response: requests.Response) -> bool:
        """Is the body all there?

        A proxy may answer HTML with 200, or cut JSON off; what is decoded once is kept.
        """
        if not response.content:
            # what was asked for is not there
            return response.status_code != 200 or response.request.method != "GET"
        kind = response.headers.get("Content-Type", "")
        return is_json(response) if "json" in kind else "html" not in kind


def body_of(response: requests.Response) -> Any:
    """What an answer holds: decoded JSON, else its text, which may be a fault in XML."""
    body = decoded(response)
    return response.content if body is None else body


_NO_PASSWORDS = (
    "the org does not let apps log in with a password: create an External Client App with the client credentials flow, and write its "
    "client_id and client_secret in place of username and password"
)
_LOG_IN_REMEDIES = {
    "invalid_client": "client_secret does not belong to client_id: copy both again from the External Client App (or connected app)",
    "invalid_client_id": "client_id is not known: copy the consumer key again from the External Client App (or connected app)",
    "invalid_grant": "the user may not log in this way (no Run-As user, not approved, expired or withdrawn): see the app's policies",
    "invalid_app_access": "an administrator must approve the user for the app",
    "unsupported_grant_type": "the app does not allow this flow: switch it on, or log in another way",
    "INVALID_LOGIN": "username, password or security_token is wrong, or the user is locked out. Correct them before you try again (it was "
    "sent once, because Salesforce locks a user out after a few), or use client credentials",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "the org asks for the security token from this address: write it as security_token (the user "
    "resets it under Settings > Reset My Security Token), or use client credentials",
    "PASSWORD_LOCKOUT": "the user is locked: an administrator unlocks it, or the lock ends by itself after the org's lockout time",
    "INACTIVE_OWNER_OR_USER": "the user is not active: ask the administrator",
    "LOGIN_DURING_RESTRICTED_DOMAIN": "the user's profile does not allow a login from this machine's address: add "
    "it to the login IP ranges",
    "LOGIN_DURING_RESTRICTED_TIME": "the user's profile does not allow a login at this hour: widen its login hours, or run at another time",
    "API_DISABLED_FOR_ORG": "the org's edition or the user's profile has no API access: ask the administrator for "
    "the permission API Enabled",
    "API_CURRENTLY_DISABLED": "the API is switched off for this user: ask the administrator for the permission API Enabled",
    "ORG_LOCKED": "the org is locked: ask its administrator",
    "TRIAL_EXPIRED": "the org's trial is over: ask its administrator",
    "INVALID_OPERATION": _NO_PASSWORDS,
    "UNSUPPORTED_API_VERSION": _NO_PASSWORDS,
}
_LATER = frozenset({"LOGIN_RATE_EXCEEDED", "SERVER_UNAVAILABLE", "temporarily_unavailable", "server_error"})
# "SOAP API Developer Guide", login(): after 3,600 log-ins an hour a user waits for one
_RATE_SECONDS = 3600.0


def locked_out(account: str, refusal: Refusal) -> ConnectorError:
    """What a refused log-in means, and what a person must do. ``refusal.text``: without secrets."""
    code, text = refusal.code or str(refusal.status), refusal.text
    reason = f"Salesforce refuses the login of account {account} ({code}{': ' + text if text else ''})"
    if code in _LATER:
        return TemporaryError(
            f"{reason}: try again later", retry_after=_RATE_SECONDS if code == "LOGIN_RATE_EXCEEDED" else None
        )
    remedy = _LOG_IN_REMEDIES.get(code) or "check the keys of the account and the policies of the app"
    return AccessError(f"{reason}: {remedy}")
