"""What does search find? It looks into an index that follows the records with a lag."""

from __future__ import annotations

import json
import operator as operators
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.servers.hubspot.associations import Associations
from tests.servers.hubspot.clock import instant, iso
from tests.servers.hubspot.errors import invalid
from tests.servers.hubspot.knobs import Knobs
from tests.servers.hubspot.schema import Kind, Property, kind_of
from tests.servers.hubspot.store import Record

Values = dict[str, str]
MAX_BODY, MAX_RESULTS, MAX_PAGE, MAX_GROUPS, MAX_FILTERS, MAX_ALL_FILTERS = 3000, 10_000, 200, 5, 6, 18


class Index:
    """The records as search sees them, and the changes that it has yet to see."""

    def __init__(self, knobs: Knobs, now: Callable[[], int]) -> None:
        self.knobs, self.now = knobs, now
        self.seen: dict[str, dict[int, Values]] = {}
        self.coming: deque[tuple[int, str, int, Values | None]] = deque()
        self.version = 0
        self._found: dict[str, list[int]] = {}

    def observe(self, kind: Kind, record: Record, before: Values) -> None:
        due = self.now() + int(self.knobs.index_lag * 1000)
        self.coming.append((due, kind.name, record.id, None if record.archived else record.values))

    def settle(self, everything: bool = False) -> None:
        """See the changes that are old enough."""
        now = self.now()
        while self.coming and (everything or self.coming[0][0] <= now):
            _, kind, id, values = self.coming.popleft()
            self.version += 1
            if values is None:
                self.seen.get(kind, {}).pop(id, None)
            else:
                self.seen.setdefault(kind, {})[id] = values

    def find(
        self, kind: Kind, body: dict[str, Any], properties: dict[str, Property], links: Associations
    ) -> list[int]:
        """Ids of all records that a search body asks for, in its order.

        Equal searches with a moving id bound share their work.
        """
        self.settle()
        groups, bound = _without_bound(body)
        key = json.dumps(
            [kind.name, self.version, groups, body.get("sorts"), body.get("query")], sort_keys=True
        )
        if key not in self._found:
            if len(self._found) > 50:
                self._found.clear()
            self._found[key] = self._evaluate(kind, groups, body, properties, links)
        ids = self._found[key]
        return ids if bound is None else ids[bisect_right(ids, bound) :]

    def _evaluate(
        self,
        kind: Kind,
        groups: list[dict[str, Any]],
        body: dict[str, Any],
        properties: dict[str, Property],
        links: Associations,
    ) -> list[int]:
        tests = [
            [_test(each, kind, properties, links) for each in group.get("filters", [])] for group in groups
        ]
        text = str(body.get("query") or "").lower()
        ids = [
            id
            for id, values in self.seen.get(kind.name, {}).items()
            if (not tests or any(all(test(values) for test in group) for group in tests))
            and (not text or _mentions(values, text))
        ]
        return _sorted(ids, body.get("sorts") or [], self.seen.get(kind.name, {}), properties)


def check(body: dict[str, Any], length: int) -> tuple[int, int]:
    """Refuse what breaks a limit of search; the page's limit and its offset."""
    if length > MAX_BODY:
        raise invalid(f"The request body is {length} characters long; the limit is {MAX_BODY}.")
    groups = body.get("filterGroups") or []
    if len(groups) > MAX_GROUPS:
        raise invalid(f"Too many filter groups: {len(groups)} (at most {MAX_GROUPS})")
    sizes = [len(group.get("filters") or []) for group in groups]
    if any(size > MAX_FILTERS for size in sizes) or sum(sizes) > MAX_ALL_FILTERS:
        raise invalid(
            f"Too many filters: {sizes} (at most {MAX_FILTERS} in a group and {MAX_ALL_FILTERS} together)"
        )
    if len(body.get("sorts") or []) > 1:
        raise invalid("Only one sort is allowed")
    limit = body.get("limit", 10) or 10
    if not isinstance(limit, int) or not 0 < limit <= MAX_PAGE:
        raise invalid(f"The limit must be between 1 and {MAX_PAGE}")
    after = str(body.get("after") or "0")
    if not after.isdigit():
        raise invalid("after must be an integer")
    if int(after) + limit > MAX_RESULTS:
        raise invalid(f"Paging past {MAX_RESULTS} results is not possible")
    return limit, int(after)


def _without_bound(body: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
    """The filter groups without ``hs_object_id GT n``, and n, where the results are in the order of ids
    anyway.
    """
    groups = body.get("filterGroups") or []
    sort = (body.get("sorts") or [{}])[0]
    ascending = (
        isinstance(sort, dict)
        and sort.get("propertyName") == "hs_object_id"
        and sort.get("direction", "ASCENDING") == "ASCENDING"
    )
    if len(groups) != 1 or not ascending:
        return groups, None
    bounds = [
        each
        for each in groups[0].get("filters", [])
        if each.get("propertyName") == "hs_object_id" and each.get("operator") == "GT"
    ]
    if len(bounds) != 1 or not str(bounds[0].get("value", "")).isdigit():
        return groups, None
    return [{"filters": [each for each in groups[0]["filters"] if each is not bounds[0]]}], int(
        bounds[0]["value"]
    )


def _sorted(
    ids: list[int], sorts: list[Any], seen: dict[int, Values], properties: dict[str, Property]
) -> list[int]:
    ids.sort()
    if not sorts:
        return ids
    sort = (
        sorts[0]
        if isinstance(sorts[0], dict)
        else {
            "propertyName": str(sorts[0]).lstrip("-"),
            "direction": "DESCENDING" if str(sorts[0]).startswith("-") else "ASCENDING",
        }
    )
    name, down = sort.get("propertyName", ""), sort.get("direction") == "DESCENDING"
    if name not in properties:
        raise invalid(f"Unknown sort property: {name}")
    if name == "hs_object_id":
        return ids[::-1] if down else ids
    comparable = _comparable(properties[name])
    empty = [id for id in ids if name not in seen[id]]
    full = sorted(
        (id for id in ids if name in seen[id]), key=lambda id: comparable(seen[id][name]), reverse=down
    )
    return full + empty if down else empty + full


def _mentions(values: Values, text: str) -> bool:
    return any(
        text in values.get(name, "").lower()
        for name in ("email", "firstname", "lastname", "phone", "company", "name", "domain", "dealname")
    )


def _comparable(definition: Property) -> Callable[[str], Any]:
    """Kept values in their order: dates and instants are kept in one form, whose texts sort as they do."""
    if definition.type == "number":
        return float
    return str.lower if definition.type == "string" else str


def _wanted(definition: Property, value: Any) -> Any:
    """A filter's value, comparable with kept ones."""
    text = str(value)
    try:
        if definition.type == "number":
            return float(text)
        if definition.type == "datetime":
            return iso(instant(text))
        if definition.type == "date":
            return iso(instant(text))[:10]
    except (ValueError, OverflowError):
        raise invalid(f"{text} is not a valid {definition.type} for {definition.name}") from None
    return text.lower() if definition.type == "string" else text


def _test(
    each: dict[str, Any], kind: Kind, properties: dict[str, Property], links: Associations
) -> Callable[[Values], bool]:
    name, operator = each.get("propertyName", ""), each.get("operator", "")
    if name.startswith("associations."):
        return _association_test(each, kind, links)
    if name not in properties:
        raise invalid(f"There was a problem with the request: unknown property {name}")
    definition = properties[name]
    comparable = _comparable(definition)

    def compare(holds: Callable[[Any], bool]) -> Callable[[Values], bool]:
        return lambda values: name in values and holds(comparable(values[name]))

    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda values: (name in values) == (operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        if not isinstance(each.get("values"), list):
            raise invalid(f"{operator} needs values")
        wanted = {_wanted(definition, value) for value in each["values"]}
        if definition.type == "string" and any(value != value.lower() for value in map(str, each["values"])):
            wanted = set()  # values of a string property have to be lower-case
        return compare(lambda stored: (stored in wanted) == (operator == "IN"))
    if "value" not in each:
        raise invalid(f"{operator} needs a value")
    value = _wanted(definition, each["value"])
    if operator == "BETWEEN":
        high = _wanted(definition, each.get("highValue", ""))
        return compare(lambda stored: value <= stored <= high)
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        token = str(value).strip("*").lower()
        return compare(lambda stored: (token in str(stored).lower()) == (operator == "CONTAINS_TOKEN"))
    if operator not in _COMPARISONS:
        raise invalid(f"Unknown operator {operator}")
    return compare(lambda stored: bool(_COMPARISONS[operator](stored, value)))


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operators.eq,
    "NEQ": operators.ne,
    "LT": operators.lt,
    "LTE": operators.le,
    "GT": operators.gt,
    "GTE": operators.ge,
}


def _association_test(each: dict[str, Any], kind: Kind, links: Associations) -> Callable[[Values], bool]:
    other = kind_of(each["propertyName"].partition(".")[2])
    wanted = {int(value) for value in each.get("values") or [each.get("value", "0")]}
    if each.get("operator") not in ("EQ", "IN"):
        raise invalid("Associations are searched by EQ or IN")
    return lambda values: not wanted.isdisjoint(links.of(kind, int(values["hs_object_id"]), other))
