"""How is a Tryton server asked? JSON-RPC with a session: log in with name and password, then sign each call with it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import orjson
import requests

from connectors.contract import Account
from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.http.credentials import Token, header
from connectors.http.response_bodies import decoded
from connectors.http.transport import Call
from connectors.rest.api_errors import Kind, shown
from connectors.search_read import server
from connectors.search_read.server import Domain, Refused, Row, refuse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL = {"active_test": False}  # archived records are found, too
_PATHS = ("/rpc/", "/")  # of 8.x, and of 7.0 and before


class Tryton(server.Server):
    """One database of a Tryton server."""

    crm = "Tryton"
    stamps = (
        "write_date",
        "create_date",
    )  # before its first edit, a record of an older version has the second alone
    many_values = True
    fields_get = (None,)

    def __init__(self, account: Account) -> None:
        settings = account.settings
        self.base = f"{settings.api_url}/{settings.database}"
        owner = f"{settings.user} {settings.password.get_secret_value()}"
        super().__init__(account, owner, header("Authorization", "Session "), renewable=True)
        self.transport.token = Token(self._log_in)
        self._path = ""  # which of _PATHS the server knows, once it is known
        self._company: dict[str, Any] | None = None
        self._guard = threading.Lock()

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
        company = {} if model in ("res.user", "company.company") else {"company": self.company().get("id")}
        parameters = [*arguments, {"language": "en", **company, **_ALL, **(context or {})}]
        return self._ask(f"model.{model}.{method}", parameters, writes, happened)

    def _ask(
        self,
        method: str,
        parameters: Sequence[Any],
        writes: bool = False,
        happened: Callable[[], bool] | None = None,
    ) -> Any:
        path = self._path or self._probed()
        body = orjson.dumps({"id": 1, "method": method, "params": parameters}, default=_encoded)
        again = not writes or happened is not None
        call = Call(
            "POST",
            self.base + path,
            headers=_JSON,
            body=body,
            writes=writes,
            repeatable=again,
            happened=happened,
        )
        return self._answer(method, self.transport.send(call))

    def _answer(self, method: str, response: requests.Response) -> Any:
        answer = decoded(response)
        if (
            response.status_code != 200
            or not isinstance(answer, dict)
            or not {"result", "error"} & answer.keys()
        ):
            raise TemporaryError(
                f"{method}: Tryton's answer ({response.status_code}) is not as expected and was not used. Try again later."
            )
        if "error" in answer:
            self._refuse(answer["error"])
        return answer["result"]

    def _refuse(self, error: Any) -> NoReturn:
        name, words = [*error, "", ""][:2]
        text = str(words[0] if isinstance(words, list) and words else words or name)
        kind: Kind = (
            "permission" if "AccessError" in str(name) or "not allowed to" in text.lower() else "data"
        )
        refuse("Tryton", kind, text, self.account.name)

    def _probed(self) -> str:
        """The path that this version of the server has. RequestError: none."""
        with self._guard:
            for path in _PATHS if not self._path else ():
                body = orjson.dumps({"id": 0, "method": "common.server.version", "params": []})
                call = Call("POST", self.base + path, headers=_JSON, body=body, anonymous=True)
                response = self.transport.send(call)
                if response.status_code not in (404, 405):
                    self._path = path
                    break
        if not self._path:
            raise RequestError(
                f"{self.account.settings.api_url} has no Tryton database {self.account.settings.database}: check api_url and "
                f"database of account {self.account.name}"
            )
        return self._path

    def _log_in(self) -> tuple[str, float | None]:
        settings = self.account.settings
        parameters = [settings.user, {"password": settings.password.get_secret_value()}, "en"]
        body = orjson.dumps({"id": 0, "method": "common.db.login", "params": parameters})
        call = Call("POST", self.base + self._probed(), headers=_JSON, body=body, anonymous=True)
        response = self.transport.send(call)
        answer = decoded(response) if response.status_code == 200 else None
        session = answer.get("result") if isinstance(answer, dict) else None
        if not session:
            said = shown(str(answer.get("error"))) if isinstance(answer, dict) else str(response.status_code)
            raise AccessError(
                f"Tryton refuses the log-in of user {settings.user} ({said}): check user and password of account "
                f"{self.account.name}, and that the server was started with this database"
            )
        signature = f"{settings.user}:{session[0]}:{session[1]}"
        return base64.b64encode(signature.encode()).decode(), None

    # What the contract of search_read needs

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        limit: int | None = None,
        order: str = "id ASC",
    ) -> list[Row]:
        rows = self.call(model, "search_read", domain, 0, limit, [order.split()], list(fields))
        return self.checked(model, rows)

    def ids(self, model: str, domain: Domain) -> list[int]:
        return list(self.call(model, "search", domain, 0, None, [["id", "ASC"]]))

    def count(self, model: str, domain: Domain) -> int:
        return int(self.call(model, "search_count", domain, 0, None))

    def write(
        self,
        model: str,
        groups: Sequence[tuple[list[int], Mapping[str, Any]]],
        happened: Callable[[], bool] | None = None,
    ) -> None:
        arguments = [argument for ids, values in groups for argument in (ids, values)]
        self.call(model, "write", *arguments, writes=True, happened=happened)

    def delete(self, model: str, ids: Sequence[int]) -> None:
        """Delete records for good."""
        self.call(model, "delete", list(ids), writes=True)

    def any_of(self, clauses: Sequence[Any]) -> Domain:
        return [["OR", *clauses]]

    def moment(self, microseconds: int) -> Any:
        return _encoded(_EPOCH + timedelta(microseconds=microseconds))

    def microseconds(self, value: Any) -> int:
        text = plain(value)
        moment = datetime.fromisoformat(text) if text else _EPOCH
        return (moment - _EPOCH) // timedelta(microseconds=1)

    def reference(self, value: Any) -> int:
        return int(value or 0)

    # The company

    def company(self) -> dict[str, Any]:
        """The company whose sales are read: its id, party, currency and time zone; empty where there is none."""
        if self._company is None:
            self._company = self._found_company()
        return self._company

    def _found_company(self) -> dict[str, Any]:
        wanted = self.account.settings.company
        if not wanted:
            preferences = self._ask("model.res.user.get_preferences", [True, {}])
            domain: Domain = [["id", "=", preferences.get("company") or 0]]
        else:
            domain = [["id", "=", int(wanted)]] if wanted.isdigit() else [["party.name", "=", wanted]]
        try:
            rows = self.search_read("company.company", domain, ["party", "currency.code", "timezone"], 1)
        except Refused:  # a database without the module company
            rows = []
        if wanted and not rows:
            raise RequestError(
                f"Tryton has no company {wanted}, or hides it: check company of account {self.account.name}"
            )
        return rows[0] if rows else {}


_JSON = {"Content-Type": "application/json"}


def _encoded(value: Any) -> dict[str, Any]:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(value, name) for name in names}}


def plain(value: Any) -> str:
    """A value as text: times in ISO 8601 of UTC; "" for nothing."""
    if isinstance(value, dict):
        match value.get("__class__"):
            case "Decimal":
                return str(value.get("decimal"))
            case "date":
                return f"{value['year']:04}-{value['month']:02}-{value['day']:02}"
            case "datetime":
                numbers = [
                    int(value[name])
                    for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")
                ]
                return datetime(*numbers, tzinfo=UTC).isoformat()  # type: ignore[arg-type, misc]
        return ""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
