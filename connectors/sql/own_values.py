"""What stands in our own tables: the fields and lists that there are, the values of fields, the members of lists?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from connectors.contract import FieldSpec, Option, Page, RemoteList
from connectors.schemas import FIELD, MEMBER_SCHEMA, VALUE_SCHEMA
from connectors.sql.engines.base import Engine
from connectors.sql.own_tables import FIELDS, LISTS, MEMBERS, OPTIONS, VALUES, OwnTables
from connectors.sql.reading import grouped
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
_UNFINISHED = json.dumps({})  # of a reading that broke off: it begins again


def _whole(engine: Engine, asked: str, schema: pa.Schema, part: str, position: str | None) -> Iterator[Page]:
    """Pages of a whole part. What stood there the last time is looked at first, and then nothing is delivered."""
    if position is not None:
        before = ContentDigest()
        for table in _tables(engine, asked, schema):
            before.add(table)
        if _position(schema, before) == position:
            return
    digest, page, first = ContentDigest(), None, True
    for table in _tables(engine, asked, schema):
        if page is not None:
            yield replace(page, last=False)
            first = False
        digest.add(table)
        page = Page(table, _UNFINISHED, part, whole=True, first=first)
    page = page or Page(schema.empty_table(), _UNFINISHED, part, whole=True, first=True)
    yield replace(page, position=_position(schema, digest))


def _position(schema: pa.Schema, digest: ContentDigest) -> str:
    return json.dumps({"columns": schema.names, "content": digest.text()})


def _tables(engine: Engine, asked: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows as text, in pages."""
    for table in grouped(engine.batches(asked)):
        yield pa.table([column.cast(pa.string()) for column in table.columns], schema=schema)


def _rows(engine: Engine, asked: str) -> list[tuple[str, ...]]:
    return [
        row
        for batch in engine.batches(asked)
        for row in zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True)
    ]
