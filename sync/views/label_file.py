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
from sync.store.features_table import kept_features
from sync.store.identity_resolution import people
from sync.store.mirror import AccountMirror, quoted

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
    tables = {s.name: known_labels.tables(s) for s in session.segmentations}
    features = kept_features(mirror)
    names = [s.name for s in session.segmentations]
    ranked = {s.name for s in session.segmentations if s.kind == "response"}
    types = {t for s in session.segmentations for t in session.config.record_types(s)}
    columns = [
        "id",
        *(["record_type"] if types != {"contact"} else []),
        *_purchases(session.settings.currency, names),
    ]
    there = columns_of_own_name(session.segmentations)
    columns += [f"forecast.{name}" for name in forecast.columns if name not in names or name in there]
    joins = ""
    for name, of_name in tables.items():
        table = quoted("of_" + name)
        joins += f" LEFT JOIN ({of_name.labels}) AS {table} USING (record)"
        if name not in there:
            columns.append(f"{table}.segment AS {quoted(name)}")
        if name in ranked:
            columns.append(f"{table}.score AS {quoted(name + '.score')}")
        scores = [c for c in of_name.columns() if c.startswith(_MEMORY) and not c.endswith("pending")]
        columns += [
            f"{table}.{quoted(c)} AS {quoted(c.replace(_MEMORY, name + '.'))}" for c in sorted(scores)
        ]
    everyone = " UNION ".join(f"SELECT record FROM ({of_name.labels})" for of_name in tables.values())
    count = _write(
        mirror,
        out,
        f"""SELECT {", ".join(columns)} FROM ({everyone}) JOIN ids USING (record) LEFT JOIN ({_addresses(session)}) USING (record)
            LEFT JOIN ({features}) AS features USING (record) LEFT JOIN ({forecast.rows}) AS forecast USING (record) {joins}
            ORDER BY record_type, length(id), id""",
    )
    session.journal.exports.remember(out)
    return count, forecast.figures


def _write(mirror: AccountMirror, out: Path, sql: str) -> int:
    """Batch by batch, so that a file of any length needs little memory; returns the number of rows."""
    from connectors.files.csv_cells import guarded

    count = 0
    reader = mirror.run(sql).to_arrow_reader(ROWS)
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


def _purchases(currency: str, taken: list[str]) -> list[str]:
    """The columns that a person checks against the shop's own figures.

    A name that a segmentation has is that segmentation's.
    """
    digits = exponent(currency)
    unit = f"0.{'1'.rjust(digits, '0')}" if digits else "1"
    columns = {
        "email": "email",
        "orders": "coalesce(features.orders, 0)::BIGINT",
        "net_revenue": f"(coalesce(features.net_revenue, 0)::DECIMAL(19, 0) * {unit}::DECIMAL({digits + 1}, {digits}))::VARCHAR",
        "first_purchase": "features.first_purchase",
        "last_purchase": "features.last_purchase",
    }
    return [f"{column} AS {name}" for name, column in columns.items() if name not in taken]


def _addresses(session: Session) -> str:
    return f"SELECT record, any_value(email) AS email FROM ({people(session.mirror())}) GROUP BY record"
