"""How are ABC tiers learned and given? (kind ``abc``)

Revenue is the sum of positive net revenues. Ties stay together (in the better tier); who brought nothing, or
less, is ``c``. The score is the mid-rank percentile. The borders are frozen at the fit, and a record moves as
``segmentation.hysteresis`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, reason_text
from segmentation.ecdf import EmpiricalCdf, Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.hysteresis import Circumstances, settle
from segmentation.kinds.abc import Abc
from segmentation.kinds.base import PROSPECT, Account
from segmentation.kinds.labelling import Given, LabellingKind, Start

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

TIERS = ("c", "b", "a")  # by level, lowest first


@dataclass(frozen=True)
class _Seen:
    revenue: Integers
    buyer: Flags


class AbcSegmentation(LabellingKind[Abc, _Seen]):
    """ABC tiers of net revenue."""

    def __init__(self, kind: Abc, account: Account) -> None:
        super().__init__(kind, account)
        self.needs = Needs(windows=(kind.window_days,) if kind.window_days else ())
        self._revenue = f"net_revenue_{kind.window_days}" if kind.window_days else "net_revenue"

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """The features that it is about."""
        return facts.select("record", "last_purchase", self._revenue)

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Freeze the borders between the tiers and the percentiles of the buyers in ``features``.

        ValueError: a wrong frame.
        """
        seen = self._seen(features, as_of)
        revenue = seen.revenue[seen.buyer]
        axes = {"revenue": EmpiricalCdf.fit(revenue, self._cuts(revenue))} if len(revenue) else {}
        levels = axes["revenue"].level(revenue) if axes else np.zeros(0, np.int64)
        paid = np.maximum(revenue, 0).astype(np.float64)  # whole numbers of 64 bits do not hold every sum
        figures: dict[str, Any] = {}
        for level, tier in enumerate(TIERS, start=1):
            figures[tier] = {
                "buyers": int((levels == level).sum()),
                "revenue": int(paid[levels == level].sum()),
            }
        counts = {"records": len(features), "buyers": len(revenue)}
        return model_file.model(self.kind.name, as_of, self._frozen, counts, axes, figures)

    def _given(self, seen: _Seen, start: Start) -> Given:
        axes, before = start.axes, start.before
        count = len(seen.revenue)
        level, pending = before.memory("revenue"), before.memory("revenue_pending")
        rank = np.zeros(count)
        if axes:
            level, pending = settle(
                axes["revenue"],
                seen.revenue,
                level,
                pending,
                self.kind.dead_band,
                Circumstances.none(count),
            )
            level = np.where(seen.revenue <= 0, 1, level)
            rank = np.where(seen.buyer, axes["revenue"].midrank(seen.revenue), 0.0)
        level, pending = np.where(seen.buyer, level, 0), np.where(seen.buyer, pending, 0)
        memory = {"revenue": level, "revenue_pending": pending}
        tier = np.where(seen.buyer, np.maximum(level, 1), 0)
        return Given((PROSPECT, *TIERS), tier, rank, lambda rows: self._reasons(seen, rank, rows), memory)

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            "window_days": self.kind.window_days,
            "a_share": self.kind.a_share,
            "b_share": self.kind.b_share,
        }

    def _seen(self, features: pd.DataFrame, as_of: date) -> _Seen:
        frames.check_features(features, (self._revenue,), ("last_purchase",), as_of)
        bought: Flags = ~np.isnat(frames.as_days(features["last_purchase"]))
        return _Seen(features[self._revenue].to_numpy(np.int64), bought)

    def _cuts(self, revenue: Integers) -> list[int]:
        """Greatest values of ``c`` and of ``b``: one unit below the least value of the tier above."""
        falling = np.sort(revenue[revenue > 0])[::-1]
        if not len(falling):
            return [0, 0]
        brought = np.cumsum(falling.astype(np.float64))
        ends = [
            int(np.searchsorted(brought, share * float(brought[-1]), side="left"))
            for share in (self.kind.b_share, self.kind.a_share)
        ]
        return [int(falling[min(end, len(falling) - 1)]) - 1 for end in ends]

    def _reasons(self, seen: _Seen, rank: Fractions, rows: Integers) -> pa.Array:
        """``1,204.50 EUR in all, more than 83% of the buyers``."""
        within = f"in {self.kind.window_days} days" if self.kind.window_days else "in all"
        words = reason_text.reasons(
            *(
                reason_text.money(seen.revenue[rows], self.account.currency, self.account.exponent),
                f" {within}, more than ",
            ),
            *(reason_text.number((100 * rank[rows]).astype(np.int64)), "% of the buyers"),
        )
        return pc.if_else(pa.array(seen.buyer[rows]), words, "no purchase yet")
