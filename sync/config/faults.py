"""What is wrong with a config, where, and what would be right?

Pydantic finds the faults; here they become sentences: key path, line in the file, what is wrong, valid
values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sync.config.toml_lines import KeyPath, Lines
from sync.sentence import sentence

SECRET_KEY = re.compile(r"(^|_)(token|secret|password|api_key|private_key)$")
_MISSING = ("missing", "missing_argument")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at a key path of the config."""

    path: KeyPath
    what: str


class ConfigError(Exception):
    """The config cannot be used. The message lists every fault; ``faults`` holds them singly."""

    def __init__(self, file: Path | None, faults: Sequence[Fault], lines: Lines | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(_sentence(file, fault, lines) for fault in faults))


def _sentence(file: Path | None, fault: Fault, lines: Lines | None) -> str:
    line = lines.of(fault.path) if lines else None
    where = f"{file}{f':{line}' if line else ''}: " if file else ""
    return f"{where}{sentence(f'{dotted(fault.path)}: {fault.what}' if fault.path else fault.what)}"


def dotted(path: KeyPath) -> str:
    """A key path as people write it: ``segmentations[0].field``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def one_of(value: object, valid: Iterable[str]) -> str:
    """The end of a sentence about a value that is none of the valid ones: the nearest one first."""
    names = list(valid)
    near = get_close_matches(str(value), names, 1)
    # a lone sign would look like ours
    shown = ", ".join(name if re.search(r"\w", name) else f'"{name}"' for name in names)
    return (f"did you mean {near[0]!r}? " if near else "") + f"valid: {shown or 'none'}"


def of_model(
    model: type[BaseModel],
    error: ValidationError,
    tree: object,
    prefix: KeyPath = (),
    also: Iterable[str] = (),
) -> list[Fault]:
    """The faults that pydantic found in ``tree``, which stands at ``prefix``.

    ``also``: further keys valid at its top.
    """
    whats_by_path: dict[KeyPath, list[str]] = {}
    for detail in error.errors():
        path = _key_meant(tree, _path_in(tree, detail), detail)
        what = _unknown_key(model, path, also) if detail["type"] == "extra_forbidden" else _what(detail, path)
        if what not in whats_by_path.setdefault(path, []):
            whats_by_path[path].append(what)
    return [Fault((*prefix, *path), " or ".join(whats)) for path, whats in whats_by_path.items()]


def _path_in(tree: Any, detail: ErrorDetails) -> KeyPath:
    """The part of pydantic's location that the file really has: without the names of union branches."""
    path: list[str | int] = []
    for step in detail["loc"]:
        if _has(tree, step):
            tree = tree[step]
            path.append(step)
        elif detail["type"] in _MISSING and step == detail["loc"][-1]:
            path.append(step)
    return tuple(path)


def _key_meant(tree: Any, path: KeyPath, detail: ErrorDetails) -> KeyPath:
    """The key that a message about a whole table writes as ``key = ...``, where the table has it; else the
    table.
    """
    table = tree
    for step in path:
        table = table[step] if _has(table, step) else None
    if detail["type"] != "value_error" or not isinstance(table, dict):
        return path
    return next(((*path, key) for key in re.findall(r"(\w+) = ", detail["msg"]) if key in table), path)


def _has(tree: object, step: str | int) -> bool:
    return (
        step in tree
        if isinstance(tree, dict)
        else isinstance(tree, list) and isinstance(step, int) and step < len(tree)
    )


def _what(detail: ErrorDetails, path: KeyPath) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    if detail["type"] in _MISSING:
        return "is missing"
    if detail["type"] == "literal_error":
        valid = re.findall("'([^']*)'", detail["ctx"]["expected"])
        return f"{value!r} is not known; {one_of(value, valid)}"
    private = any(isinstance(step, str) and SECRET_KEY.search(step) for step in path)
    if detail["type"] == "value_error" or private or not isinstance(value, str | int | float):
        return message
    return f"{message[:1].lower()}{message[1:]} (found {str(value)[:40]!r})"


def _unknown_key(model: type[BaseModel], path: KeyPath, also: Iterable[str]) -> str:
    around = _model_at(model, path[:-1])
    fields = around.model_fields.items() if around else ()
    names = [*(key for key, field in fields if not field.exclude), *(also if len(path) == 1 else ())]
    return f"unknown key; {one_of(path[-1], names)}"


def _model_at(model: Any, path: KeyPath) -> type[BaseModel] | None:
    for step in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if step not in model.model_fields:
                return None
            model = _inner(model.model_fields[str(step)].annotation)
        else:
            model = _inner(model, element=True)
    model = _inner(model)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _inner(annotation: Any, element: bool = False) -> Any:
    """The model that an annotation is about: of ``X | None`` X, and of a container (once ``element`` is
    asked) its element.
    """
    if get_origin(annotation) in (dict, list, tuple):
        return (
            _inner([part for part in get_args(annotation) if part is not Ellipsis][-1])
            if element
            else annotation
        )
    parts = [part for part in get_args(annotation) if part is not type(None)]
    models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return models[0] if models else _inner(parts[0], element) if len(parts) == 1 else annotation
