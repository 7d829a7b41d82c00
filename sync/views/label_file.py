"""Labels as a file: one row a record, ``id``, forecasts, one column per segmentation, and the scores that a segmentation is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.csv as arrow_csv

from sync.account.session import Session
from sync.store.mirror import AccountMirror, quoted
from sync.views.history import remember_export

_MEMORY = "memory."


def write(session: Session, out: Path, horizon: int | None = None) -> tuple[int, dict[str, Any]]:
    """Write the labels as of ``session.as_of`` as CSV; returns the number of rows, and the figures of the forecasts.

    After the forecasts (``sync.label.forecasts``, over ``horizon`` days) stand the segments of each segmentation that they do not hold
    yet, and beside them its confirmed scores where it has some: ``rfm.recency`` and its like, 1 to 5.
    """
    from connectors.files.cells import guarded
    from sync.label.forecasts import forecasts, told_there
    from sync.label.known import Known

    mirror, known = session.mirror(), Known(session)
    foretold, figures = forecasts(session, horizon, known)
    tables = {s.name: known.table(s) for s in session.segmentations}
    names = [s.name for s in session.segmentations]
    types = {t for s in session.segmentations for t in session.config.record_types(s)}
    columns = ["id", *(["record_type"] if types != {"contact"} else [])]
    there = told_there(session)
    columns += [f"foretold.{name}" for name in foretold.column_names if name != "record" and (name not in names or name in there)]
    for name, table in tables.items():
        if name not in there:
            columns.append(f"{table}.segment AS {quoted(name)}")
        scores = [c for c in _columns(mirror, table) if c.startswith(_MEMORY) and not c.endswith("pending")]
        columns += [f"{table}.{quoted(c)} AS {quoted(c.replace(_MEMORY, name + '.'))}" for c in sorted(scores)]
    joins = " ".join(f"LEFT JOIN {table} USING (record)" for table in tables.values())
    everyone = " UNION ".join(f"SELECT record FROM {table}" for table in tables.values())
    table = mirror.table(
        f"""SELECT {", ".join(columns)} FROM ({everyone}) JOIN ids USING (record) LEFT JOIN foretold USING (record) {joins}
            ORDER BY record_type, length(id), id""",
        foretold=foretold,
    )
    table = table.set_column(0, "id", guarded(table["id"]))
    arrow_csv.write_csv(table, out, arrow_csv.WriteOptions(quoting_style="needed"))
    remember_export(session.journal, out)
    return int(table.num_rows), figures


def _columns(mirror: AccountMirror, table: str) -> list[str]:
    found: list[str] = mirror.run(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().column_names
    return found
