"""Which rows of what the journal keeps are about certain records?"""

from __future__ import annotations

from collections.abc import Set

import pyarrow as pa

People = Set[tuple[str, str]]  # record type, id


def are_about(table: pa.Table, people: People) -> pa.ChunkedArray:
    """Which rows are about one of these records; types are looked at only where an id is met."""
    import pyarrow.compute as pc

    met = pc.is_in(table["id"], value_set=pa.array(sorted({id for _type, id in people}), pa.string()))
    if not pc.any(met).as_py():
        return met
    keys = zip(table["record_type"].to_pylist(), table["id"].to_pylist(), strict=True)
    return pa.chunked_array([pa.array([key in people for key in keys], pa.bool_())])


def count_about(table: pa.Table, people: People) -> int:
    """How many rows are about one of these records."""
    import pyarrow.compute as pc

    return int(pc.sum(are_about(table, people)).as_py() or 0)


def without(table: pa.Table, people: People) -> pa.Table:
    """The rows that are about none of these records."""
    import pyarrow.compute as pc

    return table.filter(pc.invert(are_about(table, people)))
