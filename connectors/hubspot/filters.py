"""How does a dynamic list say whom it holds?

Filters stand in branches: any of (OR) all of (AND) these (developer documentation, "List filters"). Ours is one AND: a
property of ours has one value and, of a campaign list, the record has not opted out. Who has no address or a dead one
may be in the list: HubSpot itself sends to no such contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.contract import ListSpec
from connectors.errors import UnsupportedError

Definitions = Mapping[str, Mapping[str, Any]]
_ADDED = frozenset({"propertyType", "type"})  # what HubSpot adds of its own when it gives a filter back
_NO_VALUE = "includeObjectsWithNoValueSet"


def branch(spec: ListSpec, opt_outs: Definitions) -> dict[str, Any]:
    """The filter of a dynamic list. ``opt_outs``: definitions of the properties that say who may not be mailed."""
    mine = {"operationType": "ENUMERATION", "operator": "IS_ANY_OF", "values": [spec.value], _NO_VALUE: False}
    filters = [_of_property(spec.field, mine)]
    if spec.channel:
        _check_channel(spec, opt_outs)
        filters += [_of_property(name, _not_true(definition)) for name, definition in opt_outs.items()]
    every = {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": [], "filters": filters}
    return {"filterBranchType": "OR", "filterBranchOperator": "OR", "filterBranches": [every], "filters": []}


def same(one: Any, other: Any) -> bool:
    """Do two filters hold the same records, whatever HubSpot adds in giving them back?"""
    return bool(_canonical(one) == _canonical(other))


def within(criteria: Any) -> Iterator[dict[str, Any]]:
    """All filters anywhere in branches of whatever kind."""
    if isinstance(criteria, dict):
        if isinstance(criteria.get("filterType"), str):
            yield criteria
        for value in criteria.values():
            yield from within(value)
    elif isinstance(criteria, list):
        for value in criteria:
            yield from within(value)


def _check_channel(spec: ListSpec, opt_outs: Definitions) -> None:
    remedy = 'write lists = "static" for this segmentation'
    if spec.channel != "email" or spec.record_type != "contact":
        whose = "of no company" if spec.record_type == "company" else f"nothing of {spec.channel}"
        raise UnsupportedError(f"list {spec.key}: no property tells whom {spec.channel} reaches ({whose} does HubSpot know that): {remedy}")
    if not opt_outs and not spec.unknown_reachable:
        raise UnsupportedError(
            f"list {spec.key}: the key sees no property that tells who opted out of e-mail: {remedy}, or unknown_reachable = true"
        )


def _not_true(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Nobody who opted out; who never said anything has not."""
    if definition.get("type") == "enumeration":
        return {"operationType": "ENUMERATION", "operator": "IS_NONE_OF", "values": ["true"], _NO_VALUE: True}
    return {"operationType": "BOOL", "operator": "IS_NOT_EQUAL_TO", "value": True, _NO_VALUE: True}


def _of_property(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {"filterType": "PROPERTY", "property": name, "operation": operation}


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _canonical(one) for name, one in value.items() if name not in _ADDED and one not in (None, [], {}, False)}
        return sorted(kept.items(), key=repr)
    if isinstance(value, list):
        return sorted((_canonical(one) for one in value), key=repr)
    return str(value).lower() if isinstance(value, bool) else value
