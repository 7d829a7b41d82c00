"""How are offers learned and given? (kind ``offers``)

    replenish   what it buys anyway: (own orders of the category + prior * popularity in its segment) /
                (own orders + prior), where orders count once per category. A segment is that of the
                segmentation ``segment_by``; without one, all are one. The prior is ``PRIORS[0]`` orders; of
                categories that were found, what the last days show to find most of ``PRIORS``.
    discover    what it never bought: likeness, the sum over its categories of log1p(orders) times the cosine
                between the two categories' log1p(orders) over all buyers (Sarwar et al. 2001), only pairs
                that enough buyers share; or popularity, the share of the buyers that have it; or something
                between the two. What the last days show to find most is taken: each on the scale of its best
                category, likeness weighs ``WEIGHTS``.

What is offered is tried out (``segmentation.models.offer_backtest``): learned as of an earlier day and held against what was
bought since, beside what the most popular category would have found. A record changes its category when another
is better by the dead band on two distinct as_of; of categories that were found, and in fields of the first three,
when another is (``segmentation.kinds.offers_ranks``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from segmentation.kinds import offers_found, offers_ranks
from segmentation.kinds.base import Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.offers import OF_FOUND, Offers
from segmentation.kinds.offers_habits import EVERYONE, PRIOR, Learned, Matrix, learn, parts
from segmentation.kinds.offers_memory import Places, texts
from segmentation.models import offer_backtest
from segmentation.models.category_features import Baskets

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

RECENT = "recent"  # column: baskets of the last days, which show what a back-test found
SOLD = "sold"  # column: baskets of the days in which somebody must have bought what is found
PRIORS = (PRIOR, 50.0, 100.0)  # orders; the first where nothing can be tried out
WEIGHTS = (1.0, 0.75, 0.5, 0.0)  # of likeness against popularity; the first where nothing can be tried out
TRIED = offer_backtest.SHORTEST


_Behind = Callable[[Integers], Integers]  # chosen place per row → buyers behind the choice
# what each category is worth (0: not to be offered), own orders of it
_Scored = tuple[slice, Matrix, Integers, _Behind]


class OffersSegmentation(LabellingKind[Offers, pd.DataFrame]):
    """The next category per record."""

    def __init__(self, kind: Offers, account: Account) -> None:
        super().__init__(kind, account)
        windows = {kind.window_days, TRIED} if kind.goal == "replenish" else {kind.window_days}
        if kind.categories is None:
            windows.add(offers_found.SOLD)
        self.needs = Needs(baskets=tuple(sorted(windows)))

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets and its segment."""
        import ibis

        segment = facts[f"segment.{self.kind.segment_by}"] if self.kind.segment_by else ibis.literal(EVERYONE)
        others = {RECENT: facts[f"baskets_{TRIED}"]} if self.kind.goal == "replenish" else {}
        if self.kind.categories is None:
            others[SOLD] = facts[f"baskets_{offers_found.SOLD}"]
        return facts.select(
            "record", baskets=facts[f"baskets_{self.kind.window_days}"], segment=segment, **others
        )

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Learn habits and likeness of the buyers in ``features``. ValueError: a wrong frame."""
        former = (past.model or {}).get("learned", {}) if past is not None else {}
        learned, figures = self._learn(features, former)
        tried = self._tried(features, as_of, past) if past is not None and figures["buyers"] else None
        if tried:
            figures["tried"] = tried.figures
            learned = learned.under(self._option, tried.best)
        made = model_file.model(
            self.kind.name,
            as_of,
            self._frozen,
            {"records": len(features), "buyers": figures["buyers"]},
            {},
            figures,
        )
        if self.kind.categories is not None:
            return {**made, "learned": learned.to_dict()}
        numbers = offers_found.numbered(self.kind, learned.names, self._firsts(features, learned), former)
        return {**made, "learned": {**learned.of_pairs(self.kind.goal == "discover"), **numbers}}

    def _learn(
        self, features: pd.DataFrame, former: Mapping[str, Any] | None = None
    ) -> tuple[Learned, dict[str, Any]]:
        """``former``: what the model before kept; its categories keep their spelling."""
        baskets, segments = self._read(features), _segments(features)
        if self.kind.categories is not None:
            return learn(self.kind.categories, baskets, segments)
        sold = Baskets.read(features[SOLD])
        found = offers_found.found(self.kind, baskets, sold, (former or {}).get("names", ()))
        learned, figures = learn(
            found.names, offers_found.spelled(baskets, found.names), segments, others=False
        )
        return learned, {**figures, "categories": len(found.names), "left_out": found.left_out}

    def _firsts(self, features: pd.DataFrame, learned: Learned) -> Integers:
        """Of how many records each category is the first offer."""
        counts = np.zeros(learned.offered, np.int64)
        for _part, values, _own, _behind in self._scored(features, learned):
            some = (values > 0).any(1)
            counts += np.bincount(values[some].argmax(1), minlength=len(counts)) if some.any() else 0
        return counts

    @property
    def _option(self) -> str:
        """What is tried out."""
        return "weight" if self.kind.goal == "discover" or self.kind.categories is not None else "prior"

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
        if not learned.offered:
            return None
        later = offers_found.spelled(Baskets.read(now.reset_index(drop=True)), learned.names)
        options = (PRIORS if self._option == "prior" else WEIGHTS)[: None if self._tries else 1]
        every = [learned.under(self._option, option) for option in options]
        counts = [offer_backtest.Counted() for _ in every]
        simple = offer_backtest.Counted()
        for option, count in zip(every, counts, strict=True):
            for part, values, own, _behind in self._scored(past_features, option):
                barred = (own > 0) if self.kind.goal == "discover" else np.zeros(own.shape, np.bool_)
                came = (later.table(learned.names[: learned.offered], part) > 0) & ~barred
                count.add(values, came, span.bought[part])
                if option is every[0]:
                    some: Flags = np.asarray((values > 0).any(axis=1), np.bool_)
                    allowed = np.where(some[:, None] & ~barred, learned.popular, 0.0)
                    simple.add(allowed, came, span.bought[part])
        return offer_backtest.judged(span, self._option, options, counts, simple)

    @property
    def _tries(self) -> bool:
        """Whether there is more than one way to try."""
        return self.kind.goal == "discover" or self.kind.categories is None

    def _seen(self, features: pd.DataFrame, as_of: date) -> pd.DataFrame:
        return features

    def _given(self, seen: pd.DataFrame, start: Start) -> Given:
        """The score is that of the category: a share of the next orders, or of the likeness."""
        model, before, count = start.model, start.before, len(seen)
        learned = Learned.from_model(model)
        places = Places.of(self.kind, learned.names[: learned.offered], model["learned"])
        former, listed = places.of_segments(before), places.listed(self.kind, before)
        waiting = np.where(before.memory("pending") <= learned.offered, before.memory("pending"), 0)
        pending, score = np.zeros(count, np.int64), np.full(count, np.nan)
        three = np.zeros((count, offers_ranks.LISTED), np.int64)
        own, support = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for part, values, counts, behind in self._scored(seen, learned) if learned.offered else ():
            rows = np.arange(len(values))
            was = np.where(former[part] < 0, places.others_best(values), former[part])
            if self.kind.categories is not None:
                first, pending[part] = self._changed(values, was, waiting[part])
                three[part] = offers_ranks.steady(values, listed[part], self.kind.dead_band, first)
            else:
                before_three = np.where(listed[part].any(axis=1, keepdims=True), listed[part], _alone(was))
                three[part] = offers_ranks.steady(values, before_three, self.kind.dead_band)
            at = np.maximum(three[part][:, 0], 1) - 1
            score[part] = np.where(three[part][:, 0] > 0, values[rows, at], np.nan)
            own[part], support[part] = counts[rows, at], behind(at)
        chosen = three[:, 0]
        named = pa.array(["", *learned.names[: learned.offered]], pa.string())
        alike, bought = learned.weight == 1, self._read(seen).held() > 0

        def reasons(rows: Integers) -> pa.Array:
            words = self._reasons(named.take(pa.array(chosen[rows])), own[rows], support[rows], alike)
            return pc.if_else(
                pa.array(chosen[rows] > 0), words, self._nothing(bought[rows], model["figures"])
            )

        fields = texts(self.kind, places.names, three)
        return Given(places.keys, places.codes[chosen], score, reasons, {"pending": pending}, fields)

    def _changed(self, values: Matrix, was: Integers, waiting: Integers) -> tuple[Integers, Integers]:
        """The offer of each record, and the one that waits: another has to be better on two days."""
        rows = np.arange(len(values))
        best = values.argmax(1) + 1
        some = values[rows, best - 1] > 0
        was = np.where(values[rows, np.maximum(was, 1) - 1] > 0, was, 0)
        clearly = values[rows, best - 1] > (1 + self.kind.dead_band) * values[rows, np.maximum(was, 1) - 1]
        choice, wait = choose(best, was, clearly, waiting)
        return np.where(some, choice, 0), np.where(some, wait, 0)

    def lists(self, features: pd.DataFrame, model: Mapping[str, Any], most: int = 3) -> pd.DataFrame:
        """The best categories of each record: record, rank from 1, category, score, support (buyers behind
        it).
        """
        record, learned = features["record"].to_numpy(np.int64), Learned.from_model(model)
        parts = []
        for part, values, _held, behind in self._scored(features, learned):
            order = np.argsort(-values, axis=1, kind="stable")[:, :most]
            rows = np.arange(len(values))[:, None]
            columns = {
                "record": np.repeat(record[part], order.shape[1]),
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(values)),
                "category": np.array(learned.names, dtype=object)[order].ravel(),
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
        if self.kind.categories is None:
            baskets = offers_found.spelled(baskets, learned.names)
        orders = baskets.held()
        for part in parts(len(features), len(learned.names)):
            table = baskets.table(learned.names, part)
            if self.kind.goal == "replenish":
                values, behind = self._replenishing(learned, table, orders[part], segment[part])
            else:
                values, behind = self._discovering(learned, table, orders[part])
            yield part, values, table[:, : learned.offered].astype(np.int64), behind

    def _replenishing(
        self, learned: Learned, table: Matrix, orders: Fractions, segment: npt.NDArray[Any]
    ) -> tuple[Matrix, _Behind]:
        offered = learned.offered
        buyers = np.diag(learned.both[:offered]).astype(np.int64)
        popular = np.zeros((len(table), offered))
        for key in np.unique(segment):
            popular[segment == key] = learned.popularity.get(str(key), learned.popularity[EVERYONE])[:offered]
        popular *= buyers >= learned.support
        values = (table[:, :offered] + learned.prior * popular) / (orders[:, None] + learned.prior)
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
            "categories": list(self.kind.categories) if self.kind.categories is not None else None,
            **self.kind.model_dump(mode="json", include={"goal", "window_days", "segment_by", *OF_FOUND}),
        }

    def _read(self, features: pd.DataFrame) -> Baskets:
        frames.check_features(features, (), (), date.max)
        for column in ("baskets", "segment"):
            if column not in features:
                raise ValueError(f"the features frame has no column {column!r}")
        return Baskets.read(features["baskets"])


def _alone(first: Integers) -> Integers:
    """(records, ``LISTED``) of which only the first is known."""
    return np.stack([first, *[np.zeros(len(first), np.int64)] * (offers_ranks.LISTED - 1)], 1)


def _segments(features: pd.DataFrame) -> npt.NDArray[Any]:
    """The segment of each row as text; "" where it has none."""
    texts = pc.fill_null(pa.array(features["segment"], pa.string(), from_pandas=True), "")
    segments: npt.NDArray[Any] = texts.to_numpy(zero_copy_only=False)
    return segments
