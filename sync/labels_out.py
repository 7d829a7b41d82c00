"""Labels as a file: one row a record, ``id`` and one column per segmentation."""

from __future__ import annotations

from pathlib import Path

import pyarrow.csv as arrow_csv

from sync.history import remember_export
from sync.mirror import quoted
from sync.session import Session


def write(session: Session, out: Path) -> int:
    """Write the labels as of ``session.as_of`` as CSV; returns the number of rows."""
    from connectors.files.cells import guarded

    mirror = session.mirror()
    names = [s.name for s in session.segmentations]
    types = {t for s in session.segmentations for t in session.config.record_types(s)}
    columns = ["id", *(["record_type"] if types != {"contact"} else [])]
    chosen = ", ".join([*columns, *(f"{quoted('labels_' + n)}.segment AS {quoted(n)}" for n in names)])
    joins = " ".join(f"LEFT JOIN {quoted('labels_' + n)} USING (record)" for n in names)
    everyone = " UNION ".join(f"SELECT record FROM {quoted('labels_' + n)}" for n in names)
    table = mirror.table(f"SELECT {chosen} FROM ({everyone}) JOIN ids USING (record) {joins} ORDER BY record_type, length(id), id")
    table = table.set_column(0, "id", guarded(table["id"]))
    arrow_csv.write_csv(table, out, arrow_csv.WriteOptions(quoting_style="needed"))
    remember_export(session.journal, out)
    return int(table.num_rows)
