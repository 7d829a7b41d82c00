"""What does a model of kind ``response`` look at of purchases and other activity?"""

from __future__ import annotations

from segmentation.activity_words import plain, plural
from segmentation.models.encoder import Trait

WINDOWS = (30, 90, 365)  # days
_SPANS = (*((f"_{days}", f" in {days} days") for days in WINDOWS), ("", ""))


def buying() -> list[Trait]:
    """Of purchases."""
    traits = [
        Trait("last_purchase", "day", "last purchase", "last purchase long ago", "a recent purchase"),
        Trait("first_purchase", "day", "first purchase", "an old customer", "a new customer"),
        Trait(
            "mean_gap_days",
            "number",
            "gap between purchases",
            "long gaps between purchases",
            "short gaps between purchases",
        ),
    ]
    for suffix, within in _SPANS:
        traits.append(
            Trait(
                f"purchase_days{suffix}",
                "number",
                f"purchase days{within}",
                f"many purchases{within}",
                f"few purchases{within}",
            )
        )
        traits.append(
            Trait(
                f"net_revenue{suffix}",
                "money",
                f"net revenue{within}",
                f"high spend{within}",
                f"low spend{within}",
            )
        )
    return traits


def doing(activity_type: str) -> list[Trait]:
    """Of another type of activity."""
    singular, many = plain(activity_type), plural(activity_type)
    traits = [
        Trait(
            f"last_{activity_type}",
            "day",
            f"last {singular}",
            f"last {singular} long ago",
            f"a recent {singular}",
        )
    ]
    for suffix, within in _SPANS:
        traits.append(
            Trait(
                f"count_{activity_type}{suffix}",
                "number",
                f"{many}{within}",
                f"many {many}{within}",
                f"few or no {many}{within}",
            )
        )
    return traits


def grows(trait: Trait) -> bool:
    """Does it count, or reach back to, all history? Where that is short, it is another thing at each cut."""
    counted = trait.column.startswith(("count_", "purchase_days", "net_revenue")) and "." not in trait.column
    return trait.column == "first_purchase" or (counted and not trait.column.rpartition("_")[2].isdigit())
