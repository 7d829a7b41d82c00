"""How do numbers that are computed chunk by chunk stand beside segments, record by record?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation
from sync.store.scratch import remembered


def with_segments(
    mirror: AccountMirror, numbers: Iterable[pa.Table], labels: Mapping[str, Relation]
) -> Relation:
    """(record, the columns of ``numbers``, a segment per name of ``labels``), one row per record that has any
    of it; it holds until it is asked for again.

    ``numbers``: at least one table, of different records each.
    """
    for position, frame in enumerate(numbers):
        into = "INSERT INTO numbers" if position else "CREATE OR REPLACE TEMP TABLE numbers AS"
        mirror.run(f"{into} SELECT * FROM frame", frame=frame)
    joins, columns = "", ["numbers.* EXCLUDE (record)"]
    for name, rows in labels.items():
        alias = quoted("of_" + name)
        joins += f" FULL JOIN (SELECT record, segment FROM ({rows})) AS {alias} USING (record)"
        columns.append(f"{alias}.segment AS {quoted(name)}")
    joined = remembered(mirror, "forecasts", f"SELECT record, {', '.join(columns)} FROM numbers{joins}")
    mirror.run("DROP TABLE numbers")
    return joined
