"""Do the stages of life tell the truth? How many of each bought again, and how many were expected to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.label.point_in_time import AccountPast
from sync.report import formats, svg
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Bar

if TYPE_CHECKING:
    from segmentation.protocol import Segmentation


@dataclass(frozen=True)
class Stage:
    """Records of a stage as of an earlier day, the share that bought within the horizon, and the mean
    probability of it.
    """

    key: str
    records: int
    bought: float
    probability: float | None  # None: stages go by silence alone


@dataclass(frozen=True)
class Rates:
    """All stages as of a day, and what came within ``days``."""

    day: date
    days: int
    stages: list[Stage]


def gather(
    segmentation: Segmentation, past: AccountPast, figures: Mapping[str, Any], as_of: date
) -> Rates | None:
    """Label as of a horizon ago with what was known then, and look at what came; None where the past is too
    short.
    """
    from segmentation.evaluation.backtest import run_backtest

    days = round(figures["horizon"])
    day = as_of - timedelta(days=days)
    if past.first is None or past.first > day - timedelta(days=days):
        return None
    backtest = run_backtest(segmentation, past, day, days)
    frame = (
        backtest.labels[["segment", "score"]].assign(bought=backtest.bought).groupby("segment", sort=False)
    )
    has_probability = figures.get("driver") == "repurchase"
    stages = [
        Stage(
            str(key),
            len(rows),
            float(rows["bought"].mean()),
            float(rows["score"].astype("float64").mean()) if has_probability else None,
        )
        for key, rows in frame
    ]
    return Rates(day, days, stages)


def panels(rates: Rates, labels: Mapping[str, str]) -> list[Panel]:
    """Bars of what came and what was foreseen, stage by stage."""
    of = {stage.key: stage for stage in rates.stages}
    order: Sequence[Stage] = [of[key] for key in labels if key in of and key != "prospect"]
    if not order:
        return []
    bars, rows = [], []
    for stage in order:
        shares = (stage.bought,) if stage.probability is None else (stage.bought, stage.probability)
        bars.append(Bar(labels[stage.key], shares, " · ".join(formats.percent(share) for share in shares)))
        rows.append(
            (
                labels[stage.key],
                formats.count(stage.records),
                formats.percent(stage.bought),
                formats.percent(stage.probability),
            )
        )
    drawn = svg.bars("Share of each stage that bought again, and that was expected to", bars, track=True)
    remark = f"stages as of {rates.day}, with what was known then, and purchases in the {formats.days(rates.days)} after"
    if order[0].probability is None:
        remark += "; there is too little data for a probability, so the stages depend on inactivity only"
    key = ("bought", "probability of the model") if order[0].probability is not None else ("bought",)
    head = ("Stage", "Records", "Bought", "Probability")
    return [Panel("How accurate are the stages?", remark, [Picture(drawn)], key, table(head, rows))]
