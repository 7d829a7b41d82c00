"""What do people read of a plan before they approve it? The same as in a browser, in lines and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import done, say, table

_SIGNS = {"ok": "ok", "look": "look", "stop": "STOP"}


def print_review(review: Mapping[str, Any]) -> None:
    """One sentence, lights, segments now and after, what would start, and who loses status."""
    unit = 10 ** review["exponent"]

    def money(amount: int | None) -> str:
        return "" if amount is None else f"{amount / unit:,.0f}"

    say(review["sentence"])
    lights = [(_SIGNS[light["state"]], light["name"], light["what"]) for light in review["lights"]]
    table("", ("", "check", "what"), lights)
    for title, names in (("segments", ("segmentation_title", "title")), ("lists", ("target",))):
        table(
            f"{title.capitalize()} now and after; {review['currency']} of twelve months",
            (*names, "now", "in", "out", "after", "revenue now", "revenue after"),
            [
                (
                    *(row[name] for name in names),
                    *(row[name] for name in ("now", "in", "out", "after")),
                    money(row["now_revenue"]),
                    money(row["after_revenue"]),
                )
                for row in review[title]
            ],
        )
    table(
        "Would start in the CRM",
        ("automation", "listens to", "value", "records"),
        [
            (heard["name"], heard["target"], heard["value"] or "any change", heard["records"])
            for heard in review["automations"]
        ],
    )
    table(
        f"The biggest customers that lose status; {review['currency']} of twelve months",
        ("id", "name", "segmentation", "from", "to", "revenue"),
        [
            (
                row["id"],
                row.get("name", ""),
                row["segmentation"],
                row["before_title"],
                row["after_title"] or "no segment",
                money(row["revenue"]),
            )
            for row in review["losing"]
        ],
    )


def print_shared(answer: Mapping[str, Any]) -> None:
    """Where the page of a plan is, and until when it is good."""
    named = "names persons" if answer["personal"] else "names nobody"
    done(
        f"Plan {answer['plan']} is written to {answer['out']}; it is good until {answer['until']} and {named}."
    )


def print_ended(_answer: Mapping[str, Any]) -> None:
    """The web interface has ended: there is nothing to say."""
