"""Which tables and views of ours stand in a database, and how is a statement about them spelled for its dialect?

Statements are templates that sqlglot parses; names of ours get their schema, and values are typed literals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from connectors.contract import FieldSpec
from connectors.errors import RequestError
from connectors.sql.engines.base import Engine
from connectors.sql.statements import name_of

VALUES, FIELDS, OPTIONS = "segment_values", "segment_fields", "segment_options"
LISTS, MEMBERS = "segment_lists", "list_members"
STAGED, WRITTEN = (
    "crm_segments_staged",
    "crm_segments_written",
)  # temporary: what a transaction asks for and writes
_KEY, _TEXT, _TIME = "VARCHAR(255) NOT NULL", "TEXT NOT NULL", "TIMESTAMPTZ NOT NULL"
# table → columns and their types; those of the key stand first
COLUMNS: Mapping[str, Mapping[str, str]] = {
    VALUES: {"record_type": _KEY, "field": _KEY, "record_id": _KEY, "value": _TEXT, "changed_at": _TIME},
    FIELDS: {"record_type": _KEY, "field": _KEY, "type": _TEXT, "title": _TEXT, "description": _TEXT},
    OPTIONS: {"record_type": _KEY, "field": _KEY, "segment": _KEY, "title": _TEXT},
    LISTS: {"list_key": _KEY, "record_type": _TEXT, "title": _TEXT, "description": _TEXT},
    MEMBERS: {"list_key": _KEY, "record_type": _KEY, "record_id": _KEY, "added_at": _TIME},
}
# each byte of a text counts when MySQL compares it; other engines do so by themselves
_MYSQL_TABLE = "CREATE TABLE t (a INT) ENGINE=InnoDB CHARACTER SET=utf8mb4 COLLATE=utf8mb4_bin"
_CATALOGUE = """SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
    WHERE table_schema = :schema ORDER BY table_name, ordinal_position"""
# of PostgreSQL, also tables on which our role has no right
_POSTGRES_CATALOGUE = """SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT) FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
    WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum"""
_SQLITE_CATALOGUE = """SELECT m.name, p.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
    WHERE m.type IN ('table', 'view') ORDER BY m.name, p.cid"""
_VIEW_COLUMNS = ("id", "segment", "title", "changed_at")
_OVERVIEW_EXTRAS = ("reason", "since", "score")  # further fields that segmentations have in common


@dataclass(frozen=True)
class View:
    """One row for each record that has a segment of one segmentation: what a BI tool reads."""

    record_type: str
    field: str
    extras: Mapping[str, str]  # column of the view → further field of the segmentation

    @property
    def name(self) -> str:
        return f"{self.record_type}_{self.field}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*_VIEW_COLUMNS, *self.extras)


@dataclass(frozen=True)
class OwnTables:
    """The tables of ours, in the schema that the config names."""

    dialect: str
    schema: str

    def named(self, name: str) -> exp.Table:
        """A table or view of ours. SQLite has no schemas: there the name begins with it."""
        if self.dialect == "sqlite":
            return exp.Table(this=name_of(f"{self.schema}_{name}"))
        return exp.Table(this=name_of(name), db=name_of(self.schema))

    def staged(self, name: str) -> exp.Table:
        """A temporary table. MySQL keeps it in a schema, and the log-in may name none."""
        return exp.Table(this=name_of(name), db=name_of(self.schema) if self.dialect == "mysql" else None)

    def shown(self, name: str) -> str:
        """A table or view as people write it."""
        return self.named(name).sql(self.dialect)

    def statement(self, template: str, read: str = "postgres", **values: str) -> str:
        """A statement on our tables. ``:name`` stands for a text."""
        return self.spelled(sqlglot.parse_one(template, read=read), **values)

    def spelled(self, tree: exp.Expression, **values: str) -> str:
        """As ``statement``, of a tree."""

        tree = tree.copy()
        for placeholder in list(tree.find_all(exp.Placeholder)):
            placeholder.replace(exp.Literal.string(values[placeholder.name]))
        for node in list(tree.find_all(exp.Table)):
            if not node.db and node.name in (*COLUMNS, STAGED, WRITTEN):
                table = self.named(node.name) if node.name in COLUMNS else self.staged(node.name)
                for part in ("this", "db"):
                    node.set(part, table.args.get(part))
        spelled: str = tree.sql(self.dialect, identify=True)
        return spelled

    def there(self, engine: Engine) -> dict[str, list[str]]:
        """The columns of each table and view of the schema, by its name among ours."""
        lite = self.dialect == "sqlite"
        catalogue = _POSTGRES_CATALOGUE if self.dialect == "postgres" else _CATALOGUE
        asked = _SQLITE_CATALOGUE if lite else self.statement(catalogue, schema=self.schema)
        columns: dict[str, list[str]] = {}
        prefix = f"{self.schema}_" if lite else ""
        for batch in engine.batches(asked):
            for table, column in zip(*(cells.to_pylist() for cells in batch.columns), strict=True):
                if table.startswith(prefix):
                    columns.setdefault(table.removeprefix(prefix), []).append(column)
        for table in COLUMNS.keys() & columns.keys():
            if set(columns[table]) != set(COLUMNS[table]):
                remedy = "name another schema as segments_schema"
                raise RequestError(
                    f"{self.shown(table)} is a table that crm-segments did not create: {remedy}"
                )
        return columns

    def create_schema(self) -> list[str]:
        """What makes the schema where it is not there."""
        if self.dialect == "sqlite":
            return []
        tree = exp.Create(this=exp.Table(db=name_of(self.schema)), kind="SCHEMA", exists=True)
        return [tree.sql(self.dialect)]

    def create_table(self, name: str) -> str:
        """What makes a table of ours."""
        columns = [f"{column} {type_}" for column, type_ in COLUMNS[name].items()]
        key = ", ".join(column for column, type_ in COLUMNS[name].items() if type_ == _KEY)
        text = f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)}, PRIMARY KEY ({key}))"
        tree = sqlglot.parse_one(text, read="postgres")
        if self.dialect == "mysql":
            tree.set("properties", sqlglot.parse_one(_MYSQL_TABLE, read="mysql").args["properties"])
        return self.spelled(tree)

    def create_view(self, view: View) -> list[str]:
        """What makes a view, or gives it further columns."""
        extras = "".join(
            f", e{n}.value AS {name_of(column).sql('postgres')}" for n, column in enumerate(view.extras)
        )
        joins = "".join(
            f" LEFT JOIN {VALUES} AS e{n} ON e{n}.record_type = v.record_type AND e{n}.record_id = v.record_id "
            f"AND e{n}.field = :e{n}"
            for n in range(len(view.extras))
        )
        select = sqlglot.parse_one(
            f"""SELECT v.record_id AS id, v.value AS segment, o.title AS title, v.changed_at AS changed_at{extras}
            FROM {VALUES} AS v LEFT JOIN {OPTIONS} AS o ON o.record_type = v.record_type AND o.field = v.field
            AND o.segment = v.value{joins} WHERE v.record_type = :type AND v.field = :field""",
            read="postgres",
        )
        fields = {f"e{n}": field for n, field in enumerate(view.extras.values())}
        return self._view(view.name, select, type=view.record_type, field=view.field, **fields)

    def create_overview(self, record_type: str) -> list[str]:
        """What makes the view of all segmentations of a record type, a row for each record and segmentation. It reads
        what segmentations there are, so that it stays as it is when one comes or goes.
        """
        extras = "".join(f", {name}.value AS {name}" for name in _OVERVIEW_EXTRAS)
        joins = "".join(
            f" LEFT JOIN {VALUES} AS {name} ON {name}.record_type = v.record_type AND {name}.record_id = v.record_id "
            f"AND {name}.field = CONCAT(v.field, '_{name}')"
            for name in _OVERVIEW_EXTRAS
        )
        select = sqlglot.parse_one(
            f"""SELECT v.record_id AS record_id, v.field AS segmentation, v.value AS segment, o.title AS title{extras},
            v.changed_at AS changed_at FROM {VALUES} AS v JOIN {FIELDS} AS f ON f.record_type = v.record_type
            AND f.field = v.field LEFT JOIN {OPTIONS} AS o ON o.record_type = v.record_type AND o.field = v.field
            AND o.segment = v.value{joins} WHERE v.record_type = :type AND f.type = 'enum'""",
            read="postgres",
        )
        return self._view(overview_of(record_type), select, type=record_type)

    def _view(self, name: str, select: exp.Expression, **values: str) -> list[str]:
        lite = self.dialect == "sqlite"
        tree = exp.Create(this=self.named(name), kind="VIEW", expression=select, replace=not lite)
        gone = exp.Drop(this=self.named(name), kind="VIEW", exists=True).sql(self.dialect)
        return [gone] * lite + [self.spelled(tree, **values)]

    def grant(self, rights: str, name: str, user: str) -> str:
        """What gives a user rights to one of our tables."""
        return f"GRANT {rights} ON {self.shown(name)} TO {name_of(user or 'this user').sql(self.dialect)}"


def overview_of(record_type: str) -> str:
    """The name of the view that shows all segmentations of a record type."""
    return f"{record_type}_segments"


def views_of(specs: Iterable[FieldSpec]) -> list[View]:
    """A view for each field of segments, with the segmentation's other fields behind it."""
    by_type: dict[str, list[FieldSpec]] = {}
    for spec in specs:
        by_type.setdefault(spec.record_type, []).append(spec)
    return [
        View(record_type, field, extras)
        for record_type, fields in sorted(by_type.items())
        for field, extras in _segmentations(fields).items()
    ]


def _segmentations(specs: Sequence[FieldSpec]) -> dict[str, dict[str, str]]:
    """Field of segments → column → further field: one whose name begins with that of the field."""
    segmentations: dict[str, dict[str, str]] = {spec.name: {} for spec in specs if spec.type == "enum"}
    for spec in specs:
        owners = [name for name in segmentations if spec.name.startswith(f"{name}_")]
        if spec.type != "enum" and owners:
            owner = max(owners, key=len)
            column = spec.name.removeprefix(f"{owner}_")
            segmentations[owner][spec.name if column in _VIEW_COLUMNS else column] = spec.name
    return segmentations


def widened(view: View, columns: Sequence[str]) -> View | None:
    """The view with the columns that it has now before those that it lacks; None: it lacks none."""
    if set(view.columns) <= set(columns):
        return None
    kept = [column for column in columns if column not in _VIEW_COLUMNS]
    gone = {column: f"{view.field}_{column}" for column in kept}
    return View(view.record_type, view.field, {**gone, **view.extras})
