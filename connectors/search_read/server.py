"""What can be asked of a CRM whose API is models with ``search_read`` and ``write``?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import requests

from connectors.contract import Account
from connectors.errors import TemporaryError
from connectors.http.credentials import AuthScheme, bearer
from connectors.http.rate_limit import Rate, RateLimit
from connectors.http.response_bodies import is_json
from connectors.http.transport import Call, Verdict
from connectors.rest import api_errors
from connectors.rest.api_errors import Kind
from connectors.rest.session import Session

Row = dict[str, Any]  # a record, with its ``id``
Domain = list[Any]  # clauses that all hold
_ELSEWHERE = frozenset({408, 429, 500, 502, 503, 504})  # troubles that pass


@dataclass(frozen=True)
class Refusal:
    """What the CRM said: what it means for a record, and why."""

    kind: Kind
    reason: str


class Refused(api_errors.Refused[Refusal]):
    """The CRM refused a call, and would refuse it again."""


class Denied(api_errors.Denied[Refusal]):
    """A right is missing."""


def refuse(crm: str, kind: Kind, words: str, account: str) -> NoReturn:
    """Raise what a refusal means: that a right is missing, or that the call is wrong."""
    text = api_errors.shown(words)
    refusal = Refusal(kind, f"{crm} says: {text}")
    if kind == "permission":
        raise Denied(
            f"{crm} denies this to the user of account {account} ({text}): give the user the right", refusal
        )
    raise Refused(f"{crm} refuses: {text}", refusal)


class Answers:
    """Judges answers by their status; what stands in an answer is read by its caller."""

    def __init__(self, renewable: bool) -> None:
        self._renewable = renewable

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        status = response.status_code
        if status == 401 and self._renewable and not call.anonymous:
            return Verdict("renew")
        if status in _ELSEWHERE and not (status == 500 and is_json(response)):
            return Verdict("again", everybody=status == 429)
        return Verdict("answer" if status != 200 or is_json(response) else "again")

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        """Nothing: these servers tell no limits."""


class Server(Session):
    """One database of such a CRM."""

    crm: str  # its name, for messages
    page_size = 1000  # records of a page
    stamps: tuple[str, ...] = (
        "write_date",
    )  # fields of which the first that is filled tells the last change
    nothing: Any = None  # how an empty value stands in a domain
    fields_get: tuple[Any, ...] = ()  # arguments of that method
    many_values = False  # may one call write different values to different records?

    def __init__(
        self, account: Account, owner: str, scheme: AuthScheme = bearer, renewable: bool = False
    ) -> None:
        threads = account.settings.threads
        super().__init__(account, Answers(renewable), {"": Rate(threads, 0.0, held=60.0)}, owner, scheme)
        self._definitions: dict[str, dict[str, dict[str, Any]]] = {}

    @abstractmethod
    def call(self, model: str, method: str, *arguments: Any, **options: Any) -> Any:
        """What a method of a model answers, with the context that the account needs.

        ``options``: ``writes`` and ``happened`` (see ``Call``), ``context`` (beside the account's).
        """

    @abstractmethod
    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        limit: int | None = None,
        order: str = "id ASC",
    ) -> list[Row]:
        """Records, also archived ones."""

    def checked(self, model: str, rows: Any) -> list[Row]:
        """The answer to ``search_read``. TemporaryError: it is no list of records."""
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise TemporaryError(
                f"{model}: {self.crm}'s answer is no list of records and was not used. Try again later."
            )
        return rows

    @abstractmethod
    def ids(self, model: str, domain: Domain) -> list[int]:
        """Ids of records, also of archived ones."""

    @abstractmethod
    def count(self, model: str, domain: Domain) -> int:
        """How many records there are, with the archived ones."""

    @abstractmethod
    def write(
        self,
        model: str,
        groups: Sequence[tuple[list[int], Mapping[str, Any]]],
        happened: Callable[[], bool] | None = None,
    ) -> None:
        """Write values to records, all of them by one call or (without ``many_values``) a call a group."""

    def fields_of(self, model: str) -> dict[str, dict[str, Any]]:
        """Definitions of the fields of a model, read once; none where the database does not have it."""
        if model not in self._definitions:
            try:
                self._definitions[model] = self.call(model, "fields_get", *self.fields_get)
            except (Refused, Denied):
                self._definitions[model] = {}
        return self._definitions[model]

    def forget(self, model: str) -> None:
        """Read the definitions of its fields again."""
        self._definitions.pop(model, None)

    @abstractmethod
    def moment(self, microseconds: int) -> Any:
        """A time as it stands in a domain."""

    @abstractmethod
    def microseconds(self, value: Any) -> int:
        """A time as it stands in a record."""

    @abstractmethod
    def reference(self, value: Any) -> int:
        """The id of the record that a value refers to; 0: none."""

    def create(self, model: str, values: Sequence[Mapping[str, Any]]) -> list[int]:
        """Make records; their ids."""
        return list(self.call(model, "create", list(values), writes=True))

    def stamp(self, row: Row) -> int:
        """When a record changed last, in microseconds."""
        return next((self.microseconds(row[name]) for name in self.stamps if row.get(name)), 0)

    def since(self, microseconds: int) -> Domain:
        """The clause of records that changed at that time or later."""
        later = [[name, ">=", self.moment(microseconds)] for name in self.stamps]
        return self.any_of(later)

    @abstractmethod
    def any_of(self, clauses: Sequence[Any]) -> Domain:
        """A domain of which one clause must hold."""

    def paged(
        self, model: str, domain: Domain, fields: Sequence[str], behind: int = 0
    ) -> Iterator[list[Row]]:
        """All records in the order of their ids, a page at a time."""
        while True:
            rows = self.search_read(model, [*domain, ["id", ">", behind]], fields, self.page_size)
            ids = [row["id"] for row in rows]
            if ids != sorted(set(ids)) or (ids and ids[0] <= behind):
                raise TemporaryError(
                    f"{self.crm} lists {model} in another order than asked for: nothing of it was used. Try again later."
                )
            if rows:
                yield rows
                behind = ids[-1]
            if len(rows) < self.page_size:
                return
