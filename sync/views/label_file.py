"""Labels as a file: one row a record, ``id``, what it bought, forecasts, one column per segmentation, and the
scores that a segmentation is made of.

``orders``, ``net_revenue`` (in major units, exact), ``first_purchase`` and ``last_purchase`` are those that
the labels stand on, so that anybody can check them in a spreadsheet.

Nobody can be contacted by it: it holds no address and no name. Only where the ids of an account are addresses, or
numbers that can be called, it needs a reason. It is its owner's alone, and the journal keeps who had it written.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from connectors.values.currency import exponent
from sync.account.session import Session
from sync.consent.contact_columns import channels_of_cells
from sync.exit_codes import UsageError
from sync.store.journal.exports import SegmentFile
from sync.store.label_rows import LabelColumns, label_rows
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation
from sync.views.private_file import private_file

ROWS = 100_000  # of the file that are in memory at once
_MEMORY = "memory."


def write(
    session: Session, out: Path, horizon: int | None = None, reason: str = ""
) -> tuple[int, dict[str, Any]]:
    """Write the labels as of ``session.as_of`` as CSV; returns the number of rows, and the figures of the
    forecasts.

    After the forecasts, if any (``sync.label.forecasts``, over ``horizon`` days), stand the segments of each
    segmentation that they do not hold yet, and beside them its confirmed scores where it has some:
    ``rfm.recency`` and its like, 1 to 5; of kind ``response`` the probability, to rank by, as ``NAME.score``.
    """
    from sync.label.as_known_then import AsKnownThen
    from sync.label.forecasts import columns_of_own_name, forecasts

    mirror, known_labels = session.mirror(), AsKnownThen(session)
    forecast = forecasts(session, horizon, known_labels)
    names = [s.name for s in session.segmentations]
    there = columns_of_own_name(session.segmentations) if forecast else set()
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
        forecast.rows if forecast else None,
        [name for name in forecast.columns if name not in names or name in there] if forecast else [],
        exponent(session.settings.currency),
        taken=names,  # a name that a segmentation has is that segmentation's
        with_type=types != {"contact"},
    )
    _require_reason(mirror, rows, session.account, reason)
    with private_file(out) as sink:
        count, columns = _write(mirror, sink.buffer, rows)
        file = SegmentFile(", ".join(names), str(out), columns, count, channel="", reason=reason.strip())
        session.journal.exports.add_segment_file(session.account, session.run, file)
    return count, forecast.figures if forecast else {}


def _require_reason(mirror: AccountMirror, rows: Relation, account: str, reason: str) -> None:
    """UsageError where people can be contacted by their ids, and nobody says what the file is for."""
    ids = mirror.table(f"SELECT id FROM ({rows.sql})")["id"].combine_chunks()
    if not reason.strip() and channels_of_cells(ids):
        raise UsageError(
            f"People can be contacted by the ids of account {account}, which are addresses or numbers. Say what the file is "
            "for: --reason TEXT; the journal keeps it."
        )


def _write(mirror: AccountMirror, out: IO[bytes], rows: Relation) -> tuple[int, list[str]]:
    """Batch by batch, so that a file of any length needs little memory; returns the number of rows, and the
    columns.
    """
    from connectors.files.csv_cells import guarded

    count = 0
    reader = mirror.run(rows.sql).to_arrow_reader(ROWS)
    with arrow_csv.CSVWriter(
        out, reader.schema, write_options=arrow_csv.WriteOptions(quoting_style="needed")
    ) as sink:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            table = table.set_column(table.column_names.index("id"), "id", guarded(table["id"]))
            sink.write_table(table)
            count += batch.num_rows
    return count, reader.schema.names
