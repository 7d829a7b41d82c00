"""How is a query by REST answered? Page by page, from rows that were found when it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.compile import Statement, compiled
from tests.servers.salesforce.ids import make_id
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.schema import Entity
from tests.servers.salesforce.soql import Query, parse
from tests.servers.salesforce.values import shown

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

_LIFE = timedelta(days=2)
_KEPT = 200  # cursors of a user; the oldest is forgotten


@dataclass
class Cursor:
    """Rows of a query whose pages are still asked for."""

    statement: Statement
    rows: list[tuple[Any, ...]]
    user: str
    path: str
    until: Any


@dataclass
class Queries:
    """Queries by REST, and the cursors that they left."""

    org: Org
    cursors: dict[str, Cursor] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)  # every statement that came, also wrong ones
    _number: int = 0
    # object → when it was counted, and the count
    _counts: dict[str, tuple[float, int]] = field(default_factory=dict)

    def compile(
        self, text: str, user: str, everything: bool, tooling: bool = False
    ) -> tuple[Query, Statement]:
        """The statement of a text, as this user may ask it."""
        self.asked.add(text)
        query = parse(text)
        entity = self.org.access.entity(user, query.entity, tooling)
        if entity is None:
            message = f"sObject type '{query.entity}' is not supported."
            raise Refusal(
                400, "INVALID_TYPE", f"\nFROM {query.entity}\n^\nERROR at Row:1:Column:15\n{message}"
            )
        if query.offset > 2000:
            raise Refusal(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        with self.org.store.lock:
            self._refresh(entity, user)
            return query, compiled(
                query, self.org.schema, self.org.access.view(user), self.org.clock.now(), everything
            )

    def ask(
        self,
        text: str,
        user: str,
        *,
        everything: bool = False,
        tooling: bool = False,
        batch: int = 2000,
        path: str = "",
    ) -> dict[str, Any]:
        """The first page of the answer. ``path``: where the next pages are asked for."""
        _, statement = self.compile(text, user, everything, tooling)
        with self.org.store.lock:
            if statement.count_only:
                ((total,),) = self.org.store.run(statement.count_sql, statement.parameters)
                return {"totalSize": total, "done": True, "records": []}
            rows = self.org.store.run(statement.sql, statement.parameters)
        if (
            tooling
            and {"Metadata", "FullName"} & {column.path[-1] for column in statement.columns}
            and len(rows) > 1
        ):
            message = "When retrieving results with Metadata or FullName fields, the query qualifications must specify no more than one row"
            raise Refusal(400, "MALFORMED_QUERY", message)
        return self._page(Cursor(statement, rows, user, path, self.org.clock.now() + _LIFE), None, 0, batch)

    def more(self, locator: str, user: str, batch: int = 2000) -> dict[str, Any]:
        """A further page."""
        key, _, offset = locator.rpartition("-")
        cursor = self.cursors.get(key)
        if (
            cursor is None
            or cursor.user != user
            or not offset.isdigit()
            or cursor.until < self.org.clock.now()
        ):
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(cursor, key, int(offset), batch)

    def _page(self, cursor: Cursor, key: str | None, offset: int, batch: int) -> dict[str, Any]:
        size = min(max(batch, 200), 2000)
        if self.org.knobs.short_pages:
            size = max(1, size * 3 // 4 - offset % 7)
        records = [record(cursor.statement, row, cursor.path) for row in cursor.rows[offset : offset + size]]
        answer: dict[str, Any] = {"totalSize": len(cursor.rows), "done": offset + size >= len(cursor.rows)}
        if not answer["done"]:
            if key is None:
                self._number += 1
                key = make_id("01g", self._number)
                self.cursors[key] = cursor
                if len(self.cursors) > _KEPT:
                    del self.cursors[next(iter(self.cursors))]
            answer["nextRecordsUrl"] = f"{cursor.path}/{key}-{offset + size}"
        return {**answer, "records": records}

    def counted(self, entity: Entity) -> int:
        """How many records there are, whoever asks; as it was ``cache_counts_seconds`` ago at most."""
        now = self.org.clock.now().timestamp()
        cached = self._counts.get(entity.name)
        if cached is None or now - cached[0] >= self.org.knobs.cache_counts_seconds:
            with self.org.store.lock:
                test = "" if entity.plain else " WHERE IsDeleted = 0"
                ((count,),) = self.org.store.run(f'SELECT count(*) FROM "{entity.name}"{test}')
            cached = self._counts[entity.name] = (now, count)
        return cached[1]

    def _refresh(self, entity: Entity, user: str) -> None:
        """Objects whose rows are told from the schema or the rights are written anew when somebody asks."""
        rows: list[dict[str, Any]] = []
        if entity.name == "UserPermissionAccess":
            names = [field.name for field in entity if field.name.startswith("Permissions")]
            rows = [{name: int(self.org.access.may(user, name)) for name in names}]
        elif entity.name == "EntityDefinition":
            rows = [
                {"QualifiedApiName": e.name, "DurableId": e.name, "Label": e.name, "KeyPrefix": e.prefix}
                for e in self.org.schema
                if not e.tooling
            ]
        elif entity.name == "FieldDefinition":
            rows = [
                {
                    "QualifiedApiName": field.name,
                    "EntityDefinitionId": e.name,
                    "Label": field.label or field.name,
                    "DataType": field.type,
                }
                for e in self.org.schema
                for field in e
                if field.name.lower() in self.org.access.fields(user, e)
            ]
        else:
            return
        self.org.store.run(f'DELETE FROM "{entity.name}"')
        for number, row in enumerate(rows, 1):
            self.org.store.put(entity, {"Id": make_id(entity.prefix, number), **row})


def record(statement: Statement, row: tuple[Any, ...], path: str) -> dict[str, Any]:
    """One row as JSON: attributes, fields, and the parents as objects of their own."""
    if statement.aggregate:
        aggregate: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        return aggregate | {
            column.path[0]: shown(column.type, value)
            for column, value in zip(statement.columns, row, strict=False)
        }
    root = path.rsplit("/", 1)[0] + "/sobjects"
    answer: dict[str, Any] = {"attributes": {"type": statement.entity.name}}
    inner: dict[tuple[str, ...], dict[str, Any]] = {}
    for way, position in statement.parents:
        type = statement.parent_types[way]
        holder = answer if len(way) == 1 else inner.get(way[:-1])
        if row[position] is None:
            if holder is not None:
                holder[way[-1]] = None
            continue
        inner[way] = {"attributes": {"type": type, "url": f"{root}/{type}/{row[position]}"}}
        if holder is not None:
            holder[way[-1]] = inner[way]
    for column, value in zip(statement.columns, row, strict=False):
        if len(column.path) == 1:
            answer[column.path[0]] = shown(column.type, value)
            if column.type == "id":
                answer["attributes"]["url"] = f"{root}/{statement.entity.name}/{value}"
        elif column.path[:-1] in inner:
            inner[column.path[:-1]][column.path[-1]] = shown(column.type, value)
    return answer
