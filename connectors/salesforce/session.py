"""How is an org reached? Settings of a Salesforce account, and the org that they open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.bodies import decoded
from connectors.contract import Account
from connectors.errors import RequestError, TemporaryError
from connectors.quota import Quota
from connectors.salesforce.answers import Answers
from connectors.salesforce.client import Client, Manner
from connectors.salesforce.login import LogIn
from connectors.salesforce.soql import Select
from connectors.token import Token
from connectors.transport import Transport, api_url

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_ROWS = 2000  # of one page of a query: the most that Salesforce gives ("Query Options Header")

Source = Literal["opportunities", "orders", "tasks", "events", "campaigns"]


def _version(text: str) -> str:
    number = text.removeprefix("v")
    if not number.replace(".0", "").isdigit() or float(number) < 61:
        raise ValueError('must be a version from "61.0" on (list views need it), such as "66.0"')
    return f"{float(number):.1f}"


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "salesforce"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    api_url: Annotated[str, AfterValidator(api_url)]  # My Domain: https://acme.my.salesforce.com, or a gateway before it
    login_url: Annotated[str, AfterValidator(api_url)] | None = None  # where another host logs in
    api_version: Annotated[str, AfterValidator(_version)] = "66.0"
    client_id: str | None = None
    client_secret: SecretStr | None = None  # client credentials ...
    private_key: SecretStr | None = None  # ... or JWT bearer, with username ...
    username: str | None = None
    refresh_token: SecretStr | None = None  # ... or a refresh token ...
    password: SecretStr | None = None  # ... or the old way, with username and security_token
    security_token: SecretStr | None = None
    sandbox: bool = False  # only tells the log-in; a host with .sandbox. is one anyway
    production: bool = False  # an explicit yes: without it nothing is written to a production org
    activity: tuple[Source, ...] | None = None  # None: those that some segmentation uses
    won_stages: tuple[str, ...] = ()  # names of stages that mean a purchase; none: IsWon
    campaigns: bool = False  # a static list is a Campaign whose members we add and remove
    keep_members: bool = False  # who leaves such a list stays as a member with the status Removed
    list_view_groups: tuple[str, ...] = ()  # developer names of public groups that see our list views; none: everybody
    list_view_scope: Literal["everything", "mine"] = "everything"
    bulk_reads_above: int = Field(50_000, ge=2_000)  # rows; below it REST pages are quicker
    bulk_writes_above: int = Field(2_000, ge=200)  # records; Salesforce's own advice
    sweep_days: int = Field(7, ge=1)  # so often all ids are compared, to find what was erased
    overlap_minutes: int = Field(15, ge=10)  # a stamp is set before the commit, which may come ten minutes later
    threads: int = Field(6, ge=1, le=32)

    @model_validator(mode="after")
    def _one_log_in(self) -> Settings:
        ways = {
            "client_secret": (self.client_secret is not None and self.refresh_token is None, ("client_id",)),
            "private_key": (self.private_key is not None, ("client_id", "username")),
            "refresh_token": (self.refresh_token is not None, ("client_id",)),
            "password": (self.password is not None, ("username",)),
        }
        chosen = [name for name, (given, _) in ways.items() if given]
        if len(chosen) != 1:
            found = f"{' and '.join(chosen)} are two log-ins: keep one" if chosen else "a log-in is missing"
            raise ValueError(
                f"{found}; valid: client_id + client_secret, client_id + username + private_key, client_id + refresh_token, "
                "or username + password + security_token"
            )
        missing = [name for name in ways[chosen[0]][1] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{chosen[0]} needs {' and '.join(missing)} too")
        if ".sandbox." in (urlsplit(self.api_url).hostname or "") and not self.sandbox:
            object.__setattr__(self, "sandbox", True)
        return self

    @property
    def log_in_url(self) -> str:
        """The address under which the session is got."""
        return self.login_url or self.api_url


@dataclass(frozen=True)
class Identity:
    """What the org says of itself."""

    sandbox: bool
    kind: str
    name: str  # of the instance
    time_zone: str = ""

    @property
    def production(self) -> bool:
        """Whether people work in it."""
        return not self.sandbox and self.kind != "Developer Edition"


class Org:
    """The one way to a Salesforce account: calls, descriptions, queries, limits."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.settings: Settings = account.settings
        self.answers = Answers(account.name)
        self.quota = Quota(self._key(), {}, account.reserve)
        self.transport = Transport(self.answers, self.quota, None, threads=self.settings.threads)
        self.log_in = LogIn(account.name, self.settings, self.transport)
        self.transport.token = Token(self.log_in)
        self._descriptions: dict[str, dict[str, Any] | None] = {}

    @cached_property
    def client(self) -> Client:
        """simple-salesforce, loaded when first used."""
        return Client(self.transport, self.settings.api_url, self.settings.api_version)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        manner: Manner | None = None,
    ) -> requests.Response:
        """The answer to a call; Refused, Denied, and what the transport raises, on other than success."""
        from simple_salesforce.exceptions import SalesforceError

        how = manner or Manner(writes=False, repeatable=method != "POST")
        try:
            return self.client.send(method, path, how, params, body, headers)
        except SalesforceError as error:
            if not how.repeatable and int(error.status) >= 500:
                raise TemporaryError(f"Salesforce answers {error.status}, and nobody knows whether it did what was asked") from None
            self.answers.refuse(int(error.status), error.content)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        writes: bool = False,
        repeatable: bool | None = None,
    ) -> Any:
        """The decoded JSON of an answer (None: it has no body). A POST is not sent twice unless ``repeatable``."""
        how = Manner(writes=writes, repeatable=method != "POST" if repeatable is None else repeatable)
        return decoded(self.send(method, path, params=params, body=body, headers=headers, manner=how))

    def many(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """The function's results in the order of the items, some of them in flight at a time."""
        return self.transport.run(function, items)

    def query(self, statement: Select | str, deleted: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Rows of a statement, page by page; ``deleted``: those in the recycle bin and the archive too."""
        for rows, _ in self.pages(statement, deleted):
            yield rows

    def pages(self, statement: Select | str, deleted: bool = False) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """As ``query``, each page with the number of all rows."""
        headers = {"Sforce-Query-Options": f"batchSize={_ROWS}"}
        told = self.ask("GET", "queryAll/" if deleted else "query/", params={"q": str(statement)}, headers=headers)
        while True:
            yield told["records"], int(told.get("totalSize") or 0)
            following = told.get("nextRecordsUrl")
            if told.get("done", True) or not following:
                return
            told = self._next(following, headers)

    def _next(self, following: str, headers: Mapping[str, str]) -> Any:
        """A further page. TemporaryError: Salesforce forgot the query, which is asked anew by the next run."""
        from connectors.salesforce.refusals import Refused

        try:
            return self.ask("GET", following, headers=headers)
        except Refused as error:
            if error.refusal.code != "INVALID_QUERY_LOCATOR":
                raise
            raise TemporaryError("Salesforce forgot a query before its last page was fetched; run again to ask it anew") from error

    def total(self, statement: str, deleted: bool = False) -> int:
        """What a COUNT() statement counts."""
        return int(self.ask("GET", "queryAll/" if deleted else "query/", params={"q": statement})["totalSize"])

    def describe(self, table: str) -> dict[str, Any] | None:
        """What this user sees of an object (``fields`` by name, ``createable`` ...), read once; None: nothing."""
        if table not in self._descriptions:
            from connectors.salesforce.refusals import Refused

            try:
                told = self.ask("GET", f"sobjects/{table}/describe")
            except Refused as error:
                if error.refusal.kind not in ("gone", "permission"):
                    raise
                told = None
            self._descriptions[table] = told and {**told, "fields": {one["name"]: one for one in told["fields"]}}
        return self._descriptions[table]

    def fields(self, table: str) -> dict[str, dict[str, Any]]:
        """The fields of an object that this user sees, by name; none where the object is hidden."""
        found: dict[str, dict[str, Any]] = (self.describe(table) or {}).get("fields", {})
        return found

    def forget(self, table: str) -> None:
        """The description of an object changed."""
        self._descriptions.pop(table, None)

    def limits(self) -> dict[str, dict[str, int]]:
        """Every limit of the org by name: Max and Remaining."""
        told = self.ask("GET", "limits/")
        return told if isinstance(told, dict) else {}

    @cached_property
    def identity(self) -> Identity:
        """What kind of org it is; where this user may not see that, the settings tell a sandbox."""
        row = self._organization()
        return Identity(
            bool(row.get("IsSandbox", self.settings.sandbox)),
            str(row.get("OrganizationType") or ""),
            str(row.get("InstanceName") or ""),
            str(row.get("TimeZoneSidKey") or ""),
        )

    def _organization(self) -> dict[str, Any]:
        """The org's record of itself; fields that are hidden from this user are left out, and asked for by describe only then."""
        from connectors.salesforce.refusals import Refused

        wanted = ["IsSandbox", "InstanceName", "OrganizationType", "TimeZoneSidKey"]
        try:
            rows = next(self.query(Select(wanted, "Organization", limit=1)), [])
        except Refused as error:
            if error.refusal.kind != "permission":
                raise
            seen = [one for one in wanted if one in self.fields("Organization")]
            rows = next(self.query(Select(seen, "Organization", limit=1)), []) if seen else []
        return rows[0] if rows else {}

    @property
    def several_currencies(self) -> bool:
        """Whether the org keeps amounts in several currencies."""
        return "CurrencyIsoCode" in self.fields("Opportunity")

    def corporate_currency(self) -> str:
        """The currency that an org of several adds up in; "" in an org of one, which does not tell it."""
        if not self.several_currencies:
            return ""
        rows = next(self.query(Select(["IsoCode"], "CurrencyType", ["IsCorporate = true"])), [])
        return str(rows[0]["IsoCode"]) if rows else ""

    def may_write(self) -> None:
        """RequestError where this is a production org and nobody said yes to that."""
        if not self.settings.production and self.identity.production:
            raise RequestError(
                f"account {self.account.name} is a production org: try it in a sandbox first, then set production = true in "
                f"[accounts.{self.account.name}]"
            )

    def now(self) -> datetime:
        """The time on Salesforce's clock."""
        return self.answers.server_time()

    def close(self) -> None:
        """Let go of connections."""
        self.transport.close()

    def _key(self) -> str:
        """Whose limits they are: a key of the quota that tells nothing of the secret."""
        text = f"{self.settings.client_id or ''} {self.settings.username or ''}"
        return f"{self.settings.api_url} {hashlib.sha256(text.encode()).hexdigest()[:16]}"
