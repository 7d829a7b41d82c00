"""What is common to the refusals of every CRM: what they may mean for a record, and how much of them is shown."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Generic, Literal, Protocol, TypeVar
from xml.sax.saxutils import escape

from connectors.errors import AccessError, RequestError

Kind = Literal[
    "transient", "data", "permission", "gone", "conflict"
]  # of a rejection: ``schemas.OUTCOME_SCHEMA``

_ADDRESS = re.compile(r"[^\s\"'<>\[\](){},;:]+@[^\s\"'<>\[\](){},;:]+")


class Refusal(Protocol):
    """What a CRM said when it refused a call or a record."""

    @property
    def kind(self) -> Kind:
        """What it means for a record, in the words of the contract."""

    @property
    def reason(self) -> str:
        """For the report: what is wrong, and what to do."""


_Refusal = TypeVar("_Refusal", bound=Refusal)


class Refused(RequestError, Generic[_Refusal]):
    """The CRM refused a call, and would refuse it again."""

    def __init__(self, message: str, refusal: _Refusal) -> None:
        super().__init__(message)
        self.refusal = refusal


class Denied(AccessError, Generic[_Refusal]):
    """A right is missing."""

    def __init__(self, message: str, refusal: _Refusal) -> None:
        super().__init__(message)
        self.refusal = refusal


class UnknownVersion(RequestError):
    """The CRM does not speak the version of the API that the config names.

    ``what`` and ``remedy`` are the message in two.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what, self.remedy = what, remedy


def shown(text: str) -> str:
    """A text of the CRM's as we may show it: short, on one line, without addresses."""
    return " ".join(_ADDRESS.sub("…", text).split())[:200]


def without(body: Any, secrets: Collection[str]) -> Any:
    """An answer with … in place of each secret, wherever it repeats one. The longest must come first."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        for secret in secrets:
            body = body.replace(secret, "…").replace(escape(secret), "…")
        return body
    if isinstance(body, dict):
        return {name: without(value, secrets) for name, value in body.items()}
    return [without(value, secrets) for value in body] if isinstance(body, list) else body
