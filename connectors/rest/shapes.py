"""Of what must an answer consist? Tests of decoded JSON, to be put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Test = Callable[[Any], bool]


def of(*types: type) -> Test:
    """A value of one of the types (a bool is no int)."""
    return lambda value: isinstance(value, types) and (bool in types or not isinstance(value, bool))


def optional(test: Test) -> Test:
    """Null, or a value that passes."""
    return lambda value: value is None or test(value)


def listing(test: Test) -> Test:
    """A list of which each entry passes."""
    return lambda value: isinstance(value, list) and all(map(test, value))


def having(**tests: Test) -> Test:
    """An object whose values pass, by their keys; others may stand beside them."""
    return lambda value: (
        isinstance(value, dict) and all(test(value.get(name)) for name, test in tests.items())
    )


def filled(value: Any) -> bool:
    """A text that is not empty."""
    return isinstance(value, str) and bool(value)


def number(value: Any) -> bool:
    """A whole number that is not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
