"""What does HubSpot say when it refuses, and about which record and property?

Its errors come in several shapes (developer documentation, "Error handling"): one envelope for a whole call,
a list of envelopes within an answer that took the rest, details in ``errors``, or details as JSON text within
``message``. Every part of them may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from connectors.rest import api_errors
from connectors.rest.api_errors import Kind, shown

UNKNOWN_PROPERTY = "PROPERTY_DOESNT_EXIST"
INVALID_OPTION = "INVALID_OPTION"
READ_ONLY = frozenset(
    {"READ_ONLY_VALUE", "READ_ONLY_PROPERTY", "FORBIDDEN", "MISSING_SCOPES", "INSUFFICIENT_PERMISSIONS"}
)
_PASSING = frozenset({"RATE_LIMITS", "RATE_LIMIT", "INTERNAL_ERROR", "LOCKED", "SERVER_ERROR", "TIMEOUT"})
_NOT_ALLOWED = re.compile(r"^(?P<value>.*?) was not one of the allowed options", re.DOTALL)
_NAMED_PROPERTY = re.compile(r"[Pp]roperty \\?\"?([A-Za-z][A-Za-z0-9_]*)\\?\"? (?:does not exist|is read)")


@dataclass(frozen=True)
class Detail:
    """One complaint: its code, the property and the value that it is about, where HubSpot tells."""

    code: str = ""
    property: str = ""
    value: str | None = None  # for comparison only: never shown
    text: str = ""


@dataclass(frozen=True)
class Refusal:
    """What HubSpot said. ``text`` holds no address; ``ids`` are records or the trace ids that we gave them."""

    status: int
    category: str = ""
    subcategory: str = ""
    text: str = ""
    details: tuple[Detail, ...] = ()
    ids: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    policy: str = ""
    correlation: str = ""
    expired: str = ""  # when the token expired, where that is the complaint

    @property
    def codes(self) -> frozenset[str]:
        """All codes of the details, and the category."""
        return frozenset({self.category, self.subcategory, *(detail.code for detail in self.details)}) - {""}

    @property
    def kind(self) -> Kind:
        """What it means for a record, in the words of the contract."""
        codes = self.codes
        if codes & _PASSING or self.status in (423, 429) or self.status >= 500:
            return "transient"
        if "OBJECT_NOT_FOUND" in codes or self.status == 404:
            return "gone"
        if UNKNOWN_PROPERTY in codes or codes & READ_ONLY or self.status == 403:
            return "permission"
        return "conflict" if self.status == 409 or "CONFLICT" in codes else "data"

    def about(self, name: str) -> Refusal:
        """The part of it that is about one property, where HubSpot tells them apart."""
        details = tuple(detail for detail in self.details if detail.property == name)
        return replace(self, details=details) if details else self

    @property
    def reason(self) -> str:
        """For the report: what is wrong with which property, what to do, and HubSpot's id of the answer."""
        sentences = [_said(detail) for detail in self.details] or [
            f"HubSpot says: {self.text or self.category or self.status}"
        ]
        trace = f" [correlation id {self.correlation}]" if self.correlation else ""
        return "; ".join(dict.fromkeys(sentences))[:400] + trace


class Refused(api_errors.Refused[Refusal]):
    """HubSpot refused a call, and would refuse it again."""


class Denied(api_errors.Denied[Refusal]):
    """A right is missing; ``refusal.scopes`` names it where HubSpot does."""


def of_answer(status: int, body: Any) -> Refusal:
    """The refusal of a whole call. ``body`` is the decoded JSON, or anything else."""
    if not isinstance(body, dict):
        return Refusal(status, text="no explanation in JSON")
    context = body.get("context") if isinstance(body.get("context"), dict) else {}
    errors = _errors(body)
    contexts = [context, *(error["context"] for error in errors if isinstance(error.get("context"), dict))]
    return Refusal(
        status,
        category=_text(body.get("category") or body.get("errorType")),
        subcategory=_text(body.get("subCategory")),
        text=shown(_text(body.get("message")).partition(": [")[0]),
        details=tuple(_details(body, errors)),
        ids=_listed(contexts, "ids", "id", "objectId", "objectWriteTraceId"),
        scopes=_scopes(contexts, errors),
        policy=_text(body.get("policyName")).upper(),
        correlation=_text(body.get("correlationId"))[:64],
        expired=next(iter(_listed(contexts, "expire time")), ""),
    )


def of_records(body: Any) -> list[Refusal]:
    """The refusals within an answer that took the rest of a batch."""
    return [of_answer(_status(error), error) for error in _errors(body)]


def _errors(body: Any) -> list[dict[str, Any]]:
    errors = body.get("errors") if isinstance(body, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _status(error: dict[str, Any]) -> int:
    status = str(error.get("statusCode") or error.get("status"))
    return int(status) if status.isdigit() else 400


def _details(body: dict[str, Any], errors: list[dict[str, Any]]) -> Iterator[Detail]:
    within = [
        *_within(body.get("message")),
        *(detail for error in errors for detail in _within(error.get("message"))),
    ]
    for detail in within:
        yield _detail(_text(detail.get("error")), _text(detail.get("name")), _text(detail.get("message")))
    for error in errors if not within else ():
        context = error["context"] if isinstance(error.get("context"), dict) else {}
        names = _listed([context], "propertyName", "property", "name") or ("",)
        for name in names:
            yield _detail(
                _text(error.get("code") or error.get("category")), name, _text(error.get("message"))
            )


def _detail(code: str, name: str, message: str) -> Detail:
    named = _NAMED_PROPERTY.search(message)
    allowed = _NOT_ALLOWED.match(message)
    return Detail(
        code,
        name or (named[1] if named else ""),
        allowed["value"] if allowed else None,
        shown(message.partition(" options: [")[0]),
    )


def _within(message: Any) -> list[dict[str, Any]]:
    """Details written as JSON behind the first colon of a message."""
    start = _text(message).find("[{")
    if start < 0:
        return []
    try:
        details = orjson.loads(_text(message)[start : _text(message).rfind("]") + 1])
    except orjson.JSONDecodeError:
        return []
    return [detail for detail in details if isinstance(detail, dict)]


def _listed(contexts: list[dict[str, Any]], *names: str) -> tuple[str, ...]:
    values = []
    for context in contexts:
        for name in names:
            value = context.get(name)
            values.extend(value if isinstance(value, list) else [] if value is None else [value])
    return tuple(dict.fromkeys(str(entry) for entry in values))


def _scopes(contexts: list[dict[str, Any]], errors: list[dict[str, Any]]) -> tuple[str, ...]:
    named = _listed(contexts, "missingScopes", "requiredGranularScopes", "requiredScopes")
    if named:
        return named
    messages = " ".join(_text(error.get("message")) for error in errors)
    return tuple(dict.fromkeys(re.findall(r"\b[a-z]+(?:[.-][a-z_-]+)+\b", messages)))


def _said(detail: Detail) -> str:
    what = f"property {detail.property}" if detail.property else "a property"
    if detail.code == UNKNOWN_PROPERTY:
        return f"{what} does not exist: run `crm-segments setup`"
    if detail.code == INVALID_OPTION:
        return f"{what} does not have this option: run `crm-segments setup`"
    if detail.code in READ_ONLY:
        return f"{what} is read-only for this key: allow it to edit the property in HubSpot"
    return f"{what}: {detail.code or 'refused'}" + (
        f" ({detail.text})" if detail.text and not detail.code else ""
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
