"""What does Salesforce say when it refuses, and what does it mean for a record?

Its errors come in six shapes: a list of ``errorCode`` for a call, ``statusCode`` for an item of a collection,
``CODE:message:fields--`` in a Bulk result, ``exceptionCode`` from older parts, ``error`` from the log-in, and
a fault in XML from SOAP, which comes with 500; a proxy may answer HTML or nothing. The code decides, never
the HTTP status alone (REST API Developer Guide, "Status Codes and Error Responses"; Object Reference, "Status
Codes"; SOAP API Developer Guide, "Error Handling").
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors.rest import api_errors
from connectors.rest.api_errors import Kind, shown

LOCKED = "UNABLE_TO_LOCK_ROW"
LIMIT = "REQUEST_LIMIT_EXCEEDED"
EXPIRED = "INVALID_SESSION_ID"
MEMBER_ALREADY = "DUPLICATE_VALUE"

_CODES: dict[Kind, str] = {
    "transient": f"{LOCKED} {LIMIT} SERVER_UNAVAILABLE UNKNOWN_EXCEPTION REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT TOO_MANY_LOCK_FAILURE "
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "gone": "ENTITY_IS_DELETED INVALID_CROSS_REFERENCE_KEY MALFORMED_ID NOT_FOUND DELETED_ENTITY",
    "permission": "INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY API_DISABLED "
    "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED FUNCTIONALITY_NOT_ENABLED INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE INVALID_TYPE "
    "INVALIDENTITY TXN_SECURITY_METERING_ERROR",
    "conflict": "DUPLICATES_DETECTED DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID",
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_REMEDIES = {
    "API_DISABLED_FOR_ORG": "the org's edition or the user's profile has no API access: ask the administrator for "
    "the permission API Enabled",
    "API_CURRENTLY_DISABLED": "the API is switched off for this user: ask the administrator for the permission API Enabled",
    "INVALID_FIELD": "the field does not exist or is hidden from this user: run `crm-segments setup`, and assign "
    "the permission set to the user",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "this user may not edit the field: assign the permission set that `crm-segments setup` names",
    "INSUFFICIENT_ACCESS_OR_READONLY": "this user may not edit the record: ask the administrator for edit access",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "the picklist is restricted: add the value, or run `crm-segments setup`",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses it: exempt the integration user, or fix the record",
    "DUPLICATES_DETECTED": "a duplicate rule blocks it: merge the duplicates, or exempt the integration user",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger of the org failed: ask the administrator for its error",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "a flow of the org failed: ask the administrator for its error",
    "REQUIRED_FIELD_MISSING": "the record lacks a required field: fill it in Salesforce",
}
_CODE = re.compile(r"[A-Z][A-Z0-9_]{3,}")
_ELEMENT = r"<(?:[\w-]+:)?{name}(?:\s[^>]*)?>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</"


@dataclass(frozen=True)
class Refusal:
    """One complaint. ``text`` is Salesforce's, or the administrator's: shown without addresses and short."""

    code: str
    text: str = ""
    fields: tuple[str, ...] = ()
    status: int = 0

    @property
    def kind(self) -> Kind:
        """What it means for a record, in the words of the contract."""
        if LOCKED in self.text or (not self.code and self.status >= 500):
            return "transient"
        named = _KINDS.get(self.code)
        return "gone" if self.status == 404 and named in (None, "conflict") else named or "data"

    @property
    def reason(self) -> str:
        """For the report: the code, the fields, what Salesforce says, and what to do."""
        about = f" ({', '.join(self.fields)})" if self.fields else ""
        remedy = _REMEDIES.get(self.code)
        explanation = self.text if self.code not in ("INVALID_EMAIL_ADDRESS", "DUPLICATES_DETECTED") else ""
        return (
            f"{self.code or self.status}{about}"
            + (f": {explanation}" if explanation else "")
            + (f"; {remedy}" if remedy else "")
        )


class Refused(api_errors.Refused[Refusal]):
    """Salesforce refused a call, and would refuse it again."""


class Denied(api_errors.Denied[Refusal]):
    """A right is missing."""


def of_answer(status: int, body: Any) -> list[Refusal]:
    """The complaints of a call's answer: decoded JSON, or its text.

    One without a code where the body tells nothing.
    """
    if isinstance(body, str | bytes):
        body = fault(body)
    listed = body if isinstance(body, list) else [body]
    complaints = [_complaint(complaint, status) for complaint in listed if isinstance(complaint, dict)]
    return [complaint for complaint in complaints if complaint.code] or [
        Refusal("", "no explanation in JSON", status=status)
    ]


def fault(text: str | bytes) -> dict[str, str]:
    """The code and the message of a complaint in XML; {}: it is none (a proxy's page, an empty body)."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if "<" not in plain or not re.search(r"<(?:[\w-]+:)?(?:Fault|exceptionCode|errorCode|error)\b", plain):
        return {}
    code = _first(_element(plain, name) for name in ("exceptionCode", "errorCode", "faultcode"))
    code = code.rpartition(":")[2]
    message = _first(_element(plain, name) for name in ("exceptionMessage", "faultstring", "message"))
    return (
        {"exceptionCode": code, "exceptionMessage": message.removeprefix(f"{code}:").strip()} if code else {}
    )


def _first(texts: Iterable[Any]) -> str:
    """The first text that is one, and not empty."""
    return next((text for text in texts if isinstance(text, str) and text), "")


def _element(text: str, name: str) -> str:
    """The text of the first element of a name, whatever its prefix; "" where there is none."""
    match = re.search(_ELEMENT.format(name=name), text, re.DOTALL)
    return html.unescape(match[1]).strip() if match else ""


def of_item(item: Any) -> Refusal:
    """The complaint about one record of a collection (``success`` is false)."""
    errors = item.get("errors") if isinstance(item, dict) else None
    complaints = [_complaint(error, 400) for error in errors or () if isinstance(error, dict)]
    return complaints[0] if complaints else Refusal("", "refused without a reason", status=400)


def of_cell(text: str) -> Refusal:
    """The complaint in a row of a Bulk job's failed results: ``CODE:message:fields--``, or without the last
    part.
    """
    code, _, remaining = text.partition(":")
    message, _, fields = remaining.rpartition(":") if remaining.endswith("--") else (remaining, "", "")
    named = tuple(field.strip() for field in fields.removesuffix("--").split(",") if field.strip())
    return Refusal(code.strip(), shown(message), named, 400)


def _complaint(body: dict[str, Any], status: int) -> Refusal:
    code = _first(body.get(key) for key in ("errorCode", "statusCode", "exceptionCode", "error"))
    text = _first(body.get(key) for key in ("message", "exceptionMessage", "error_description"))
    fields = body.get("fields")
    return Refusal(_normal(code), shown(text), _names(fields) if isinstance(fields, list) else (), status)


def _normal(code: str) -> str:
    """Older parts write ``InvalidSessionId`` for what newer ones call ``INVALID_SESSION_ID``."""
    return (
        code if _CODE.fullmatch(code) or code.islower() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper()
    )


def _names(fields: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(field) for field in fields if field)
