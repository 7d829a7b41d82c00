"""Which features does a segmentation want, and what is known about the activity that spares work? (imports
nothing costly)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Features beyond those that are always there. ``a | b`` needs what either needs."""

    windows: tuple[int, ...] = ()  # days
    kinds: tuple[str, ...] = ()  # kinds of activity that are counted and dated
    categories: tuple[str, ...] = ()
    median_gap: bool = False
    horizon: bool = False  # quantile of the gaps between all records' purchase days
    ages: tuple[str, ...] = ()  # kinds of activity whose first and last day are told in days before as_of
    shares: tuple[tuple[str, int], ...] = ()  # category, and the window in days (0: all history)
    answers: tuple[str, ...] = ()  # surveys whose latest answer is told
    baskets: tuple[int, ...] = ()  # windows in days whose purchases are told by category

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            windows=tuple(sorted({*self.windows, *other.windows})),
            kinds=tuple(sorted({*self.kinds, *other.kinds})),
            categories=tuple(sorted({*self.categories, *other.categories})),
            median_gap=self.median_gap or other.median_gap,
            horizon=self.horizon or other.horizon,
            ages=tuple(sorted({*self.ages, *other.ages})),
            shares=tuple(sorted({*self.shares, *other.shares})),
            answers=tuple(sorted({*self.answers, *other.answers})),
            baskets=tuple(sorted({*self.baskets, *other.baskets})),
        )

    def dated(self) -> list[str]:
        """Kinds of activity whose rows are counted and dated by themselves; purchases are counted by order."""
        return sorted({*self.kinds, *(kind for kind in self.ages if kind != "purchase")})

    def counts(self) -> Iterator[str]:
        """Names of the features that are whole numbers and never null: counts and money."""
        for feature in ("orders", "purchase_days", "net_revenue"):
            yield feature
            yield from (f"{feature}_{n}" for n in self.windows)
        for kind in self.dated():
            yield f"count_{kind}"
            yield from (f"count_{kind}_{n}" for n in self.windows)
        for category in self.categories:
            yield from (f"orders.{category}", f"net_revenue.{category}")


@dataclass(frozen=True)
class Shape:
    """Facts about an activity frame; the defaults are always right and cost the most."""

    order_lines: bool = True  # two rows may share an order: several lines, or a purchase and its refund
    refunds: bool = True  # some row is a refund or holds a negative amount
