"""Where are our columns in a table of a database, and how is each asked for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from connectors.contract import Account, Attribute
from connectors.errors import RequestError
from connectors.sql import statements
from connectors.sql.engines.base import NUMERIC, Engine
from connectors.sql.settings import ActivityRows, RecordRows
from connectors.sql.statements import RowSource
from connectors.tables.column_mapping import (
    ACTIVITY_NAMES,
    RECORD_NAMES,
    Place,
    column_with,
    locate,
    missing,
    require_activity,
    with_attributes,
)
from connectors.tables.dialect import MONEY, Dialect, Habits
from connectors.tables.orders import further_columns
from connectors.tables.settings import TABLES
from connectors.values.money import Notation
from connectors.values.text import readable

_EXACT = (*MONEY, "quantity", "share")  # our columns that hold numbers


@dataclass(frozen=True)
class StreamSource:
    """One stream of an account: where its rows stand, and what the config says of them."""

    account: Account
    stream: str
    rows: RecordRows | ActivityRows

    @property
    def setting(self) -> str:
        """The table of the config that describes the stream, as a person writes it."""
        return f"accounts.{self.account.name}.{TABLES[self.stream]}"

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.stream, self.rows)

    def habits(self) -> Habits:
        """How numbers and times are written where they are text."""
        settings, rows = self.account.settings, self.rows
        notation = Notation(
            rows.decimal or settings.decimal or ".",
            rows.thousands or settings.thousands,
            rows.negative or settings.negative,
        )
        formats = rows.date_format or settings.date_format
        return Habits(notation, {"*": tuple(formats)} if formats else {})

    def row_source(self, dialect: str) -> RowSource:
        """The table or query. RequestError where the query may do more than read."""
        if self.rows.query is not None:
            return statements.query_source(self.rows.query, dialect, f"query of [{self.setting}]")
        return statements.table_source(self.rows.table or "", dialect)


@dataclass(frozen=True)
class Layout:
    """A stream's columns: which are asked for, and under which of our names they go on."""

    source: RowSource
    place: Place
    asked: tuple[exp.Expression, ...]
    columns: Mapping[str, int]  # our name → number of the expression
    attributes: Mapping[str, int]
    further: Mapping[str, int]
    changed: int | None  # number of the expression that tells when a row changed
    changed_at: str  # the name of its column
    types: tuple[tuple[str, str], ...]  # header and type of each column that is asked for
    exact: frozenset[int]  # columns asked for that hold exact numbers as text

    def marked(self, table: pa.Table) -> pa.Table:
        """A page whose exact numbers are marked as such."""
        if not self.exact:
            return table
        fields = [
            field.with_metadata(NUMERIC) if index in self.exact else field
            for index, field in enumerate(table.schema)
        ]
        return pa.table(table.columns, schema=pa.schema(fields))

    def named(self, table: pa.Table, part: Mapping[str, int]) -> dict[str, pa.ChunkedArray]:
        """Columns of a page under the names of a mapping."""
        return {name: table.column(index) for name, index in part.items()}


def layout_of(engine: Engine, stream: StreamSource) -> tuple[Layout, list[RequestError]]:
    """The columns of a stream as the database has them now, and every column that is missing."""
    source = stream.row_source(engine.dialect)
    grant = statements.grant_statement(source, engine.address.user, engine.dialect)
    with engine.asking(source.shown, grant):
        schema = engine.schema(source.everything())
    gone = _gone(stream, engine.dialect)
    mapping = _mapping(stream, schema, gone)
    activity = stream.stream == "activity"
    names, own = (ACTIVITY_NAMES, ("id",)) if activity else (RECORD_NAMES, ())
    place = locate(source.shown, schema.names, names, mapping, own)
    faults: list[RequestError] = [
        missing(source.shown, place, name, stream.setting, mapping)
        for name in mapping
        if name not in place.columns
    ]
    faults += _required(source.shown, stream, place, mapping)
    if activity:
        orders = stream.dialect.orders
        try:
            place = replace(place, further=further_columns(source.shown, place, orders, stream.setting))
        except RequestError as error:
            faults.append(error)
    else:
        place = with_attributes(place, stream.account.attributes)
    return _asked(engine, stream, source, place, schema, gone), faults


def _gone(stream: StreamSource, dialect: str) -> exp.Expression | None:
    text = stream.rows.deleted
    return statements.condition(text, dialect, f"deleted of [{stream.setting}]") if text else None


def _mapping(stream: StreamSource, schema: pa.Schema, gone: exp.Expression | None) -> dict[str, str]:
    """Our name → their header, with what the settings beside ``columns`` say."""
    mapping = dict(stream.rows.columns)
    if stream.stream != "activity" and stream.rows.changed_at:
        mapping.setdefault("changed_at", stream.rows.changed_at)
    bare = statements.bare_column(gone) if gone is not None else None
    if bare is not None:
        mapping["deleted"] = bare
    return mapping


def _required(
    part: str, stream: StreamSource, place: Place, mapping: Mapping[str, str]
) -> list[RequestError]:
    faults: list[RequestError] = []
    changed_at = stream.rows.changed_at
    if changed_at is not None and len(column_with(place.headers, changed_at)) != 1:
        shown = ", ".join(repr(header) for header in place.headers[:30])
        what = f"{part}: column {changed_at!r}, which changed_at names, is missing; its columns are {shown}"
        faults.append(RequestError(f'{what}. Correct it: [{stream.setting}] changed_at = "..."'))
    needs_id = stream.stream != "activity" or changed_at is not None
    if needs_id and "id" not in place.columns and "id" not in mapping:
        why = (
            ""
            if stream.stream != "activity"
            else ", which changed_at needs: a changed row takes the place of the one of its id"
        )
        faults.append(missing(part, place, "id", stream.setting, mapping, why))
    if stream.stream == "activity":
        try:
            require_activity(part, place, stream.setting, mapping)
        except RequestError as error:
            if str(error) not in map(str, faults):
                faults.append(error)
    return faults


def _asked(
    engine: Engine,
    stream: StreamSource,
    source: RowSource,
    place: Place,
    schema: pa.Schema,
    gone: exp.Expression | None,
) -> Layout:
    """One expression for each column that is needed, in their order."""
    fields = [schema.field(index) for index in range(len(schema))]
    wanted = {*place.columns.values(), *place.attributes.values(), *place.further.values()}
    changed_at = stream.rows.changed_at
    hits = column_with(schema.names, changed_at) if changed_at is not None else []
    indexes = sorted(wanted | set(hits[:1]))
    expressions = [engine.plain(statements.name(fields[index].name), fields[index]) for index in indexes]
    number = {index: position for position, index in enumerate(indexes)}
    columns = {name: number[index] for name, index in place.columns.items()}
    if gone is not None:
        deleted = place.columns.get("deleted")
        if deleted is not None and pa.types.is_temporal(
            fields[deleted].type
        ):  # a row without a time is there
            gone = exp.Not(this=statements.without_value(fields[deleted].name))
            deleted = None
        if deleted is None:
            columns["deleted"] = len(expressions)
            expressions.append(statements.truth_of(gone))
    return Layout(
        source,
        place,
        tuple(expressions),
        columns,
        {name: number[index] for name, index in place.attributes.items()},
        {name: number[index] for name, index in place.further.items()},
        number[hits[0]] if hits else None,
        fields[hits[0]].name if hits else "",
        tuple((fields[index].name, _type_of(engine, fields[index])) for index in indexes),
        frozenset(number[index] for index in indexes if engine.exact(fields[index])),
    )


def _type_of(engine: Engine, field: pa.Field) -> str:
    """Changes with the type of a column, also where both types arrive as text."""
    exact = engine.exact(field) or field.metadata == NUMERIC
    return f"{field.type} exact" if exact else str(field.type)


def sound_columns(
    layout: Layout, table: pa.Table, stream: StreamSource, notation: Notation
) -> tuple[dict[str, pa.ChunkedArray], dict[str, pa.ChunkedArray], dict[str, pa.ChunkedArray]]:
    """Columns, attributes and status columns of a page, in types and a notation that can be read.

    RequestError where a column that we need holds no plain values.
    """
    columns, attributes, further = (
        layout.named(table, part) for part in (layout.columns, layout.attributes, layout.further)
    )
    for name, column in (columns | further).items():
        if not readable(column.type):
            what = f"{layout.source.shown}: column {name} is of the type {column.type}, which is not a plain value"
            raise RequestError(f"{what}: cast it to text in a query of [{stream.setting}]")
    attributes = {name: column for name, column in attributes.items() if readable(column.type)}
    if notation.decimal != ".":
        numeric = {index for index, field in enumerate(table.schema) if field.metadata == NUMERIC}
        typed = {name for name, wanted in stream.account.attributes.items() if wanted.type == "number"}
        for cells, part, names in (
            (columns, layout.columns, set(_EXACT)),
            (attributes, layout.attributes, typed),
        ):
            for name in names & cells.keys():
                if part[name] in numeric:
                    cells[name] = pc.replace_substring(cells[name], ".", notation.decimal)
    return columns, attributes, further


def attribute_is_there(attribute: Attribute, layouts: list[Layout]) -> bool:
    """Whether some table of records has the column of an attribute."""
    return any(column_with(layout.place.headers, attribute.field.strip()) for layout in layouts)
