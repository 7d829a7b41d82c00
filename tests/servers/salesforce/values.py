"""How does a value come in by JSON or CSV, how is it stored, and how does it go out?

Stored: text without blanks at its ends (empty is null), instants and days as text that sorts, booleans as 0
and 1, numbers as numbers.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime
from typing import Any

from tests.servers.salesforce.ids import is_id, long_id
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.schema import NUMBERS, TEXTS, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_TRUTH = {"true": 1, "1": 1, "false": 0, "0": 0, "yes": 1, "no": 0}


def stored(field: Field, value: Any) -> Any:
    """A value of JSON as the column keeps it; Refusal where the field cannot hold it."""
    if value is None:
        return 0 if field.type == "boolean" else None
    if field.type in TEXTS:
        return _text(field, value)
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise _misfit(field, value)
        return int(value)
    if field.type in NUMBERS or field.type == "int":
        return _number(field, value)
    if field.type == "date":
        return _day(field, value)
    if field.type == "datetime":
        return _moment(field, value)
    if field.type in ("id", "reference"):
        return _reference(field, value)
    return json.dumps(value) if field.type == "json" else value


def of_cell(field: Field, cell: str) -> Any:
    """A cell of CSV as the column keeps it. Blank cells are left out before."""
    if cell == "#N/A":
        return stored(field, None)
    if field.type == "boolean":
        if cell.lower() not in _TRUTH:
            raise Refusal(
                400,
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                f"{field.label or field.name}: value not of required type: {cell}",
                [field.name],
            )
        return _TRUTH[cell.lower()]
    return stored(field, cell)


def _misfit(field: Field, value: Any) -> Refusal:
    kind = (
        "VALUE_STRING"
        if isinstance(value, str)
        else "VALUE_NUMBER_INT"
        if isinstance(value, int)
        else "START_OBJECT"
    )
    where = "or request may be missing a required field at [line:1, column:2]"
    return Refusal(
        400,
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.type} from {kind} value {value} {where}",
    )


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _misfit(field, value)
    text = value.strip().replace("\0", "")
    if field.length and len(text) > field.length:
        shown = f"{field.label or field.name}: data value too large: {text[:255]} (max length={field.length})"
        raise Refusal(400, "STRING_TOO_LONG", shown, [field.name])
    if field.type == "email" and text and not _EMAIL.fullmatch(text):
        raise Refusal(
            400,
            "INVALID_EMAIL_ADDRESS",
            f"{field.label or field.name}: invalid email address: {text}",
            [field.name],
        )
    if field.restricted and text:
        chosen = text.split(";") if field.type == "multipicklist" else [text]
        if not set(chosen) <= set(field.values):
            message = f"{field.label or field.name}: bad value for restricted picklist field: {text}"
            raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [field.name])
    return text or None


def _number(field: Field, value: Any) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _misfit(field, value) from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise _misfit(field, value)
    if abs(number) >= 10 ** (field.precision - field.scale):
        message = f"{field.label or field.name}: value outside of valid range on numeric field: {value}"
        raise Refusal(400, "NUMBER_OUTSIDE_VALID_RANGE", message, [field.name])
    return (
        int(number)
        if field.type == "int"
        else round(number, field.scale if field.custom or field.type == "currency" else 8)
    )


def _day(field: Field, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise _misfit(field, value) from None


def _moment(field: Field, value: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise _misfit(field, value) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _reference(field: Field, value: Any) -> str | None:
    if value == "":
        return None
    if not is_id(value):
        raise Refusal(
            400,
            "MALFORMED_ID",
            f"{field.label or field.name}: id value of incorrect type: {value}",
            [field.name],
        )
    return long_id(str(value))


def shown(type: str, value: Any) -> Any:
    """A stored value as JSON shows it."""
    if value is None:
        return None
    if type == "boolean":
        return bool(value)
    if type == "datetime":
        return value[:-1] + "+0000"
    return json.loads(value) if type in ("address", "json") else value
