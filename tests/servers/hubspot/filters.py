"""Does a record pass the filters of a list? Branches of OR and AND over properties and other lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.servers.hubspot.errors import invalid
from tests.servers.hubspot.schema import Property

Values = dict[str, str]
Test = Callable[[Values], bool]
_OF_TYPE = {
    "enumeration": {"ENUMERATION", "ALL_PROPERTY", "MULTISTRING"},
    "string": {"STRING", "MULTISTRING", "ALL_PROPERTY"},
    "phone_number": {"STRING", "MULTISTRING", "ALL_PROPERTY"},
    "number": {"NUMBER", "ALL_PROPERTY"},
    "bool": {"BOOL", "ALL_PROPERTY", "ENUMERATION"},
    "date": {"TIME_POINT", "TIME_RANGED", "ALL_PROPERTY", "DATE", "COMPARATIVE_DATE"},
    "datetime": {"TIME_POINT", "TIME_RANGED", "ALL_PROPERTY", "DATETIME", "COMPARATIVE_DATE"},
}


def compiled(root: Any, properties: dict[str, Property], member: Callable[[str, int], bool]) -> Test:
    """The test that a filter branch stands for; refuses one that HubSpot would refuse.

    ``member``: is a record in a list?
    """
    if not isinstance(root, dict) or root.get("filterBranchType") != "OR" or root.get("filters"):
        raise invalid(
            "The root filter branch must be an OR branch without filters",
            subCategory="ILS.INVALID_FILTER_BRANCH",
        )
    children = root.get("filterBranches")
    if (
        not isinstance(children, list)
        or not children
        or any(child.get("filterBranchType") != "AND" for child in children)
    ):
        raise invalid(
            "The root filter branch must have AND branches", subCategory="ILS.INVALID_FILTER_BRANCH"
        )
    return _branch(root, properties, member)


def _branch(
    branch: dict[str, Any], properties: dict[str, Property], member: Callable[[str, int], bool]
) -> Test:
    for required in ("filterBranchType", "filterBranchOperator", "filters", "filterBranches"):
        if required not in branch:
            raise invalid(f"Invalid input JSON: some required fields were not set: [{required}]")
    if (
        branch["filterBranchType"] not in ("OR", "AND")
        or branch["filterBranchOperator"] != branch["filterBranchType"]
    ):
        raise invalid("This filter branch is not supported", subCategory="ILS.INVALID_FILTER_BRANCH")
    tests = [_filter(each, properties, member) for each in branch["filters"]]
    tests += [_branch(child, properties, member) for child in branch["filterBranches"]]
    if branch["filterBranchType"] == "OR":
        return lambda values: any(test(values) for test in tests)
    return lambda values: all(test(values) for test in tests)


def mentioned(branch: dict[str, Any]) -> Iterator[str]:
    """The properties that a branch looks at."""
    yield from (
        each["property"] for each in branch.get("filters", []) if each.get("filterType") == "PROPERTY"
    )
    for child in branch.get("filterBranches", []):
        yield from mentioned(child)


def _filter(
    each: dict[str, Any], properties: dict[str, Property], member: Callable[[str, int], bool]
) -> Test:
    if each.get("filterType") == "IN_LIST":
        wanted = each.get("operator") == "IN_LIST"
        return lambda values: member(str(each.get("listId")), int(values["hs_object_id"])) == wanted
    if each.get("filterType") != "PROPERTY":
        raise invalid(
            f"Filter type {each.get('filterType')} is not supported", subCategory="ILS.INVALID_FILTER"
        )
    definition = properties.get(each.get("property", ""))
    if definition is None or definition.archived:
        raise invalid(f"Property {each.get('property')} does not exist", subCategory="ILS.INVALID_FILTER")
    operation = each.get("operation") or {}
    if operation.get("operationType") not in _OF_TYPE[definition.type]:
        raise invalid(
            f"Operation type {operation.get('operationType')} does not fit {definition.name}",
            subCategory="ILS.INVALID_FILTER",
        )
    return _operation(definition.name, operation)


def _operation(name: str, operation: dict[str, Any]) -> Test:
    operator, empty = operation.get("operator"), bool(operation.get("includeObjectsWithNoValueSet"))
    if operator in ("IS_KNOWN", "IS_UNKNOWN"):
        return lambda values: (name in values) == (operator == "IS_KNOWN")
    holds = _holds(operation)
    return lambda values: holds(values[name]) if name in values else empty


def _holds(operation: dict[str, Any]) -> Callable[[str], bool]:
    operator, type_ = operation.get("operator"), operation["operationType"]
    if type_ == "BOOL":
        wanted = str(operation.get("value")).lower()
        return lambda stored: (stored == wanted) == (operator == "IS_EQUAL_TO")
    if type_ in ("ENUMERATION", "MULTISTRING"):
        return _several(operation, str(operator), type_ == "ENUMERATION")
    if type_ == "NUMBER":
        return _number(operation, str(operator))
    if type_ == "STRING":
        text = str(operation.get("value", "")).lower()
        match operator:
            case "IS_EQUAL_TO" | "IS_NOT_EQUAL_TO":
                return lambda stored: (stored.lower() == text) == (operator == "IS_EQUAL_TO")
            case "CONTAINS" | "DOES_NOT_CONTAIN":
                return lambda stored: (text in stored.lower()) == (operator == "CONTAINS")
    raise invalid(f"Operator {operator} of {type_} is not supported", subCategory="ILS.INVALID_FILTER")


def _several(operation: dict[str, Any], operator: str, case_matters: bool) -> Callable[[str], bool]:
    if not isinstance(operation.get("values"), list):
        raise invalid("Invalid input JSON: some required fields were not set: [values]")
    values = {value if case_matters else value.lower() for value in operation["values"]}

    def parts(stored: str) -> set[str]:
        return set((stored if case_matters else stored.lower()).split(";"))

    match operator:
        case "IS_ANY_OF" | "IS_EQUAL_TO":
            return lambda stored: not values.isdisjoint(parts(stored))
        case "IS_NONE_OF" | "IS_NOT_EQUAL_TO":
            return lambda stored: values.isdisjoint(parts(stored))
        case "IS_EXACTLY":
            return lambda stored: parts(stored) == values
        case "CONTAINS_ALL":
            return lambda stored: values <= parts(stored)
    raise invalid(f"Operator {operator} is not supported", subCategory="ILS.INVALID_FILTER")


def _number(operation: dict[str, Any], operator: str) -> Callable[[str], bool]:
    value = float(operation.get("value", 0))
    match operator:
        case "IS_EQUAL_TO":
            return lambda stored: float(stored) == value
        case "IS_GREATER_THAN":
            return lambda stored: float(stored) > value
        case "IS_GREATER_THAN_OR_EQUAL_TO":
            return lambda stored: float(stored) >= value
        case "IS_LESS_THAN":
            return lambda stored: float(stored) < value
        case "IS_LESS_THAN_OR_EQUAL_TO":
            return lambda stored: float(stored) <= value
    raise invalid(f"Operator {operator} of NUMBER is not supported", subCategory="ILS.INVALID_FILTER")
