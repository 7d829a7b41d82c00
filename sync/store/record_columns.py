"""Which columns of records does the mirror hold, and in what form? Texts that are compared come with their
spelling beside them.

DuckDB knows no case in names of columns: of two headers that differ by case alone, the configured or else the
first names both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.contract import Attribute
from connectors.schemas import ATTRIBUTE, SPELLING
from connectors.values.spelling import as_compared, as_shown, elements
from connectors.values.text import flat
from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation

if TYPE_CHECKING:
    import pandas as pd

PREFIXES = (ATTRIBUTE, SPELLING)
_SQL_TYPES = {pa.float64(): "DOUBLE", pa.date32(): "DATE", pa.bool_(): "BOOLEAN"}


def prepared(mirror: AccountMirror, records: pa.Table, attributes: Mapping[str, Attribute]) -> pa.Table:
    """A page of records as the mirror takes it, which gets the columns that it lacks. First thing in a
    transaction.

    ``attributes``: those of the config. Texts of theirs become comparable, unless they are exact.
    """
    column_types = dict(mirror.rows(_HELD, [mirror.name]))
    records = _named_once(records, column_types, attributes)
    for name, attribute in attributes.items():
        column = ATTRIBUTE + name
        if attribute.type in ("text", "set") and not attribute.exact and column in records.column_names:
            texts = flat(records[column]).cast(pa.string())
            texts = elements(texts) if attribute.type == "set" else texts
            records = records.set_column(records.column_names.index(column), column, as_compared(texts))
            records = records.append_column(SPELLING + name, as_shown(texts))
    for column in records.column_names:
        if column.startswith(PREFIXES):
            kind = records.schema.field(column).type
            unknown = column_types.get(column, "VARCHAR")  # of a column that holds nothing
            _widen(
                mirror,
                column,
                unknown if pa.types.is_null(kind) else _SQL_TYPES.get(kind, "VARCHAR"),
                column_types,
            )
    return records


_HELD = "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = 'records'"


def _named_once(
    records: pa.Table, column_names: Iterable[str], attributes: Mapping[str, Attribute]
) -> pa.Table:
    """The page under the names that the mirror has; a column of the same name but for case gives way to one
    that is configured.
    """
    names = {name.lower(): name for name in column_names if name.startswith(ATTRIBUTE)}
    names |= {(ATTRIBUTE + name).lower(): ATTRIBUTE + name for name in attributes}
    kept: dict[str, str] = {}  # the mirror's name -> the page's
    for column in records.column_names:
        name = names.setdefault(column.lower(), column) if column.startswith(ATTRIBUTE) else column
        if name == column or name not in kept:
            kept[name] = column
    return pa.table({name: records[column] for name, column in kept.items()})


def _widen(mirror: AccountMirror, column: str, kind: str, column_types: dict[str, str]) -> None:
    """Make a column of records, or give it another name or type: what stands in it then is kept where it can
    be.
    """
    alike = next((name for name in column_types if name.lower() == column.lower()), None)
    if alike is not None and alike != column:
        mirror.run(f"ALTER TABLE records DROP COLUMN {quoted(alike)}")
        del column_types[alike]
    if column not in column_types:
        mirror.run(f"ALTER TABLE records ADD COLUMN {quoted(column)} {kind}")
    elif column_types[column] != kind:
        cast = f"try_cast({quoted(column)} AS {kind})"
        mirror.run(f"ALTER TABLE records ALTER COLUMN {quoted(column)} SET DATA TYPE {kind} USING {cast}")
    column_types[column] = kind


def shown_attributes(mirror: AccountMirror, people: Relation, names: Sequence[str]) -> pd.DataFrame:
    """``record`` and attributes of people as they are read, in the order of their numbers; values that are the
    same but for case and blanks stand as most of them are spelled. Attributes that nobody has are left out.
    """
    columns = mirror.columns_of(people)
    shown = [f"{_spelled(name, columns)} AS {quoted(name)}" for name in names if ATTRIBUTE + name in columns]
    return mirror.run(f"SELECT {', '.join(['record', *shown])} FROM ({people}) ORDER BY record").df()


def _spelled(name: str, columns: Collection[str]) -> str:
    key, spelling = quoted(ATTRIBUTE + name), quoted(SPELLING + name)
    if SPELLING + name not in columns:
        return key
    return f"coalesce(mode({spelling}) OVER (PARTITION BY {key}), {key})"
