"""What starts by itself when a property changes or a record joins a list?

Workflows, and whom they have enrolled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.lists import Listed
from tests.servers.hubspot.schema import Kind, kind_of
from tests.servers.hubspot.store import Record

_CHANGED = "4-655002"  # the event type of a changed property value
HOUR = 3_600_000


class Enrolment(NamedTuple):
    """A record that entered a workflow."""

    at: int
    workflow: int
    record: int


@dataclass
class Workflow:
    """A workflow on a property that becomes ``value`` (None: any value), or on a list that a record joins.

    ``shape`` is how HubSpot tells the trigger: an event, an event with the property's own filter, or a filter
    on records.
    """

    id: int
    name: str
    property: str = ""
    value: str | None = None
    list_id: int = 0
    enabled: bool = True
    again: bool = True  # may a record enter twice?
    kind: Kind = field(default_factory=lambda: kind_of("contacts"))
    shape: Literal["event", "event_property", "filter"] = "event"
    created: int = 0

    def summary(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "isEnabled": self.enabled,
            "flowType": "WORKFLOW",
            "objectTypeId": self.kind.id,
            "revisionId": "1",
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
        }

    def body(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "type": "CONTACT_FLOW" if self.kind.name == "contacts" else "PLATFORM_FLOW",
            "startActionId": "1",
            "nextAvailableActionId": "2",
            "actions": [
                {
                    "actionId": "1",
                    "actionTypeId": "0-1",
                    "actionTypeVersion": 0,
                    "type": "SINGLE_CONNECTION",
                    "fields": {"delta": "1", "time_unit": "DAYS"},
                }
            ],
            "enrollmentCriteria": self.criteria(),
            "timeWindows": [],
            "blockedDates": [],
            "customProperties": {},
            "suppressionListIds": [],
            "canEnrollFromSalesforce": False,
        }

    def criteria(self) -> dict[str, Any]:
        if self.list_id:
            return self._of_records(
                [{"listId": str(self.list_id), "operator": "IN_LIST", "filterType": "IN_LIST"}]
            )
        if self.shape == "filter":
            return self._of_records([self._property_filter(self.property)])
        if self.shape == "event_property":
            filters = [self._property_filter(self.property)]
        else:
            filters = [_text("hs_name", "IS_EQUAL_TO", self.property)]
            filters.append(
                {"property": "hs_value", "operation": _values(self.value), "filterType": "PROPERTY"}
            )
        branch = {
            "eventTypeId": _CHANGED,
            "operator": "HAS_COMPLETED",
            "filters": filters,
            "filterBranches": [],
            "filterBranchType": "UNIFIED_EVENTS",
            "filterBranchOperator": "AND",
        }
        return {
            "type": "EVENT_BASED",
            "shouldReEnroll": self.again,
            "eventFilterBranches": [branch],
            "listMembershipFilterBranches": [],
        }

    def _property_filter(self, name: str) -> dict[str, Any]:
        return {"property": name, "operation": _values(self.value), "filterType": "PROPERTY"}

    def _of_records(self, filters: list[dict[str, Any]]) -> dict[str, Any]:
        child = {
            "filterBranchType": "AND",
            "filterBranchOperator": "AND",
            "filterBranches": [],
            "filters": filters,
        }
        root = {
            "filterBranchType": "OR",
            "filterBranchOperator": "OR",
            "filterBranches": [child],
            "filters": [],
        }
        return {
            "type": "LIST_BASED",
            "shouldReEnroll": self.again,
            "listFilterBranch": root,
            "unEnrollObjectsNotMeetingCriteria": False,
            "reEnrollmentTriggersFilterBranches": [],
        }


def _text(name: str, operator: str, value: str) -> dict[str, Any]:
    operation = {
        "operator": operator,
        "includeObjectsWithNoValueSet": False,
        "value": value,
        "operationType": "STRING",
    }
    return {"property": name, "operation": operation, "filterType": "PROPERTY"}


def _values(value: str | None) -> dict[str, Any]:
    if value is None:
        return {
            "operator": "IS_KNOWN",
            "includeObjectsWithNoValueSet": False,
            "operationType": "ALL_PROPERTY",
        }
    return {
        "operator": "IS_ANY_OF",
        "includeObjectsWithNoValueSet": False,
        "values": [value],
        "operationType": "ENUMERATION",
    }


class Flows:
    """All workflows, and every enrolment in the order in which they came about."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.all: dict[int, Workflow] = {}
        self.enrolments: list[Enrolment] = []

    def add(self, name: str, **settings: Any) -> Workflow:
        """A person builds a workflow: fields of ``Workflow``."""
        made = Workflow(1000 + len(self.all), name, created=self.now(), **settings)
        self.all[made.id] = made
        return made

    def observe(self, kind: Kind, record: Record, before: dict[str, str]) -> None:
        if record.archived:
            return
        for flow in self.all.values():
            if flow.enabled and flow.kind == kind and flow.property:
                value = record.values.get(flow.property, "")
                if value and value != before.get(flow.property, "") and flow.value in (None, value):
                    self._enrol(flow, record.id)

    def joined(self, listed: Listed, record: int) -> None:
        for flow in self.all.values():
            if flow.enabled and flow.list_id == listed.id:
                self._enrol(flow, record)

    def _enrol(self, flow: Workflow, record: int) -> None:
        if flow.again or not any(
            each.workflow == flow.id and each.record == record for each in self.enrolments
        ):
            self.enrolments.append(Enrolment(self.now(), flow.id, record))

    def busiest_hour(self) -> int:
        """Most enrolments of one workflow within any 60 minutes."""
        most, window = 0, Counter[int]()
        start = 0
        for each in self.enrolments:
            window[each.workflow] += 1
            while self.enrolments[start].at <= each.at - HOUR:
                window[self.enrolments[start].workflow] -= 1
                start += 1
            most = max(most, window[each.workflow])
        return most

    def entered(self) -> Counter[tuple[int, int]]:
        """How often each (workflow, record) was enrolled."""
        return Counter((each.workflow, each.record) for each in self.enrolments)
