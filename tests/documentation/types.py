"""How is the type, range and default of a key of the config told to people?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as bounds
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from sync.config.settings import Limit
from sync.config.windows import Window
from tests.documentation.markdown import code

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    date: "date",
    SecretStr: "reference to a secret",
    Any: "rule",
    Window: "window",
    Limit: "limit",
}
# a function that judges a value → what it takes
_JUDGES = {
    "_name": "name",
    "_zone": "time zone (IANA)",
    "_currency": "currency (ISO 4217)",
    "_memory": "amount of memory",
    "_date_format": "format",
    "_version": "version",
    "api_url": "address",
    "_regex": "regular expression",
    "_as_of": '`"yesterday"` or a date',
    "_delimiter": "one sign",
    "_encoding": "encoding",
    "_pattern": "file pattern",
    "check": "our name",
}


def type_of(field: FieldInfo) -> str:
    """Type and range, in words."""
    return _shown(field.annotation, field.metadata)


def default_of(field: FieldInfo) -> str:
    """The default as TOML; "required", or nothing where it is decided elsewhere."""
    if field.is_required():
        return "required"
    return code(_toml(field.get_default(call_default_factory=True)))


def _shown(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    if get_origin(annotation) is Annotated:
        annotation, *further = get_args(annotation)
        metadata = [*further, *metadata]
    judged = [_JUDGES[name] for item in metadata if (name := _judge(item)) in _JUDGES]
    return (judged[0] if judged else _plain(annotation)) + _range(metadata)


def _judge(item: Any) -> str:
    return str(getattr(getattr(item, "func", None), "__name__", ""))


def _plain(annotation: Any) -> str:
    arguments = [argument for argument in get_args(annotation) if argument is not NoneType]
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(code(_toml(value)) for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(map(_shown, arguments))
    if origin in (tuple, list):
        return f"list of {_shown(arguments[0])}"
    if origin in (dict, Mapping):
        return f"table: {_shown(arguments[0])} = {_shown(arguments[1])}"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    return "table" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else "text"


def _range(metadata: Sequence[Any]) -> str:
    words = []
    for item in metadata:
        for type_, word, name in (
            (bounds.Ge, "from", "ge"),
            (bounds.Gt, "above", "gt"),
            (bounds.Le, "to", "le"),
            (bounds.Lt, "below", "lt"),
        ):
            if isinstance(item, type_):
                words.append(f"{word} {getattr(item, name):,}")
        if isinstance(item, bounds.MaxLen):
            words.append(f"at most {item.max_length}")
    return ", " + " ".join(words) if words else ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Limit):
        parts = {key: number for key, number in value.model_dump(exclude={"configured"}).items() if number}
        return "{ " + ", ".join(f"{key} = {number}" for key, number in parts.items()) + " }" if parts else ""
    if (
        value is None
        or isinstance(value, BaseModel | dict)
        or (not value and not isinstance(value, int | float))
    ):
        return '""' if value == "" else ""
    if isinstance(value, tuple | list):
        return "" if isinstance(value[0], BaseModel) else f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
