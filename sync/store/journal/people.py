"""Which rows of what the journal keeps are about certain records?"""

from __future__ import annotations

from collections.abc import Set

import pyarrow as pa
import pyarrow.compute as pc

People = Set[tuple[str, str]]  # record type, id


def are_about(table: pa.Table, people: People) -> pa.ChunkedArray:
    """Which rows are about one of these records; types are looked at only where an id is met."""
    met = pc.is_in(table["id"], value_set=pa.array(sorted({id for _type, id in people}), pa.string()))
    if not pc.any(met).as_py():
        return met
    keys = zip(table["record_type"].to_pylist(), table["id"].to_pylist(), strict=True)
    return pa.chunked_array([pa.array([key in people for key in keys], pa.bool_())])
