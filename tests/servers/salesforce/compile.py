"""How is a SOQL statement asked of the embedded database?

Nulls, case and relationships mean what they mean in SOQL: text compares without case, ``!=`` holds of null, a
path over an empty reference is null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.servers.salesforce.ids import is_id, long_id
from tests.servers.salesforce.periods import period
from tests.servers.salesforce.refusals import Refusal, no_column
from tests.servers.salesforce.schema import NUMBERS, Entity, Field, Schema
from tests.servers.salesforce.soql import Condition, Item, Logic, Query, Test, Value, malformed

_AGGREGATES = {"count", "count_distinct", "min", "max", "sum", "avg"}
_MAX_PARENTS = 5


@dataclass
class View:
    """What the asking user may see: the fields of an object, and a condition on its rows."""

    fields: Callable[[Entity], set[str]]  # names in lower case
    rows: Callable[[Entity, str], str]  # SQL over an alias, or ""


@dataclass
class Column:
    """One selected value: the names on the way to it, and its type."""

    path: tuple[str, ...]
    type: str


@dataclass
class Statement:
    """SQL, its parameters, and what its columns are."""

    entity: Entity
    columns: list[Column]
    sql: str
    parameters: list[Any]
    selected: list[str]  # SQL of each column
    count_sql: str
    aggregate: bool = False
    count_only: bool = False
    limited: bool = False
    # path of a parent → place of its id
    parents: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    parent_types: dict[tuple[str, ...], str] = field(default_factory=dict)
    body: str = ""  # FROM and WHERE
    tail: str = ""  # GROUP BY and ORDER BY
    offset: int = 0


def compiled(query: Query, schema: Schema, view: View, now: datetime, everything: bool) -> Statement:
    """The statement of a query. ``everything``: deleted and archived rows too."""
    return Compiler(query, schema, view, now, everything).statement()


class Compiler:
    def __init__(
        self, query: Query, schema: Schema, view: View, now: datetime, everything: bool, prefix: str = "t"
    ) -> None:
        self.query, self.schema, self.view, self.now, self.everything, self.prefix = (
            query,
            schema,
            view,
            now,
            everything,
            prefix,
        )
        entity = schema.get(query.entity)
        if entity is None:
            message = f"sObject type '{query.entity}' is not supported."
            raise Refusal(
                400, "INVALID_TYPE", f"\nFROM {query.entity}\n^\nERROR at Row:1:Column:15\n{message}"
            )
        self.entity = entity
        # path → alias, object, SQL of the join
        self.joins: dict[tuple[str, ...], tuple[str, Entity, str]] = {}
        self.parameters: list[Any] = []

    # Fields and paths

    def column(self, path: str) -> tuple[str, Field, tuple[str, ...]]:
        """SQL of a path, its last field, and the relationships on the way as they are spelled in the schema."""
        steps = path.split(".")
        if len(steps) > 1 and steps[0].lower() in (self.query.alias.lower(), self.entity.name.lower()):
            steps = steps[1:]
        if len(steps) - 1 > _MAX_PARENTS:
            malformed("SOQL statements cannot go over more than five relationships")
        alias, entity = f"{self.prefix}0", self.entity
        way: tuple[str, ...] = ()
        for step in steps[:-1]:
            alias, entity, way = self._join(alias, entity, way, step)
        field = entity.field(steps[-1])
        if field is None or field.name.lower() not in self.view.fields(entity):
            raise no_column(steps[-1], entity.name)
        return self.expression(field, alias), field, way

    def _join(
        self, alias: str, entity: Entity, way: tuple[str, ...], step: str
    ) -> tuple[str, Entity, tuple[str, ...]]:
        reference = entity.relation(step)
        if reference is None or reference.name.lower() not in self.view.fields(entity):
            hint = f"Didn't understand relationship '{step}' in field path."
            raise Refusal(400, "INVALID_FIELD", f"\n{step}\n^\nERROR at Row:1:Column:8\n{hint}")
        target = self.schema.get(reference.targets[0])
        if target is None:
            raise no_column(step, entity.name)
        path = (*way, reference.relationship or step)
        if path not in self.joins:
            new = f"{self.prefix}{len(self.joins) + 1}"
            join = f' LEFT JOIN "{target.name}" {new} ON {new}."Id" = {alias}."{reference.name}"'
            self.joins[path] = (new, target, join)
        new, target, _ = self.joins[path]
        return new, target, path

    def expression(self, field: Field, alias: str) -> str:
        return f"({field.formula.format(t=alias)})" if field.formula else f'{alias}."{field.name}"'

    # Conditions

    def condition(self, condition: Condition) -> str:
        if isinstance(condition, Logic):
            if condition.sign == "not":
                return f"NOT coalesce({self.condition(condition.parts[0])}, 0)"
            return "(" + f" {condition.sign} ".join(self.condition(part) for part in condition.parts) + ")"
        return self._test(condition)

    def _test(self, test: Test) -> str:
        sql, column = self._item(test.item)
        if isinstance(test.values, Query):
            return self._semijoin(sql, test.sign, test.values)
        if column.type in ("textarea", "address", "json"):
            message = f"field '{column.name}' can not be filtered in a query call"
            raise Refusal(400, "INVALID_FIELD", f"\n{column.name}\n^\nERROR at Row:1:Column:1\n{message}")
        if test.sign in ("includes", "excludes"):
            return self._includes(sql, test.sign, test.values)
        if test.sign in ("in", "not in"):
            values = [self._value(value, column) for value in test.values]
            self.parameters += [value for value in values if value is not None]
            inside = f"{sql} IN ({', '.join('?' for value in values if value is not None)})"
            inside = f"({inside} OR {sql} IS NULL)" if None in values else inside
            return inside if test.sign == "in" else f"NOT coalesce({inside}, 0)"
        (literal,) = test.values
        if literal.kind == "period":
            return self._period(sql, test.sign, literal, column)
        value = self._value(literal, column)
        if test.sign == "like":
            self.parameters.append(value)
            return f"{sql} LIKE ? ESCAPE '\\'"
        if value is None and test.sign in ("=", "!="):
            return f"{sql} IS {'NOT ' if test.sign == '!=' else ''}NULL"
        self.parameters.append(value)
        return f"{sql} IS NOT ?" if test.sign == "!=" else f"{sql} {test.sign} ?"

    def _item(self, item: Item) -> tuple[str, Field]:
        if item.function in _AGGREGATES:
            sql, field, _ = self.column(item.path) if item.path else ("*", Field("count", "int"), ())
            return _aggregate(item.function, sql), field if item.function in ("min", "max") else Field(
                item.function, "double"
            )
        sql, field, _ = self.column(item.path)
        return sql, field

    def _semijoin(self, sql: str, sign: str, inner: Query) -> str:
        nested = Compiler(inner, self.schema, self.view, self.now, self.everything, self.prefix + "s")
        if len(inner.items) != 1:
            malformed("a semi join subselect can only query one field")
        column, _, _ = nested.column(inner.items[0].path)
        body = nested.body(nested.where())
        where = f"{column} IS NOT NULL"
        text = f"SELECT {column} {body} {'AND' if ' WHERE ' in body else 'WHERE'} {where}"
        self.parameters += nested.parameters
        return f"coalesce({sql} {sign.upper()} ({text}), {int(sign == 'not in')})"

    def _includes(self, sql: str, sign: str, values: list[Value]) -> str:
        tests = []
        for value in values:
            parts = str(value.value).split(";")
            self.parameters += [f"%;{part};%" for part in parts]
            tests.append("(" + " AND ".join(f"';' || coalesce({sql}, '') || ';' LIKE ?" for _ in parts) + ")")
        text = "(" + " OR ".join(tests) + ")"
        return text if sign == "includes" else f"NOT {text}"

    def _period(self, sql: str, sign: str, literal: Value, column: Field) -> str:
        start, after = period(literal.value, self.now.date())
        low, high = (
            day.isoformat() + ("T00:00:00.000Z" if column.type == "datetime" else "")
            for day in (start, after)
        )
        tests = {"=": ("({0} >= ? AND {0} < ?)", [low, high]), "!=": ("({0} IS NULL OR {0} < ? OR {0} >= ?)", [low, high]),
                 "<": ("{0} < ?", [low]), "<=": ("{0} < ?", [high]), ">": ("{0} >= ?", [high]), ">=": ("{0} >= ?", [low])}  # fmt: skip
        text, parameters = tests[sign]
        self.parameters += parameters
        return text.format(sql)

    def _value(self, literal: Value, column: Field) -> Any:
        """The literal as the column stores it; a literal of another type is refused as the org refuses it."""
        kind, type = literal.kind, column.type
        if kind == "null":
            return None
        if type == "datetime" and kind == "datetime":
            return _instant(literal.value)
        fits = {
            "date": ("date",), "datetime": ("datetime",), "boolean": ("boolean",), "int": ("number",),
            "id": ("text",), "reference": ("text",),
        }.get(type, ("number",) if type in NUMBERS else ("text",))  # fmt: skip
        if kind not in fits:
            shown = {"datetime": "dateTime", "reference": "reference"}.get(type, type)
            quoted = "should be enclosed in quotes" if "text" in fits else "should not be enclosed in quotes"
            message = (
                f"value of filter criterion for field '{column.name}' must be of type {shown} and {quoted}"
            )
            raise Refusal(400, "INVALID_FIELD", f"\n{column.name}\n^\nERROR at Row:1:Column:1\n{message}")
        if type in ("id", "reference"):
            if not is_id(literal.value) and literal.value:
                raise Refusal(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.value}")
            return long_id(literal.value) if literal.value else ""
        return literal.value

    # The statement

    def where(self) -> str:
        return self.condition(self.query.where) if self.query.where else ""

    def body(self, where: str) -> str:
        """FROM and WHERE. Joins are known only when every path was resolved."""
        tests = [where] if where else []
        alias = f"{self.prefix}0"
        for name in ("IsDeleted", "IsArchived"):
            if not self.everything and self.entity.field(name):
                tests.insert(0, f'{alias}."{name}" = 0')
        rows = self.view.rows(self.entity, alias)
        if rows:
            tests.append(rows)
        text = f'FROM "{self.entity.name}" {alias}' + "".join(join for _, _, join in self.joins.values())
        return text + (f" WHERE {' AND '.join(tests)}" if tests else "")

    def statement(self) -> Statement:
        query = self.query
        aggregate = bool(query.group) or any(item.function in _AGGREGATES for item in query.items)
        count_only = len(query.items) == 1 and query.items[0].function == "count" and not query.items[0].path
        selected = self._selected(aggregate)
        columns = [column for _, column in selected]
        parents = self._parents(columns) if not aggregate else []
        where = self.where()
        tail = (self._grouping() if aggregate else "") + self._ordering()
        body = self.body(where)
        sql = (
            "SELECT "
            + ", ".join([sql for sql, _ in selected] + [f'{alias}."Id"' for alias, _ in parents])
            + " "
            + body
            + tail
        )
        if query.limit is not None or query.offset:
            sql += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
        places = [(path, len(columns) + position) for position, (_, path) in enumerate(parents)]
        types = {path: entity.name for path, (_, entity, _) in self.joins.items()}
        count = f"SELECT count(*) {body}"
        texts = [text for text, _ in selected]
        limited = query.limit is not None or bool(query.offset)
        return Statement(
            self.entity,
            columns,
            sql,
            self.parameters,
            texts,
            count,
            aggregate,
            count_only,
            limited,
            places,
            types,
            body,
            tail,
            query.offset,
        )

    def _selected(self, aggregate: bool) -> list[tuple[str, Column]]:
        selected, unnamed = [], 0
        seen = set()
        for item in self.query.items:
            if item.function in _AGGREGATES:
                sql, field = self._item(item)
                label = item.alias or f"expr{unnamed}"
                unnamed += not item.alias
                type = (
                    field.type
                    if item.function in ("min", "max")
                    else "int"
                    if "count" in item.function
                    else "double"
                )
                selected.append((sql, Column((label,), type)))
                continue
            sql, field, way = self.column(item.path)
            if aggregate and item.path.lower() not in [name.lower() for name in self.query.group]:
                malformed(f"Field must be grouped or aggregated: {field.name}")
            name = (*way, field.name) if not aggregate else (item.alias or field.name,)
            if name in seen:
                raise Refusal(400, "INVALID_FIELD", f"duplicate field selected: {field.name}")
            seen.add(name)
            selected.append((sql, Column(name, field.type)))
        return selected

    def _parents(self, columns: list[Column]) -> list[tuple[str, tuple[str, ...]]]:
        paths = sorted({column.path[:depth] for column in columns for depth in range(1, len(column.path))})
        return [(self.joins[path][0], path) for path in paths]

    def _grouping(self) -> str:
        text = ""
        if self.query.group:
            text = " GROUP BY " + ", ".join(self.column(name)[0] for name in self.query.group)
        return text + (f" HAVING {self.condition(self.query.having)}" if self.query.having else "")

    def _ordering(self) -> str:
        if not self.query.order:
            return ""
        parts = []
        for item, way, nulls in self.query.order:
            sql, _ = self._item(item)
            parts.append(f"{sql} {way} NULLS {nulls}")
        return " ORDER BY " + ", ".join(parts)


def _aggregate(function: str, sql: str) -> str:
    return f"count(DISTINCT {sql})" if function == "count_distinct" else f"{function}({sql})"


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
