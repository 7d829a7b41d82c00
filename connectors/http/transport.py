"""How does anything reach a CRM over HTTP? The one way out: session, time-outs, retry, rate and quota,
redaction.

What an answer means is the CRM's to say (``ResponsePolicy``); how often, when and with which token a call goes out
is decided here, for all of them. No error and no log line holds a query, a body or a token.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from connectors.contract import Calls
from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.http import response_bodies
from connectors.http.credentials import AuthScheme, Token, bearer
from connectors.http.rate_limit import LONGEST_WAIT, RateLimit

Item = TypeVar("Item")
Result = TypeVar("Result")

_RENEWALS = 3  # tokens in a row that may be rejected: somebody else may end the session that all share
_AHEAD = 4  # results per thread that may wait for their reader
# A server that never answered in this process may have a wrong address: that is told soon.
_SECONDS_TO_REACH = 3.0  # to connect, and until the last try to
_answered: set[str] = set()  # host and port of every server that did
# it writes whole addresses: their queries may name people
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@dataclass(frozen=True, repr=False)
class Call:
    """One request, as often as it must be sent."""

    method: str
    url: str  # absolute
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    writes: bool = False  # counted as a write
    repeatable: bool = True  # may be sent again when nobody knows whether it arrived
    # finds that out, so that it is sent again only where it did not
    happened: Callable[[], bool] | None = None
    lane: str = ""  # a narrower budget of calls, besides the common one
    # seconds: to connect; of silence, and (unless streamed) of the body
    timeout: tuple[float, float] = (5, 60)
    stream: bool = False  # the body of a good answer is left to ``response_bodies.chunks``
    anonymous: bool = False  # goes without the token: a log-in
    units: int = 1  # what the call costs of the burst limit

    def __repr__(self) -> str:
        return f"Call({_shown(self)})"


@dataclass(frozen=True)
class Verdict:
    """What to do about an answer.

    ``again``: after ``wait`` seconds, or those of the exponential back-off; ``everybody``: all threads and
    processes of the account pause, in the ``lane``. ``renew``: with another token, a few times.
    """

    action: Literal["answer", "again", "renew"]
    wait: float | None = None
    everybody: bool = False
    lane: str = ""


class ResponsePolicy(Protocol):
    """How one CRM's answers are read."""

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        """What to do about an answer, whose body is whole; attempts count from 1. May raise a ConnectorError."""

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        """Tell the quota what an answer says of limits and of what is left; before ``judge``, and of every
        answer.
        """


class Transport:
    """The connections to one account, for many threads.

    ``attempts`` is how often a call is sent at most, ``backoff`` the upper end of the first random wait in
    seconds; it doubles up to 30. ``scheme`` signs each call with the token, which may be set later, when its
    log-in goes through this same transport. ``addresses``: address → the key of the config that holds it.
    """

    def __init__(
        self,
        policy: ResponsePolicy,
        quota: RateLimit,
        token: Token | None = None,
        *,
        scheme: AuthScheme = bearer,
        threads: int = 8,
        attempts: int = 8,
        backoff: float = 1.0,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self.policy = policy
        self.rate_limit = quota
        self.token = token
        self._scheme = scheme
        self._addresses = {urlsplit(url).netloc: key for url, key in (addresses or {}).items()}
        self.threads = threads
        self.calls = Calls()
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=threads * 2, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._date = ""  # of the last answer
        self._routes: dict[str, Any] = {}
        self._guard = threading.Lock()
        self._rejected: set[str] = set()  # tokens that the CRM rejected since it last took one
        self._closed = threading.Event()
        self._own = threading.local()
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts) | _NeverReached(),
            wait=_Wait(tenacity.wait_random_exponential(multiplier=backoff, max=30)),
            retry=tenacity.retry_if_exception_type(_Again),
            sleep=self._sleep,
            reraise=True,
        )

    def send(self, call: Call) -> requests.Response:
        """The answer to a call, whatever its status, once the policy takes it for one.

        TookPlace: its answer was lost, and ``call.happened`` saw its effect. TemporaryError: none after all
        attempts, or the CRM wants a pause of over a minute. QuotaError, AccessError, and what the policy
        raises.
        """
        renewed, unknown = 0, False
        try:
            for attempt in self._retrying:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    if unknown and call.happened is not None and call.happened():
                        raise TookPlace(_shown(call))
                    unknown = True
                    response, signed = self._once(call)
                    unknown = not 300 <= response.status_code < 500
                    verdict = self.policy.judge(call, response, number)
                    if verdict.action == "renew" and self.token is not None and not call.anonymous:
                        with self._guard:
                            self._rejected.add(signed)
                            hopeless = len(self._rejected) >= _RENEWALS
                        if hopeless or renewed >= _RENEWALS:
                            raise AccessError(
                                f"{_shown(call)}: the CRM rejects the token that it has just issued; check the app's permissions."
                            )
                        renewed += 1
                        self.token.renew(signed)
                        raise _Again(call, f"HTTP {response.status_code}", 0.0 if renewed == 1 else None)
                    if signed:
                        self._rejected.clear()
                    if verdict.action == "again":
                        self._refused(call, response, verdict, number)
                    return response
        except _Again as last:
            if last.unreached and not _known(call):
                raise TemporaryError(self._unreachable(call, last.reason, number)) from None
            reason = f"{_shown(call)}: {last.reason}, {number} times. Try again later."
            raise TemporaryError(reason, retry_after=last.wait) from None
        raise AssertionError("a call ends in an answer or an error")

    def run(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results of the function over the items, in order, ``threads`` at a time and a few ahead of who
        reads them.

        The first error stops the others, also those that wait for their turn, and is raised.
        """
        stop = threading.Event()
        pool = ThreadPoolExecutor(self.threads, "call", initializer=lambda: setattr(self._own, "stop", stop))
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= self.threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def server_time(self) -> datetime | None:
        """What the server's clock said in its last answer; None where there is none, or no sound one."""
        try:
            moment = parsedate_to_datetime(self._date)
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def close(self) -> None:
        """Let go of all connections; who still waits for a turn is sent home."""
        self._closed.set()
        self._session.close()
        self.rate_limit.close()

    def _once(self, call: Call) -> tuple[requests.Response, str]:
        """One sending: the answer with its whole body, and the token that it went out with."""
        slot = self.rate_limit.take(call.lane, self._sleep, call.units)
        signed = "" if call.anonymous or self.token is None else self.token.value()
        prepared = _prepared(call, signed, self._scheme)
        with self._guard:
            if call.writes:
                self.calls.write += 1
            else:
                self.calls.read += 1
        try:
            connect = call.timeout[0] if _known(call) else min(call.timeout[0], _SECONDS_TO_REACH)
            timeout = (connect, call.timeout[1])
            response = self._session.send(
                prepared, timeout=timeout, stream=True, allow_redirects=False, **self._route(call.url)
            )
            _answered.add(urlsplit(call.url).netloc)
            self.rate_limit.answered(slot)
            self._date = response.headers.get("Date") or self._date
            if not call.stream or response.status_code >= 400:
                response_bodies.read(response, call.timeout[1])
            self.policy.learn(call, response, self.rate_limit)
        except response_bodies.CutError as error:
            raise _unknown(call, str(error).partition(";")[0]) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _failed(call, error) from None
        return response, signed

    def _route(self, url: str) -> Any:
        """Proxy and certificates for an address, as the environment says; never a proxy for this machine
        itself.
        """
        host = url.partition("?")[0].split("/", 3)[2]
        route = self._routes.get(host)
        if route is None:
            environment = self._session.merge_environment_settings(url, {}, True, None, None)
            direct = _is_loopback(urlsplit(url).hostname or "")
            route = {
                "proxies": {} if direct else environment["proxies"],
                "verify": environment["verify"],
                "cert": environment["cert"],
            }
            self._routes[host] = route
        return route

    def _unreachable(self, call: Call, reason: str, tries: int) -> str:
        """What a person should look at where a server never answered."""
        address = urlsplit(call.url).netloc
        return (
            f"{address}: {reason} ({tries} {'try' if tries == 1 else 'tries'}). Check {self._addresses.get(address, 'api_url')} in the "
            "config and the network of this machine."
        )

    def _refused(self, call: Call, response: requests.Response, verdict: Verdict, attempt: int) -> None:
        reason = f"HTTP {response.status_code}"
        if verdict.wait is not None and verdict.wait > LONGEST_WAIT:
            raise TemporaryError(
                f"{_shown(call)}: {reason}, and the CRM asks to wait {verdict.wait:.0f} s. Run again after that.",
                retry_after=verdict.wait,
            )
        if verdict.everybody:
            self.rate_limit.pause(
                min(10.0, 2.0 ** (attempt - 1)) if verdict.wait is None else verdict.wait, verdict.lane
            )
        raise _Again(call, reason, verdict.wait)

    def _sleep(self, seconds: float) -> None:
        """Sleep, unless the transport is closed or the run that this thread belongs to is over."""
        stop: threading.Event = getattr(self._own, "stop", self._closed)
        if stop.wait(max(seconds, 0.0)) or self._closed.is_set():
            raise TemporaryError("The call was given up because another one failed.")


class TookPlace(Exception):
    """The call had its effect, though its answer was lost."""


class _Again(Exception):
    """The call is to be sent once more."""

    def __init__(self, call: Call, reason: str, wait: float | None = None, unreached: bool = False) -> None:
        super().__init__(_shown(call), reason)
        self.call = call
        self.reason = reason
        self.wait = wait
        self.unreached = unreached  # no connection came about


def _known(call: Call) -> bool:
    """Whether its server answered in this process before."""
    return urlsplit(call.url).netloc in _answered


class _NeverReached(tenacity.stop.stop_base):
    """Whether it is time to say that a server cannot be reached: who answered before is given longer."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if not isinstance(error, _Again) or not error.unreached or _known(error.call):
            return False
        return (retry_state.seconds_since_start or 0.0) + retry_state.upcoming_sleep >= _SECONDS_TO_REACH


class _Wait(tenacity.wait.wait_base):
    """As long as the CRM asked for, else back-off with full jitter."""

    def __init__(self, backoff: tenacity.wait.wait_base) -> None:
        self._backoff = backoff

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.wait if isinstance(error, _Again) else None
        return asked if asked is not None else self._backoff(retry_state)


def api_url(text: str) -> str:
    """The address under which an account's calls begin, without a slash at its end.

    ValueError: it is none, and why.
    """
    try:
        parts = urlsplit(text.strip())
        is_address = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("api_url is not an address: write it like https://api.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "api_url contains a user name or password: remove it; credentials have their own settings"
        )
    if parts.query or parts.fragment:
        raise ValueError("api_url has a ? or #: keep only what is before it")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(
            "api_url is plain http, so anybody on the network could read the token: use https (http only to this machine)"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _prepared(call: Call, token: str, scheme: AuthScheme) -> requests.PreparedRequest:
    """The request as it is sent.

    Prepared without the session: no cookies, and no ~/.netrc in place of the token.
    """
    headers = {
        "Accept-Encoding": "gzip",
        "Accept": "application/json",
        "User-Agent": "crm-segments",
        **call.headers,
    }
    prepared = requests.PreparedRequest()
    try:
        request = requests.Request(call.method, call.url, headers, data=call.body, params=list(call.params))
        if token:
            scheme(request, token)
        prepared.prepare(
            request.method, request.url, request.headers, data=request.data, params=request.params
        )
    except (requests.RequestException, ValueError):
        raise RequestError(
            f"{_shown(call)}: this cannot be sent; a header or the address has characters that are not allowed."
        ) from None
    return prepared


def _failed(call: Call, error: Exception) -> Exception:
    """What an error on the way means: sent again where that is safe."""
    if _caused_by(error, ssl.SSLCertVerificationError):
        return RequestError(
            f"{_shown(call)}: the certificate is not trusted; set REQUESTS_CA_BUNDLE to the certificate file of your proxy."
        )
    if isinstance(error, requests.ConnectTimeout) or _caused_by(error, urllib3.exceptions.NewConnectionError):
        return _Again(call, _unreached(error), unreached=True)  # it never left
    late = isinstance(error, requests.Timeout) or _caused_by(error, urllib3.exceptions.ReadTimeoutError)
    return _unknown(call, f"no answer within {call.timeout[1]:g} s" if late else "the connection was cut")


def _unreached(error: Exception) -> str:
    """Why no connection came about."""
    if _caused_by(error, socket.gaierror):
        return "no connection, this name is not known"
    return "no connection, it is refused" if _caused_by(error, ConnectionRefusedError) else "no connection"


def _unknown(call: Call, reason: str) -> Exception:
    """Nobody knows whether the call arrived."""
    if call.repeatable or call.happened is not None:
        return _Again(call, reason)
    return TemporaryError(
        f"{_shown(call)}: {reason}, and it is unknown whether the call took effect. Check there before you send it again."
    )


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error wraps one of a kind, as requests and urllib3 wrap them."""
    seen: set[int] = set()
    open_: list[Any] = [error]
    while open_:
        cause = open_.pop()
        if isinstance(cause, kind):
            return True
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            open_ += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return False


def _shown(call: Call) -> str:
    """A call as messages name it: without its query, and without parts of the path that may name a person or
    a secret.
    """
    parts = urlsplit(call.url)
    path = "/".join(
        "…" if len(step) > 40 or re.search("@|%40", step) else step for step in parts.path.split("/")
    )
    return f"{call.method} {parts.hostname or ''}{path}"
