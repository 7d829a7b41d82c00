"""What do people read of scorecards, of proposed refits and of campaigns' effects?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import say, table

DIFFERENCES = 12  # figures of a model that are shown


def print_card(answer: Mapping[str, Any]) -> None:
    """Cards of the latest labelling, and what campaigns with a control group changed."""
    say(f"{answer['account']}, as of {answer['as_of']}")
    for name, card in answer["cards"].items():
        rows = [
            (line["measure"], line["value"], _verdict(line["passes"]), line["words"] + _interval(line))
            for line in card["lines"]
        ]
        table(f"{name}:", ("measure", "value", "passes", "what it says"), rows)
        if "migration" in card:
            migration = card["migration"]
            ways = [
                (
                    key,
                    f"{row.get(key, 0):.1%}",
                    _ways(key, row),
                    migration["stay"][key] or "no end seen",
                    f"{migration['stationary'][key]:.1%}",
                )
                for key, row in migration["probabilities"].items()
            ]
            table(
                "since the labelling before:",
                ("segment", "stayed", "went to", "labellings it stays", "in the long run"),
                ways,
            )
        if card["falls"]:
            say(
                f"{name} should be retrained; to see what that would change: crm-segments train {name} --propose"
            )
        for attribute, segments in card.get("composition", {}).items():
            shares = [
                (segment, value, f"{share:.1%}")
                for segment, values in segments.items()
                for value, share in values.items()
            ]
            table(f"{name} by {attribute}:", ("segment", attribute, "share"), shares)
    for target, effect in answer["effects"].items():
        print_effect(target, effect)


def print_effect(target: str, effect: Mapping[str, Any]) -> None:
    """``spring.likely: 12.0% of 900 contacted and 9.0% of 100 held out responded within 30 days: +3.0% (+1.0%
    to +5.0%)``.
    """
    if "uplift" not in effect:
        say(f"{target}: {effect['note']}")
        return
    low, high = effect["interval"]
    say(
        f"{target}: {effect['rate_treated']:.1%} of {effect['treated']:,} contacted and {effect['rate_control']:.1%} of "
        f"{effect['control']:,} held out responded within {effect['days']} days: {effect['uplift']:+.1%} ({low:+.1%} to {high:+.1%}), "
        f"Qini {effect['qini']:.4f}" + (f"; {effect['note']}" if effect["note"] else "")
    )


def print_proposals(proposals: Mapping[str, Mapping[str, Any]]) -> None:
    """What a refit would change; nothing was saved."""
    for name, proposal in proposals.items():
        if "note" in proposal:
            say(f"{name}: {proposal['note']}")
            continue
        say(f"{name}: trained again, {proposal['records']:,} records ({proposal['moved']:.1%}) would move")
        changed = [
            (what, *map(_short, both))
            for what, both in proposal["difference"].items()
            if what not in ("as_of", "version")
        ]
        table("", ("what", "now", "then"), changed[:DIFFERENCES])
        flows = [(flow["source"], flow["target"], int(flow["records"])) for flow in proposal["flows"]]
        table("", ("from", "to", "records"), flows)
    if any("difference" in proposal for proposal in proposals.values()):
        say("Nothing was saved. To use it: crm-segments train [NAMES]")


def _ways(segment: str, row: Mapping[str, float]) -> str:
    """``dormant 2.1%, active 0.4%``: the greatest three."""
    away = sorted(((share, to) for to, share in row.items() if to != segment), reverse=True)[:3]
    return ", ".join(f"{to} {share:.1%}" for share, to in away)


def _verdict(passes: bool | None) -> str:
    return "" if passes is None else "yes" if passes else "NO"


def _interval(line: Mapping[str, Any]) -> str:
    return f" (95%: {line['interval'][0]:.2f} to {line['interval'][1]:.2f})" if line["interval"] else ""


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
