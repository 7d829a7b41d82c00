"""What is expected of each record over a horizon? Columns for a file: those of the kinds that the config has, or of every kind
where somebody asks for a horizon.

    value_score          the champion score (``segmentation.models.clv_model``); 0 without a purchase
    p_purchase, expected_purchases, expected_value      within the horizon, money in the currency; empty where
                                                        nothing is predicted
    lifecycle, rfm, value_tier, cluster                 segments of kinds lifecycle, rfm, potential, clusters

A kind that the config has gives its own labels, with their memory; any other costs a training, which only a horizon asks for, and
is fitted for the file alone. A model from after ``as_of`` is never used: it knows what came (``sync.label.as_known_then``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sync.account.session import Session
from sync.config.config import Config
from sync.config.settings import SegmentationSettings
from sync.label.as_known_then import AsKnownThen, Fitted
from sync.store.forecast_rows import with_segments
from sync.store.relation import Relation

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.kinds.base import Kind

NUMBERS = ("value_score", "p_purchase", "expected_purchases", "expected_value")


@dataclass(frozen=True)
class Forecasts:
    """One row per record that has any of it: ``record`` and the ``columns``; figures of the champion."""

    rows: Relation
    columns: Sequence[str]
    figures: dict[str, Any]


def forecasts(session: Session, horizon: int | None, known_labels: AsKnownThen) -> Forecasts | None:
    """What is expected of each record; it holds until it is asked for again. None: the config has no kind that predicts, and
    nobody asks for a horizon.

    ``horizon`` in days; None: that of the config's own segmentation of kind ``potential``, or of its data.
    """
    settings = _chosen(session.segmentations, for_file=horizon is not None)
    value = next((entry for entry in settings if entry.options.predicts_value), None)
    if value is None:
        return None
    known_labels = known_labels.by(_with_segmentations(session.config, settings))
    session.progress("forecasting", 0, 0)
    champion = _champion(value, horizon, known_labels)
    _, population, model = champion
    labels = {
        segmentation.options.forecast_column: known_labels.tables(
            segmentation, champion if segmentation is value else None
        ).labels
        for segmentation in settings
    }
    figures = {
        "horizon": model["learned"]["horizon"],
        **{k: v for k, v in model["figures"].items() if k != "tiers"},
    }
    numbers = (
        pa.Table.from_pandas(
            _numbers(frame, model, session.as_of, session.settings.currency), preserve_index=False
        )
        for _span, frame in population.chunks()
    )
    rows = with_segments(session.mirror(), numbers, labels)
    return Forecasts(rows, [*NUMBERS, *labels], figures)


def columns_of_own_name(segmentations: Sequence[SegmentationSettings]) -> set[str]:
    """Segmentations whose segments stand in a column of their own name among the forecasts."""
    first = {settings.kind: settings.name for settings in reversed(segmentations)}
    return {
        kind.forecast_column for name, kind in _kinds().items() if first.get(name) == kind.forecast_column
    }


def _chosen(segmentations: Sequence[SegmentationSettings], for_file: bool) -> list[SegmentationSettings]:
    """The first segmentation of each kind; ``for_file``: where the config has none, one for this file alone."""
    chosen = []
    for name, kind in _kinds().items():
        own = [settings for settings in segmentations if settings.kind == name]
        if own:
            chosen.append(own[0])
        elif for_file:
            alone = f"for_file_{name}"
            chosen.append(SegmentationSettings(name=alone, kind=name, field=alone, options=kind()))
    return chosen


def _kinds() -> dict[str, type[Kind]]:
    """The kinds that have a column among the forecasts, in the order of the columns."""
    from segmentation.kinds import KINDS

    columns = {name: kind for name, kind in KINDS.items() if kind.forecast_column}
    return dict(sorted(columns.items(), key=lambda entry: not entry[1].leads))


def _with_segmentations(config: Config, chosen: Sequence[SegmentationSettings]) -> Config:
    """The config as if it had all of them."""
    more = tuple(settings for settings in chosen if settings not in config.segmentations)
    return replace(config, segmentations=(*config.segmentations, *more))


def _champion(settings: SegmentationSettings, horizon: int | None, known_labels: AsKnownThen) -> Fitted:
    """The segmentation of kind ``potential`` for the horizon; its model is the stored one where that fits,
    else a new one.
    """
    stored = known_labels.stored(settings)
    if horizon is None or (stored is not None and stored["learned"]["horizon"] == horizon):
        return known_labels.fitted(settings)
    asked = settings.model_copy(
        update={"options": settings.options.model_copy(update={"horizon_days": horizon})}
    )
    return known_labels.fitted(asked)


def _numbers(frame: pd.DataFrame, model: Mapping[str, Any], as_of: date, currency: str) -> pd.DataFrame:
    """``record`` and NUMBERS; what is not predicted is null."""
    import numpy as np
    import pandas as pd

    from connectors.values.currency import exponent
    from segmentation.models.buyer_features import Buying
    from segmentation.models.clv_model import ClvModel

    buyers = Buying.of(frame, as_of)
    forecast = ClvModel.from_dict(model["learned"]).forecast(buyers)
    columns: dict[str, Any] = {"record": frame["record"].to_numpy(np.int64)}
    unit = 10 ** exponent(currency)
    money = None if forecast.money is None else forecast.money / unit
    for name, values in zip(
        NUMBERS, (forecast.score, forecast.probability, forecast.purchases, money), strict=True
    ):
        column = np.full(len(frame), 0.0 if name == "value_score" else np.nan)
        if values is not None:
            column[buyers.row] = values
        columns[name] = pd.array(column, dtype="Float64")
    return pd.DataFrame(columns)
