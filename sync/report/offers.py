"""What does each segment buy anyway, what sets it apart, and what is offered to it next?

What a model of kind ``offers`` tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.report import formats, svg
from sync.report.panels import Panel, Picture, Table, table
from sync.report.sizes import SHARED_BY
from sync.report.svg import Bar

_BEST = 3


def panels(
    figures: Mapping[str, Any],
    by: Mapping[str, str],
    next_offers: Mapping[tuple[str, str], int],
    labels: Mapping[str, str],
    goal: str,
) -> list[Panel]:
    """``by``: the segments whose habits were learned; ``next_offers``: records by such a segment and by their
    next offer.
    """
    segments: Mapping[str, Mapping[str, Any]] = figures.get("segments") or {}
    names = {**by, "all": "All buyers", "none": "In no segment"}
    rows = []
    for key in [
        *(entry for entry in names if entry in segments),
        *(entry for entry in segments if entry not in names),
    ]:
        habits = segments[key]
        usual = _told(habits.get("replenish", ()), formats.percent)
        apart = _told(
            [entry for entry in habits.get("distinct", ()) if entry["value"] > 1],
            lambda value: f"{value:.1f} times",
        )
        rows.append((names.get(key, key), usual, apart, _next(next_offers, key, labels)))
    if not rows:
        return []
    support = figures.get("support", 0)
    aim = "to be reminded of" if goal == "replenish" else "never bought, but by those who buy alike"
    remark = (
        f"in brackets the buyers behind each figure, at least {support:,} or 1% of the segment; what sets apart describes and never "
        f"ranks. Next offers: what is {aim}, with the records that get it"
    )
    head = ("Segment", "Buys most (share of its orders)", "Sets it apart (times usual)", "Next offers")
    return [
        *_tried(figures.get("tried") or {}),
        Panel("What to offer to which segment", remark, table=Table(head, rows), wide=True),
    ]


def _tried(tried: Mapping[str, Any]) -> list[Panel]:
    """How often offers of an earlier day were bought since, beside the most popular category."""
    if not tried:
        return []
    (best, listed), (popular, popular_listed) = tried["bought"], tried["popular"]
    most = max(best, listed, popular, popular_listed) or 1
    bars = [
        Bar(name, (share / most,), formats.percent(share))
        for name, share in (("The offer", best), ("The most popular category", popular))
    ]  # fmt: skip
    rows = [
        ("The offer", formats.percent(best), formats.percent(listed), *_found(tried.get("first"))),
        (
            "Popularity",
            formats.percent(popular),
            formats.percent(popular_listed),
            *_found(tried.get("popular_first")),
        ),
    ]
    remark = (
        f"offers as of {tried['day']} to {tried['records']:,} records that bought anything in the {formats.days(tried['days'])} after it: "
        f"the share that bought what was offered"
    )
    of_first = ("One of the first three was", "One of the first ten", "Recall of the first ten")
    head = (
        "Chosen by", "The best was bought", "Of the best three were bought", *(of_first if tried.get("first") else ()),
    )  # fmt: skip
    return [
        Panel(
            "Did they buy what was suggested?",
            remark,
            [Picture(svg.bars("Share of the offers that were bought", bars))],
            table=table(head, rows),
        )
    ]


def _found(first: Mapping[str, float] | None) -> list[str]:
    """Hit@3, hit@10 and recall@10; nothing of models that did not count them."""
    return [formats.percent(first[name]) for name in ("hit_3", "hit_10", "recall_10")] if first else []


def _told(best: Any, formatter: Any) -> str:
    return (
        "; ".join(
            f"{offer['category']} {formatter(offer['value'])} ({offer['buyers']:,})"
            for offer in list(best)[:_BEST]
        )
        or formats.UNKNOWN
    )


def _next(cells: Mapping[tuple[str, str], int], key: str, labels: Mapping[str, str]) -> str:
    wanted: dict[str, int] = {}
    for (segment, offer), records in cells.items():
        if offer != "no_offer" and key in ("all", segment):
            wanted[offer] = wanted.get(offer, 0) + records
    best = sorted(
        ((offer, n) for offer, n in wanted.items() if n >= SHARED_BY), key=lambda entry: (-entry[1], entry[0])
    )[:_BEST]
    return (
        "; ".join(f"{labels.get(offer, offer)} ({records:,})" for offer, records in best) or formats.UNKNOWN
    )
