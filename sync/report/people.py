"""How does page one, and what is folded beneath it, become figures in a template? For people who sell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from segmentation.kinds import kind_named
from sync.pull import reading
from sync.report import formats, outlook, response_models, svg
from sync.report.events import without_addresses
from sync.report.figures import AccountFigures, SegmentationFigures
from sync.report.formats import Money, count, days, percent
from sync.report.moves import flow_of
from sync.report.panels import Panel, Picture, table
from sync.report.rendering import rendered
from sync.report.sentences import compared_months, sentences, whom
from sync.report.svg import Bar, Part
from sync.report.this_month import Month, Row, ThisMonth

MONTHS = 6  # that page one shows
PICTURES = 3  # of a segmentation
EFFECTS = 2  # campaigns that page one tells of


def render(accounts: Sequence[AccountFigures], made_at: str) -> str:
    """The page that ``crm-segments report`` writes."""
    names = ", ".join(figures.account for figures in accounts)
    return rendered("page.html", [account_page(f) for f in accounts], f"Customers of {names}", made_at)


def account_page(figures: AccountFigures) -> dict[str, Any]:
    """What the templates show of one account."""
    money, colours = Money(figures.currency, figures.exponent), _colours(figures.segmentations)
    month, last = figures.this_month, figures.reading
    return {
        "figures": figures,
        "through": _through(last) if last else "",
        "month": _month(month, money, colours, figures) if month else None,
        "segmentations": [_segmentation(entry, figures, money, colours) for entry in figures.segmentations],
        "ahead": _ahead(figures, money),
        "told": [without_addresses(sentence) for sentence in reading.sentences(last)] if last else [],
        "written": figures.events.written,
    }


def _through(last_reading: Mapping[str, Any]) -> str:
    """Until when data reach: of several accounts the earliest day, and how old that is where it is not new."""
    ends = [
        (date.fromisoformat(account["data_through"]), account["days_before_as_of"] or 0)
        for account in last_reading["accounts"].values()
        if account["data_through"]
    ]
    if not ends:
        return reading.data_through(last_reading)
    end, age = min(ends)
    return f"Data through {formats.day(end)}" + (f", {days(age)} before" if age else "")


def _colours(segmentations: Sequence[SegmentationFigures]) -> dict[str, int]:
    """Segment → colour on the whole page; segments of one key share it wherever they stand.

    The segments of one segmentation have different colours, as long as there are enough.
    """
    colours: dict[str, int] = {}
    for segmentation in segmentations:
        taken = {colours[key] for key in segmentation.titles if key in colours}
        free = [colour for colour in range(svg.COLOURS) if colour not in taken]
        added = [key for key in segmentation.titles if key not in colours]
        colours |= (
            {key: free[place % len(free)] for place, key in enumerate(added)}
            if free
            else dict.fromkeys(added, 0)
        )
    return colours


def _month(
    month: ThisMonth, money: Money, colours: Mapping[str, int], figures: AccountFigures
) -> dict[str, Any]:
    leading = next(entry for entry in figures.segmentations if entry.name == month.name)
    to_do = {segment.key: segment.to_do for segment in leading.segments}
    how_to_read = _how_to_read(leading)
    return {
        "figures": month,
        "sentences": sentences(month, money, figures.events, figures.reading),
        "effects": _effects(figures),
        "months": [
            (
                _named(entry),
                money.whole(entry.revenue),
                _signed(before),
                _signed(last_year),
            )
            for entry, before, last_year in compared_months(month.months, MONTHS)
        ],
        "all_months": [
            (_named(entry), count(entry.orders), money.whole(entry.revenue), money.whole(entry.nobodys))
            for entry in reversed(month.months)
        ],
        "revenue": money.whole(month.revenue),
        "written_to": next((f"{month.name}.{row.text.key}" for row in whom(month)), ""),
        "reading": how_to_read,
        "reach": any(row.figures.reachable is not None for row in month.rows),
        "chart": _who_brings_what(month, colours),
        "rows": [_row(row, month, money, colours, to_do) for row in month.rows],
    }


def _named(month: Month) -> str:
    """``Nov 2026``; of a month that is not over, that too."""
    return f"{date.fromisoformat(month.month + '-01'):%b %Y}" + ("" if month.whole else " so far")


def _signed(share: float | None) -> str:
    if share is None:
        return ""
    return formats.signed(share) if abs(share) >= 0.0005 else "0.0%"


def _row(
    row: Row, month: ThisMonth, money: Money, colours: Mapping[str, int], to_do: Mapping[str, str]
) -> dict[str, Any]:
    figures = row.figures
    return {
        "title": row.text.title,
        "colour": colours.get(row.text.key, 0),
        "customers": figures.records,
        "revenue": percent(_share(figures.revenue, month.revenue)),
        "change": None if row.before is None else figures.records - row.before,
        "days": days(figures.days_since),
        "order": money.mean(figures.revenue, figures.orders),
        "to_do": to_do.get(row.text.key, row.text.to_do),
        "reachable": figures.reachable,
    }


def _who_brings_what(month: ThisMonth, colours: Mapping[str, int]) -> Any:
    """Customers and revenue, each cut by segment."""
    wholes = [("Customers", month.customers, [row.figures.records for row in month.rows])]
    if month.revenue:
        amounts = [max(row.figures.revenue or 0, 0) for row in month.rows]
        wholes.append(("Net revenue, last 12 months", sum(amounts), amounts))
    title = f"Customers and net revenue by segment of {month.title}"
    return svg.wholes(
        title,
        [
            (
                label,
                [
                    Part(row.text.title, _share(number, whole) or 0.0, colours.get(row.text.key, 0))
                    for row, number in zip(month.rows, numbers, strict=True)
                    if number
                ],
            )
            for label, whole, numbers in wholes
        ],
    )


def _effects(figures: AccountFigures) -> list[str]:
    """What campaigns changed against their control groups, as sentences; those with a result first."""
    effects = [
        (segmentation.titles.get(segment, segment), effect)
        for segmentation in figures.segmentations
        if segmentation.name in figures.insights.of
        for segment, effect in figures.insights.of[segmentation.name].effects.items()
    ]
    effects.sort(key=lambda entry: "uplift" not in entry[1])
    return [response_models.effect_sentence(title, effect) for title, effect in effects[:EFFECTS]]


def _segmentation(
    segmentation: SegmentationFigures, figures: AccountFigures, money: Money, colours: Mapping[str, int]
) -> dict[str, Any]:
    shares = [
        (
            segment,
            _share(segment.records, segmentation.records),
            _share(segment.revenue, segmentation.revenue),
        )
        for segment in segmentation.segments
    ]
    return {
        "figures": segmentation,
        "headline": _headline(shares),
        "reading": _how_to_read(segmentation),
        "panels": [_sizes(segmentation, shares, colours), *_moves(segmentation, colours)][:PICTURES],
        "typical": _typical(segmentation, money, colours),
    }


def _how_to_read(segmentation: SegmentationFigures) -> str:
    return kind_named(segmentation.kind).how_to_read


def _headline(shares: Sequence[tuple[Any, float | None, float | None]]) -> str:
    """The most telling sentence: where revenue is most out of proportion to the number of customers."""
    telling = [(s, size, revenue) for s, size, revenue in shares if size and revenue and size >= 0.01]
    if not telling:
        return ""
    segment, size, revenue = max(telling, key=lambda row: row[2] - row[1])
    return f"{segment.title}: {percent(size)} of the customers bring {percent(revenue)} of the net revenue."


def _sizes(segmentation: SegmentationFigures, shares: Sequence[Any], colours: Mapping[str, int]) -> Panel:
    largest = max((max(size or 0, revenue or 0) for _, size, revenue in shares), default=1) or 1
    has_revenue = segmentation.revenue is not None
    rows = []
    for segment, size, revenue in shares:
        words = count(segment.records) if has_revenue else f"{count(segment.records)} customers"
        if has_revenue:
            words += f" · {percent(revenue)} of revenue"
        drawn = ((size or 0) / largest, (revenue or 0) / largest) if has_revenue else ((size or 0) / largest,)
        rows.append(Bar(segment.title, drawn, words, colours[segment.key]))
    title = f"Segments of {segmentation.title}: share of customers, and of revenue"
    remark = "customers (strong bar) · share of net revenue (pale bar)" if has_revenue else ""
    behind = table(
        ("Segment", "Customers", "Share", "Share of revenue"),
        [(s.title, count(s.records), percent(size), percent(revenue)) for s, size, revenue in shares],
    )
    return Panel("Size and revenue", remark, [Picture(svg.bars(title, rows))], table=behind)


def _moves(segmentation: SegmentationFigures, colours: Mapping[str, int]) -> list[Panel]:
    """Who moved since last month, and how sizes went."""
    since = segmentation.since
    flow = flow_of(segmentation, since.flows if since else (), colours)
    panels = []
    if since and flow.moves:
        remark = f"since {formats.day(since.day)}; {count(flow.stayed)} customers ({percent(flow.stayed_share)}) stayed"
        if len(segmentation.movement.motions) == 2:
            remark += "; a fall to a worse segment counts once two labellings agree"
        behind = table(("From", "To", "Customers"), [(a, b, count(n)) for a, b, n in flow.moves], texts=2)
        panels.append(Panel("Who moved", remark, [Picture(flow.drawn)], table=behind))
    motions, sizes = segmentation.movement.motions, segmentation.movement.sizes
    if len(motions) > 2:
        dates = [motion.as_of.toordinal() for motion in motions]
        pictures = [
            Picture(
                svg.lines(f"{title}: customers over time", dates, [sizes[key]], colour=colours[key]),
                title,
                f"{count(sizes[key][0])} → {count(sizes[key][-1])}",
            )
            for key, title in segmentation.titles.items()
            if key in sizes
        ]
        remark = f"{motions[0].as_of} to {motions[-1].as_of}; each line begins at zero and has its own scale"
        ends = [(title, sizes[key]) for key, title in segmentation.titles.items() if key in sizes]
        behind = table(
            ("Segment", str(motions[0].as_of), str(motions[-1].as_of)),
            [(title, count(line[0]), count(line[-1])) for title, line in ends],
        )
        panels.append(Panel("Sizes over time", remark, pictures, table=behind, wide=True))
    return panels


def _typical(
    segmentation: SegmentationFigures, money: Money, colours: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The typical customer of each segment by medians, with its meaning and what to do."""
    return [
        {
            "segment": segment,
            "colour": colours[segment.key],
            "customers": segment.records,
            "days": days(typical.days_since) if typical else "",
            "orders": count(typical.typical_orders) if typical else "",
            "revenue": money.whole(typical.typical_revenue) if typical else "",
        }
        for segment in segmentation.segments
        for typical in (segmentation.typical.get(segment.key),)
        if segment.records
    ]


def _ahead(figures: AccountFigures, money: Money) -> Panel | None:
    """What the next period is expected to bring."""
    expected = figures.insights.outlook
    if expected is None:
        return None
    titles = next((s.titles for s in figures.segmentations if s.name == expected.by), {})
    return outlook.panels(expected, titles, money)[0]


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None
