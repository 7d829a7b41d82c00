"""Is each segmentation still good?

Its scorecard where one was computed, why a refit is worth it, and who is in its segments where that was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.report import formats, svg
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Bar

_GREY = 6  # the place of the colour that says "not known"
_CLUSTER = re.compile(r"\bcluster_\d+\b")
_STALE = ", and labels, model or data have changed since: crm-segments report --scorecards computes it again"
_VERDICTS = {True: "✓ good", False: "✗ not good", None: "no verdict"}
_MEANINGS = {
    "lift": "Times the average revenue that the best segment brings in the days after; 1 is no better than chance.",
    "against": "Share of the next revenue that the best fifth by this score brings, against the best simple rule.",
    "separation": "Share of the differences in the next revenue that the segments explain; 0 is nothing, 1 is all.",
    "bought again": "How far apart segments lie in the share that buys again; better segments should buy more often.",
    "efficiency": "Share of the next buyers reached by contacting the best fifth; 20% is chance.",
    "coverage": "Share of the records that could be given a segment.",
    "actionability": "Share of the segments that are large enough, can be reached, and say what to do.",
    "auc": "How often the score ranks somebody who does it above somebody who does not; 0.5 is chance, 1 is perfect.",
    "calibration": "Mean distance between the predicted probability and what happened (ECE); 0 is perfect.",
    "forecast": "Whether anything is forecast: not where forecasts were too far off in the past.",
    "unsure": "How far probabilities are off if the number of buyers is as unsure as it was in the past.",
    "forecast of purchases": "Greatest distance of purchases from their forecast in the latest spans; 20% is good.",
    "forecast of money": "Greatest distance of the money from its forecast in the latest spans; 20% is good.",
    "lifetime value": "Greatest distance of the money of such spans from its forecast in the past; 20% is good.",
    "churn probability": "Mean distance between the chance to order and what happened since; 0 is perfect.",
    "next order date": "Share of the customers who had ordered by the date that they were given; half is perfect.",
    "ranking": "What the calibration costs of the AUC: it keeps the order, so 0 but for rounding.",
    "left out of the past": "Records without activity and without created_at: nobody knows since when they are there.",
    "lift on the event": "Share of the events that the best fifth by score holds; 20% is chance.",
    "drift": "How far scores have moved since the model was trained (PSI); below 0.1 is steady, from 0.25 on retrain.",
    "newcomers": "How far new customers differ from those at the time of the model (PSI); from 0.25 on retrain.",
    "moved a week": "Share of the records that change segment in a week; little is good for campaigns.",
    "returned": "Share of the records that come back to a segment that they had just left; such moves are noise.",
    "cost of steadiness": "What is lost in accuracy because records do not move at once; near 0 is good.",
    "kept": "Share of the records that are still in the segment they had when the model was trained.",
    "stability": "How similar clusters are when they are trained again on a sample (Jaccard); 1 is the same.",
    "stability of the given k": "How similar clusters are when they are trained again on a sample (Jaccard); 1 is the same.",
    "kept over the refit": "Share of the records that stay in their cluster when the model is trained again.",
    "hits": "Share of the customers who bought one of the categories that were offered to them.",
    "hit@3": "Share of the customers who bought one of the first three categories that were offered to them.",
}


def panels(card: Mapping[str, Any], composition: Mapping[str, Any], labels: Mapping[str, str]) -> list[Panel]:
    """``card`` and ``composition``: what ``sync.views.scorecards`` gives of one segmentation."""
    card_panels = [_card(card, labels)] if card.get("lines") else []
    return card_panels + [_composition(name, of, labels) for name, of in composition.items()]


def missing(cards: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Which scorecards nobody has computed yet, and how to get them; empty where none is missing."""
    without = [titles[name] for name, card in cards.items() if not card]
    if not without:
        return ""
    return f"No scorecard has been computed yet for {', '.join(without)}. crm-segments report --scorecards computes and keeps them."


def _card(card: Mapping[str, Any], labels: Mapping[str, str]) -> Panel:
    rows = []
    for line in card["lines"]:
        value = formats.UNKNOWN if line["value"] is None else f"{line['value']:.3g}"
        if line["interval"]:
            value += " ({:.3g} to {:.3g})".format(*line["interval"])
        meaning = _MEANINGS.get(line["measure"], "")
        rows.append(
            (
                line["measure"].capitalize(),
                _VERDICTS[line["passes"]],
                value,
                meaning,
                _named(line["words"], labels),
            )
        )
    day = f"As of {card['as_of']}{'' if card['current'] else _STALE}"
    remark = f"{day}; each figure with its verdict and what it means; in brackets the 95% interval"
    if card["falls"]:
        why = "; ".join(_named(reason, labels) for reason in card["falls"])
        remark += f". Retraining is only proposed: {why}. To retrain: crm-segments train"
    shown = table(("Measure", "Verdict", "Value", "What it means", "What was found"), rows, texts=5)
    return Panel("Scorecard", remark, table=shown, wide=True)


def _named(text: str, labels: Mapping[str, str]) -> str:
    """Clusters under their names: their keys say nothing."""
    return _CLUSTER.sub(lambda match: f"\u201c{labels.get(match[0], match[0])}\u201d", text)


def _composition(name: str, of: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> Panel:
    sums: dict[str, float] = {}
    for shares in of.values():
        for value, share in shares.items():
            sums[value] = sums.get(value, 0.0) + share
    ordered = sorted(sums, key=lambda value: (value in ("other", "not known"), -sums[value], value))
    values = [value for value in ordered if value != "not known"]
    has_rest = len(values) > _GREY
    shown = [*values[:_GREY], *[""] * (_GREY - len(values)), "not known"]  # grey, whatever else there is
    keys = [*(key for key in labels if key in of), *(key for key in of if key not in labels)]
    bars, rows = [], []
    for key in keys:
        drawn_shares = tuple(of[key].get(value, 0.0) for value in shown)
        others = (max(0.0, 1 - sum(drawn_shares)),) if has_rest else ()
        bars.append(Bar(labels.get(key, key), drawn_shares + others, ""))
        rows.append((labels.get(key, key), *(formats.percent(of[key].get(value, 0.0)) for value in ordered)))
    drawn = svg.stacks(f"Values of {name} in each segment", bars)
    names = (*shown, *(("the rest",) if has_rest else ()))
    remark = "who is in each segment; values that few records share are other"
    return Panel(
        f"Composition by {name}", remark, [Picture(drawn)], names, table(("Segment", *ordered), rows)
    )


def drift(cards: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> list[Panel]:
    """PSI of each segmentation's score since its fit."""
    psi_by_name = {
        name: line["value"]
        for name, card in cards.items()
        for line in card.get("lines", ())
        if line["measure"] == "drift" and line["value"] is not None
    }
    if not psi_by_name:
        return []
    bars = [
        Bar(titles[name], (value / 0.5,), f"{value:.3f} {_drifted(value)}")
        for name, value in psi_by_name.items()
    ]
    rows = [(titles[name], f"{value:.4f}", _drifted(value)) for name, value in psi_by_name.items()]
    drawn = svg.bars(
        "Population stability index of each segmentation's score since its fit", bars, track=True
    )
    remark = "population stability index of the scores since the fit: below 0.1 none, from 0.25 major; a whole bar is 0.5"
    return [Panel("Drift", remark, [Picture(drawn)], table=table(("Segmentation", "PSI", "Drift"), rows))]


def _drifted(value: float) -> str:
    return "none" if value < 0.1 else "moderate" if value < 0.25 else "major"
