"""Labels as a file: one row a record, ``id``, what it bought, forecasts, one column per segmentation, and the
scores that a segmentation is made of.

``orders``, ``net_revenue`` (in major units, exact), ``first_purchase`` and ``last_purchase`` are those that
the labels stand on, so that anybody can check them in a spreadsheet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from connectors.values.currency import exponent
from sync.account.session import Session
from sync.store.label_rows import LabelColumns, label_rows
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

ROWS = 100_000  # of the file that are in memory at once
_MEMORY = "memory."


def write(session: Session, out: Path, horizon: int | None = None) -> tuple[int, dict[str, Any]]:
    """Write the labels as of ``session.as_of`` as CSV; returns the number of rows, and the figures of the
    forecasts.

    After the forecasts (``sync.label.forecasts``, over ``horizon`` days) stand the segments of each
    segmentation that they do not hold yet, and beside them its confirmed scores where it has some:
    ``rfm.recency`` and its like, 1 to 5; of kind ``response`` the probability, to rank by, as ``NAME.score``.
    """
    from sync.label.as_known_then import AsKnownThen
    from sync.label.forecasts import columns_of_own_name, forecasts

    mirror, known_labels = session.mirror(), AsKnownThen(session)
    forecast = forecasts(session, horizon, known_labels)
    names, there = [s.name for s in session.segmentations], columns_of_own_name(session.segmentations)
    types = {t for s in session.segmentations for t in session.config.record_types(s)}
    segmentations = []
    for settings in session.segmentations:
        tables, name = known_labels.tables(settings), settings.name
        shown = {} if name in there else {"segment": name}
        shown |= {"score": name + ".score"} if settings.options.score_is_probability else {}
        scores = [c for c in tables.columns() if c.startswith(_MEMORY) and not c.endswith("pending")]
        shown |= {column: column.replace(_MEMORY, name + ".") for column in sorted(scores)}
        segmentations.append(LabelColumns(tables.labels, shown))
    rows = label_rows(
        mirror,
        segmentations,
        forecast.rows,
        [name for name in forecast.columns if name not in names or name in there],
        exponent(session.settings.currency),
        taken=names,  # a name that a segmentation has is that segmentation's
        with_type=types != {"contact"},
    )
    count = _write(mirror, out, rows)
    session.journal.exports.remember(out)
    return count, forecast.figures


def _write(mirror: AccountMirror, out: Path, rows: Relation) -> int:
    """Batch by batch, so that a file of any length needs little memory; returns the number of rows."""
    from connectors.files.csv_cells import guarded

    count = 0
    reader = mirror.run(rows.sql).to_arrow_reader(ROWS)
    with arrow_csv.CSVWriter(
        out, reader.schema, write_options=arrow_csv.WriteOptions(quoting_style="needed")
    ) as sink:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            for name in {"id", "email"} & set(table.column_names):
                table = table.set_column(table.column_names.index(name), name, guarded(table[name]))
            sink.write_table(table)
            count += batch.num_rows
    return count
