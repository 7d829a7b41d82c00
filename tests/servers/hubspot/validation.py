"""Does a value fit its property, and in which form is it kept?"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.servers.hubspot.clock import instant, iso
from tests.servers.hubspot.errors import BadValues, invalid
from tests.servers.hubspot.knobs import Knobs
from tests.servers.hubspot.schema import Property

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+")
_LONGEST = 65_536


def checked(
    values: dict[str, Any], properties: dict[str, Property], knobs: Knobs, now: int, by_person: bool = False
) -> dict[str, str]:
    """Values in the form in which they are kept; BadValues names all that do not fit.

    A person may set what apps may not.
    """
    faults, kept = [], {}
    for name, value in values.items():
        definition = properties.get(name)
        try:
            if definition is None or definition.archived:
                raise _Misfit("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            if definition.read_only and not by_person:
                raise _Misfit(
                    "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
                )
            kept[name] = _form(definition, _text(name, value, knobs), knobs, now)
        except _Misfit as misfit:
            faults.append(misfit.body(name, knobs.portal_id))
    if faults:
        raise BadValues(faults)
    return kept


class _Misfit(Exception):
    def __init__(self, error: str, message: str) -> None:
        super().__init__(error)
        self.error, self.message = error, message

    def body(self, name: str, portal: int) -> dict[str, Any]:
        return {
            "isValid": False,
            "message": self.message,
            "error": self.error,
            "name": name,
            "localizedErrorMessage": self.message,
            "portalId": portal,
        }


def _text(name: str, value: Any, knobs: Knobs) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip() if knobs.trims else value
    if knobs.coerces and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise invalid(f"Invalid input JSON: cannot deserialize value of type string for property {name}")


def _form(definition: Property, text: str, knobs: Knobs, now: int) -> str:
    if text == "":
        return ""
    match definition.type:
        case "number":
            return _number(text, knobs)
        case "date":
            return _date(text)
        case "datetime":
            return _datetime(text)
        case "bool" | "enumeration":
            return _option(definition, text, now)
    if len(text) > _LONGEST:
        raise _Misfit("PROPERTY_VALUE_TOO_LONG", f"The value is longer than {_LONGEST} characters")
    if definition.name == "email" and definition.unique:
        if not _EMAIL.fullmatch(text):
            raise _Misfit("INVALID_EMAIL", f"Email address {text} is invalid")
        return text.lower()
    return text


def _number(text: str, knobs: Knobs) -> str:
    try:
        number = Decimal(text.strip())
        if not number.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise _Misfit("INVALID_FLOAT", f"{text} was not a valid number.") from None
    if knobs.number_form == "as_written":
        return text
    plain = format(number, "f")
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"


def _date(text: str) -> str:
    try:
        if not text.lstrip("-").isdigit():
            return date.fromisoformat(text).isoformat()
        milliseconds = int(text)
        if milliseconds % 86_400_000:
            raise _Misfit("INVALID_DATE", f"{text} is not midnight UTC.")
        return iso(milliseconds)[:10]
    except (ValueError, OverflowError):
        raise _Misfit("INVALID_DATE", f"{text} was not a valid date.") from None


def _datetime(text: str) -> str:
    try:
        return iso(instant(text))
    except (ValueError, OverflowError, OSError):
        raise _Misfit("INVALID_DATE", f"{text} was not a valid date.") from None


def _option(definition: Property, text: str, now: int) -> str:
    if definition.name == "hubspot_owner_id" or (
        definition.type == "enumeration" and not definition.options and definition.defined
    ):
        return text
    allowed = {option["value"] for option in definition.options}
    several = definition.field_type == "checkbox"
    wanted = [part for part in text.split(";") if part] if several else [text]
    wrong = [part for part in wanted if part not in allowed or definition.accepted_from.get(part, 0) > now]
    if wrong:
        labels = ", ".join(option["label"] for option in definition.options)
        raise _Misfit("INVALID_OPTION", f"{wrong[0]} was not one of the allowed options: [{labels}]")
    return ";".join(wanted)
