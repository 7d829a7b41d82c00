"""How is an Odoo asked? By JSON-2 (from Odoo 19), or by JSON-RPC (up to 18, gone in 22).

JSON-2 was written to its documentation, and no server has answered it yet: unverified.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import quote

import orjson
import requests

from connectors.contract import Account
from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.http.credentials import Token
from connectors.http.response_bodies import decoded
from connectors.http.transport import Call
from connectors.rest.api_errors import Kind
from connectors.search_read import server
from connectors.search_read.server import Domain, Row, refuse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = "%Y-%m-%d %H:%M:%S"
_ALL = {"active_test": False, "lang": "en_US"}  # archived records are found, too
_JSON = {"Content-Type": "application/json"}
# arguments of a method in their order, as JSON-2 names them
_NAMES = {
    "search_read": ("domain", "fields", "offset", "limit", "order"),
    "search": ("domain",),
    "search_count": ("domain",),
    "fields_get": ("allfields", "attributes"),
    "create": ("vals_list",),
    "write": ("ids", "vals"),
    "unlink": ("ids",),
}
_KINDS: Mapping[str, Kind] = {"AccessError": "permission", "MissingError": "gone"}
_PASSING = ("SerializationFailure", "OperationalError", "LockNotAvailable", "DeadlockDetected")
_ATTRIBUTES = ("string", "type", "selection", "store", "relation")


class Odoo(server.Server):
    """One database of an Odoo server."""

    crm = "Odoo"
    nothing = False
    fields_get = (None, _ATTRIBUTES)

    def __init__(self, account: Account) -> None:
        settings = account.settings
        self._key = settings.api_key.get_secret_value()
        super().__init__(account, f"{settings.user} {self._key}")
        self._guard = threading.Lock()
        self._json2: bool | None = None if settings.api == "auto" else settings.api == "json2"
        self._user = 0
        self._company: int | None = None

    # Calls

    def call(
        self,
        model: str,
        method: str,
        *arguments: Any,
        writes: bool = False,
        happened: Callable[[], bool] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Any:
        company = (
            {"allowed_company_ids": [self.company()]} if model != "res.company" and self.company() else {}
        )
        shown = {**_ALL, **company, **(context or {})}
        options: Any = {"writes": writes, "happened": happened}
        if self._speaks_json2():
            names = dict(zip(_NAMES[method], arguments, strict=False))
            return self._ask(f"/json/2/{quote(model)}/{method}", {**names, "context": shown}, **options)
        parameters = [self.account.settings.database, self._logged_in(), self._key, model, method, arguments]
        return self._service("object", "execute_kw", [*parameters, {"context": shown}], **options)

    def _service(self, name: str, method: str, arguments: Sequence[Any], **options: Any) -> Any:
        parameters = {"service": name, "method": method, "args": list(arguments)}
        body = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": parameters}
        answer = self._ask("/jsonrpc", body, **options)
        if not isinstance(answer, dict) or not {"result", "error"} & answer.keys():
            raise TemporaryError(
                f"Odoo's answer to {method} is not as expected and was not used. Try again later."
            )
        if "error" in answer:
            data = answer["error"].get("data") or {}
            self._refuse(
                str(data.get("name") or ""), str(data.get("message") or answer["error"].get("message"))
            )
        return answer["result"]

    def _ask(
        self, path: str, body: Any, writes: bool = False, happened: Callable[[], bool] | None = None
    ) -> Any:
        repeatable = not writes or happened is not None
        headers, anonymous = dict(_JSON), not path.startswith("/json/2/")
        if not anonymous:
            headers["X-Odoo-Database"] = self.account.settings.database
            self.transport.token = self.transport.token or Token.fixed(self._key)
        call = Call(
            *("POST", self.account.settings.api_url + path),
            headers=headers,
            body=orjson.dumps(body),
            writes=writes,
            repeatable=repeatable,
            happened=happened,
            anonymous=anonymous,
        )
        response = self.transport.send(call)
        if response.status_code != 200:
            self._refuse_status(response)
        return decoded(response)

    def _refuse_status(self, response: requests.Response) -> NoReturn:
        answer = decoded(response)
        about = answer if isinstance(answer, dict) else {}
        if response.status_code == 401:
            raise self._no_log_in()
        self._refuse(
            str(about.get("name") or ""), str(about.get("message") or f"HTTP {response.status_code}")
        )

    def _refuse(self, name: str, words: str) -> NoReturn:
        error = name.rpartition(".")[2]
        if error in _PASSING:
            raise TemporaryError(f"Odoo is at work on the same records ({error}). Try again later.")
        if error == "AccessDenied":
            raise self._no_log_in()
        refuse("Odoo", _KINDS.get(error, "data"), words, self.account.name)

    def _no_log_in(self) -> AccessError:
        return AccessError(
            f"Odoo refuses the log-in of user {self.account.settings.user}: check user, api_key and database of account "
            f"{self.account.name}"
        )

    def _speaks_json2(self) -> bool:
        """Whether the server has JSON-2: its version tells, and where nobody tells it is an older one."""
        with self._guard:
            if self._json2 is None:
                version = self._service("common", "version", []).get("server_version_info") or [0]
                self._json2 = isinstance(version[0], int) and version[0] >= 19
        return self._json2

    def _logged_in(self) -> int:
        with self._guard:
            if not self._user:
                settings = self.account.settings
                arguments = [settings.database, settings.user, self._key, {}]
                self._user = int(self._service("common", "authenticate", arguments) or 0)
        if not self._user:
            raise self._no_log_in()
        return self._user

    def company(self) -> int:
        """The id of the one company that is read and written; 0: all that the user may see."""
        wanted = self.account.settings.company
        if self._company is None:
            self._company = int(wanted) if wanted.isdigit() else 0
            if wanted and not self._company:
                rows = self.search_read("res.company", [["name", "=", wanted]], ["name"], 1)
                if not rows:
                    self._company = None
                    raise RequestError(
                        f"Odoo has no company {wanted}, or hides it: check company of account {self.account.name}"
                    )
                self._company = rows[0]["id"]
        return self._company

    # What the contract of search_read needs

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        limit: int | None = None,
        order: str = "id ASC",
    ) -> list[Row]:
        rows = self.call(model, "search_read", domain, list(fields), 0, limit, order)
        return self.checked(model, rows)

    def ids(self, model: str, domain: Domain) -> list[int]:
        return list(self.call(model, "search", domain))

    def count(self, model: str, domain: Domain) -> int:
        return int(self.call(model, "search_count", domain))

    def write(
        self,
        model: str,
        groups: Sequence[tuple[list[int], Mapping[str, Any]]],
        happened: Callable[[], bool] | None = None,
    ) -> None:
        for ids, values in groups:
            self.call(model, "write", ids, values, writes=True, happened=happened)

    def any_of(self, clauses: Sequence[Any]) -> Domain:
        return [*["|"] * (len(clauses) - 1), *clauses]

    def moment(self, microseconds: int) -> str:
        return (_EPOCH + timedelta(seconds=microseconds // 1_000_000)).strftime(_FORMAT)

    def microseconds(self, value: Any) -> int:
        moment = datetime.strptime(str(value)[:19], _FORMAT).replace(tzinfo=UTC) if value else _EPOCH
        return (moment - _EPOCH) // timedelta(microseconds=1)

    def reference(self, value: Any) -> int:
        return int(value[0]) if value else 0


def named(value: Any) -> str:
    """What people read of a many2one; "" for none."""
    return str(value[1]) if isinstance(value, list) and len(value) == 2 else ""
