"""What is expected of each segment in the coming periods, and how far off may that be?

See ``segmentation.models.segment_forecast``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sync.report import formats, svg
from sync.report.formats import Money
from sync.report.panels import Panel, Picture, table
from sync.report.svg import Range

if TYPE_CHECKING:
    import pandas as pd

DRAWN = 20_000  # records: of more, so many are predicted and stand for the others
DAYS, PERIODS = 30, 3
_FIGURES = ("purchases", "purchases_low", "purchases_high", "money", "money_low", "money_high")


@dataclass(frozen=True)
class Expected:
    """Of one segment (``all``: of every one) in one period, with the ends of what it may be; money in minor
    units.
    """

    segment: str
    start: date
    end: date
    buyers: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Outlook:
    """By segments of the segmentation ``by``; ``error`` of the back-test in words; ``drawn`` of so many records
    stand for all.
    """

    by: str
    rows: list[Expected]
    error: str
    drawn: int
    records: int


def gather(
    frame: pd.DataFrame, records: int, segments: pd.Series, model: Mapping[str, Any], as_of: date, by: str
) -> Outlook | None:
    """By a model of kind ``potential``; None where it predicts nothing.

    ``frame``: facts of ``DRAWN`` of so many ``records``. ``segments``: of the segmentation ``by``, by record.
    """
    from segmentation.models.segment_forecast import error_in_words, outlook

    forecast = outlook(frame, model, segments, as_of, DAYS, PERIODS)
    scale = records / max(1, len(frame))
    rows = [
        Expected(
            row["segment"],
            row["start"],
            row["end"],
            round(row["buyers"] * scale),
            {name: row[name] * scale for name in _FIGURES},
        )
        for row in forecast.to_dict("records")
    ]
    error = error_in_words(model, DAYS * PERIODS)
    return Outlook(by, rows, error, len(frame), records) if rows else None


def panels(outlook: Outlook, labels: Mapping[str, str], money: Money) -> list[Panel]:
    """The next period by segment, and all periods by their sums."""
    first, days = outlook.rows[0].start, (outlook.rows[0].end - outlook.rows[0].start).days + 1
    names = {**labels, "all": "All segments", "unscored": "In no segment"}
    order = [*labels, *(line.segment for line in outlook.rows if line.segment not in labels)]
    expected = sorted(
        (line for line in outlook.rows if line.buyers),
        key=lambda line: (line.start, order.index(line.segment)),
    )
    segments = [line for line in expected if line.start == first and line.segment != "all"]
    sums = [line for line in expected if line.segment == "all"]
    remark = (
        f"expected of those who have bought before; the mark is what is expected, the pale bar where it lies with 95%, chance and "
        f"the error of the back-test together. {outlook.error or 'There was no back-test.'}"
    )
    if outlook.drawn < outlook.records:
        remark += f" Forecast for {outlook.drawn:,} records that represent {outlook.records:,}."
    rows = [
        (
            *(
                names.get(line.segment, line.segment),
                f"{line.start} to {line.end}",
                formats.count(line.buyers),
            ),
            *(
                f"{line.figures['purchases']:,.0f}",
                _span(line, "purchases"),
                money.whole(line.figures["money"]),
            ),
            f"{money.brief(line.figures['money_low'])} to {money.brief(line.figures['money_high'])}",
        )
        for line in expected
    ]
    whole = [row for row in rows if row[0] == names["all"]]
    head = ("Segment", "Period", "Buyers", "Purchases", "95%", "Revenue", "95%")
    by_segment = _picture(
        "Expected revenue by segment",
        segments,
        [names.get(line.segment, line.segment) for line in segments],
        money,
    )
    by_period = _picture(
        "Expected revenue by period", sums, [f"{line.start} to {line.end}" for line in sums], money
    )
    return [
        Panel(f"Revenue of the next {days} days", remark, [by_segment], table=table(head, rows, texts=2)),
        Panel("Period by period", "all segments together", [by_period], table=table(head, whole, texts=2)),
    ]


def _picture(title: str, rows: list[Expected], names: list[str], money: Money) -> Picture:
    most = max((line.figures["money_high"] for line in rows), default=0) or 1
    ranges = []
    for name, line in zip(names, rows, strict=True):
        low, value, high = (line.figures[key] for key in ("money_low", "money", "money_high"))
        text = f"{money.brief(value)} ({money.brief(low)} to {money.brief(high)})"
        ranges.append(Range(name, low / most, value / most, high / most, text))
    return Picture(svg.ranges(title, ranges))


def _span(expected: Expected, name: str) -> str:
    return f"{expected.figures[name + '_low']:,.0f} to {expected.figures[name + '_high']:,.0f}"
