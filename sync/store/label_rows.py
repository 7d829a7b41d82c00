"""Which rows does a file of labels have? One a record: its id, what it bought, forecasts, segments and scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sync.store.features_table import kept_features
from sync.store.mirror import AccountMirror, quoted
from sync.store.relation import Relation


@dataclass(frozen=True)
class LabelColumns:
    """The columns that one segmentation gives: names of columns of its ``labels`` → names in the file."""

    labels: Relation
    shown: Mapping[str, str] = field(default_factory=dict)


def label_rows(
    mirror: AccountMirror,
    segmentations: Sequence[LabelColumns],
    forecast: Relation | None,
    forecast_columns: Sequence[str],
    digits: int,
    taken: Collection[str],
    with_type: bool,
) -> Relation:
    """Rows of every record that any of the segmentations labels, ordered by type and id.

    ``forecast``: (record, the ``forecast_columns``, …), if any. ``digits``: decimals of the currency. ``taken``: names
    of columns of what was bought that are left out. ``with_type``: the record's type stands behind its id.
    """
    columns = ["id", *(["record_type"] if with_type else [])]
    figures = purchase_columns(digits)
    figures["net_revenue"] = f"({figures['net_revenue']})::VARCHAR"  # Arrow writes no decimals as CSV
    columns += [f"{column} AS {name}" for name, column in figures.items() if name not in taken]
    columns += [f"forecast.{name}" for name in forecast_columns]
    joins = f"LEFT JOIN ({forecast}) AS forecast USING (record)" if forecast else ""
    for position, entry in enumerate(segmentations):
        alias = f"labels_{position}"
        joins += f" LEFT JOIN ({entry.labels}) AS {alias} USING (record)"
        columns += [f"{alias}.{quoted(name)} AS {quoted(shown)}" for name, shown in entry.shown.items()]
    everyone = " UNION ".join(f"SELECT record FROM ({entry.labels})" for entry in segmentations)
    return Relation(
        f"""SELECT {", ".join(columns)} FROM ({everyone}) JOIN ids USING (record)
            LEFT JOIN ({kept_features(mirror)}) AS features USING (record) {joins}
            ORDER BY record_type, length(id), id"""
    )


def purchase_columns(digits: int) -> dict[str, str]:
    """Name → SQL on ``features``: what a person checks against the shop's own figures; money in major units,
    exact. ``digits``: decimals of the currency.
    """
    unit = f"0.{'1'.rjust(digits, '0')}" if digits else "1"
    revenue = f"coalesce(features.net_revenue, 0)::DECIMAL(19, 0) * {unit}::DECIMAL({digits + 1}, {digits})"
    return {
        "orders": "coalesce(features.orders, 0)::BIGINT",
        "net_revenue": revenue,
        "first_purchase": "features.first_purchase",
        "last_purchase": "features.last_purchase",
    }
