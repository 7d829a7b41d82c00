"""What has each record done up to a day?

``features`` is one lazy Ibis expression of portable operations only: the same on DuckDB here and on Spark
there. Money stays in integer minor units, so engines agree to the last unit; sums end at ``MOST``.

    purchase       an order: rows of kind ``purchase`` that share (record, order); it stands on the day of its
                   first line
    refund         a row of kind ``refund``, or any negative amount. It is booked on the day of its order,
                   reduces money, is never a purchase and never refreshes recency; one that is dated after
                   ``as_of`` is not known yet
    refunded order one with a refund and no money left: no purchase (an order of value zero without a refund
    is one)
    window of n    the days in (as_of - n, as_of]

Columns, one row per record of ``records``; records without activity hold 0 in counts and money, null
elsewhere:
    orders, purchase_days (distinct days), net_revenue               in all history
    first_purchase, last_purchase (date), mean_gap_days (float)
    orders_N, purchase_days_N, net_revenue_N                         per window of N days
    count_KIND, first_KIND, last_KIND, count_KIND_N                  per kind of activity
    orders.CATEGORY, net_revenue.CATEGORY                            orders that hold the category, and its
    money
    median_gap_days                                                  between purchase days, on request
    horizon_days                                                     90th percentile of all records' days
    between purchases; the
                                                                     same in every row, on request
    days_since_first_KIND, days_since_last_KIND                      before as_of, on request
    share.CATEGORY, share_N.CATEGORY (float)                         of net revenue; null where that is not
    above zero
    answer.SURVEY (text), answer_number.SURVEY (float)               latest answer to a survey (a campaign),
    on request;
                                                                     where activity has it in the form that compares (``compared``),
                                                                     that, and spelling.answer.SURVEY as people read it
    baskets_N (text)                                                 what was bought in N days: category,
    orders that hold it, the
                                                                     next category and so on, between unit
                                                                     separators; on request
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
from ibis import Table, _
from ibis.expr.types import BooleanColumn, DateScalar, DateValue, IntegerColumn, Value

from segmentation import frames
from segmentation.feature_request import Needs, Shape
from segmentation.rules.comparison import SPELLING

SEPARATOR = "\x1f"  # ASCII's unit separator
MOST = 10**17  # minor units of a record, either way: sums beyond it are no money of anybody, and count as it


@dataclass(frozen=True)
class _Cut:
    """The day up to which things are known: a date, or an expression that is bound to one when it is asked."""

    as_of: date | DateScalar

    def day(self, ago: int = 0) -> DateValue:
        if isinstance(self.as_of, date):
            return ibis.literal(self.as_of - timedelta(days=ago), "date")
        return (self.as_of - ibis.interval(days=ago)).cast("date") if ago else self.as_of

    def window(self, days: int) -> BooleanColumn:
        return _.day > self.day(days)

    def known(self, activity: Table) -> Table:
        return activity.filter(_.day <= self.day())


def features(
    records: Table,
    activity: Table,
    as_of: date | DateScalar,
    needs: Needs | None = None,
    shape: Shape | None = None,
) -> Table:
    """One row per record of ``records`` (columns: see the module). ValueError names a column that a frame
    lacks.

    ``as_of`` may be an expression, so that what is compiled once is asked of many days. ``shape`` states facts
    about ``activity`` that spare work; stating a wrong one gives wrong counts.
    """
    needs, shape = needs or Needs(), shape or Shape()
    frames.check(records, frames.RECORDS, "records")
    frames.check(activity, frames.ACTIVITY, "activity")
    cut = _Cut(as_of)
    days = _days(_orders(cut.known(activity), needs, shape), needs, shape)
    parts = [_purchases(days, cut, needs)]
    if needs.dated():
        parts.append(_kinds(cut.known(activity), cut, needs))
    if needs.answers:
        frames.check(activity, frames.ANSWERS, "activity")
        parts.append(_answers(cut.known(activity), needs))
    if needs.median_gap:
        parts.append(_median_gaps(days))
    parts += [_baskets(cut.known(activity), cut, n, shape) for n in needs.baskets]
    everyone = records.select("record")
    for part in parts:
        everyone = everyone.left_join(part, "record").drop("record_right")
    if needs.horizon:
        gaps = _gaps(days.semi_join(records, "record"))
        everyone = everyone.cross_join(gaps.agg(horizon_days=gaps.gap.quantile(0.9).cast("float64")))
    for kind in needs.ages:
        for end in ("first", "last"):
            age = cut.day().delta(everyone[f"{end}_{kind}"], unit="day").cast("int64")
            everyone = everyone.mutate(**{f"days_since_{end}_{kind}": age})
    return everyone.mutate(**{name: _whole(everyone[name].fill_null(0)) for name in needs.counts()})


def _whole(number: Value) -> IntegerColumn:
    """int64 on every engine.

    DuckDB adds int64 up to 128 bits; Ibis takes that for int64 and drops a mere cast to it.
    """
    return number.clip(-MOST, MOST).cast("decimal(18, 0)").cast("int64")


def _orders(activity: Table, needs: Needs, shape: Shape) -> Table:
    """One row per order: record, day, net, purchase (0 or 1) and, per category, whether and how much."""
    kinds = ("purchase", "refund") if shape.refunds else ("purchase",)
    bought = ibis.literal(1, "int64")
    refund = ibis.literal(False)
    if shape.refunds:
        refund = (_.kind == "refund") | (_.amount.fill_null(0) < 0)
        bought = ibis.ifelse(refund, 0, 1).cast("int64")
    lines = (
        activity.filter(activity.kind.isin(kinds))
        if len(kinds) > 1
        else activity.filter(activity.kind == kinds[0])
    )
    lines = lines.select(
        "record",
        "order",
        "day",
        net=_.amount.fill_null(0).cast("int64"),
        purchase=bought,
        **_marks(needs, refund),
    )
    if not shape.order_lines:
        return lines.drop("order")
    marks = {name: _[name].sum() if name.startswith("net.") else _[name].max() for name in _mark_names(needs)}
    shared = lines.filter(_.order.notnull()).group_by("record", "order")
    if shape.refunds:
        first, bought = _.day.min(where=_.purchase == 1), _.purchase.max()
        orders = shared.agg(
            first=first, any=_.day.min(), net=_.net.sum(), bought=bought, least=_.purchase.min(), **marks
        )
        alive = (_.bought == 1) & ((_.least == 1) | (_.net > 0))
        orders = orders.select(
            "record",
            day=_.first.coalesce(_.any),
            net=_.net,
            purchase=ibis.ifelse(alive, 1, 0).cast("int64"),
            **{
                name: ibis.ifelse(alive, _[name], 0).cast("int64") if name.startswith("has.") else _[name]
                for name in marks
            },
        )
    else:
        orders = shared.agg(day=_.day.min(), net=_.net.sum(), **marks).mutate(purchase=bought).drop("order")
    alone = lines.filter(_.order.isnull()).drop("order")
    return alone.union(orders.select(alone.columns))


def _mark_names(needs: Needs) -> list[str]:
    shared = sorted({category for category, _days in needs.shares} - set(needs.categories))
    return [f"{part}.{category}" for category in needs.categories for part in ("has", "net")] + [
        f"net.{category}" for category in shared
    ]


def _marks(needs: Needs, refund: Value) -> dict[str, Value]:
    """Per category: does the line buy it (0 or 1), and for how much."""
    marks: dict[str, Value] = {}
    for name in _mark_names(needs):
        part, category = name.split(".", 1)
        inside = (_.category == category).fill_null(False)
        counted = (
            ibis.ifelse(inside & ~refund, 1, 0)
            if part == "has"
            else ibis.ifelse(inside, _.amount.fill_null(0), 0)
        )
        marks[name] = counted.cast("int64")
    return marks


def _days(orders: Table, needs: Needs, shape: Shape) -> Table:
    """One row per record and day: the step that makes distinct days cheap to count.

    ``bought`` false: refunds only.
    """
    marks = {name: _[name].sum() for name in _mark_names(needs)}
    number = _.purchase.sum() if shape.refunds else _.count()
    days = orders.group_by("record", "day").agg(orders=number, net=_.net.sum(), **marks)
    return days.mutate(bought=(_.orders > 0) if shape.refunds else ibis.literal(True))


def _purchases(days: Table, cut: _Cut, needs: Needs) -> Table:
    columns: dict[str, Value] = {
        "orders": _.orders.sum(),
        "purchase_days": _.count(where=_.bought),
        "net_revenue": _.net.sum(),
        "first_purchase": _.day.min(where=_.bought),
        "last_purchase": _.day.max(where=_.bought),
    }
    for n in needs.windows:
        inside = cut.window(n)
        columns[f"orders_{n}"] = _.orders.sum(where=inside)
        columns[f"purchase_days_{n}"] = _.count(where=inside & _.bought)
        columns[f"net_revenue_{n}"] = _.net.sum(where=inside)
    for category in needs.categories:
        columns[f"orders.{category}"] = _[f"has.{category}"].sum()
        columns[f"net_revenue.{category}"] = _[f"net.{category}"].sum()
    for category, n in needs.shares:
        inside = cut.window(n) if n else ibis.literal(True)
        spent, whole = _[f"net.{category}"].sum(where=inside).cast("float64"), _.net.sum(where=inside)
        columns[f"share_{n}.{category}" if n else f"share.{category}"] = ibis.ifelse(
            whole > 0, spent / whole, None
        )
    span = _.last_purchase.delta(_.first_purchase, unit="day").cast("float64")
    return days.group_by("record").agg(**columns).mutate(mean_gap_days=span / (_.purchase_days - 1).nullif(0))


def _kinds(activity: Table, cut: _Cut, needs: Needs) -> Table:
    columns: dict[str, Value] = {}
    for kind in needs.dated():
        of_kind = _.kind == kind
        columns[f"count_{kind}"] = _.count(where=of_kind)
        columns[f"first_{kind}"] = _.day.min(where=of_kind)
        columns[f"last_{kind}"] = _.day.max(where=of_kind)
        for n in needs.windows:
            columns[f"count_{kind}_{n}"] = _.count(where=of_kind & cut.window(n))
    return activity.filter(activity.kind.isin(needs.dated())).group_by("record").agg(**columns)


def _answers(activity: Table, needs: Needs) -> Table:
    """Latest answer to each survey; of several at one instant, the last in the order of text."""
    asked = activity.filter(
        (activity.kind == "survey") & activity.campaign.isin(needs.answers) & activity.answer.notnull()
    )
    rank = ibis.row_number().over(
        ibis.window(
            group_by=[asked.record, asked.campaign],
            order_by=[ibis.desc(asked.occurred_at), ibis.desc(asked.answer)],
        )
    )
    spelled = "compared" in asked.columns
    value = asked.compared if spelled else asked.answer
    latest = asked.select("record", "campaign", "answer", value=value, place=rank).filter(_.place == 0)
    columns: dict[str, Value] = {}
    for survey in needs.answers:
        columns[f"answer.{survey}"] = _.value.max(where=_.campaign == survey)
    shown = {SPELLING + name: _.answer.max(where=_.campaign == name[7:]) for name in columns if spelled}
    answers = latest.group_by("record").agg(**columns, **shown)
    numbers = {name.replace("answer.", "answer_number.", 1): _number(answers[name]) for name in columns}
    return answers.mutate(**numbers)


def _baskets(activity: Table, cut: _Cut, window: int, shape: Shape) -> Table:
    """Categories and how many orders hold each, as one text: categories may be any number.

    Refunds do not count.
    """
    lines = activity.filter(
        (_.kind == "purchase") & (_.amount.fill_null(0) >= 0) & cut.window(window) & _.category.notnull()
    )
    if shape.order_lines:
        orders = lines.filter(_.order.notnull()).select("record", "category", "order").distinct()
        lines = orders.select("record", "category").union(
            lines.filter(_.order.isnull()).select("record", "category")
        )
    counts = lines.group_by("record", "category").agg(orders=_.count())
    baskets = counts.mutate(told=_.category.replace(SEPARATOR, " ") + SEPARATOR + _.orders.cast("string"))
    return baskets.group_by("record").agg(**{f"baskets_{window}": _.told.group_concat(sep=SEPARATOR)})


def _number(text: Value) -> Value:
    """The number that a text is, else null; more digits than these were infinite."""
    plain = text.strip()
    return ibis.ifelse(plain.re_search(r"^[-+]?[0-9]{1,300}([.][0-9]+)?$"), plain, None).try_cast("float64")


def _gaps(days: Table) -> Table:
    """One row per record and purchase day after its first: the days since the one before."""
    days = days.filter(_.bought)
    before = days.day.lag().over(ibis.window(group_by=days.record, order_by=days.day))
    gaps = days.select("record", "day", before=before).filter(_.before.notnull())
    return gaps.select("record", gap=_.day.delta(_.before, unit="day").cast("float64"))


def _median_gaps(days: Table) -> Table:
    return _gaps(days).group_by("record").agg(median_gap_days=_.gap.median())
