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
from connectors.errors import RequestError, UnsupportedError
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
        fields = ["Id", "Name", "DeveloperName", "SobjectType"]
        rows = self._org.rows(fields, "ListView", soql.among("SobjectType", types), named)
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
                numbers = range(1, len(wanted["filteredByInfo"]) + 1)
                changed["filterLogicString"] = " AND ".join(map(str, numbers))
            self._send("PATCH", f"ui-api/list-info/{table}/{name}", changed, spec)
        return RemoteList(f"{VIEW}:{table}:{name}", spec.key, wanted["label"], "dynamic", spec.record_type)

    def delete(self, remote: RemoteList) -> None:
        """Delete a view of ours. RequestError: the org keeps it."""
        _, table, name = remote.id.split(":")
        try:
            self._org.ask("DELETE", f"ui-api/list-info/{table}/{name}", writes=True)
        except Refused as error:
            if error.refusal.status != 404:
                raise RequestError(f'list view "{remote.label}" cannot be deleted: {error}') from error

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Key → what differs, of the views that show other records than we would make them show."""
        ours = _views(specs)
        differing = {}
        for spec, present in zip(ours, self._org.many(self._present, ours), strict=True):
            if present is not None and not isinstance(present.get("filteredByInfo"), list):
                raise shapes.foreign("GET", "ui-api/list-info")  # a view without filters tells an empty list
            if present is not None and (difference := self._difference(spec, present)):
                differing[spec.key] = difference
        return differing

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
        view: Body | None = self._org.ask_for(f"ui-api/list-info/{OBJECTS[spec.record_type]}/{_name(spec)}")
        return view

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
        usual = _COLUMNS[spec.record_type]
        columns = [column for column in usual if column.partition(".")[0] in visible or "." in column]
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
        own = _filter(api_name(spec.field), "Equals", *self._operands(spec))
        visible = self._org.fields(OBJECTS[spec.record_type])
        return [own, *(_reachable(spec, visible, self._org.account) if spec.channel else ())]

    def _operands(self, spec: ListSpec) -> list[str]:
        """The value's label and the value; the label alone where another value is labelled like it."""
        field = self._org.fields(OBJECTS[spec.record_type]).get(api_name(spec.field), {})
        values = field.get("picklistValues") or ()
        labels = {str(value["value"]): str(value.get("label") or value["value"]) for value in values}
        own = labels.pop(spec.value, spec.value)
        return [own] if own == spec.value or spec.value in labels.values() else [own, spec.value]

    def _difference(self, spec: ListSpec, present: Body) -> str:
        """What a view shows otherwise than ours; "" where nothing."""
        own, operands = api_name(spec.field), self._operands(spec)
        now, wanted = _plain(present.get("filteredByInfo")), _plain(self._filters(spec))
        mine = {(spec.value,), *((label,) for label in operands), tuple(sorted(operands))}
        of_own = [(operator, given) for field, operator, given in now if field == own]
        others, wanted_others = (sorted(row for row in rows if row[0] != own) for rows in (now, wanted))
        single = len(of_own) == 1 and of_own[0][0] == "Equals" and of_own[0][1] in mine
        if others != wanted_others or not single:
            shown = ", ".join(
                f"{field} {operator} {' or '.join(given)}".strip() for field, operator, given in now
            )
            return f"filter: it selects by {shown or 'no filter'}"
        scope, usual = (
            str((present.get("scope") or {}).get("apiName") or ""),
            self._org.settings.list_view_scope,
        )
        if "mine" in (scope.lower(), usual) and scope.lower() not in ("", usual):
            return f"scope: it shows {scope}"
        logic = str(present.get("filterLogicString") or "")
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


def _filter(field: str, operator: str, *operands: str) -> Body:
    return {"fieldApiName": field, "operator": operator, "operandLabels": list(operands)}


def _plain(filters: Sequence[Body] | None) -> list[tuple[str, str, tuple[str, ...]]]:
    """Field, operator and operands; "blank" comes back as "" or as nothing."""
    rows = []
    for row in filters or ():
        operands = sorted(operand for operand in row.get("operandLabels") or () if operand)
        rows.append((str(row.get("fieldApiName", "")), str(row.get("operator", "")), tuple(operands)))
    return rows


def _reachable(spec: ListSpec, visible: dict[str, Any], account: Account) -> list[dict[str, Any]]:
    """Filters that hold for the records that the reading calls reachable (``records``). UnsupportedError
    where nobody would be in the list.

    Salesforce tells who opted out and nobody who opted in.
    """
    opt_out = {"email": "HasOptedOutOfEmail", "phone": "DoNotCall"}.get(spec.channel)
    if opt_out is None or (opt_out not in visible and not spec.unknown_reachable):
        raise UnsupportedError(
            f"list {spec.key} is only for people who can be reached by {spec.channel}, and no field that this user "
            "sees says who: give the user access to one, "
            'or use lists = "static"'
        )
    if account.consent_basis == "opt_in" and not spec.unknown_reachable:
        raise UnsupportedError(
            f"list {spec.key}: Salesforce says who opted out ({opt_out}) but not who opted in, so the list would be empty: write "
            f'consent_basis = "not_opted_out" in [accounts.{account.name}], if you may write to everybody who did not opt out'
        )
    filters = [_filter(opt_out, "Equals", "False")] if opt_out in visible else []
    if spec.channel == "email":
        filters.append(_filter("Email", "NotEqual", ""))
        if "EmailBouncedDate" in visible:
            filters.append(_filter("EmailBouncedDate", "Equals", ""))
    return filters
