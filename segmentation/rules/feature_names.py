"""Which feature does a name mean, what does it hold, and what must be computed for it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from segmentation.feature_request import Needs
from segmentation.rules.comparison import AttributeType, Subject

NUMBER, DAY = AttributeType("number"), AttributeType("date")

# Kinds of activity of the contract; a CRM may have others.
ACTIVITY_KINDS = (
    *("purchase", "refund", "email_open", "email_click", "visit", "form", "call", "meeting"),
    *("campaign_sent", "campaign_response", "survey"),
)
FORMS = (
    *(
        "orders",
        "orders_DAYS",
        "purchase_days",
        "purchase_days_DAYS",
        "net_revenue",
        "net_revenue_DAYS",
        "mean_gap_days",
    ),
    *(
        "median_gap_days",
        "first_KIND",
        "last_KIND",
        "days_since_first_KIND",
        "days_since_last_KIND",
        "count_KIND",
        "count_KIND_DAYS",
    ),
    *("orders.CATEGORY", "net_revenue.CATEGORY"),
)


def feature(name: str, exponent: int) -> Subject | None:
    """The feature of a name (``FORMS``); None where there is none such.

    ``exponent``: decimals of the account's currency.
    """
    for pattern, make in _FORMS:
        if match := re.fullmatch(pattern, name):
            return make(name, match.groups(), exponent)
    return None


def kind_in(name: str) -> str | None:
    """The kind of activity that a feature's name holds."""
    match = re.fullmatch(r"(?:days_since_)?(?:first|last)_(.+)|count_(.+?)(?:_[1-9]\d*)?", name)
    return match and (match[1] or match[2])


def times_done(kind: str, days: int | None) -> Subject:
    """How often a record did something; purchases by order."""
    column = ("orders" if kind == "purchase" else f"count_{kind}") + (f"_{days}" if days else "")
    needs = Needs(windows=_windows(days), kinds=_counted(kind))
    return Subject(
        f"{_plural(kind)} in {days} days:" if days else f"{_plural(kind)} so far:", column, NUMBER, needs
    )


def days_since(end: str, kind: str) -> Subject:
    """Days from the first or last time to as_of."""
    return Subject(f"days since {end} {kind}", f"days_since_{end}_{kind}", NUMBER, Needs(ages=(kind,)))


def share_of(category: str, days: int | None) -> Subject:
    """Share of net revenue that a category has; missing where there is no net revenue."""
    column = f"share_{days}.{category}" if days else f"share.{category}"
    named = f"share of {category}" + (f" in {days} days" if days else "")
    return Subject(named, column, NUMBER, Needs(shares=((category, days or 0),)))


def answer_to(survey: str, number: bool, folded: Callable[[str], str] | None = None) -> Subject:
    """The latest answer to a survey. ``folded``: the form in which texts compare."""
    needs = Needs(answers=(survey,))
    return Subject(
        f"answer to {survey}:",
        f"answer_number.{survey}" if number else f"answer.{survey}",
        NUMBER if number else AttributeType(),
        needs,
        folded=None if number else folded,
    )


def segment_of(segmentation: str, keys: Sequence[str]) -> Subject:
    """The segment that another segmentation gives on the same day."""
    return Subject(
        segmentation, f"segment.{segmentation}", AttributeType("text", tuple(keys)), segmentation=segmentation
    )


def _plural(kind: str) -> str:
    return kind.replace("_", " ") + ("s" if not kind.endswith("s") else "")


def _windows(days: str | int | None) -> tuple[int, ...]:
    return (int(days),) if days else ()


def _counted(kind: str) -> tuple[str, ...]:
    return () if kind == "purchase" else (kind,)


_Make = Callable[[str, Sequence[str | None], int], Subject]
_FORMS: tuple[tuple[str, _Make], ...] = (
    (
        r"(orders|purchase_days)(?:_([1-9]\d*))?",
        lambda name, g, _e: Subject(name, name, NUMBER, Needs(windows=_windows(g[1]))),
    ),
    (
        r"net_revenue(?:_([1-9]\d*))?",
        lambda name, g, e: Subject(name, name, NUMBER, Needs(windows=_windows(g[0])), exponent=e),
    ),
    (r"mean_gap_days", lambda name, _g, _e: Subject(name, name, NUMBER)),
    (r"median_gap_days", lambda name, _g, _e: Subject(name, name, NUMBER, Needs(median_gap=True))),
    (r"days_since_(first|last)_(.+)", lambda _name, g, _e: days_since(str(g[0]), str(g[1]))),
    (r"(first|last)_(.+)", lambda name, g, _e: Subject(name, name, DAY, Needs(kinds=_counted(str(g[1]))))),
    (
        r"count_(?!purchase(?:_\d+)?$)(.+?)(?:_([1-9]\d*))?",
        lambda _name, g, _e: times_done(str(g[0]), int(g[1]) if g[1] else None),
    ),
    (r"orders\.(.+)", lambda name, g, _e: Subject(name, name, NUMBER, Needs(categories=(str(g[0]),)))),
    (
        r"net_revenue\.(.+)",
        lambda name, g, e: Subject(name, name, NUMBER, Needs(categories=(str(g[0]),)), exponent=e),
    ),
)
