"""What do people read of what was read and labelled, and of models that were fitted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import say, table
from sync.terminal.scorecards import print_proposals


def print_pulled(pulled: Mapping[str, Any]) -> None:
    """Rows that were read just now, by stream."""
    # also those of which every row was refused
    streams = dict.fromkeys([*pulled["rows"], *pulled["rejected"]])
    rows = [(stream, pulled["rows"].get(stream, 0), pulled["rejected"].get(stream, 0)) for stream in streams]
    table("Read now:", ("stream", "rows", "rejected"), rows or [("nothing new", 0, 0)])
    if pulled["forgotten"]:
        say(
            f"{pulled['forgotten']:,} rows of erased people are still in the CRM's files; they were not read."
        )


def print_segments(segments: Mapping[str, Mapping[str, int]]) -> None:
    """How many records each segment has."""
    for name, sizes in segments.items():
        total = sum(sizes.values()) or 1
        rows = [
            (key, size, f"{size / total:.1%}")
            for key, size in sorted(sizes.items(), key=lambda item: -item[1])
        ]
        table(f"{name}:", ("segment", "records", "share"), rows)


def print_explained(explained: Mapping[str, Any]) -> None:
    """Coverage of attributes, and how many records each rule takes."""
    shown: list[Any] = []
    for name, figures in explained.items():
        coverage = [(attribute, f"{share:.1%}") for attribute, share in figures["coverage"].items()]
        if (figures["records"], coverage) not in shown:  # segmentations of the same population share it
            shown.append((figures["records"], coverage))
            table(
                f"{name}: attributes known, of {figures['records']:,} records",
                ("attribute", "known"),
                coverage,
            )
        rows = []
        for rule in figures["rules"]:
            note = (
                "never matches"
                if not rule["holds"]
                else f"always overlaps with {rule['overlaps']}"
                if rule["overlaps"]
                else ""
            )
            rows.append(
                (
                    rule["key"],
                    rule["holds"],
                    rule["fires"],
                    note or ("" if rule["fires"] else "never decides: earlier rules win"),
                )
            )
        table(f"{name}: rules, the first that matches wins", ("rule", "matches", "decides", "note"), rows)
        if rows:
            say(
                f"{figures['no_rule']:,} records match no rule of {name}: they have no segment, and nothing is written for them."
            )


def print_fitted(answer: Mapping[str, Any]) -> None:
    """Models that were fitted, or would be."""
    if "proposals" in answer:
        print_proposals(answer["proposals"])
    for name, version in answer.get("models", {}).items():
        say(f"{name}: model {version} trained")
    for name, figures in answer.get("contests", {}).items():
        _print_contest(name, figures)
    for name, tests in answer.get("values", {}).items():
        for words in tests:
            say(f"{name}, {words}")


def print_forecast(figures: Mapping[str, Any]) -> None:
    """How far off the forecasts of a file may be."""
    for told in figures.get("forecasts", []):
        if told["horizon"] == figures["horizon"]:
            say(told["words"])


def _print_contest(name: str, figures: Mapping[str, Any]) -> None:
    """Which score predicted best, on the days before."""
    for reason in (figures.get("refused"), figures.get("note")):
        if reason:
            say(f"{name}: {reason}; ranked by {figures['winner']}")
    for told in figures.get("forecasts", []):
        say(f"{name}, {told['horizon']} days: {told['words']}")
    if not figures.get("contest"):
        return
    rows = [
        (
            score,
            f"{merits['capture_20']:.1%}",
            f"{merits['gini']:.3f}",
            "used" if score == figures["winner"] else "",
        )
        for score, merits in figures["contest"].items()
    ]
    table(
        f"{name}: how well each score would have predicted the last {figures['span']} days",
        ("score", "in best 20%", "gini", ""),
        rows,
    )
    if "bias_money" in figures and "forecasts" not in figures:
        say(
            f"Forecasts were off by {figures['bias_purchases']:+.0%} in purchases and {figures['bias_money']:+.0%} in money, all together"
        )
