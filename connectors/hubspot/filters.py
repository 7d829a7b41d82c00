"""How does a dynamic list say whom it holds?

Filters stand in branches: any of (OR) all of (AND) these (developer documentation, "List filters"). Ours is:
a property of ours has one value and, of a campaign list, everything holds that makes the record reachable by
e-mail (``consent``): an address, none of the rules that say no, and a rule that says yes, where one is asked
for. Each such rule is a branch of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.contract import ListSpec
from connectors.errors import UnsupportedError
from connectors.hubspot.opt_out import EMAIL, Consent, Rule

_ADDED = frozenset({"propertyType", "type"})  # what HubSpot adds of its own when it gives a filter back
_NO_VALUE = "includeObjectsWithNoValueSet"


def branch(spec: ListSpec, consent: Consent | None) -> dict[str, Any]:
    """The filter of a dynamic list. ``consent``: of a campaign list, what says who may be mailed."""
    mine = _asking("ENUMERATION", "IS_ANY_OF", False, values=[spec.value])
    filters = [_of_property(spec.field, mine)]
    yes: tuple[Rule, ...] = ()
    if spec.channel:
        _check_channel(spec, consent)
        assert consent is not None
        filters.append(_of_property(EMAIL, _known(True)))
        filters += [_of_property(rule.property, _not(rule)) for rule in (*consent.opt_outs, *consent.dead)]
        yes = () if consent.reaches_unknown or spec.unknown_reachable else consent.agreed
    ways = [[*filters, _of_property(rule.property, _is(rule))] for rule in yes] or [filters]
    every = [
        {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": [], "filters": way}
        for way in ways
    ]
    return {"filterBranchType": "OR", "filterBranchOperator": "OR", "filterBranches": every, "filters": []}


def same(first: Any, other: Any) -> bool:
    """Do two filters hold the same records, whatever HubSpot adds in giving them back?"""
    return bool(_canonical(first) == _canonical(other))


def described(criteria: Any) -> str:
    """The properties that a filter asks about, and the values of those with options: for people."""
    parts = []
    for rule in within(criteria):
        values = (rule.get("operation") or {}).get("values")
        chosen = f" = {' or '.join(map(str, values))}" if isinstance(values, list) and values else ""
        parts.append(f"{rule.get('property') or rule['filterType']}{chosen}")
    return ", ".join(dict.fromkeys(parts)) or "no filter"


def within(criteria: Any) -> Iterator[dict[str, Any]]:
    """All filters anywhere in branches of whatever kind."""
    return (entry for entry in objects(criteria) if isinstance(entry.get("filterType"), str))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects anywhere in decoded JSON, the outer ones first."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


def _check_channel(spec: ListSpec, consent: Consent | None) -> None:
    remedy = 'write lists = "static" for this segmentation'
    if spec.channel != "email" or spec.record_type != "contact" or consent is None:
        whose = "of no company" if spec.record_type == "company" else f"nothing of {spec.channel}"
        raise UnsupportedError(
            f"list {spec.key}: no property says who can be reached by {spec.channel} (HubSpot knows that {whose}): {remedy}"
        )
    if consent.agreed or spec.unknown_reachable or consent.reaches_unknown:
        return
    if not consent.opt_outs:
        raise UnsupportedError(
            f"list {spec.key}: the key sees no property that says who opted out of e-mail: {remedy}, or unknown_reachable = true"
        )
    raise UnsupportedError(
        f"list {spec.key}: the portal says who opted out but not who opted in, so the list would be empty: write "
        'consent_basis = "not_opted_out" for the account, if you may write to everybody who did not opt out'
    )


def _is(rule: Rule) -> dict[str, Any]:
    """The rule applies: asked only of properties with options."""
    return _asking(_operation(rule), "IS_ANY_OF", False, values=list(rule.values))


def _not(rule: Rule) -> dict[str, Any]:
    """The rule does not apply; a record that has no value has none against it."""
    if rule.test == "filled":
        return _known(False)
    if rule.test == "positive":
        return _asking("NUMBER", "IS_LESS_THAN_OR_EQUAL_TO", True, value=0)
    values = list(rule.values) or ["true"]
    if rule.type == "bool":
        return _asking("BOOL", "IS_NOT_EQUAL_TO", True, value=values == ["true"])
    return _asking(_operation(rule), "IS_NONE_OF", True, values=values)


def _operation(rule: Rule) -> str:
    return "ENUMERATION" if rule.type == "enumeration" else "MULTISTRING"


def _known(is_known: bool) -> dict[str, Any]:
    return _asking("ALL_PROPERTY", "IS_KNOWN" if is_known else "IS_UNKNOWN", not is_known)


def _asking(kind: str, operator: str, without_value: bool, **operand: Any) -> dict[str, Any]:
    """An operation; ``without_value``: it holds too for a record that has no value."""
    return {"operationType": kind, "operator": operator, **operand, _NO_VALUE: without_value}


def _of_property(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {"filterType": "PROPERTY", "property": name, "operation": operation}


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {
            name: _canonical(part)
            for name, part in value.items()
            if name not in _ADDED and part not in (None, [], {}, False)
        }
        return sorted(kept.items(), key=repr)
    if isinstance(value, list):
        return sorted((_canonical(part) for part in value), key=repr)
    return str(value).lower() if isinstance(value, bool) else value
