"""Who is likely to do it, whom does it pay to contact, and what did contacting change?

What a model of kind ``response`` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.report import formats, svg
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Bar

_LEARNERS = {"logistic": "Logistic regression", "boosting": "Boosting", "mixture": "the mean of both"}
_FIGURES = (
    ("auc", "AUC", "0.5 is chance, 1 is perfect", formats.figure),
    ("brier", "Brier score", "0 is perfect", formats.figure),
    ("ece", "Calibration error", "mean distance of probability and truth, ten groups", formats.figure),
    ("lift_10", "Lift of the best tenth", "events among them, times the average", formats.figure),
    ("capture_20", "Found in the best fifth", "share of all events", formats.percent),
    ("base_rate", "Base rate", "share that did it", formats.percent),
    ("forecast_rate", "Forecast rate", "mean probability", formats.percent),
)


def panels(figures: Mapping[str, Any], currency: str) -> list[Panel]:
    """How good the model is and how deep a list pays; where there is none, why."""
    cuts = [
        (cut["day"], formats.count(cut["records"]), formats.count(cut["events"]))
        for cut in figures.get("cuts", ())
    ]
    days = table(("As of", "Records", "Events"), cuts)
    if figures.get("refused"):
        return [
            Panel("Who is likely?", f"There is no model: {figures['refused']}.", table=days if cuts else None)
        ]
    rows = [
        (name, meaning, formatter(figures[key]))
        for key, name, meaning, formatter in _FIGURES
        if key in figures
    ]
    remark = (
        f"{figures['event']} within {formats.days(figures['days'])}, judged on the latest {_tested(figures)}of {len(cuts)} earlier days, "
        f"which the model had not seen; {_won(figures)}"
    )
    model_panels = [
        Panel("How well does it predict?", remark, table=table(("Figure", "Meaning", "Value"), rows, texts=2))
    ]
    if figures.get("depth"):
        model_panels.append(_depth(figures["depth"], currency))
    return [
        *model_panels,
        Panel(
            "What it learned from",
            "earlier days, each with what was known then and what came after",
            table=days,
        ),
    ]


def _tested(figures: Mapping[str, Any]) -> str:
    """Small campaigns test together."""
    return f"{figures['tested']} " if figures.get("tested", 1) > 1 else ""


def _won(figures: Mapping[str, Any]) -> str:
    losses = figures.get("contest", {})
    results = ", ".join(
        f"{_LEARNERS.get(name, name)} {loss:.3f}"
        for name, loss in sorted(losses.items(), key=lambda entry: entry[1])
    )
    curve = figures.get("calibration", "none")
    habits = (
        f"; it looks at orders of {figures['categories']:,} categories too"
        if figures.get("categories")
        else ""
    )
    return f"log loss of the contest: {results}; calibration: {'unchanged, because none did better' if curve == 'none' else curve}{habits}"


def _depth(depth: Mapping[str, float], currency: str) -> Panel:
    bars = [
        Bar("Contacted: the likely ones", (depth["share"],), formats.percent(depth["share"])),
        Bar("Reached: of all who did it", (depth["reached"],), formats.percent(depth["reached"])),
    ]
    rows = [
        ("From which probability", formats.percent(depth["probability"])),
        ("Share contacted", formats.percent(depth["share"])),
        ("Share of all events reached", formats.percent(depth["reached"])),
        ("Rate among the contacted", formats.percent(depth["rate"])),
    ]
    remark = "at the latest of the earlier days: contacting the likely ones alone"
    if "profit" in depth:
        rows.append(("Profit", f"{depth['profit']:,.2f} {currency}"))
        rows.append(("Profit of contacting all", f"{depth['profit_of_all']:,.2f} {currency}"))
        gain = f"{depth['profit']:,.0f} {currency} of profit, against {depth['profit_of_all']:,.0f} {currency} by contacting all"
        remark = f"a contact pays from a probability of {formats.percent(depth['probability'])}: {gain}"
    drawn = svg.bars("Who to contact, and who that reaches", bars, track=True)
    return Panel(
        "Break-even depth", remark, [Picture(drawn)], table=table(("At the break-even", "Value"), rows)
    )


def effects(effects_by_segment: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> list[Panel]:
    """Per campaign list with a control group, by segment, what contacting changed."""
    return [_effect(labels.get(segment, segment), effect) for segment, effect in effects_by_segment.items()]


def effect_sentence(title: str, effect: Mapping[str, Any]) -> str:
    """What a campaign to a segment changed against its control group, for a person who sells."""
    groups = f"{effect['treated']:,} contacted, {effect['control']:,} held out"
    if "uplift" not in effect:
        return f"Campaign to {title}: no result yet ({groups}; {effect['note']})."
    treated, control = (formats.percent(effect[f"rate_{name}"]) for name in ("treated", "control"))
    rates = f"{treated} of the contacted did it, {control} of the control group ({groups})"
    if effect["note"]:
        return f"Campaign to {title}: {rates}. The difference may be due to chance."
    more = "brought" if effect["incremental"] > 0 else "cost"
    return f"Campaign to {title}: {rates}. It {more} about {abs(effect['incremental']):,.0f} of them."


def _effect(label: str, effect: Mapping[str, Any]) -> Panel:
    title = f"What did contacting change? {label}"
    groups = f"{effect['treated']:,} contacted and {effect['control']:,} held out, {effect['days']} days after they came into the segment"
    if "uplift" not in effect:
        return Panel(title, f"{groups}: {effect['note']}")
    low, high = effect["interval"]
    most = max(effect["rate_treated"], effect["rate_control"]) or 1
    bars = [
        Bar(name, (effect[f"rate_{key}"] / most,), formats.percent(effect[f"rate_{key}"]))
        for name, key in (("Contacted", "treated"), ("Held out (control)", "control"))
    ]
    rows = [
        ("Uplift", formats.signed(effect["uplift"])),
        ("95% interval", f"{formats.signed(low)} to {formats.signed(high)}"),
        ("Events that would not have come", f"{effect['incremental']:,.0f}"),
        ("Qini of the score", formats.figure(effect["qini"])),
    ]
    remark = f"{groups}{': ' + effect['note'] if effect['note'] else ''}"
    drawn = svg.bars(f"Share that did it, contacted and held out: {label}", bars)
    return Panel(title, remark, [Picture(drawn)], table=table(("Of the difference", "Value"), rows))
