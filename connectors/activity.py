"""How are rows of activity put together?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from connectors.schemas import ACTIVITY_SCHEMA
from connectors.values.timestamps import INSTANT


def rows_of(columns: Mapping[str, pa.Array]) -> pa.Table:
    """Columns of the contract, in its order."""
    return pa.table({name: columns[name] for name in ACTIVITY_SCHEMA.names if name in columns})


def gone_rows(ids: Iterable[str]) -> pa.Table:
    """Rows that end all rows of each id. Whose they were and when does not matter."""
    unique_ids = list(dict.fromkeys(ids))
    return pa.table(
        {
            "id": pa.array(unique_ids, pa.string()),
            "record_type": pa.array(["contact"] * len(unique_ids), pa.string()),
            "record_id": pa.array([""] * len(unique_ids), pa.string()),
            "kind": pa.array([""] * len(unique_ids), pa.string()),
            "occurred_at": pa.array([0] * len(unique_ids), pa.int64()).cast(INSTANT),
            "deleted": pa.array([True] * len(unique_ids), pa.bool_()),
        }
    )
