"""Which score predicted best, and how true were its forecasts?

What a model of kind ``potential`` tells of its own contest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.report import formats, svg
from sync.report.formats import Money
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Bar

_CANDIDATES = {
    "rfm": "RFM rank",
    "spend": "Revenue so far",
    "recency": "Latest purchase",
    "frequency": "Number of purchases",
    "btyd": "Purchase model: MBG/NBD and Gamma-Gamma",
    "boosted": "Boosting over windows of the past",
    "mixed": "Mixture of purchase model and boosting",
}
_MEASURES = (("capture_20", "revenue in the best fifth"), ("gini", "Gini"), ("auc", "AUC"))
_TRUTH = (
    ("brier", "Brier score", "of the probability of a purchase; 0 is perfect", formats.figure),
    ("ece", "Calibration error", "mean distance of probability and truth, ten groups", formats.figure),
    ("auc", "AUC", "of the probability of a purchase; 0.5 is chance", formats.figure),
    ("base_rate", "Base rate", "of those who bought", formats.percent),
    ("mean_absolute_error", "Mean absolute error", "purchases per customer", formats.figure),
    ("root_mean_squared_error", "Root mean squared error", "purchases per customer", formats.figure),
    ("bias_purchases", "Bias of purchases", "forecast over what came, less one", formats.signed),
    ("bias_money", "Bias of revenue", "forecast over what came, less one", formats.signed),
)


def panels(figures: Mapping[str, Any], labels: Mapping[str, str], money: Money) -> list[Panel]:
    """The contest, the back-test of the winner, and what each tier is expected to bring; a refusal is told as
    it is.
    """
    contest_panels = [_contest(figures)] if figures.get("contest") else []
    truth = [
        (name, words_, formatter(figures[key])) for key, name, words_, formatter in _TRUTH if key in figures
    ]
    truth += [
        (f"Forecast over {formats.days(told['horizon'])}", told["words"], _ends(told))
        for told in figures.get("forecasts", [])
    ]
    if truth and "span" in figures:
        span = formats.days(figures["span"])
        remark = f"what was predicted {span} before training, against what happened: {figures['customers']:,} customers"
        contest_panels.append(
            Panel(
                "How accurate were the forecasts?",
                remark,
                table=table(("Figure", "Of what", "Back-test"), truth, texts=2),
            )
        )
    if not contest_panels:
        contest_panels.append(
            Panel(
                "Which score predicted best?",
                str(figures.get("refused") or figures.get("note") or "no contest was held"),
            )
        )
    return contest_panels + _tiers(figures, labels, money)


def _ends(told: Mapping[str, Any]) -> str:
    if told["refused"]:
        return "none"
    return f"{formats.percent(told['money']['low'])} to {formats.percent(told['money']['high'])} of the money"


def _contest(figures: Mapping[str, Any]) -> Panel:
    order = sorted(figures["contest"].items(), key=lambda entry: -(entry[1]["capture_20"] + entry[1]["gini"]))
    bars, rows = [], []
    for name, got in order:
        label = _CANDIDATES.get(name, name) + (" (used)" if name == figures["winner"] else "")
        values = [got[key] for key, _ in _MEASURES]
        bars.append(Bar(label, tuple(values), formats.percent(values[0])))
        rows.append((label, formats.percent(values[0]), *(formats.figure(value) for value in values[1:])))
    drawn = svg.bars("How each candidate ranked customers in the contest", bars)
    notes = "; ".join(str(figures[key]) for key in ("refused", "note") if figures.get(key))
    remark = (
        f"each candidate as of {formats.days(figures['span'])} before the fit, judged on what came since; "
        f"revenue share and Gini decide"
    )
    return Panel(
        "Which score predicted best?",
        f"{remark}. {notes}" if notes else remark,
        [Picture(drawn)],
        tuple(name for _, name in _MEASURES),
        table(("Candidate", *(name.capitalize() if name.islower() else name for _, name in _MEASURES)), rows),
    )


def _tiers(figures: Mapping[str, Any], labels: Mapping[str, str], money: Money) -> list[Panel]:
    tiers: Mapping[str, Mapping[str, float]] = figures.get("tiers") or {}
    buyers, total = (sum(tier[key] for tier in tiers.values()) for key in ("buyers", "money"))
    if not buyers or not total:
        return []
    order = [key for key in labels if key in tiers]
    bars = [
        Bar(
            labels[key],
            (tiers[key]["buyers"] / buyers, tiers[key]["money"] / total),
            money.whole(tiers[key]["money"]),
        )
        for key in order
    ]
    rows = [
        (
            *(
                labels[key],
                formats.count(tiers[key]["buyers"]),
                formats.percent(tiers[key]["buyers"] / buyers),
            ),
            *(money.whole(tiers[key]["money"]), formats.percent(tiers[key]["money"] / total)),
        )
        for key in order
    ]
    drawn = svg.bars("Buyers of each tier, and the revenue that is expected of them", bars)
    head = ("Tier", "Buyers", "Share", "Expected", "Share")
    remark = f"within {formats.days(figures['horizon'])} of the fit, of all its buyers"
    key = ("share of buyers", "share of expected revenue")
    return [Panel("What will each tier bring?", remark, [Picture(drawn)], key, table(head, rows))]
