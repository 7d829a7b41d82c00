"""How is a list view made, found changed, and counted?

A list view keeps itself: Salesforce evaluates its filter whenever somebody looks ("User Interface API
Developer Guide", List Views). An operand of a filter on a picklist is the value's label where it has one,
says the guide; orgs are known to take the value itself. Both are sent, and either is enough: a record has one
of them at most.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from connectors.contract import Account, ListSpec, RemoteList
from connectors.errors import UnsupportedError
from connectors.salesforce import shapes, soql
from connectors.salesforce.api_errors import Refused
from connectors.salesforce.names import OBJECTS, api_name, short_label
from connectors.salesforce.session import Org

VIEW = "view"
PREFIX = "Segment_"  # of the developer names of our list views
_COUNTED = 2000  # the most records of a view that one call shows
_COLUMNS = {
    "contact": ("Name", "Email", "Account.Name"),
    "lead": ("Name", "Email", "Company"),
    "company": ("Name", "Industry"),
}

Body = dict[str, Any]


class ListViews:
    """List views of one org that are ours, by their developer names."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._ids: dict[str, str] = {}  # by developer name, once all were read

    def all(self) -> list[RemoteList]:
        """The views that are there, without their keys."""
        types = {table: record_type for record_type, table in OBJECTS.items()}
        named = f"DeveloperName LIKE {soql.quoted(PREFIX.strip('_') + '%')}"
        where = [soql.among("SobjectType", types), named]
        fields = ["Id", "Name", "DeveloperName", "SobjectType"]
        rows = [row for page in self._org.query(soql.Select(fields, "ListView", where)) for row in page]
        if not all(row["DeveloperName"] and row["Name"] and row["SobjectType"] in types for row in rows):
            raise shapes.foreign("GET", "query")
        ours = [row for row in rows if row["DeveloperName"].startswith(PREFIX)]
        self._ids.update({row["DeveloperName"]: row["Id"] for row in ours})
        return [
            RemoteList(f"{VIEW}:{table}:{row['DeveloperName']}", "", row["Name"], "dynamic", types[table])
            for row in ours
            for table in [row["SobjectType"]]
        ]

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Make the view, or give it its present label, filter and scope."""
        table, name = OBJECTS[spec.record_type], _name(spec)
        wanted, present = self._view(spec, name), self._present(spec)
        if present is None:
            self._send("POST", f"ui-api/list-info/{table}", wanted, spec)
        elif present.get("label") != wanted["label"] or self._difference(spec, present):
            changed = {key: value for key, value in wanted.items() if key != "listViewApiName"}
            if present.get("filterLogicString"):
                changed["filterLogicString"] = " AND ".join(
                    str(number) for number in range(1, len(wanted["filteredByInfo"]) + 1)
                )
            self._send("PATCH", f"ui-api/list-info/{table}/{name}", changed, spec)
        return RemoteList(f"{VIEW}:{table}:{name}", spec.key, wanted["label"], "dynamic", spec.record_type)

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Key → what differs, of the views that show other records than we would make them show."""
        ours = _views(specs)
        pairs = list(zip(ours, self._org.many(self._present, ours), strict=True))
        if any(
            present is not None and not isinstance(present.get("filteredByInfo"), list)
            for _, present in pairs
        ):
            raise shapes.foreign("GET", "ui-api/list-info")  # a view without filters tells an empty list
        differing = {
            spec.key: self._difference(spec, present) for spec, present in pairs if present is not None
        }
        return {key: what for key, what in differing.items() if what}

    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        """Key → how many records a list view of ours shows, where one call tells."""
        if not self._ids:
            self.all()
        ours = [spec for spec in _views(specs) if _name(spec) in self._ids]
        sizes = zip(ours, self._org.many(self._size, ours), strict=True)
        return {spec.key: size for spec, size in sizes if size is not None}

    def _size(self, spec: ListSpec) -> int | None:
        path = f"sobjects/{OBJECTS[spec.record_type]}/listviews/{self._ids[_name(spec)]}/results"
        shown = self._org.ask("GET", path, params={"limit": str(_COUNTED)})
        return len(shown.get("records") or ()) if shown.get("done") else None

    def _present(self, spec: ListSpec) -> Body | None:
        try:
            present: Body = self._org.ask(
                "GET", f"ui-api/list-info/{OBJECTS[spec.record_type]}/{_name(spec)}"
            )
        except Refused as error:
            if error.refusal.kind != "gone":
                raise
            return None
        return present

    def _send(self, method: str, path: str, body: Body, spec: ListSpec) -> None:
        """Send a view.

        Orgs differ in how "all records" is called, and in which operands they take: what is refused is left
        out.
        """
        try:
            self._org.ask(method, path, body=body, writes=True)
        except Refused as error:
            own = body["filteredByInfo"][0]
            if "scope" in error.refusal.text.lower() and "scope" in body:
                body = {key: value for key, value in body.items() if key != "scope"}
            elif "scope" not in error.refusal.text.lower() and len(own["operandLabels"]) > 1:
                label = {**own, "operandLabels": own["operandLabels"][:1]}
                body = {**body, "filteredByInfo": [label, *body["filteredByInfo"][1:]]}
            else:
                raise
            self._send(method, path, body, spec)

    def _view(self, spec: ListSpec, name: str) -> Body:
        settings = self._org.settings
        visible = self._org.fields(OBJECTS[spec.record_type])
        columns = [
            column
            for column in _COLUMNS[spec.record_type]
            if column.partition(".")[0] in visible or "." in column
        ]
        shared: Body = {"visibility": "Public"}
        if settings.list_view_groups:
            shared = {"visibility": "Shared", "listShares": list(settings.list_view_groups)}
        return {
            "listViewApiName": name,
            "label": short_label(spec.label),
            **shared,
            "scope": {"apiName": settings.list_view_scope},
            "displayColumns": [*columns, api_name(spec.field)],
            "filteredByInfo": self._filters(spec),
        }

    def _filters(self, spec: ListSpec) -> list[Body]:
        visible = self._org.fields(OBJECTS[spec.record_type])
        filters: list[Body] = [
            {
                "fieldApiName": api_name(spec.field),
                "operator": "Equals",
                "operandLabels": self._operands(spec),
            }
        ]
        return [*filters, *_reachable(spec, visible, self._org.account)] if spec.channel else filters

    def _operands(self, spec: ListSpec) -> list[str]:
        """The value's label and the value; the label alone where another value is labelled like it."""
        values = (
            self._org.fields(OBJECTS[spec.record_type]).get(api_name(spec.field), {}).get("picklistValues")
            or ()
        )
        labels = {str(value["value"]): str(value.get("label") or value["value"]) for value in values}
        own = labels.pop(spec.value, spec.value)
        return [own] if own == spec.value or spec.value in labels.values() else [own, spec.value]

    def _difference(self, spec: ListSpec, present: Body) -> str:
        """What a view shows otherwise than ours; "" where nothing."""
        own = api_name(spec.field)
        now, wanted = _told(present.get("filteredByInfo")), _told(self._filters(spec))
        mine = {
            (spec.value,),
            *((label,) for label in self._operands(spec)),
            tuple(sorted(self._operands(spec))),
        }
        sound = sorted(row for row in now if row[0] != own) == sorted(row for row in wanted if row[0] != own)
        sound = sound and [(field, operator) for field, operator, _ in now if field == own] == [
            (own, "Equals")
        ]
        if not sound or not all(given in mine for field, _, given in now if field == own):
            shown = ", ".join(
                f"{field} {operator} {' or '.join(given)}".strip() for field, operator, given in now
            )
            return f"filter: it shows whom {shown or 'no filter'} says"
        scope, logic = (
            str((present.get("scope") or {}).get("apiName") or ""),
            str(present.get("filterLogicString") or ""),
        )
        if "mine" in (scope.lower(), self._org.settings.list_view_scope) and scope.lower() not in (
            "",
            self._org.settings.list_view_scope,
        ):
            return f"scope: it shows {scope}"
        return f"filter logic: {logic}" if re.search(r"\b(OR|NOT)\b", logic, re.IGNORECASE) else ""


def view_name(spec: ListSpec) -> str:
    """The developer name of a list view: readable, and the same for a key for ever."""
    slug = re.sub(r"[^A-Za-z0-9]+", "_", spec.key).strip("_")[:24].strip("_")
    mark = hashlib.sha256(f"{spec.record_type} {spec.key}".encode()).hexdigest()[:6]
    return f"{PREFIX}{slug}_{mark}"


def _name(spec: ListSpec) -> str:
    """As the view is called that we made, else as it would be."""
    return spec.id.rpartition(":")[2] if spec.id.startswith(VIEW) else view_name(spec)


def _views(specs: Sequence[ListSpec]) -> list[ListSpec]:
    return [spec for spec in specs if spec.kind == "dynamic" and spec.id.startswith(VIEW)]


def _told(filters: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    """Field, operator and operands; "blank" comes back as "" or as nothing."""
    return [
        (
            str(row.get("fieldApiName", "")),
            str(row.get("operator", "")),
            tuple(sorted(x for x in row.get("operandLabels") or () if x)),
        )
        for row in filters or ()
    ]


def _reachable(spec: ListSpec, visible: dict[str, Any], account: Account) -> list[dict[str, Any]]:
    """Filters that hold for the records that the reading calls reachable (``records``). UnsupportedError
    where nobody would be in the list.

    Salesforce tells who opted out and nobody who opted in.
    """
    opt_out = {"email": "HasOptedOutOfEmail", "phone": "DoNotCall"}.get(spec.channel)
    if opt_out is None or (opt_out not in visible and not spec.unknown_reachable):
        raise UnsupportedError(
            f"list {spec.key} holds only who can be reached by {spec.channel}, which no field tells that this user sees: show it to him, "
            'or use lists = "static"'
        )
    if account.consent_basis == "opt_in" and not spec.unknown_reachable:
        raise UnsupportedError(
            f"list {spec.key}: Salesforce tells who opted out ({opt_out}), and nobody who opted in, so that nobody would be in it: write "
            f'consent_basis = "not_opted_out" in [accounts.{account.name}], if you may write to everybody who did not opt out'
        )
    filters = (
        [{"fieldApiName": opt_out, "operator": "Equals", "operandLabels": ["False"]}]
        if opt_out in visible
        else []
    )
    if spec.channel == "email":
        filters.append({"fieldApiName": "Email", "operator": "NotEqual", "operandLabels": [""]})
        if "EmailBouncedDate" in visible:
            filters.append({"fieldApiName": "EmailBouncedDate", "operator": "Equals", "operandLabels": [""]})
    return filters
