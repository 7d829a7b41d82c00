"""Which list views are there, and who is in them? Their filters are evaluated whenever somebody looks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.compile import Compiler
from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.schema import NUMBERS, Entity, Field
from tests.servers.salesforce.soql import Condition, Item, Logic, Query, Test, Value

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

_SIGNS = {"equals": "=", "notequal": "!=", "lessthan": "<", "lessorequal": "<=", "greaterthan": ">", "greaterorequal": ">=",
          "contains": "like", "notcontain": "like", "startswith": "like", "includes": "includes", "excludes": "excludes"}  # fmt: skip
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
_SCOPES = ("everything", "mine", "entity")
_LABEL, _DEVELOPER_NAME = 40, 80


@dataclass
class ListViews:
    """List views by id."""

    org: Org
    views: dict[str, dict[str, Any]] = field(default_factory=dict)  # id → what it was made with

    def add(self, entity: Entity, body: Mapping[str, Any], user: str) -> str:
        """A new view; its id."""
        view = self._checked(entity, body, user)
        if self.named(entity, view["listViewApiName"]):
            raise Refusal(
                400,
                "DUPLICATE_DEVELOPER_NAME",
                f"a list view of the name {view['listViewApiName']} exists already",
                ["listViewApiName"],
            )
        row = {
            "Name": view["label"],
            "DeveloperName": view["listViewApiName"],
            "SobjectType": entity.name,
            "IsSoqlCompatible": 1,
        }
        id = self.org.add("ListView", row, user=user)
        self.views[id] = {**view, "owner": user}
        return id

    def change(self, id: str, entity: Entity, body: Mapping[str, Any], user: str) -> None:
        old = self.views[id]
        self.views[id] = self._checked(entity, {**old, **body}, user) | {"owner": old["owner"]}
        moment = self.org.clock.stamp()
        with self.org.store.lock:
            values = {
                "Name": self.views[id]["label"],
                "DeveloperName": self.views[id]["listViewApiName"],
                "SystemModstamp": moment,
            }
            self.org.store.change(self.org.schema["ListView"], id, values)

    def remove(self, id: str) -> None:
        del self.views[id]
        self.org.purge("ListView", id)

    def named(self, entity: Entity, name: str) -> str | None:
        """The id of a view by its developer name."""
        with self.org.store.lock:
            rows = self.org.store.select(
                self.org.schema["ListView"], "SobjectType = ? AND DeveloperName = ?", entity.name, name
            )
        return rows[0]["Id"] if rows else None

    def found(self, entity: Entity, key: str) -> str:
        """The id of a view by its name or id; 404 else."""
        id = key if key in self.views else self.named(entity, key)
        if id is None:
            raise not_found()
        return id

    def _checked(self, entity: Entity, body: Mapping[str, Any], user: str) -> dict[str, Any]:
        name, label = str(body.get("listViewApiName") or ""), str(body.get("label") or "")
        if not _NAME.fullmatch(name) or len(name) > _DEVELOPER_NAME:
            raise Refusal(
                400,
                "INVALID_INPUT",
                f"listViewApiName {name!r}: letters, digits and single underscores, a letter first",
                ["listViewApiName"],
            )
        if not label or len(label) > _LABEL:
            raise Refusal(
                400,
                "STRING_TOO_LONG",
                f"label: data value too large: {label} (max length={_LABEL})",
                ["label"],
            )
        visibility = body.get("visibility", "Private")
        if visibility not in ("Private", "Public", "Shared"):
            raise Refusal(400, "INVALID_INPUT", f"visibility {visibility!r} is unknown", ["visibility"])
        if visibility != "Private" and not self.org.access.may(user, "PermissionsManagePublicListViews"):
            raise Refusal(
                403, "INSUFFICIENT_ACCESS", "Manage Public List Views is needed to share a list view"
            )
        self._check_shares(visibility, body.get("listShares") or ())
        scope = (body.get("scope") or {}).get("apiName", "everything")
        if str(scope).lower() not in _SCOPES:
            raise Refusal(400, "INVALID_INPUT", f"scope {scope!r} is unknown", ["scope"])
        for column in body.get("displayColumns") or ():
            self._column(entity, str(column), user)
        for term in body.get("filteredByInfo") or ():
            self._test(entity, term, user)
        keys = ("visibility", "listShares", "displayColumns", "filteredByInfo", "filterLogicString")
        return {
            "listViewApiName": name,
            "label": label,
            "scope": {"apiName": scope},
            **{key: body[key] for key in keys if key in body},
        }

    def _check_shares(self, visibility: Any, shares: Sequence[Any]) -> None:
        if visibility == "Shared" and not shares:
            raise Refusal(400, "INVALID_INPUT", "a shared list view needs listShares", ["listShares"])
        for share in shares:
            if not isinstance(share, str):
                raise Refusal(
                    400,
                    "JSON_PARSER_ERROR",
                    "Cannot deserialize instance of string from START_OBJECT value",
                    ["listShares"],
                )
            with self.org.store.lock:
                group = self.org.store.run(
                    'SELECT 1 FROM "Group" WHERE DeveloperName = ? OR Id = ?', (share,) * 2
                )
            if not group:
                raise Refusal(400, "INVALID_INPUT", f"there is no group {share!r}", ["listShares"])

    def _compiler(self, entity: Entity, user: str) -> Compiler:
        return Compiler(
            Query([], entity.name), self.org.schema, self.org.access.view(user), self.org.clock.now(), False
        )

    def _column(self, entity: Entity, path: str, user: str) -> None:
        self._compiler(entity, user).column(path)

    def _test(self, entity: Entity, term: Mapping[str, Any], user: str) -> Condition:
        """A filter as a condition."""
        path, operator = str(term.get("fieldApiName")), str(term.get("operator", "")).lower()
        _, column, _ = self._compiler(entity, user).column(path)
        if operator not in _SIGNS:
            raise Refusal(
                400, "INVALID_INPUT", f"operator {term.get('operator')!r} is unknown", ["filteredByInfo"]
            )
        sign, item = _SIGNS[operator], Item(path)
        labels = [self._operand(column, str(label)) for label in term.get("operandLabels") or [""]]
        values = [self._value(column.type, operator, label) for label in labels]
        if sign in ("includes", "excludes"):
            return Test(item, sign, values)
        tests: list[Condition] = [Test(item, sign, [value]) for value in values]
        whole: Condition = tests[0] if len(tests) == 1 else Logic("or", tests)
        return Logic("not", [whole]) if operator == "notcontain" else whole

    def _operand(self, column: Field, operand: str) -> str:
        """The value that an operand means: that of the label, where the org takes labels; what is no label
        then means nothing.
        """
        how = self.org.knobs.view_operands
        if column.type != "picklist" or not operand or how == "value":
            return operand
        match = next((value for value in column.values if column.labels.get(value, value) == operand), None)
        if match is None and how == "strict":
            raise Refusal(
                400, "INVALID_INPUT", f"{operand!r} is no label of {column.name}", ["filteredByInfo"]
            )
        return match if match is not None else f"no label: {operand}"

    def _value(self, type: str, operator: str, label: str) -> Value:
        if not label:
            return Value("null", None)
        if type == "boolean":
            return Value("boolean", int(label.lower() in ("true", "1")))
        if type in NUMBERS or type == "int":
            return Value("number", float(label))
        if type in ("date", "datetime"):
            return Value(type, label)
        around = {"contains": "%{}%", "notcontain": "%{}%", "startswith": "{}%"}.get(operator, "{}")
        return Value("text", around.format(label))

    def results(self, id: str, entity: Entity, user: str, limit: int, offset: int) -> dict[str, Any]:
        """Records that are now in the view, with its columns."""
        view = self.views[id]
        tests: list[Condition] = [self._test(entity, term, user) for term in view.get("filteredByInfo") or ()]
        if view["scope"]["apiName"] == "mine":
            tests.append(Test(Item("OwnerId"), "=", [Value("text", user)]))
        compiler = self._compiler(entity, user)
        compiler.query.where = Logic("and", tests) if tests else None
        columns = ["Id", *(view.get("displayColumns") or ["Name"])]
        selected = [compiler.column(column)[0] for column in columns]
        where = compiler.where()
        sql = f'SELECT {", ".join(selected)} {compiler.body(where)} ORDER BY t0."Id"'
        with self.org.store.lock:
            rows = self.org.store.run(sql, compiler.parameters)
        shown = [
            {
                "columns": [
                    {"fieldNameOrPath": name, "value": None if value is None else str(value)}
                    for name, value in zip(columns, row, strict=True)
                ]
            }
            for row in rows[offset : offset + limit]
        ]
        return {
            "developerName": view["listViewApiName"],
            "id": id,
            "label": view["label"],
            "done": offset + limit >= len(rows),
            "size": len(shown),
            "records": shown,
        }

    def told(self, id: str, entity: Entity) -> dict[str, Any]:
        """The view as the UI API tells it."""
        view = self.views[id]
        reference = {
            "id": id,
            "listViewApiName": view["listViewApiName"],
            "objectApiName": entity.name,
            "type": "listView",
        }
        columns = [
            {"fieldApiName": name, "label": name, "sortable": True}
            for name in view.get("displayColumns") or ()
        ]
        filters = [{"label": term["fieldApiName"], **term} for term in view.get("filteredByInfo") or ()]
        more = {
            "visibility": view.get("visibility", "Private"),
            "scope": {"label": "All", **view["scope"]},
            "filteredByInfo": filters,
        }
        more |= dict.fromkeys(("cloneable", "createable", "deletable", "updateable"), True) | {
            "listShares": view.get("listShares", [])
        }
        return {"label": view["label"], "listReference": reference, "displayColumns": columns, **more}
