"""Is a segmentation any good, and is it still? A scorecard of it, on days that it had not seen.

    lift           revenue share of the best segments over their size, in the days after; with a 95% interval
                   by bootstrap
    against        capture of the best fifth by the segmentation's score, and by the best simple score
                   (recency, frequency, money)
    separation     eta squared of next revenue between segments; share that bought again, by segment, falling
                   where they are ranked
    efficiency     share of the buyers among the best fifth: what contacting a fifth instead of all would
                   reach
    coverage       labelled records, and the unscored ones
    actionability  every segment has at least 1% and 100 records, enough of them reachable, and a playbook
    drift          PSI of the score, and of newcomers against newcomers (never of recency in a closed group:
                   that ages by itself)
    steadiness     moved a week, returned within twelve weeks, and what that costs
                   (``segmentation.evaluation.label_stability``)

By which of these lines a kind is judged, and what it promises beyond that, the kind says
(``segmentation.kinds.base``). Each line says whether it passes. A card that falls proposes a refit and shows
what it would change; it applies none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation.ecdf import Fractions
from segmentation.evaluation import metrics
from segmentation.evaluation.backtest import numbers
from segmentation.evaluation.judgement import TOP, Judgement, Line
from segmentation.evaluation.migration import migration

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest
    from segmentation.evaluation.label_stability import Replay

ENOUGH = 100  # records, for a share to be judged
SMALLEST = 0.01
DRIFT, FEWEST = 0.25, 200  # records: the shares of fewer flap by themselves
SETTLED = 28  # days since a fit: before, few could have moved, and weekdays and months pass for a shift
UNSCORED = ("unscored", "no_offer")


@dataclass(frozen=True)
class Today:
    """What a card looks at beside a day that lies back. All but ``labels`` may be missing.

    ``reachable``: share per segment. ``playbooks``: keys of segments that have one. ``baseline``: labels of
    the day of the fit. ``shift``: PSI of the score since then, and of how many records: of those that did not
    just grow older. ``newcomers``: labels of those who were new at the fit, and of those who are new now.
    ``weeks``: played again, and their cost. ``age``: days since the fit.
    """

    labels: pd.DataFrame
    reachable: Mapping[str, float] | None = None
    playbooks: Sequence[str] = ()
    baseline: pd.DataFrame | None = None
    shift: tuple[float, int] | None = None
    newcomers: tuple[pd.DataFrame, pd.DataFrame] | None = None
    weeks: tuple[Replay | None, Mapping[str, float]] = (None, {})
    age: int = SETTLED


class Judged(Protocol):
    """What a scorecard must know of a kind (``segmentation.kinds.base``)."""

    @property
    def judgement(self) -> Judgement:
        """By which lines it is judged."""

    @property
    def ranked(self) -> tuple[str, ...]:
        """Keys of the segments that are ordered, the best first."""

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Lines that only this kind has."""


def card(kind: Judged, backtest: Backtest | None, today: Today, model: Mapping[str, Any]) -> list[Line]:
    """The card of a model's segmentation: of ``today``, and of ``backtest``, a day that lies back."""
    if backtest is not None and not len(backtest.labels):
        backtest = None
    lines: list[Line] = []
    if backtest is not None:
        after = [*_lift(backtest, kind.ranked), *_separation(backtest, kind.ranked), *_efficiency(backtest)]
        lines = _judged(kind.judgement.of(after), backtest)
    lines += kind.own_lines(backtest, model)
    lines += [*_coverage(today.labels), *_actionability(today.labels, today.reachable, today.playbooks)]
    lines += [*_drift(today), *_kept(today), *steadiness(kind.judgement, *today.weeks)]
    return lines


def steadiness(judgement: Judgement, replayed: Replay | None, figures: Mapping[str, float]) -> list[Line]:
    """How many moved and came back in the weeks that were played again, and what the memory of labels costs."""
    from segmentation.evaluation.label_stability import MOVED, RETURNED, WEEKS

    if replayed is None:
        return []
    moved, returned = replayed.moved, replayed.returned
    words = f"{moved:.2%} moved in a week, over {WEEKS} weeks played again (at most {MOVED:.0%} is promised)"
    lines = [Line("moved a week", round(moved, 4), moved <= MOVED if judgement.steady else None, words)]
    words = f"{returned:.2%} came back within {WEEKS} weeks to a segment that they had left (at most {RETURNED:.0%})"
    few = returned <= RETURNED if judgement.steady else None
    lines.append(Line("returned", round(returned, 4), few, words))
    if {"raw", "steady", "score"} <= figures.keys():
        by_revenue = judgement.by_revenue
        what = "share of the next revenue in the best fifth" if by_revenue else "AUC of buying again"
        words = f"{what}: by steady labels {figures['steady']:.4f}, without memory {figures['raw']:.4f}, by score {figures['score']:.4f}"
        lines.append(Line("cost of steadiness", round(figures["raw"] - figures["steady"], 4), None, words))
    return lines


def retrain_reasons(lines: Sequence[Line], age: int = SETTLED) -> list[str]:
    """Why a refit is worth proposing; empty: it is not, or the model is so young that it would learn the same."""
    if age < SETTLED:
        return []
    weighty = ("drift", "newcomers", "stability", "against", "calibration", "auc", "hits")
    return [line.words for line in lines if line.passes is False and line.measure in weighty]


def proposal(
    old: Mapping[str, Any], new: Mapping[str, Any], before: pd.DataFrame, after: pd.DataFrame
) -> dict[str, Any]:
    """What a refit would change: settings, figures and cuts (old, new), records that would move, and where
    they would go.
    """
    from segmentation import model_file

    difference = model_file.difference(
        {k: v for k, v in old.items() if k != "learned"}, {k: v for k, v in new.items() if k != "learned"}
    )
    moves = migration(before, after, ())
    flows = [flow for flow in moves.flows() if flow["source"] != flow["target"]]
    return {
        "difference": difference,
        "moved": round(moves.moved, 4),
        "records": int(sum(f["records"] for f in flows)),
        "flows": flows[:20],
    }


def composition(
    labels: pd.DataFrame, attributes: pd.DataFrame, most: int = 12
) -> dict[str, dict[str, dict[str, float]]]:
    """Per attribute and segment the share of each value: who is in a segment.

    Values that fewer than 10 records share are ``other``.
    """
    joined = labels[["record", "segment"]].merge(attributes, on="record", how="left")
    breakdown: dict[str, dict[str, dict[str, float]]] = {}
    for name in attributes.columns.drop("record"):
        values = joined[name].astype(object).where(joined[name].notna(), "not known").astype(str)
        counts = values.value_counts()
        kept = set(counts[counts >= 10].index[:most])
        values = values.where(values.isin(kept), "other")
        shares = pd.crosstab(joined["segment"], values, normalize="index").round(4)
        breakdown[str(name)] = {
            str(segment): {str(v): float(s) for v, s in row.items() if s > 0}
            for segment, row in shares.iterrows()
        }
    return breakdown


# -- lines
# -------------------------------------------------------------------------------------------------------


def _lift(backtest: Backtest, ranked: Sequence[str]) -> list[Line]:
    segment = _texts(backtest.labels["segment"])
    order = [key for key in ranked if (segment == key).any()] or _by_score(segment, backtest.score)
    best: list[str] = []
    while order and np.isin(segment, best).mean() < SMALLEST:
        best.append(order.pop(0))
    inside, revenue = np.isin(segment, best), backtest.revenue
    size, total = float(inside.mean()), float(revenue.sum())
    if not 0 < size < 1 or not total:
        return [Line("lift", None, None, "there is no best segment with revenue to compare")]
    low, high = _interval(inside, revenue)
    value = float(revenue[inside].sum()) / total / size
    words = f"{', '.join(best)}: {size:.1%} of the records bring {value * size:.1%} of the revenue of the next {backtest.days} days"
    simple = {name: metrics.capture(score, revenue, TOP) for name, score in backtest.simple.items()}
    caught = metrics.capture(backtest.score, revenue, TOP)
    name = max(simple, key=simple.__getitem__) if simple else ""
    lines = [Line("lift", round(value, 3), low > 1, words, (round(low, 3), round(high, 3)))]
    if name and len(np.unique(backtest.score)) > 2:
        error = _capture_error(backtest.score, revenue)
        words = f"the best fifth by score brings {caught:.1%} of the next revenue, by {name} alone {simple[name]:.1%}"
        lines.append(Line("against", round(caught, 4), caught >= simple[name] - error, words))
    return lines


def _judged(lines: list[Line], backtest: Backtest) -> list[Line]:
    """The lines without a verdict where too few bought after the day to tell skill from luck."""
    buyers = int((backtest.bought > 0).sum())
    if buyers >= ENOUGH:
        return lines
    why = f"; no verdict: {buyers} bought in the {backtest.days} days, {ENOUGH} are needed"
    return [
        replace(line, passes=None, words=line.words + why) if line.passes is not None else line
        for line in lines
    ]


def _separation(backtest: Backtest, ranked: Sequence[str]) -> list[Line]:
    segment, revenue, bought = _texts(backtest.labels["segment"]), backtest.revenue, backtest.bought
    keys, positions = np.unique(segment, return_inverse=True)
    count = np.bincount(positions)
    spread = float(((revenue - revenue.mean()) ** 2).sum())
    between = float((count * (np.bincount(positions, weights=revenue) / count - revenue.mean()) ** 2).sum())
    rates = dict(zip(keys.tolist(), (np.bincount(positions, weights=bought) / count).tolist(), strict=True))
    sizes = dict(zip(keys.tolist(), count.tolist(), strict=True))
    lines = [
        Line(
            "separation",
            round(between / spread, 4) if spread else None,
            None,
            "share of the next revenue's variance between segments",
        )
    ]
    judged = [key for key in ranked if sizes.get(key, 0) >= ENOUGH]
    words = ", ".join(
        f"{key} {rates[key]:.1%}" for key in (judged or sorted(rates, key=lambda name: -rates[name]))
    )
    falling = all(rates[a] >= rates[b] for a, b in pairwise(judged)) if len(judged) > 1 else None
    spreads = max(rates.values()) - min(rates.values())
    lines.append(
        Line("bought again", round(spreads, 4), falling, f"bought within {backtest.days} days: {words}")
    )
    return lines


def _efficiency(backtest: Backtest) -> list[Line]:
    if len(np.unique(backtest.score)) <= 2:
        return []
    reached = metrics.capture(backtest.score, backtest.bought, TOP)
    rate = float(backtest.bought.mean())
    words = f"contacting the best fifth reaches {reached:.1%} of those who buy within {backtest.days} days (all: {rate:.1%} buy)"
    return [Line("efficiency", round(reached, 4), reached > TOP, words)]


def _coverage(labels: pd.DataFrame) -> list[Line]:
    segment = _texts(labels["segment"])
    unscored = float(np.isin(segment, UNSCORED).mean()) if len(segment) else 0.0
    words = (
        f"{unscored:.1%} of {len(segment)} records could not be scored"
        if unscored
        else f"all {len(segment)} records have a segment"
    )
    return [Line("coverage", round(1 - unscored, 4), unscored < 0.5, words)]


def _actionability(
    labels: pd.DataFrame, reachable: Mapping[str, float] | None, playbooks: Sequence[str]
) -> list[Line]:
    keys, counts = np.unique(_texts(labels["segment"]), return_counts=True)
    sizes = {str(key): int(count) for key, count in zip(keys, counts, strict=True) if key not in UNSCORED}
    if not sizes:
        return [Line("actionability", None, None, "there is no segment")]
    if len(labels) < ENOUGH * len(sizes):
        needed = ENOUGH * len(sizes)
        words = f"no verdict: {len(labels):,} records are too few to judge {len(sizes)} segments, {needed:,} are needed"
        return [Line("actionability", None, None, words)]
    least = max(ENOUGH, SMALLEST * len(labels))
    faults = [f"{key} has {count} records only" for key, count in sizes.items() if count < least]
    faults += [f"{key} has no playbook" for key in sizes if playbooks and key not in playbooks]
    faults += [
        f"{key}: {share:.0%} can be reached"
        for key, share in (reachable or {}).items()
        if key in sizes and share < 0.2
    ]
    share = 1 - len({fault.split(" ")[0].rstrip(":") for fault in faults}) / len(sizes)
    return [
        Line(
            "actionability",
            round(share, 4),
            not faults,
            "; ".join(faults[:6]) or "each segment is large enough to act on",
        )
    ]


def _drift(today: Today) -> list[Line]:
    lines, young = [], today.age < SETTLED
    why = f"; no verdict: the model is {today.age} days old, {SETTLED} are needed" if young else ""
    if today.shift is not None:
        shift, records = today.shift
        words = f"PSI of the score {shift:.3f} since the fit, of {records:,} who bought lately (a shift from {DRIFT})"
        holds = shift < DRIFT if records >= FEWEST and not young else None
        lines.append(Line("drift", round(shift, 4), holds, words + why))
    if today.newcomers is not None and min(map(len, today.newcomers)) >= FEWEST:
        then, now = today.newcomers
        new = metrics.population_stability(numbers(then["score"]), numbers(now["score"]))
        words = f"PSI of the score {new:.3f} between newcomers at the fit and now (a shift from {DRIFT})"
        lines.append(Line("newcomers", round(new, 4), None if young else new < DRIFT, words + why))
    return lines


def _kept(today: Today) -> list[Line]:
    if today.baseline is None or not len(today.baseline):
        return []
    kept = 1 - migration(today.baseline, today.labels, ()).moved
    return [
        Line(
            "kept",
            round(kept, 4),
            None,
            f"{kept:.1%} have the segment that they had when the model was trained",
        )
    ]


def _texts(series: pd.Series) -> npt.NDArray[Any]:
    return series.astype(object).where(series.notna(), "").to_numpy(dtype=object).astype(str)


def _by_score(segment: npt.NDArray[Any], score: Fractions) -> list[str]:
    keys, positions = np.unique(segment, return_inverse=True)
    mean = np.bincount(positions, weights=score) / np.bincount(positions)
    return [str(keys[at]) for at in np.argsort(-mean, kind="stable") if keys[at] not in UNSCORED]


def _interval(inside: npt.NDArray[np.bool_], revenue: Fractions, rounds: int = 200) -> tuple[float, float]:
    rng = np.random.default_rng(7)
    lifts = []
    for _ in range(rounds):
        rows = rng.integers(0, len(inside), len(inside))
        total, size = float(revenue[rows].sum()), float(inside[rows].mean())
        if total and size:
            lifts.append(float(revenue[rows][inside[rows]].sum()) / total / size)
    low, high = np.quantile(lifts or [0.0], (0.025, 0.975))
    return float(low), float(high)


def _capture_error(score: Fractions, revenue: Fractions, rounds: int = 40) -> float:
    rng = np.random.default_rng(7)
    drawn = (rng.integers(0, len(score), len(score)) for _ in range(rounds))
    return float(np.std([metrics.capture(score[rows], revenue[rows], TOP) for rows in drawn]))


def as_dicts(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """For printing and for the report."""
    return [asdict(line) for line in lines]
