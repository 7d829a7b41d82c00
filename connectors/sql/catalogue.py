"""Which tables and columns does a database have that its user may read? One statement, however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.sql.engines.base import Engine
from connectors.sql.own_tables import FIELDS, VALUES
from connectors.tables.platform import folded
from connectors.values.text import as_text

Kind = Literal["text", "number", "bool", "instant", "local", "date", "json", "other"]
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"bool", "bool"),
    (r"timestamp.*with(out)? time zone|timestamp_?(tz|ltz|ntz)|timestamp|datetime", "instant"),  # see below
    (r"date$", "date"),
    (r"json|variant|super", "json"),
    (r".*int|numeric|decimal|number|real|double|float|money|serial", "number"),
    (r".*char|.*text|string|clob|uuid|enum|citext", "text"),
)
_ZONED = r"timestamp.*with time zone|timestamp_?(tz|ltz)"


@dataclass(frozen=True)
class TableEntry:
    """A table or view, and its columns as the catalogue spells them."""

    schema: str
    name: str
    dialect: str
    types: Mapping[str, str] = field(default_factory=dict)  # column → the database's own name of its type
    catalog: str = ""  # before the schema, where that alone could be meant in two ways

    @property
    def shown(self) -> str:
        """As ``table`` of the config names it."""
        return ".".join(
            part if re.fullmatch(r"\w+", part) else '"' + part.replace('"', '""') + '"'
            for part in (self.catalog, self.schema, self.name)
            if part
        )

    def column(self, wanted: str) -> str | None:
        """A column as the catalogue spells it; None where it is not there. Letter case and underscores do not matter."""
        if wanted in self.types:
            return wanted
        for alike in (folded, _bare):
            if found := next((name for name in self.types if alike(name) == alike(wanted)), None):
                return found
        return None

    def kind(self, column: str) -> Kind:
        """What a column (as the catalogue spells it) holds, by its type."""
        type_ = self.types[column].lower()
        kind: Kind = next((kind for pattern, kind in _KINDS if re.match(pattern, type_)), "other")
        if kind != "instant" or re.match(_ZONED, type_) or self._instant_without_saying(type_):
            return kind
        return "local"

    def _instant_without_saying(self, type_: str) -> bool:
        return self.dialect in ("mysql", "bigquery") and type_.startswith("timestamp")


def _bare(name: str) -> str:
    return folded(name).replace("_", "")


def catalogue_of(engine: Engine) -> list[TableEntry]:
    """All tables and views with columns that the user may read, by schema and name, without those of ours."""
    tables: dict[tuple[str, str], dict[str, str]] = {}
    with engine.asking("the catalogue", "the right to read the catalogue"):
        for schema, table, column, type_ in _rows(engine):
            tables.setdefault((schema, table), {})[column] = type_
    ours = {(schema, name.removesuffix(VALUES)) for schema, name in tables if name.endswith(VALUES)}
    ours = {(schema, prefix) for schema, prefix in ours if (schema, prefix + FIELDS) in tables}
    return [
        TableEntry(schema, name, engine.dialect, columns, _catalog(engine, schema))
        for (schema, name), columns in tables.items()
        if not any(schema == here and name.startswith(prefix) for here, prefix in ours)
    ]


def _catalog(engine: Engine, schema: str) -> str:
    """DuckDB names a catalog after its file: a schema of the same name needs both."""
    return schema if engine.dialect == "duckdb" and schema == engine.address.path.stem else ""


def _rows(engine: Engine) -> Iterable[tuple[str, ...]]:
    for batch in engine.batches(engine.catalogue):
        columns = [as_text(column)[0].to_pylist() for column in batch.columns]
        yield from ((*(text or "" for text in row),) for row in zip(*columns, strict=True))
