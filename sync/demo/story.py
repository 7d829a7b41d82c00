"""How is the demo told? In plain words, each part as one text, with figures of the real shop."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sync.demo.figures import Figures, Shop
from sync.demo.shop import DAY_BEFORE, SECOND_CUT


def begin(folder: Path, shop: Shop, until: date) -> str:
    """What the shop had."""
    return f"""\
The story of a real shop: what households bought there in 2017 (The Complete Journey, 84.51°).

1. What the shop had
   Two files of exports: {shop.customers:,} customers, and {shop.lines:,} lines of receipts until {_day(until)}:
   {shop.orders:,} orders, {_money(shop.revenue)}. They are laid out in {folder / "crm"}.
"""


def found(figures: Figures) -> str:
    """What was found in them."""
    champions, lost, best, risk, win_back = (
        figures.segment("earlier", f"seg_{name}", key)
        for name, key in (
            ("rfm", "champions"),
            ("rfm", "lost"),
            ("value", "a"),
            ("lifecycle", "at_risk"),
            ("audience", "win_back"),
        )
    )
    fans = figures.segment("earlier", "seg_audience", "coupon_fans")
    return f"""\
2. What was found
   Buying habits:   {champions.customers:,} champions buy often and spend the most: {champions.share:.0%} of the customers, \
{champions.revenue_share:.0%} of the revenue.
                    {lost.customers:,} customers are lost.
   Customer value:  {best.customers:,} customers ({best.share:.0%}) bring {best.revenue_share:.0%} of the revenue.
   Life cycle:      {risk.customers:,} customers are at risk: silent for longer than is usual for them. \
They brought {_money(risk.revenue)}.
   Audiences:       {win_back.customers:,} are worth a letter that wins them back, {fans.customers:,} answer coupons.
"""


def planned(plan: Mapping[str, Any], applied: Mapping[str, Any]) -> str:
    """What would be written, and what was."""
    targets, first = plan["plan"]["by_target"], plan["plan"]["first_labelling"]
    lists = {name: changes["enter"] for name, changes in targets.items() if "enter" in changes}
    values = sum(sum(changes.values()) for name, changes in targets.items() if name not in lists)
    return f"""\
3. What would be written
   The plan: {values:,} values in new columns, and {sum(lists.values()):,} members of {len(lists)} lists, ready for a mailing.
   Nothing is written yet: it is the first labelling of {first["records"]:,} customers, so a person looks at it first.
   The person says yes (crm-segments apply {plan["plan"]["plan"]}). {applied["applied"]["done"]:,} changes are written, \
each with its reason.
"""


def changed(
    figures: Figures,
    runs: Sequence[Mapping[str, Any]],
    again: Mapping[str, Any],
    example: Mapping[str, Any],
    habit: tuple[str, str],
) -> str:
    """What two more months moved."""
    rows = sum(run["pulled"]["rows"].get("activity", 0) for run in runs)
    done = [run["applied"]["done"] for run in runs]
    risk, win_back = figures.came("seg_lifecycle", "at_risk"), figures.came("seg_audience", "win_back")
    rfm, (before, after) = example["segmentations"]["rfm"], (key.replace("_", " ") for key in habit)
    return f"""\
4. What changed two months later, on {_day(SECOND_CUT)}
   The next two exports, of {_day(DAY_BEFORE)} and of the day after, have {rows:,} new lines. After each, one command
   (crm-segments run) reads only these and writes only what changed: {sum(done):,} changes, {done[-1]:,} of them on the second day.
   A customer falls to a lower segment once two labellings in a row agree.
   {figures.moved("seg_rfm"):,} customers have other buying habits; \
{figures.came("seg_rfm", "champions").customers:,} became champions, {figures.left("seg_rfm", "champions"):,} are champions no longer.
   {risk.customers:,} customers are at risk now who were not; they brought {_money(risk.revenue)} so far.
   {win_back.customers:,} came into the list of those to win back, {figures.left("seg_audience", "win_back"):,} left it.
   Customer {example["id"]}, for one, was "{before}" and is "{after}":
   {rfm["reason"]}.
   Run again, it finds {again["plan"]["changes"]:,} changes.
"""


def effect(measured: Mapping[str, Any]) -> str:
    """What the list of likely responders shows of its control group; nobody was held out of the real mailing."""
    if "uplift" not in measured:
        return ""
    low, high = measured["interval"]
    return f"""\
   The list of likely answers holds a fifth back. {measured["rate_treated"]:.1%} of {measured["treated"]:,} listed and \
{measured["rate_control"]:.1%} of {measured["control"]:,} held back answered within {measured["days"]} days:
   {measured["uplift"]:+.1%} ({low:+.1%} to {high:+.1%}). A demonstration: in 2017 nobody was held back, so there is no effect to find.
"""


def end(folder: Path, run: int, id: str, report: str, full: bool) -> str:
    """How to take it back, and how to go on."""
    program, config = _program(), f"--config {shlex.quote(str(folder / 'config.toml'))}"
    more = (
        f"How good each segmentation is: {program} report --for analyst {config}"
        if full
        else "All eight segmentations, and how good each one is: crm-segments demo --full DIR"
    )
    return f"""\
5. How to take it back
   {program} undo {run} {config}     gives every value its value of before
   {program} show {id} {config}     why this customer, and every value before
   {more}

The report of all this, for any browser: {report}
Your own data: {program} init --path FOLDER     writes a config for your folder of exports and says what comes next"""


def _money(amount: float) -> str:
    return f"{amount / 1e6:.1f} million USD" if amount >= 1e6 else f"{amount:,.0f} USD"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    called = Path(sys.argv[0])
    return (
        shlex.quote(str(called))
        if called.name == "crm-segments" and len(called.parts) > 1
        else "crm-segments"
    )
