"""Which operators may a rule use: on which types of attributes, with what for a value, and what does each mean?

Each is given twice: over a column (for a million records) and over one value (to explain one record); a
property test holds both against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operator:
    """What compares: over columns and values alike where Python's own operators do."""

    types: tuple[str, ...]
    holds: Callable[[Any, Any], Any]
    column: Callable[[Any, Any], Any] | None = None  # where a column needs other words than a value
    takes: str = "one"  # one value, "many", "two" (from, to) or a "flag"


_ALL = ("text", "number", "date", "bool", "ordered", "set")
_PLAIN = ("text", "number", "date", "bool", "ordered")
_LISTED = ("text", "number", "date", "ordered")
_RANKED = ("number", "date", "ordered")

OPERATORS: Mapping[str, Operator] = {
    "is": Operator(_PLAIN, lambda x, v: x == v),
    "is_not": Operator(_PLAIN, lambda x, v: x != v),
    "in": Operator(_LISTED, lambda x, v: x in v, lambda x, v: x.isin(v), "many"),
    "not_in": Operator(_LISTED, lambda x, v: x not in v, lambda x, v: x.notin(v), "many"),
    "at_least": Operator(_RANKED, lambda x, v: x >= v),
    "at_most": Operator(_RANKED, lambda x, v: x <= v),
    "above": Operator(_RANKED, lambda x, v: x > v),
    "below": Operator(_RANKED, lambda x, v: x < v),
    "between": Operator(
        _RANKED, lambda x, v: v[0] <= x <= v[1], lambda x, v: (x >= v[0]) & (x <= v[1]), "two"
    ),
    "contains": Operator(("text", "set"), lambda x, v: v in x, lambda x, v: x.contains(v)),
    "starts_with": Operator(("text",), lambda x, v: x.startswith(v), lambda x, v: x.startswith(v)),
    "ends_with": Operator(("text",), lambda x, v: x.endswith(v), lambda x, v: x.endswith(v)),
    "is_set": Operator(
        _ALL, lambda x, v: (x is not None) == v, lambda x, v: x.notnull() if v else x.isnull(), "flag"
    ),
}

OPERATORS_OF_SEGMENTS = ("is", "is_not", "in", "not_in", "is_set")
