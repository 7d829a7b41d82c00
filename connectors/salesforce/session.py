"""How is an org reached? The org that the settings of an account open."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
import requests

from connectors.contract import Account
from connectors.errors import AccessError, ConnectorError, TemporaryError
from connectors.http.credentials import Token
from connectors.http.response_bodies import decoded
from connectors.rest import paging
from connectors.rest.api_errors import Kind, UnknownVersion
from connectors.rest.session import Session
from connectors.salesforce import shapes
from connectors.salesforce.api_errors import Refused
from connectors.salesforce.client import Manner, library
from connectors.salesforce.login import LogIn
from connectors.salesforce.response_policy import Answers
from connectors.salesforce.settings import Settings
from connectors.salesforce.soql import Select

_NOT_THERE = (404, 410)
_VERSIONS = "/services/data/"
_ROWS = 2000  # of one page of a query: the most that Salesforce gives ("Query Options Header")


def _zone(name: object) -> str:
    """A time zone's name; "" where it is none that we know."""
    try:
        return str(ZoneInfo(name)) if isinstance(name, str) and name else ""
    except (ValueError, OSError, KeyError):
        return ""


def _is_number(version: object) -> bool:
    return isinstance(version, str) and version.replace(".", "", 1).isdigit()


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


class Org(Session):
    """The one way to a Salesforce account: calls, descriptions, queries, limits."""

    def __init__(self, account: Account) -> None:
        self.settings = settings = cast(Settings, account.settings)
        self.answers = Answers(account.name)
        super().__init__(account, self.answers, {}, f"{settings.client_id or ''} {settings.username or ''}")
        self.log_in = LogIn(account.name, settings, self.transport, account.folder)
        self.transport.token = Token(self.log_in)
        self._descriptions: dict[str, dict[str, Any] | None] = {}
        self.notes: dict[str, None] = {}  # what a person should know, each once

    @cached_property
    def _library(self) -> Any:
        return library(self.transport, self.settings.api_url, self.settings.api_version)

    def send(
        self,
        method: str,
        path: str,
        manner: Manner,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer to a call below the version's path (or at a whole path, as Salesforce names next pages);
        Refused, Denied, and what the transport raises, on other than success.

        ``body``: bytes as they are, or anything that is JSON.
        """
        from simple_salesforce.exceptions import SalesforceError

        whole = f"https://{self._library.sf_instance}{path}"
        url = whole if path.startswith("/") else self._library.base_url + path
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        try:
            answer: requests.Response = self._library._call_salesforce(
                method, url, params=params, data=data, headers=dict(headers or {}), manner=manner
            )
        except SalesforceError as error:
            status = int(error.status)
            if not manner.get("repeatable", True) and status >= 500:
                raise TemporaryError(
                    f"Salesforce answers {status}, and it is unknown whether it did what was asked"
                ) from None
            if status in _NOT_THERE and path != _VERSIONS:
                self.check_version()
            self.answers.refuse(status, error.content)
        return answer

    def check_version(self) -> None:
        """UnknownVersion where all paths are missing because the org does not speak the configured version."""
        wanted, versions = self.settings.api_version, self.versions
        if versions and wanted not in versions:
            what = f"the org of account {self.account.name} does not know version {wanted} of the API"
            key = f'api_version = "{max(versions, key=float)}"'
            raise UnknownVersion(
                what, f"set {key} in [accounts.{self.account.name}], the newest that it supports"
            )

    @cached_property
    def versions(self) -> list[str]:
        """Versions of the API that the org speaks; none where it does not tell."""
        try:
            answer = self.ask("GET", _VERSIONS)
        except ConnectorError:
            return []
        return [str(entry["version"]) for entry in answer if _is_number(entry["version"])]

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
        """The decoded JSON of an answer (None: it has no body). A POST is not sent twice unless
        ``repeatable``.

        TemporaryError where the answer has not the shape of its endpoint's (``shapes``).
        """
        manner = Manner(writes=writes, repeatable=method != "POST" if repeatable is None else repeatable)
        response = self.send(method, path, manner, params, body, headers)
        return shapes.checked(method, path, decoded(response), body, params, response.status_code)

    def ask_for(self, path: str, absent: Container[Kind] = ("gone",)) -> Any:
        """What stands under a path; None: Salesforce refuses it as something that is not there."""
        try:
            return self.ask("GET", path)
        except Refused as error:
            if error.refusal.kind not in absent:
                raise
            return None

    def query(self, statement: Select | str, deleted: bool = False) -> Iterator[list[dict[str, Any]]]:
        """Rows of a statement, page by page; ``deleted``: those in the recycle bin and the archive too."""
        for rows, _ in self.pages(statement, deleted):
            yield rows

    def rows(self, fields: Sequence[str], table: str, *where: str) -> list[dict[str, Any]]:
        """All rows of a statement of which few are expected."""
        return [row for page in self.query(Select(fields, table, where)) for row in page]

    def pages(
        self, statement: Select | str, deleted: bool = False
    ) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """As ``query``, each page with the number of all rows."""
        headers = {"Sforce-Query-Options": f"batchSize={_ROWS}"}
        path = "queryAll/" if deleted else "query/"

        def page(link: str | None) -> Any:
            if link is not None:
                return self._next(link, headers)
            return self.ask("GET", path, params={"q": str(statement)}, headers=headers)

        for answer in paging.pages(page, lambda answer: None if answer["done"] else answer["nextRecordsUrl"]):
            if isinstance(statement, Select) and not shapes.rows(statement.fields, answer["records"]):
                raise shapes.foreign("GET", path)
            yield answer["records"], answer["totalSize"]

    def _next(self, following: str, headers: Mapping[str, str]) -> Any:
        """A further page. TemporaryError: Salesforce forgot the query, which is asked again by the next run."""
        try:
            return self.ask("GET", following, headers=headers)
        except Refused as error:
            if error.refusal.code != "INVALID_QUERY_LOCATOR":
                raise
            raise TemporaryError(
                "Salesforce forgot a query before its last page was fetched; run again to repeat it"
            ) from error

    def total(self, statement: str, patient: bool = True) -> int:
        """What a COUNT() statement counts.

        Not ``patient``: asked once, so that a statement that takes too long is Refused.
        """
        return int(self.ask("GET", "query/", params={"q": statement}, repeatable=patient)["totalSize"])

    def describe(self, table: str) -> dict[str, Any] | None:
        """What this user sees of an object (``fields`` by name, ``createable`` ...), read once; None:
        nothing.
        """
        if table not in self._descriptions:
            about = self.ask_for(f"sobjects/{table}/describe", absent=("gone", "permission"))
            if about is not None:
                about = {**about, "fields": {field["name"]: field for field in about["fields"]}}
            self._descriptions[table] = about
        return self._descriptions[table]

    def fields(self, table: str) -> dict[str, dict[str, Any]]:
        """The fields of an object that this user sees, by name; none where the object is hidden."""
        fields_by_name: dict[str, dict[str, Any]] = (self.describe(table) or {}).get("fields", {})
        return fields_by_name

    def forget(self, table: str) -> None:
        """The description of an object changed."""
        self._descriptions.pop(table, None)

    def record_counts(self, tables: Sequence[str]) -> dict[str, int]:
        """How many records the org itself counts, whoever looks (deleted and archived ones are not); an
        object without any is left out.
        """
        answer = self.ask("GET", "limits/recordCount", params={"sObjects": ",".join(tables)})
        return {entry["name"]: entry["count"] for entry in answer["sObjects"]}

    def page_of(self, list_id: Sequence[str]) -> str:
        """The page of a campaign or a list view in Lightning; "" of anything else. ``list_id``: the parts of its id."""
        kind, *rest = list_id
        if not all(re.fullmatch(r"\w+", part, re.ASCII) for part in rest):
            return ""
        page = {
            "campaign": "lightning/r/Campaign/{}/view",
            "view": "lightning/o/{}/list?filterName={}",
        }.get(kind, "")
        known = page and len(rest) >= page.count("{}")
        return f"https://{self._library.sf_instance}/{page.format(*rest)}" if known else ""

    def note(self, text: str) -> None:
        """Something that a person should know, told once."""
        self.notes[text] = None

    @cached_property
    def identity(self) -> Identity:
        """What kind of org it is; where this user may not see that, the settings tell a sandbox."""
        row = self._organization()
        return Identity(
            bool(row.get("IsSandbox", self.settings.sandbox)),
            str(row.get("OrganizationType") or ""),
            str(row.get("InstanceName") or ""),
            _zone(row.get("TimeZoneSidKey")),
        )

    def _organization(self) -> dict[str, Any]:
        """The org's record of itself; fields that are hidden from this user are left out, and asked for by
        describe only then.
        """
        wanted = ["IsSandbox", "InstanceName", "OrganizationType", "TimeZoneSidKey"]
        try:
            rows = next(self.query(Select(wanted, "Organization", limit=1)), [])
        except Refused as error:
            if error.refusal.kind != "permission":
                raise
            seen = [field for field in wanted if field in self.fields("Organization")]
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
        rows = self.rows(["IsoCode"], "CurrencyType", "IsCorporate = true")
        return str(rows[0]["IsoCode"]) if rows else ""

    def may_write(self) -> None:
        """AccessError where this is a production org and nobody said yes to that."""
        if not self.settings.production and self.identity.production:
            raise AccessError(
                f"account {self.account.name} is a production org: try it in a sandbox first, then set production = true in "
                f"[accounts.{self.account.name}]"
            )

    def now(self) -> datetime:
        """The time on Salesforce's clock."""
        return self.answers.server_time()
