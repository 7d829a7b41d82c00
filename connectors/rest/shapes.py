"""Is an answer what the CRM's documentation says it is?

A proxy, a maintenance page or a fault of the CRM's may answer 200 with nothing, or with something else. Taken
at its word, an empty answer would mean "there are no deals", and everybody would become a prospect. So each
call that reads names the shape that its answer must have; another answer is an outage: nothing of it is used,
and the run goes on later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Shape = Callable[[Any], str]  # what is wrong with a value; "" where nothing is


def anything(value: Any) -> str:
    """Whatever it is, also null."""
    return ""


def text(value: Any) -> str:
    """A text that is not empty."""
    return "" if isinstance(value, str) and value else "it is no text"


def name(value: Any) -> str:
    """A text that is not empty, or a whole number."""
    return (
        "" if not text(value) or (isinstance(value, int) and not isinstance(value, bool)) else "it is no name"
    )


def count(value: Any) -> str:
    """A whole number from 0 on."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return "" if is_number and value >= 0 else "it is no number"


def flag(value: Any) -> str:
    """True or false."""
    return "" if isinstance(value, bool) else "it is neither true nor false"


def an_object(
    required: Mapping[str, Shape] | None = None, optional: Mapping[str, Shape] | None = None
) -> Shape:
    """An object with all of the ``required`` values; an ``optional`` one may be missing or null."""
    needed, possible = dict(required or {}), dict(optional or {})

    def wrong(value: Any) -> str:
        if not isinstance(value, dict):
            return "it is no object"
        for key, shape in needed.items():
            if key not in value:
                return f"it has no {key}"
            if fault := shape(value[key]):
                return f"{key}: {fault}"
        for key, shape in possible.items():
            if value.get(key) is not None and (fault := shape(value[key])):
                return f"{key}: {fault}"
        return ""

    return wrong


def a_list(row: Shape = anything) -> Shape:
    """A list, and what each of its entries is."""

    def wrong(value: Any) -> str:
        if not isinstance(value, list):
            return "it is no list"
        return next((fault for entry in value if (fault := row(entry))), "")

    return wrong


def both(first: Shape, second: Shape) -> Shape:
    """A value of both shapes; the second is asked only where the first fits."""
    return lambda value: first(value) or second(value)
