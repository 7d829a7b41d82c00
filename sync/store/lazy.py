"""How does Ibis ask a relation?"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

if TYPE_CHECKING:
    import ibis


def table(mirror: AccountMirror, rows: Relation) -> ibis.Table:
    """The relation as an Ibis table that knows only its columns.

    It stands in a view whose name follows from what it reads, so equal relations share one.
    """
    import ibis

    name = "lazy_" + hashlib.sha256(f"{mirror.name}\n{rows}".encode()).hexdigest()[:20]
    mirror.run(f"CREATE OR REPLACE TEMP VIEW {name} AS {rows}")
    schema = mirror.run(f"SELECT * FROM {name} LIMIT 0").to_arrow_table().schema
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=name)


def rows_of(expression: ibis.Table) -> Relation:
    """What an expression over such tables gives."""
    import ibis

    return Relation(str(ibis.to_sql(expression, dialect="duckdb")))
