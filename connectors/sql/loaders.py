"""Which columns does a loader add to the tables that it lands?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sql.catalogue import TableEntry


@dataclass(frozen=True)
class Loader:
    """A tool that copies a platform's data into a database."""

    title: str
    synced: tuple[str, ...]  # when it last wrote the row; the first that is there
    deleted: str = ""  # true, or a time, where the row is gone from the platform
    active: str = ""  # false in rows that are former versions of another one


# https://fivetran.com/docs/core-concepts/system-columns-and-tables, .../core-concepts/sync-modes/history-mode
# https://docs.airbyte.com/platform/understanding-airbyte/airbyte-metadata-fields
# https://www.stitchdata.com/docs/replication/loading/understanding-loading-behavior (the columns _sdc_...)
# https://dlthub.com/docs/general-usage/destination-tables: the load id is its time, in Unix seconds
LOADERS = (
    Loader("Fivetran", ("_fivetran_synced",), "_fivetran_deleted", "_fivetran_active"),
    Loader("Airbyte", ("_airbyte_extracted_at", "_airbyte_emitted_at"), "_ab_cdc_deleted_at"),
    Loader("Stitch", ("_sdc_batched_at",), "_sdc_deleted_at"),
    Loader("dlt", ("_dlt_load_id",)),
)


def loader_of(table: TableEntry) -> Loader | None:
    """The loader that wrote a table; None where nothing tells."""
    return next((loader for loader in LOADERS if any(map(table.column, _marks(loader)))), None)


def synced_column(table: TableEntry) -> str | None:
    """The column that tells when the loader last wrote a row."""
    return _first(table, [name for loader in LOADERS for name in loader.synced])


def deleted_column(table: TableEntry) -> str | None:
    """The column that marks rows that are gone."""
    return _first(table, [loader.deleted for loader in LOADERS if loader.deleted])


def active_column(table: TableEntry) -> str | None:
    """The column that is false in former versions of rows."""
    return _first(table, [loader.active for loader in LOADERS if loader.active])


def is_mark(column: str) -> bool:
    """Whether a loader adds a column of such a name: it says nothing of the row."""
    return column.casefold().startswith(("_fivetran", "_airbyte", "_ab_", "_sdc_", "_dlt_"))


def _marks(loader: Loader) -> Iterator[str]:
    yield from filter(None, (*loader.synced, loader.deleted, loader.active))
    if loader.title == "dlt":
        yield "_dlt_id"  # of tables below others, which name no load


def _first(table: TableEntry, names: list[str]) -> str | None:
    return next((column for name in names if (column := table.column(name))), None)
