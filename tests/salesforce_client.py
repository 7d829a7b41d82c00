"""simple-salesforce, a client that we did not write, taken to the local stand-in; and what its tests share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from simple_salesforce.api import Salesforce

from tests.servers.salesforce import Org, Server, seed, serving


class Redirected(requests.Session):
    """The client speaks https to some host; this session takes it to the local server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def request(self, method: Any, url: Any, *args: Any, **settings: Any) -> requests.Response:
        parts = urlsplit(str(url))
        settings.setdefault("timeout", 20)
        return super().request(
            method, self.url + parts.path + (f"?{parts.query}" if parts.query else ""), *args, **settings
        )


@contextmanager
def small_org() -> Iterator[Server]:
    """A server of a thousand contacts, which must not fail itself."""
    org = Org(7, person_accounts=True)
    seed(org, 1000, campaigns=2)
    with serving(org) as server:
        yield server
    assert org.errors == []


def client(server: Server, **settings: Any) -> Any:
    """The client, logged in by client credentials unless said otherwise.

    Untyped: its records are made up as they are asked for.
    """
    login = server.org.login
    credentials = {
        "consumer_key": login.client_id,
        "consumer_secret": login.client_secret,
        "domain": "acme.my",
    }
    return Salesforce(**(settings or credentials), version="64.0", session=Redirected(server.url))


def asked(server: Server, method: str, path: str, **settings: Any) -> requests.Response:
    """An answer to a plain request of the connector's user."""
    key = server.org.login.issue(server.org.user, "test")
    url = path if path.startswith("http") else f"{server.url}/services/data/v66.0/{path}"
    headers = {"Authorization": f"Bearer {key}", **settings.pop("headers", {})}
    return requests.request(method, url, headers=headers, timeout=20, **settings)


def refused(error: Any) -> tuple[int, str]:
    """Status and code of an exception of the client."""
    return error.value.status, error.value.content[0]["errorCode"]


def ended(poll: Callable[[], Any]) -> dict[str, Any]:
    """A job as its last poll tells it."""
    until = time.monotonic() + 20
    while (job := poll())["state"] not in ("JobComplete", "Failed", "Aborted") and time.monotonic() < until:
        time.sleep(0.02)
    return dict(job)
