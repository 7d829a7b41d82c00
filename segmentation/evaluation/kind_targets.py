"""What does each kind of segmentation promise, and does it hold? Lines of a report card that one kind is
judged by and others are not.

    lifecycle    who will buy again (AUC, stages in order, calibration of its probability)
    potential    who will bring the money (best fifth against the best simple score, calibration)
    value, rfm   the best segment brings more than its share
    response     who will do it (AUC, lift and calibration on the event itself, on a day that it had not seen)
    clusters     records that stay together when they are fitted again (Jaccard, adjusted Rand)
    offers       what is wanted next (more hits than offering everybody what sells best)
    rules        what is written down: size and reach alone

What a kind does not promise is shown where it says something, and never judged: a refit would not fix it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.evaluation import metrics

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest
    from segmentation.evaluation.label_stability import Replay

ECE, AUC, AUC_LOSS, KEPT, TOP = 0.06, 0.6, 0.03, 0.8, 0.2
_RANKING = ("lift", "against", "separation", "bought again", "efficiency")
_SHOWN: Mapping[str, Sequence[str]] = {
    "lifecycle": ("separation", "bought again", "efficiency"),
    "clusters": ("separation", "bought again"),
    "rules": ("separation", "bought again"),
    "response": (),
    "offers": (),
}
_JUDGED: Mapping[str, Sequence[str]] = {
    "lifecycle": ("bought again", "efficiency"),
    "potential": ("lift", "against", "efficiency"),
    "abc": ("lift", "bought again"),
    "rfm": ("lift",),
    "clusters": (),
    "rules": (),
}

_CALM = ("lifecycle", "abc", "potential")  # of which few moves and returns are promised


@dataclass(frozen=True)
class Line:
    """One line of a card. ``passes`` None: there is nothing to judge."""

    measure: str
    value: float | None
    passes: bool | None
    words: str
    interval: tuple[float, float] | None = None


def judged(kind: str, lines: Sequence[Line]) -> list[Line]:
    """Lines on what came after a labelling, as far as they concern the kind; what it does not promise is for
    information.
    """
    shown, weighed = _SHOWN.get(kind, _RANKING), _JUDGED.get(kind, _RANKING)
    return [
        line if line.measure in weighed else replace(line, passes=None)
        for line in lines
        if line.measure in shown
    ]


def promised(backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
    """Lines that only this kind has."""
    kind, figures = str(model.get("kind", "")), model.get("figures", {})
    if kind == "clusters":
        return _clusters(model, figures)
    if kind == "response":
        return [*_response(figures), *_calibration(figures)]
    if kind == "offers":
        return _offers(figures.get("tried"))
    if kind == "lifecycle":
        return _lifecycle(backtest, figures)
    return _calibration(figures) if backtest is not None else []


def steady(kind: str, replayed: Replay | None, figures: Mapping[str, float]) -> list[Line]:
    """How many moved and came back in the weeks that were played again, and what the memory of labels costs."""
    from segmentation.evaluation.label_stability import MOVED, RETURNED, WEEKS

    if replayed is None:
        return []
    words = f"{replayed.moved:.2%} moved in a week, over {WEEKS} weeks played again (at most {MOVED:.0%} is promised)"
    lines = [
        Line(
            "moved a week",
            round(replayed.moved, 4),
            replayed.moved <= MOVED if kind in _CALM else None,
            words,
        )
    ]
    words = f"{replayed.returned:.2%} came back within {WEEKS} weeks to a segment that they had left (at most {RETURNED:.0%})"
    lines.append(
        Line(
            "returned",
            round(replayed.returned, 4),
            replayed.returned <= RETURNED if kind in _CALM else None,
            words,
        )
    )
    if {"raw", "steady", "score"} <= figures.keys():
        what = "AUC of buying again" if kind == "lifecycle" else "share of the next revenue in the best fifth"
        words = f"{what}: by steady labels {figures['steady']:.4f}, without memory {figures['raw']:.4f}, by score {figures['score']:.4f}"
        lines.append(Line("cost of steadiness", round(figures["raw"] - figures["steady"], 4), None, words))
    return lines


def _clusters(model: Mapping[str, Any], figures: Mapping[str, Any]) -> list[Line]:
    from segmentation.evaluation.cluster_stability import ARI, JACCARD, SMALLEST

    lines = []
    tried = {trial["k"]: trial for trial in figures.get("stability", ())}
    stability = tried.get(len(model.get("learned", {}).get("clusters", ())))
    if stability is not None:
        holds = (
            stability["jaccard"] >= JACCARD and stability["ari"] >= ARI and stability["smallest"] >= SMALLEST
        )
        words = f"fitted on draws, the worst cluster comes back by {stability['jaccard']:.2f} (Jaccard, from {JACCARD}), all by "
        words += f"{stability['ari']:.2f} (adjusted Rand, from {ARI}); the smallest has {stability['smallest']:.1%}"
        # a refit keeps it: the config's k is what to change
        given = model.get("settings", {}).get("k") is not None
        lines.append(
            Line("stability of the given k" if given else "stability", stability["jaccard"], holds, words)
        )
    refit = figures.get("same_after_refit")
    if refit is not None:
        words = f"{refit:.1%} kept their cluster when the model was fitted anew (from {KEPT:.0%})"
        lines.append(Line("kept over the refit", refit, refit >= KEPT, words))
    return lines


def _response(figures: Mapping[str, Any]) -> list[Line]:
    if "auc" not in figures:
        return [Line("auc", None, None, figures.get("refused") or "nothing was learned yet")]
    caught, words = (
        figures["capture_20"],
        f"AUC {figures['auc']:.3f} on a day that it had not seen (from {AUC:.2f})",
    )
    reached = f"the best fifth holds {caught:.1%} of those who do it, the best tenth does it {figures['lift_10']:.1f} times as often"
    return [
        Line("auc", figures["auc"], figures["auc"] >= AUC, words),
        Line("lift on the event", caught, caught > TOP, reached),
    ]


def _offers(tried: Mapping[str, Any] | None) -> list[Line]:
    if not tried:
        return [Line("hits", None, None, "the past is too short to see whether offers are wanted")]
    rate, popular = tried["bought"][0], tried["popular"][0]
    error = float(np.sqrt(max(popular * (1 - popular), 1e-9) / max(1, tried["records"])))
    words = f"{rate:.1%} of {tried['records']:,} buyers bought what would have been offered within {tried['days']} days, "
    return [Line("hits", rate, rate >= popular - error, f"{words}{popular:.1%} what is bought most")]


def _lifecycle(backtest: Backtest | None, figures: Mapping[str, Any]) -> list[Line]:
    if backtest is None:
        return []
    buyer = backtest.labels["segment"].to_numpy(dtype=object).astype(str) != "prospect"
    score, bought = backtest.score[buyer], backtest.bought[buyer]
    area = metrics.auc(score, bought)
    if not np.isfinite(area):
        return []
    words = f"AUC {area:.3f} of buying again within {backtest.days} days, among buyers (from {AUC:.2f})"
    lines = [Line("auc", round(area, 4), area >= AUC, words)]
    if figures.get("driver") == "repurchase" and backtest.days == round(float(figures["horizon"])):
        off, rate = metrics.calibration_error(score, bought), float(bought.mean())
        words = f"ECE {off:.3f} (up to {ECE}); forecast {float(score.mean()):.1%}, came {rate:.1%}"
        lines.append(Line("calibration", round(off, 4), off <= ECE, words))
    return lines


def _calibration(figures: Mapping[str, Any]) -> list[Line]:
    if "ece" not in figures:
        return []
    if "forecast_rate" in figures:
        total = f"forecast {figures['forecast_rate']:.1%}, came {figures['base_rate']:.1%}"
    else:
        total = f"purchases foretold {figures['bias_purchases']:+.1%} of those that came"
    words = f"ECE {figures['ece']:.3f} (up to {ECE}; Brier {figures['brier']:.4f}, {total})"
    return [Line("calibration", figures["ece"], figures["ece"] <= ECE, words)]
