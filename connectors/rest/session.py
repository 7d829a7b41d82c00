"""How is an account behind an API reached? By one transport, with the limits that all who use the account share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from connectors.contract import Account
from connectors.http.credentials import AuthScheme, bearer
from connectors.http.rate_limit import Rate, RateLimit
from connectors.http.transport import ResponsePolicy, Transport

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Session:
    """The one way to an account. A CRM adds its calls.

    ``policy`` reads its answers, ``rates`` are known before it tells any; ``owner`` tells whose limits they are,
    and may hold a secret.
    """

    def __init__(
        self,
        account: Account,
        policy: ResponsePolicy,
        rates: Mapping[str, Rate],
        owner: str,
        scheme: AuthScheme = bearer,
    ) -> None:
        self.account = account
        key = f"{account.settings.api_url} {hashlib.sha256(owner.encode()).hexdigest()[:16]}"
        self.rate_limit = RateLimit(key, rates, account.quota_reserve)
        urls = {key: getattr(account.settings, key, None) for key in ("login_url", "api_url")}
        addresses = {url: key for key, url in urls.items() if url}
        self.transport = Transport(
            policy, self.rate_limit, scheme=scheme, threads=account.settings.threads, addresses=addresses
        )

    def many(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """The function's results in the order of the items, some of them in flight at a time."""
        return self.transport.run(function, items)

    def close(self) -> None:
        """Let go of connections."""
        self.transport.close()
