"""What stands in our own tables: the fields and lists that there are, the values of fields, the members of lists?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
from sqlglot import exp

from connectors.contract import FieldSpec, Option, Page, RemoteList
from connectors.schemas import FIELD, MEMBER_SCHEMA, VALUE_SCHEMA
from connectors.sql.engines.base import Engine
from connectors.sql.own_tables import FIELDS, LISTS, MEMBERS, OPTIONS, VALUES, OwnTables
from connectors.sql.row_hashes import ContentDigest

Fields = dict[tuple[str, str], FieldSpec]


def fields(engine: Engine, tables: OwnTables) -> Fields:
    """All fields of ours that there are."""
    asked = tables.statement(f"SELECT record_type, field, type, title, description FROM {FIELDS}")
    options: dict[tuple[str, str], list[Option]] = {}
    asked_options = tables.statement(f"SELECT record_type, field, segment, title FROM {OPTIONS}")
    for record_type, name, segment, title in sorted(_rows(engine, asked_options)):
        options.setdefault((record_type, name), []).append(Option(segment, title))
    specs: Fields = {}
    for record_type, name, type_, title, description in sorted(_rows(engine, asked)):
        its_options = tuple(options.get((record_type, name), ()))
        typed = type_ if type_ in ("enum", "number", "date", "bool") else "text"
        specs[record_type, name] = FieldSpec(name, record_type, typed, title, description, its_options)  # type: ignore[arg-type]
    return specs


def lists(engine: Engine, tables: OwnTables) -> list[RemoteList]:
    """All lists of ours that there are."""
    rows = _rows(engine, tables.statement(f"SELECT list_key, title, record_type FROM {LISTS}"))
    return [RemoteList(key, key, title, "static", record_type) for key, title, record_type in sorted(rows)]


def values(engine: Engine, tables: OwnTables, names: Sequence[str], position: str | None) -> Iterator[Page]:
    """The values of fields, one whole part; nothing where none changed since ``position``."""
    key = ["record_type", "record_id"]
    cells = [
        exp.Max(
            this=exp.Case(
                ifs=[exp.If(this=exp.column("field").eq(exp.Literal.string(name)), true=exp.column("value"))]
            )
        ).as_(f"f{number}")
        for number, name in enumerate(names)
    ]
    condition = exp.column("field").isin(*(exp.Literal.string(name) for name in names))
    tree = exp.select(*key, *cells).from_(VALUES).where(condition).group_by(*key)
    columns = [*VALUE_SCHEMA, *(pa.field(FIELD + name, pa.string()) for name in names)]
    yield from _whole(engine, tables.spelled(tree), pa.schema(columns), "value", position)


def members(engine: Engine, tables: OwnTables, remote: RemoteList, position: str | None) -> Iterator[Page]:
    """The members of a list, one whole part; nothing where none changed since ``position``."""
    template = f"SELECT record_type, record_id FROM {MEMBERS} WHERE list_key = :list"
    yield from _whole(engine, tables.statement(template, list=remote.id), MEMBER_SCHEMA, remote.key, position)


def nothing(schema: pa.Schema, part: str, position: str | None) -> Iterator[Page]:
    """The page of a part whose table is not there; nothing where it was not there before either."""
    if position is not None and position != _NOTHING:
        yield Page(schema.empty_table(), _NOTHING, part, whole=True, first=True)


_NOTHING = json.dumps({"content": ""})


def _whole(engine: Engine, asked: str, schema: pa.Schema, part: str, position: str | None) -> Iterator[Page]:
    batches = [
        pa.table([column.cast(pa.string()) for column in batch.columns], schema=schema)
        for batch in engine.batches(asked)
    ]
    table = pa.concat_tables([schema.empty_table(), *batches])
    digest = ContentDigest()
    digest.add(table)
    now = json.dumps({"columns": schema.names, "content": digest.text()})
    if now != position:
        yield Page(table, now, part, whole=True, first=True)


def _rows(engine: Engine, asked: str) -> list[tuple[str, ...]]:
    return [
        row
        for batch in engine.batches(asked)
        for row in zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True)
    ]
