"""Which lines tell people what guards stop in a plan? One for each guard, and one for a whole first labelling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def guard_lines(trips: Iterable[Mapping[str, Any]], first: Mapping[str, Any] | None) -> list[str]:
    """``first``: how many records get a segment in a first labelling, and of what; its guards are one sentence."""
    told = [
        trip for trip in trips if not (first and trip["first_labelling"] and trip["guard"] == "max_enter")
    ]
    lines = [f"guard {trip['guard']}: {trip['what']}" for trip in told]
    if not first:
        return lines
    *others, last = first["segmentations"]
    named = f"{', '.join(others)} and {last}" if others else last
    return [
        f"First run: {first['records']:,} customers will get a segment of {named}. Please review.",
        *lines,
    ]
