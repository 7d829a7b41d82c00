"""Which earlier days does a model of kind ``response`` learn from, and are they enough?

A cut is a day of the past, with the features that were known and recorded by then and what came in the days
after it. For campaigns the cuts are their first days and the records those that were sent it. Small campaigns
test together, as many of the latest as hold ``FEWEST_TESTED`` events, and a campaign whose days were not over
when those began is left out: nobody knew then how it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from segmentation import frames
from segmentation.ecdf import Flags, Fractions
from segmentation.kinds.response import Response
from segmentation.point_in_time import SENT, Past

FEWEST = 100  # events that a model learns from, and at least as many records without
FEWEST_TESTED = 20
UNDATED = 0.05  # share of today's records of which it may be unknown whether they were there on earlier days
CUTS = 3  # earlier days to learn from, beside the one that tests
FEWEST_CUTS = 2
MOST_CAMPAIGNS = 12  # days of campaigns that are looked at
SHORTEST, LONGEST = 7, 730  # days, of a horizon that is learned
# of a cut with more records, and more events (and records without), some teach as well as all
DRAWN, KEPT = (50_000, 1_000)


@dataclass(frozen=True)
class Cut:
    """A day of the past: which records count, what was known of them, what came."""

    frame: pd.DataFrame
    day: date
    target: Fractions
    records: int  # there were; of many with many events every n-th is in the frame
    events: int

    @classmethod
    def of(cls, frame: pd.DataFrame, day: date, target: Fractions, chosen: Flags) -> Cut:
        """Of the rows that are ``chosen``."""
        rows = np.flatnonzero(chosen)
        events = int(target[rows].sum())
        step = max(1, min(len(rows) // DRAWN, min(events, len(rows) - events) // KEPT))
        drawn = rows[::step]
        return cls(frame.iloc[drawn].reset_index(drop=True), day, target[drawn], len(rows), events)


def asked(kind: Response, features: pd.DataFrame) -> Flags:
    """Whom the question concerns: only who bought can be lost."""
    bought: Flags = ~np.isnat(frames.as_days(features["last_purchase"]))
    return bought if kind.churn else np.ones(len(features), np.bool_)


def targets(cuts: Sequence[Cut]) -> Fractions:
    """Of all records of the cuts: 1 where the event came, else 0."""
    return np.concatenate([cut.target for cut in cuts])


def _came(kind: Response, outcomes: pd.DataFrame) -> Fractions:
    """1 where the event came, else 0."""
    column = "orders" if kind.target == "purchase" else f"count_{kind.target}"
    came = outcomes[column].to_numpy(np.int64) > 0
    return (~came if kind.churn else came).astype(np.float64)


def groups(kind: Response, past: Past, as_of: date, days: int) -> list[list[Cut]]:
    """Cuts in the order of time; those of one group teach, decide or test together."""
    if kind.campaign_pattern is not None:
        return _campaigns(kind, past, as_of, days)
    spans = [as_of - timedelta(days=days * back) for back in range(CUTS + 1, 0, -1)]
    first = past.first
    return [
        [_cut(kind, past, day, days)]
        for day in spans
        if first is not None and first + timedelta(days=days) <= day
    ]


def _cut(kind: Response, past: Past, day: date, days: int) -> Cut:
    kinds = () if kind.target == "purchase" else (kind.target,)
    frame, outcomes = past.features(day), past.outcomes(day, days, kinds)
    return Cut.of(frame, day, _came(kind, outcomes), asked(kind, frame))


def _campaigns(kind: Response, past: Past, as_of: date, days: int) -> list[list[Cut]]:
    """A cut per matching campaign whose H days are over, of those that it was sent to; campaigns of one
    day are one cut.
    """
    campaigns = past.campaigns()
    matching = campaigns[
        np.array(
            [fnmatchcase(name, str(kind.campaign_pattern)) for name in campaigns["campaign"]],
            np.bool_,
        )
    ]
    started = frames.as_days(matching["day"])
    campaign_groups: list[list[Cut]] = []
    over, read = as_of, 0  # the day by which a campaign's days must be over
    for start in np.unique(started)[::-1]:
        day = start.astype(object) - timedelta(days=1)
        if day + timedelta(days=days) > over or read == MOST_CAMPAIGNS:
            continue
        read += 1
        cut = _answered(kind, past, day, days, tuple(matching["campaign"][started == start]))
        if not campaign_groups or len(campaign_groups) > 2 or _enough(campaign_groups[0]):
            campaign_groups.insert(0, [])
        campaign_groups[0].insert(0, cut)
        if len(campaign_groups) < 3 and _enough(campaign_groups[0]):
            over = day
    return campaign_groups


def _answered(kind: Response, past: Past, day: date, days: int, names: tuple[str, ...]) -> Cut:
    outcomes = past.outcomes(day, days, tuple(dict.fromkeys((SENT, kind.target))), names)
    sent = outcomes[f"count_{SENT}"].to_numpy(np.int64) > 0
    return Cut.of(past.features(day, names), day, _came(kind, outcomes), sent)


def too_little(
    kind: Response, groups: Sequence[Sequence[Cut]], past: Past | None, as_of: date, days: int
) -> str:
    """Why nothing can be learned; "": it can."""
    if len(groups) < FEWEST_CUTS + 1:
        number = sum(len(cuts) for cuts in groups)
        reason = f"only {number} earlier days (or campaigns) have both a before and an after; {FEWEST_CUTS + 1} are needed"
        known_days = (as_of - past.first).days if past is not None and past.first is not None else 0
        most = known_days // (FEWEST_CUTS + 2)
        return reason + (
            f": with within_days up to {most} there are"
            if SHORTEST <= most < days and not kind.campaign_pattern
            else ""
        )
    events = [sum(cut.events for cut in cuts) for cuts in groups]
    others = [sum(cut.records for cut in cuts) - came for cuts, came in zip(groups, events, strict=True)]
    for count, name in ((events, "events"), (others, "records without the event")):
        if (
            sum(count[:-1]) < FEWEST
            or min(count[-2:]) < FEWEST_TESTED
            or min(sum(count[:-2]), FEWEST_TESTED) < FEWEST_TESTED
        ):
            return f"too few {name} to learn from: {sum(count[:-1])} ({FEWEST} are needed, and {FEWEST_TESTED} at each earlier day)"
    return ""


def undated(kind: Response, groups: Sequence[Sequence[Cut]], past: Past | None) -> tuple[int, str]:
    """How many records of today are in no earlier population because nobody knows whether they were there, and
    why that forbids to learn ("": it does not).

    A question that concerns buyers alone, or those who were sent a campaign, is asked of nobody else.
    """
    if past is None or not groups or kind.churn or kind.campaign_pattern is not None:
        return 0, ""
    number, count = past.undated(groups[0][0].day)
    if number <= UNDATED * count:
        return number, ""
    return number, (
        f"{number:,} of {count:,} records have no activity and no created_at, so nobody knows who of them was there earlier; "
        "read created_at, or limit the population to records with activity"
    )


def silent(frame: pd.DataFrame, days: Sequence[str]) -> Flags:
    """Records that have done nothing: none of these columns holds a day."""
    nothing = np.ones(len(frame), np.bool_)
    for column in days:
        nothing &= np.isnat(frames.as_days(frame[column]))
    return nothing


def silent_in(groups: Sequence[Sequence[Cut]], days: Sequence[str]) -> int:
    """The number of such records that a model learned from."""
    return sum(int(silent(cut.frame, days).sum()) for cuts in groups for cut in cuts)


def _enough(cuts: Sequence[Cut]) -> bool:
    """Are there events, and records without one, to judge a model by?"""
    events = sum(cut.events for cut in cuts)
    return FEWEST_TESTED <= events <= sum(cut.records for cut in cuts) - FEWEST_TESTED
