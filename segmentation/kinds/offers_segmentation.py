"""How are offers learned and given? (kind ``offers``)

    replenish   what it buys anyway: (own orders of the category + ``PRIOR`` * popularity in its segment) /
                (own orders + ``PRIOR``), where orders count once per category. A segment is that of the
                segmentation ``segment_by``; without one, all are one.
    discover    what it never bought: likeness, the sum over its categories of log1p(orders) times the cosine
                between the two categories' log1p(orders) over all buyers (Sarwar et al. 2001), only pairs
                that enough buyers share; or popularity, the share of the buyers that have it; or something
                between the two. What the last days show to find most is taken: each on the scale of its best
                category, likeness weighs ``WEIGHTS``.

What is offered is tried out (``segmentation.models.offer_backtest``): learned as of an earlier day and held against what was
bought since, beside what the most popular category would have found. A record changes its category when another
is better by the dead band on two distinct as_of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, reason_text
from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.hysteresis import choose
from segmentation.kinds.base import Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.offers import NOTHING, Offers
from segmentation.kinds.offers_habits import EVERYONE, Learned, Matrix, learn, parts
from segmentation.models import offer_backtest
from segmentation.models.category_features import Baskets

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

RECENT = "recent"  # column: baskets of the last days, which show what a back-test found
PRIOR = 5.0  # orders that the habits of the segment count for
WEIGHTS = (1.0, 0.75, 0.5, 0.0)  # of likeness against popularity; the first where nothing can be tried out
TRIED = offer_backtest.SHORTEST


_Behind = Callable[[Integers], Integers]  # chosen place per row → buyers behind the choice
# what each category is worth (0: not to be offered), own orders of it
_Scored = tuple[slice, Matrix, Integers, _Behind]


class OffersSegmentation(LabellingKind[Offers, pd.DataFrame]):
    """The next category per record."""

    def __init__(self, kind: Offers, account: Account) -> None:
        super().__init__(kind, account)
        self.keys = kind.keys()[:-1]  # those of the categories
        windows = {kind.window_days, TRIED} if kind.goal == "replenish" else {kind.window_days}
        self.needs = Needs(baskets=tuple(sorted(windows)))

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets and its segment."""
        import ibis

        segment = facts[f"segment.{self.kind.segment_by}"] if self.kind.segment_by else ibis.literal(EVERYONE)
        recent = {RECENT: facts[f"baskets_{TRIED}"]} if self.kind.goal == "replenish" else {}
        return facts.select(
            "record", baskets=facts[f"baskets_{self.kind.window_days}"], segment=segment, **recent
        )

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Learn habits and likeness of the buyers in ``features``. ValueError: a wrong frame."""
        learned, figures = self._learn(features)
        tried = self._tried(features, as_of, past) if past is not None and figures["buyers"] else None
        if tried:
            figures["tried"] = tried.figures
            learned = replace(learned, weight=tried.best)
        made = model_file.model(
            self.kind.name,
            as_of,
            self._frozen,
            {"records": len(features), "buyers": figures["buyers"]},
            {},
            figures,
        )
        return {**made, "learned": learned.to_dict()}

    def _learn(self, features: pd.DataFrame) -> tuple[Learned, dict[str, Any]]:
        return learn(self.kind.categories, self._read(features), _segments(features))

    def _tried(self, features: pd.DataFrame, as_of: date, past: Past) -> offer_backtest.Tried | None:
        """What was offered as of an earlier day, against what was bought since; None: too little is known to
        try.
        """
        spans = (TRIED,) if self.kind.goal == "replenish" else offer_backtest.SPANS
        span = (
            offer_backtest.span(past, as_of, spans)
            if self.kind.goal == "discover" or RECENT in features
            else None
        )
        if span is None:
            return None
        past_features = past.features(span.day)
        learned, _ = self._learn(past_features)
        if self.kind.goal == "replenish" and "segment" in past_features:
            # segments are those of today: they know what came
            past_features = past_features.assign(segment=EVERYONE)
        now = features.set_index("record").reindex(past_features["record"])[
            "baskets" if self.kind.goal == "discover" else RECENT
        ]
        came = (
            Baskets.read(now.reset_index(drop=True)).table(self.kind.categories, slice(0, len(past_features)))
            > 0
        )
        every = [
            replace(learned, weight=weight)
            for weight in (WEIGHTS if self.kind.goal == "discover" else WEIGHTS[:1])
        ]
        counts = [offer_backtest.Counted() for _ in every]
        simple = offer_backtest.Counted()
        for option, count in zip(every, counts, strict=True):
            for part, values, own, _behind in self._scored(past_features, option):
                count.add(values, came[part], span.bought[part])
                if option is every[0]:
                    barred = (own > 0) if self.kind.goal == "discover" else np.zeros(own.shape, np.bool_)
                    some: Flags = np.asarray((values > 0).any(axis=1), np.bool_)
                    allowed = np.where(some[:, None] & ~barred, learned.popular, 0.0)
                    simple.add(allowed, came[part], span.bought[part])
        return offer_backtest.judged(span, [option.weight for option in every], counts, simple)

    def _seen(self, features: pd.DataFrame, as_of: date) -> pd.DataFrame:
        return features

    def _given(self, seen: pd.DataFrame, start: Start) -> Given:
        """The score is that of the category: a share of the next orders, or of the likeness."""
        model, before, count = start.model, start.before, len(seen)
        former = (
            pc.fill_null(pc.index_in(before.text("segment"), pa.array(self.keys)), -1).to_numpy(
                zero_copy_only=False
            )
            + 1
        )
        waiting = np.where(before.memory("pending") <= len(self.keys), before.memory("pending"), 0)
        chosen, pending, score = former.astype(np.int64), waiting.copy(), np.full(count, np.nan)
        own, support = np.zeros(count, np.int64), np.zeros(count, np.int64)
        learned = Learned.from_model(model)
        for part, values, counts, behind in self._scored(seen, learned):
            rows = np.arange(len(values))
            best = values.argmax(1) + 1
            some = values[rows, best - 1] > 0
            was = np.where(values[rows, np.maximum(former[part], 1) - 1] > 0, former[part], 0)
            clearly = (
                values[rows, best - 1] > (1 + self.kind.dead_band) * values[rows, np.maximum(was, 1) - 1]
            )
            choice, wait = choose(best, was, clearly, waiting[part])
            chosen[part], pending[part] = np.where(some, choice, 0), np.where(some, wait, 0)
            at = np.maximum(chosen[part], 1) - 1
            score[part] = np.where(some, values[rows, at], np.nan)
            own[part], support[part] = counts[rows, at], behind(at)
        named = pa.array(["", *self.kind.categories], pa.string())

        alike, bought = learned.weight == 1, self._read(seen).held() > 0

        def reasons(rows: Integers) -> pa.Array:
            words = self._reasons(named.take(pa.array(chosen[rows])), own[rows], support[rows], alike)
            return pc.if_else(
                pa.array(chosen[rows] > 0), words, self._nothing(bought[rows], model["figures"])
            )

        return Given([NOTHING, *self.keys], chosen, score, reasons, {"pending": pending})

    def lists(self, features: pd.DataFrame, model: Mapping[str, Any], most: int = 3) -> pd.DataFrame:
        """The best categories of each record: record, rank from 1, category, score, support (buyers behind
        it).
        """
        record = features["record"].to_numpy(np.int64)
        parts = []
        for part, values, _held, behind in self._scored(features, Learned.from_model(model)):
            order = np.argsort(-values, axis=1, kind="stable")[:, :most]
            rows = np.arange(len(values))[:, None]
            columns = {
                "record": np.repeat(record[part], order.shape[1]),
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(values)),
                "category": np.array(self.kind.categories, dtype=object)[order].ravel(),
                "score": values[rows, order].ravel(),
                "support": np.stack(
                    [behind(order[:, position]) for position in range(order.shape[1])], axis=1
                ).ravel(),
            }
            frame = pd.DataFrame(columns)
            parts.append(frame[frame["score"] > 0])
        return (
            pd.concat(parts, ignore_index=True)
            if parts
            else pd.DataFrame(columns=["record", "rank", "category", "score", "support"])
        )

    def _scored(self, features: pd.DataFrame, learned: Learned) -> Iterator[_Scored]:
        """Piece by piece of the rows."""
        baskets, segment = self._read(features), _segments(features)
        orders = baskets.held()
        for part in parts(len(features)):
            table = baskets.table(learned.names, part)
            if self.kind.goal == "replenish":
                values, behind = self._replenishing(learned, table, orders[part], segment[part])
            else:
                values, behind = self._discovering(learned, table, orders[part])
            yield part, values, table[:, : len(self.keys)].astype(np.int64), behind

    def _replenishing(
        self, learned: Learned, table: Matrix, orders: Fractions, segment: npt.NDArray[Any]
    ) -> tuple[Matrix, _Behind]:
        offered = learned.offered
        buyers = np.diag(learned.both[:offered]).astype(np.int64)
        popular = np.zeros((len(table), offered))
        for key in np.unique(segment):
            popular[segment == key] = learned.popularity.get(str(key), learned.popularity[EVERYONE])[:offered]
        popular *= buyers >= learned.support
        values = (table[:, :offered] + PRIOR * popular) / (orders[:, None] + PRIOR)
        return np.where(orders[:, None] > 0, values, 0), lambda at: buyers[at]

    def _discovering(self, learned: Learned, table: Matrix, orders: Fractions) -> tuple[Matrix, _Behind]:
        like = np.where(learned.both >= learned.support, learned.cosine, 0)
        logs = np.log1p(table)
        values = logs @ like / np.maximum(logs.sum(1), 1e-12)[:, None]
        owned, popular, weight = table[:, : learned.offered] > 0, learned.popular, learned.weight
        values[owned] = 0
        if weight < 1:
            best = np.maximum(values.max(1, initial=0.0), 1e-12)[:, None]
            usual = np.where(
                owned | (orders[:, None] <= 0), 0.0, popular / max(1.0, popular.max(initial=0.0))
            )
            values = weight * values / best + (1 - weight) * usual

        def behind(at: Integers) -> Integers:
            """Buyers of both the category and the owned one that speaks most for it; where none does, buyers
            of the category.
            """
            spoken = (logs * like.T[at]).argmax(1)
            buyers = np.where(
                logs[np.arange(len(at)), spoken] * like[spoken, at] > 0, learned.both[spoken, at], popular[at]
            )
            return buyers.astype(np.int64)

        return values, behind

    def _reasons(self, name: pa.Array, own: Integers, support: Integers, alike: bool) -> pa.Array:
        """``Wine: in 4 of its orders within 365 days``; ``Wine: not bought yet; 312 buyers of what it buys
        do``.
        """
        if self.kind.goal == "replenish":
            orders_text = reason_text.joined(
                ": in ", reason_text.counted(own, "order", "orders"), f" within {self.kind.window_days} days"
            )
            explanation = pc.if_else(
                pa.array(own > 0),
                orders_text,
                reason_text.joined(": not bought yet, but by ", reason_text.number(support), " buyers"),
            )
        else:
            of = " buyers of what it buys have it" if alike else " buyers have it"
            explanation = reason_text.joined(": not bought yet; ", reason_text.number(support), of)
        return reason_text.reasons(name, explanation)

    def _nothing(self, bought: Flags, figures: Mapping[str, Any]) -> pa.Array:
        """Why there is no offer for who ``bought`` in the window, and for who did not."""
        few, within = figures["support"], f"within {self.kind.window_days} days"
        if figures["buyers"] < few:
            reason = f"not told: {figures['buyers']} buyers {within} are too few to learn from (at least {few} are needed)"
        elif self.kind.goal == "replenish":
            reason = f"fewer than {few} buyers have anything that may be offered and that it would want"
        else:
            reason = f"it has all that may be offered, or fewer than {few} buyers share what it bought"
        return pc.if_else(pa.array(bought), reason, f"nothing bought {within} that says what it would want")

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            "categories": list(self.kind.categories),
            "goal": self.kind.goal,
            "window_days": self.kind.window_days,
            "segment_by": self.kind.segment_by,
        }

    def _read(self, features: pd.DataFrame) -> Baskets:
        frames.check_features(features, (), (), date.max)
        for column in ("baskets", "segment"):
            if column not in features:
                raise ValueError(f"the features frame has no column {column!r}")
        return Baskets.read(features["baskets"])


def _segments(features: pd.DataFrame) -> npt.NDArray[Any]:
    """The segment of each row as text; "" where it has none."""
    texts = pc.fill_null(pa.array(features["segment"], pa.string(), from_pandas=True), "")
    segments: npt.NDArray[Any] = texts.to_numpy(zero_copy_only=False)
    return segments
