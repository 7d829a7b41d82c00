"""Which workflows start when a property or a list of ours changes?

A workflow tells its start in ``enrollmentCriteria`` (developer documentation, "Workflow actions and
enrollment types"): a filter on records, or events such as a changed property value, and further events that
enrol a record again. What a workflow does later, and lists of other people that filter on our properties, are
not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from connectors.contract import Automation, Automations, FieldSpec, ListSpec
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.filters import objects, within
from connectors.hubspot.paths import TYPE_IDS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import FLOWS, following, named
from connectors.rest.paging import pages

SCOPE = "automation"
_PAGE = 100
_CRITERIA = ("enrollmentCriteria", "enrollmentTriggers", "segmentCriteria")
# of a changed property: what, to what
_NAMES, _VALUES = (("hs_name", "hs_property_name"), ("hs_value", "hs_property_value"))
_POSITIVE = frozenset(
    {
        "IS_ANY_OF",
        "IS_EQUAL_TO",
        "IS_EXACTLY",
        "CONTAINS_ALL",
        "CONTAINS",
        "HAS_EVER_BEEN_ANY_OF",
        "HAS_EVER_BEEN_EQUAL_TO",
    }
)


def reacting(portal: Portal, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
    """The enabled workflows that start on our fields and lists; ``unknown`` where the key may not read
    workflows.
    """
    flows, unknown = workflows(portal, enabled=True)
    listening = [entry for flow in flows for entry in _starts(flow, fields, lists)]
    return Automations(tuple(dict.fromkeys(listening)), unknown)


def workflows(portal: Portal, enabled: bool) -> tuple[list[dict[str, Any]], str]:
    """The workflows of the portal as HubSpot describes them, or why they cannot be read. ``enabled``: those alone."""
    try:
        flows = [entry for entry in _flows(portal) if entry.get("isEnabled") or not enabled]
        return list(portal.many(lambda flow: _whole(portal, flow), flows)), ""
    except Denied as error:
        scopes = ", ".join(error.refusal.scopes or (SCOPE,))
        return (
            [],
            f"workflows cannot be read: the key lacks the scope {scopes}, or the portal has no workflows",
        )
    except Refused as error:
        return [], f"workflows cannot be read: {error}"


def name_of(flow: dict[str, Any]) -> str:
    """What people call a workflow."""
    return str(flow.get("name") or f"workflow {flow.get('id')}")


def _flows(portal: Portal) -> Iterator[dict[str, Any]]:
    def page(after: str | None) -> dict[str, Any]:
        params = [("limit", str(_PAGE)), *([("after", after)] if after else [])]
        answer: dict[str, Any] = portal.ask_either("workflows", params=params, shape=FLOWS)
        return answer

    for answer in pages(page, following):
        yield from answer["results"]


def _whole(portal: Portal, flow: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**flow, **portal.ask_either("workflows", str(flow["id"]), shape=named("id"))}
    except Refused as error:
        if error.refusal.status == 404:  # deleted meanwhile
            return {}
        raise


def _starts(
    flow: dict[str, Any], fields: Sequence[FieldSpec], lists: Sequence[ListSpec]
) -> Iterator[Automation]:
    """What of ours a workflow starts on."""
    criteria = [flow.get(name) for name in _CRITERIA]
    name = name_of(flow)
    kind = str(flow.get("objectTypeId") or "")
    of_kind = [entry for entry in fields if not kind or TYPE_IDS.get(entry.record_type) == kind]
    ids = {entry.id: entry.key for entry in lists if entry.id}
    for entry in within(criteria):
        for id in (str(entry.get("listId") or ""), *_values(entry)):
            if id in ids and (
                entry.get("filterType") == "IN_LIST" or "list" in str(entry.get("property")).lower()
            ):
                yield Automation(name, ids[id])
    for spec in of_kind:
        for value in _on_property(criteria, spec.name):
            yield Automation(name, spec.name, value)


def _on_property(criteria: Any, name: str) -> Iterator[str | None]:
    """The values of a property on which the criteria start; None for any."""
    for branch in objects(criteria):
        if not isinstance(branch.get("filters"), list):
            continue
        filters = [rule for rule in branch["filters"] if isinstance(rule, dict)]
        for rule in filters:
            if rule.get("property") == name:
                yield from _values(rule) or (None,)
        if any(rule.get("property") in _NAMES and name in _values(rule) for rule in filters):
            values = [value for rule in filters if rule.get("property") in _VALUES for value in _values(rule)]
            yield from values or (None,)


def _values(rule: dict[str, Any]) -> list[str]:
    """The values that a filter asks for; none where it asks for something else than being one of them."""
    operation = rule.get("operation")
    if not isinstance(operation, dict) or str(operation.get("operator")) not in _POSITIVE:
        return []
    given = operation.get("values")
    values: Iterable[Any] = given if isinstance(given, list) else [operation.get("value")]
    return [str(value) for value in values if value is not None]
