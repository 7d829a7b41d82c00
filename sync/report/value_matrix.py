"""What has each customer brought, and what will it bring? The two axes of value, crossed."""

from __future__ import annotations

from collections.abc import Mapping

from sync.report import formats, svg
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Cell

HISTORIC, PREDICTIVE = ("a", "b", "c"), ("high", "medium", "low")


def panels(
    cells: Mapping[tuple[str, str], int], historic: Mapping[str, str], predictive: Mapping[str, str]
) -> list[Panel]:
    """``cells``: records by tier of kind ``abc`` and of kind ``potential``; the other two: what people call
    the tiers.
    """
    total = sum(number for (tier, other), number in cells.items() if tier in HISTORIC and other in PREDICTIVE)
    if not total:
        return []
    most = max(cells.get((tier, other), 0) for tier in HISTORIC for other in PREDICTIVE)
    grid, rows = [], []
    for tier in HISTORIC:
        line = []
        for other in PREDICTIVE:
            number = cells.get((tier, other), 0)
            line.append(Cell(number / most, formats.count(number), formats.percent(number / total)))
            rows.append(
                (
                    historic.get(tier, tier),
                    predictive.get(other, other),
                    formats.count(number),
                    formats.percent(number / total),
                )
            )
        grid.append((historic.get(tier, tier)[:12], line))
    names = [predictive.get(other, other).split(" ")[0] for other in PREDICTIVE]
    drawn = svg.heat(
        "Records by what they brought and what they will bring",
        names,
        grid,
        "will bring less",
        "brought less",
    )
    fading, rising = (
        sum(cells.get(pair, 0) for pair in pairs)
        for pairs in ((("a", "low"),), (("c", "high"), ("b", "high")))
    )
    remark = (
        f"what they brought so far, against what they are expected to bring: {fading:,} of the best so far are expected to bring "
        f"little, and {rising:,} others to be among the best"
    )
    behind = table(("Brought so far", "Will bring", "Records", "Share"), rows, texts=2)
    return [Panel("Value on two axes", remark, [Picture(drawn)], table=behind)]
