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


def stored(one: Field, value: Any) -> Any:
    """A value of JSON as the column keeps it; Refusal where the field cannot hold it."""
    if value is None:
        return 0 if one.type == "boolean" else None
    if one.type in TEXTS:
        return _text(one, value)
    if one.type == "boolean":
        if not isinstance(value, bool):
            raise _misfit(one, value)
        return int(value)
    if one.type in NUMBERS or one.type == "int":
        return _number(one, value)
    if one.type == "date":
        return _day(one, value)
    if one.type == "datetime":
        return _moment(one, value)
    if one.type in ("id", "reference"):
        return _reference(one, value)
    return json.dumps(value) if one.type == "json" else value


def of_cell(one: Field, cell: str) -> Any:
    """A cell of CSV as the column keeps it. Blank cells are left out before."""
    if cell == "#N/A":
        return stored(one, None)
    if one.type == "boolean":
        if cell.lower() not in _TRUTH:
            raise Refusal(
                400,
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                f"{one.label or one.name}: value not of required type: {cell}",
                [one.name],
            )
        return _TRUTH[cell.lower()]
    return stored(one, cell)


def _misfit(one: Field, value: Any) -> Refusal:
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
        f"Cannot deserialize instance of {one.type} from {kind} value {value} {where}",
    )


def _text(one: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _misfit(one, value)
    text = value.strip().replace("\0", "")
    if one.length and len(text) > one.length:
        shown = f"{one.label or one.name}: data value too large: {text[:255]} (max length={one.length})"
        raise Refusal(400, "STRING_TOO_LONG", shown, [one.name])
    if one.type == "email" and text and not _EMAIL.fullmatch(text):
        raise Refusal(
            400,
            "INVALID_EMAIL_ADDRESS",
            f"{one.label or one.name}: invalid email address: {text}",
            [one.name],
        )
    if one.restricted and text:
        chosen = text.split(";") if one.type == "multipicklist" else [text]
        if not set(chosen) <= set(one.values):
            message = f"{one.label or one.name}: bad value for restricted picklist field: {text}"
            raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [one.name])
    return text or None


def _number(one: Field, value: Any) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _misfit(one, value) from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise _misfit(one, value)
    if abs(number) >= 10 ** (one.precision - one.scale):
        message = f"{one.label or one.name}: value outside of valid range on numeric field: {value}"
        raise Refusal(400, "NUMBER_OUTSIDE_VALID_RANGE", message, [one.name])
    return (
        int(number)
        if one.type == "int"
        else round(number, one.scale if one.custom or one.type == "currency" else 8)
    )


def _day(one: Field, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise _misfit(one, value) from None


def _moment(one: Field, value: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise _misfit(one, value) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _reference(one: Field, value: Any) -> str | None:
    if value == "":
        return None
    if not is_id(value):
        raise Refusal(
            400, "MALFORMED_ID", f"{one.label or one.name}: id value of incorrect type: {value}", [one.name]
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
