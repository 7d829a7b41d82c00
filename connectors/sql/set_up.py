"""How do the tables and views of ours come to be, by us or by an administrator, and what is told of a field or list?"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.contract import FieldSpec, ListSpec, Option, Problem
from connectors.errors import ConnectorError, RequestError
from connectors.sql import own_values
from connectors.sql.own_tables import (
    COLUMNS,
    FIELDS,
    LISTS,
    OPTIONS,
    STAGED,
    WRITTEN,
    OwnTables,
    overview_of,
    views_of,
    widened,
)
from connectors.sql.source import problem_of
from connectors.sql.statements import name_of
from connectors.sql.writers.base import Writer

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def make_tables(writer: Writer) -> dict[str, list[str]]:
    """Make what is missing of the schema and its tables; what is there already."""
    tables = writer.tables
    there = tables.there(writer)
    missing = [name for name in COLUMNS if name not in there]
    if missing:
        schema = [] if len(missing) < len(COLUMNS) or _schema_is_there(writer) else tables.create_schema()
        for statement in (*schema, *map(tables.create_table, missing)):
            writer.run(statement)
    return there


def _schema_is_there(writer: Writer) -> bool:
    template = "SELECT CAST(schema_name AS TEXT) FROM information_schema.schemata WHERE schema_name = :schema"
    if writer.dialect == "sqlite":
        return True
    asked = writer.tables.statement(template, schema=writer.tables.schema)
    return any(batch.num_rows for batch in writer.batches(asked))


def make_field(writer: Writer, spec: FieldSpec) -> bool:
    """Make a field, its options and its view, or what is missing of them. Whether it was there."""
    there = make_tables(writer)
    specs = own_values.fields(writer, writer.tables)
    existing = specs.get((spec.record_type, spec.name))
    if existing is not None and existing.type != spec.type:
        raise RequestError(f"field {spec.name} is of type {existing.type}: choose another name")
    specs[spec.record_type, spec.name] = spec
    for view in views_of(specs.values()):
        wider = widened(view, there.get(view.name, ()))
        if view.record_type == spec.record_type and wider is not None:
            for statement in writer.tables.create_view(wider):
                writer.run(statement)
    if overview_of(spec.record_type) not in there:
        for statement in writer.tables.create_overview(spec.record_type):
            writer.run(statement)
    row = {
        "record_type": spec.record_type, "target": spec.name, "type": spec.type, "title": spec.label or spec.name,
        "description": spec.description,
    }  # fmt: skip
    stands = existing is not None and (
        spec.adopted or (existing.label, existing.description) == (row["title"], spec.description)
    )
    if not stands:
        _upsert(writer, STAGED, FIELDS, ("field", "type", "title", "description"), [row])
    before = {option.key: option for option in existing.options} if existing is not None else {}
    new = [option for option in spec.options if _is_news(option, before, spec.adopted)]
    if new:
        rows = [
            {"record_type": spec.record_type, "target": spec.name, "id": option.key, "title": option.label}
            for option in new
        ]
        _upsert(writer, WRITTEN, OPTIONS, ("field", "segment", "title"), rows)
    writer.commit()
    return existing is not None


def _is_news(option: Option, before: dict[str, Option], adopted: bool) -> bool:
    return option.key not in before or (not adopted and before[option.key] != option)


def make_list(writer: Writer, spec: ListSpec) -> None:
    """Make a list, or give it its present title."""
    make_tables(writer)
    row = {
        "target": spec.key, "record_type": spec.record_type, "title": spec.label or spec.key,
        "description": spec.description,
    }  # fmt: skip
    existing = {remote.key: remote for remote in own_values.lists(writer, writer.tables)}.get(spec.key)
    if existing is None or (existing.label, existing.record_type) != (row["title"], row["record_type"]):
        _upsert(writer, STAGED, LISTS, ("list_key", "record_type", "title", "description"), [row])
    writer.commit()


_STAGED_NAMES = {
    "field": "target",
    "list_key": "target",
    "segment": "id",
}  # our column → column that is staged


def _upsert(
    writer: Writer, staged: str, table: str, columns: Sequence[str], rows: list[dict[str, str]]
) -> None:
    """Rows of the key and ``columns``; those of the same key get the new texts."""
    writer.stage(
        staged, pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]})
    )
    listed = list(dict.fromkeys(["record_type", *columns]))
    cells = ", ".join(f"s.{_STAGED_NAMES.get(column, column)}" for column in listed)
    text = f"INSERT INTO {table} ({', '.join(listed)}) SELECT {cells} FROM {staged} AS s WHERE 1 = 1"
    keys = [column for column, type_ in COLUMNS[table].items() if type_.startswith("VARCHAR")]
    others = [column for column in listed if column not in keys]
    if writer.dialect == "mysql":
        text += f" ON DUPLICATE KEY UPDATE {', '.join(f'{c} = VALUES({c})' for c in others)}"
        writer.run(writer.tables.statement(text, read="mysql"))
        return
    update = ", ".join(f"{column} = excluded.{column}" for column in others)
    writer.run(writer.tables.statement(f"{text} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {update}"))


def missing_rights(writer: Writer) -> list[Problem]:
    """What our role lacks to make what is missing, and to write to what is there. Changes nothing."""
    tables, user = writer.tables, writer.address.user
    there = tables.there(writer)
    problems: list[Problem] = []
    if not COLUMNS.keys() <= there.keys() and not writer.may_create():
        what = f"{user or 'this user'} may not create the schema {tables.schema} and its tables, which segments are written to"
        remedy = f"ask an administrator for {writer.create_grant()}, or give them what `crm-segments setup --export FOLDER` writes"
        problems.append(Problem(what, remedy))
    present = [name for name in COLUMNS if name in there]
    for name in present:
        try:
            with writer.asking(tables.shown(name), tables.grant(", ".join(_RIGHTS), name, user)):
                for statement in _trials(name):
                    writer.run(tables.statement(statement))
        except ConnectorError as error:
            problems.append(problem_of(error))
            writer.begin()
    if present:
        try:
            with writer.asking("a temporary table", writer.stage_grant()):
                writer.stage(STAGED, pa.table({"id": pa.array(["1"])}))
        except ConnectorError as error:
            problems.append(problem_of(error))
    return problems


def _trials(name: str) -> list[str]:
    """Statements that need every right that we need, and change no row."""
    first = next(iter(COLUMNS[name]))
    return [
        f"INSERT INTO {name} SELECT * FROM {name} WHERE 1 = 0",
        f"UPDATE {name} SET {first} = {first} WHERE 1 = 0",
        f"DELETE FROM {name} WHERE 1 = 0",
    ]


def written_down(tables: OwnTables, fields: Sequence[FieldSpec], user: str) -> str:
    """All that an administrator must run, as SQL."""
    role = name_of(user or "the role that writes").sql(tables.dialect)
    statements = [*tables.create_schema(), *map(tables.create_table, COLUMNS)]
    record_types = sorted({spec.record_type for spec in fields})
    for view in views_of(fields):
        statements += tables.create_view(view)
    for record_type in record_types:
        statements += tables.create_overview(record_type)
    if tables.dialect in ("postgres", "mysql"):
        if tables.dialect == "postgres":
            statements.append(f"GRANT USAGE ON SCHEMA {name_of(tables.schema).sql(tables.dialect)} TO {role}")
        else:
            schema = name_of(tables.schema).sql(tables.dialect)
            statements.append(f"GRANT CREATE TEMPORARY TABLES ON {schema}.* TO {role}")
        statements += [tables.grant(", ".join(_RIGHTS), name, user) for name in COLUMNS]
        views = [*(view.name for view in views_of(fields)), *map(overview_of, record_types)]
        statements += [tables.grant("SELECT", name, user) for name in views]
    return "".join(f"{statement};\n" for statement in statements)
