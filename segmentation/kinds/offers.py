"""What should be offered next? (kind ``offers``)

The segment of a record is the category that it is most likely to want next, of those that the config names.

    replenish   what it buys anyway: (own orders of the category + ``PRIOR`` * popularity in its segment) /
                (own orders + ``PRIOR``), where orders count once per category. A segment is that of the
                segmentation ``segment_by``; without one, all are one.
    discover    what it never bought: likeness, the sum over its categories of log1p(orders) times the cosine
                between the two categories' log1p(orders) over all buyers (Sarwar et al. 2001), only pairs
                that enough buyers share; or popularity, the share of the buyers that have it; or something
                between the two. What the last days show to find most is taken: each on the scale of its best
                category, likeness weighs ``WEIGHTS``.

What is offered is tried out (``segmentation.models.offer_backtest``): learned as of an earlier day and held against what was
bought since, beside what the most popular category would have found.

Enough is max(30, 1% of the buyers). How a segment differs is told by a shrunk ratio, (n_sg + k p_g) / (n_s +
k) / p_g with k = 50: it describes and never ranks, for raw lift ranks far worse than plain popularity. A
record changes its category when another is better by the dead band on two distinct as_of. Not where people
buy once, or one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, previous_labels, reason_text
from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.feature_request import Needs
from segmentation.hysteresis import choose
from segmentation.models import offer_backtest
from segmentation.models.category_features import Baskets
from segmentation.slugs import slugs

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

Matrix = npt.NDArray[np.float64]

NOTHING = "no_offer"
EVERYONE = "all"
RECENT = "recent"  # column: baskets of the last days, which show what a back-test found
PRIOR = 5.0  # orders that the habits of the segment count for
SHRINK = 50.0  # buyers that the popularity among all counts for
FEWEST, SHARE = 30, 0.01  # buyers behind what is told
WIDEST = 300  # categories that are compared
WEIGHTS = (1.0, 0.75, 0.5, 0.0)  # of likeness against popularity; the first where nothing can be tried out
TRIED = offer_backtest.SHORTEST
DEAD_BAND = 0.1
CHUNK = 50_000


@dataclass(frozen=True)
class _Learned:
    """What the buyers taught: of ``names`` (those offered first) popularity per segment, cosines, and who
    buys both.
    """

    names: list[str]
    popularity: Mapping[str, Fractions]  # segment → share of the orders, per name
    cosine: Matrix  # (names, offered)
    both: Matrix  # (names, offered): buyers
    support: int  # fewest buyers
    weight: float = WEIGHTS[0]

    @property
    def offered(self) -> int:
        """The first so many of ``names`` may be offered."""
        return int(self.both.shape[1])

    @property
    def popular(self) -> Fractions:
        """Buyers of each that may be offered; 0 where they are too few."""
        buyers = np.diag(self.both[: self.offered])
        return np.where(buyers >= self.support, buyers, 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        popularity = {segment: shares.tolist() for segment, shares in self.popularity.items()}
        return {
            "names": self.names, "popularity": popularity, "cosine": np.round(self.cosine, 6).tolist(), "both": self.both.tolist(),
            "weight": self.weight,
        }  # fmt: skip

    @classmethod
    def from_model(cls, model: Mapping[str, Any]) -> _Learned:
        """Of a stored model."""
        kept = model["learned"]
        popularity = {segment: np.array(shares) for segment, shares in kept["popularity"].items()}
        weight = float(kept.get("weight", WEIGHTS[0]))
        return cls(
            kept["names"],
            popularity,
            np.array(kept["cosine"]),
            np.array(kept["both"]),
            model["figures"]["support"],
            weight,
        )


_Behind = Callable[[Integers], Integers]  # chosen place per row → buyers behind the choice
# what each category is worth (0: not to be offered), own orders of it
_Scored = tuple[slice, Matrix, Integers, _Behind]


class Offers:
    """The next category per record.

    ``categories`` are those that may be offered; ``segment_by``: a segmentation whose segments have habits.
    """

    kind = "offers"

    def __init__(
        self,
        categories: Sequence[str],
        goal: str = "replenish",
        window_days: int = 365,
        segment_by: str | None = None,
        dead_band: float = DEAD_BAND,
    ) -> None:
        self.categories, self.goal, self.window_days, self.segment_by, self.dead_band = (
            tuple(categories),
            goal,
            window_days,
            segment_by,
            dead_band,
        )
        self.keys = slugs(self.categories)
        self.needs = Needs(
            baskets=tuple(sorted({window_days, TRIED} if goal == "replenish" else {window_days}))
        )

    @property
    def segments(self) -> list[frames.Segment]:
        """The categories in the order of the config."""
        description = (
            "It buys this anyway: remind it in time."
            if self.goal == "replenish"
            else "It never bought this; people who buy alike do."
        )
        segments = [
            frames.Segment(key, name, description)
            for key, name in zip(self.keys, self.categories, strict=True)
        ]
        return [*segments, frames.Segment(NOTHING, "No offer", "Nothing is known that it would want.")]

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets and its segment."""
        import ibis

        segment = facts[f"segment.{self.segment_by}"] if self.segment_by else ibis.literal(EVERYONE)
        recent = {RECENT: facts[f"baskets_{TRIED}"]} if self.goal == "replenish" else {}
        return facts.select("record", baskets=facts[f"baskets_{self.window_days}"], segment=segment, **recent)

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Learn habits and likeness of the buyers in ``features``. ValueError: a wrong frame."""
        learned, figures = self._learn(features)
        tried = self._tried(features, as_of, past) if past is not None and figures["buyers"] else None
        if tried:
            figures["tried"] = tried.figures
            learned = replace(learned, weight=tried.best)
        made = model_file.model(
            self.kind,
            as_of,
            self._frozen,
            {"records": len(features), "buyers": figures["buyers"]},
            {},
            figures,
        )
        return {**made, "learned": learned.to_dict()}

    def _learn(self, features: pd.DataFrame) -> tuple[_Learned, dict[str, Any]]:
        baskets = self._read(features)
        popular = np.bincount(baskets.places, minlength=len(baskets.names))
        offered = list(self.categories)
        others = sorted(
            (-count, name)
            for count, name in zip(popular.tolist(), baskets.names, strict=True)
            if name not in offered
        )
        names = [*offered, *(name for _count, name in others)][: max(WIDEST, len(offered))]
        segment = _segments(features)
        sums: dict[str, Matrix] = {
            key: np.zeros((2, len(names))) for key in sorted({*segment.tolist(), EVERYONE})
        }
        sizes = dict.fromkeys(sums, 0)
        cross, squares, both = (np.zeros((len(names), n)) for n in (len(offered), 1, len(offered)))
        for part in _parts(len(features)):
            orders = baskets.table(names, part)
            bought, logs = (orders > 0).astype(np.float64), np.log1p(orders)
            cross += logs.T @ logs[:, : len(offered)]
            both += bought.T @ bought[:, : len(offered)]
            squares[:, 0] += (logs**2).sum(0)
            for key in sums:
                chosen = np.ones(len(orders), np.bool_) if key == EVERYONE else segment[part] == key
                sums[key] += np.stack([orders[chosen].sum(0), bought[chosen].sum(0)])
                sizes[key] += int(bought[chosen].any(1).sum())
        length = np.sqrt(squares[:, 0])
        cosine = cross / np.maximum(np.outer(length, length[: len(offered)]), 1e-12)
        popularity = {key: orders / max(1.0, orders.sum()) for key, (orders, _) in sums.items()}
        support = _support(sizes[EVERYONE])
        figures = {"buyers": sizes[EVERYONE], "support": support, "segments": _described(names, sums, sizes)}
        return _Learned(names, popularity, cosine, both, support), figures

    def _tried(self, features: pd.DataFrame, as_of: date, past: Past) -> offer_backtest.Tried | None:
        """What was offered as of an earlier day, against what was bought since; None: too little is known to
        try.
        """
        spans = (TRIED,) if self.goal == "replenish" else offer_backtest.SPANS
        span = (
            offer_backtest.span(past, as_of, spans) if self.goal == "discover" or RECENT in features else None
        )
        if span is None:
            return None
        past_features = past.features(span.day)
        learned, _ = self._learn(past_features)
        if self.goal == "replenish" and "segment" in past_features:
            # segments are those of today: they know what came
            past_features = past_features.assign(segment=EVERYONE)
        now = features.set_index("record").reindex(past_features["record"])[
            "baskets" if self.goal == "discover" else RECENT
        ]
        came = (
            Baskets.read(now.reset_index(drop=True)).table(self.categories, slice(0, len(past_features))) > 0
        )
        every = [
            replace(learned, weight=weight)
            for weight in (WEIGHTS if self.goal == "discover" else WEIGHTS[:1])
        ]
        counts = [offer_backtest.Counted() for _ in every]
        simple = offer_backtest.Counted()
        for option, count in zip(every, counts, strict=True):
            for part, values, own, _behind in self._scored(past_features, option):
                count.add(values, came[part], span.bought[part])
                if option is every[0]:
                    barred = (own > 0) if self.goal == "discover" else np.zeros(own.shape, np.bool_)
                    some: Flags = np.asarray((values > 0).any(axis=1), np.bool_)
                    allowed = np.where(some[:, None] & ~barred, learned.popular, 0.0)
                    simple.add(allowed, came[part], span.bought[part])
        return offer_backtest.judged(span, [option.weight for option in every], counts, simple)

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """Labels of every record in ``features`` (``segmentation.frames``), given those of an earlier day;
        row by row.

        The score is that of the category: a share of the next orders, or of the likeness. ValueError: a wrong
        frame, a model of other settings, previous labels that are not of an earlier day.
        """
        model_file.axes(model, self.kind, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = previous_labels.before(previous, previous_as_of, record, as_of)
        former = (
            pc.fill_null(pc.index_in(before.text("segment"), pa.array(self.keys)), -1).to_numpy(
                zero_copy_only=False
            )
            + 1
        )
        waiting = np.where(before.memory("pending") <= len(self.keys), before.memory("pending"), 0)
        chosen, pending, score = former.astype(np.int64), waiting.copy(), np.full(len(record), np.nan)
        own, support = np.zeros(len(record), np.int64), np.zeros(len(record), np.int64)
        learned = _Learned.from_model(model)
        for part, values, counts, behind in self._scored(features, learned):
            rows = np.arange(len(values))
            best = values.argmax(1) + 1
            some = values[rows, best - 1] > 0
            was = np.where(values[rows, np.maximum(former[part], 1) - 1] > 0, former[part], 0)
            clearly = values[rows, best - 1] > (1 + self.dead_band) * values[rows, np.maximum(was, 1) - 1]
            choice, wait = choose(best, was, clearly, waiting[part])
            chosen[part], pending[part] = np.where(some, choice, 0), np.where(some, wait, 0)
            at = np.maximum(chosen[part], 1) - 1
            score[part] = np.where(some, values[rows, at], np.nan)
            own[part], support[part] = counts[rows, at], behind(at)
        named = pa.array(["", *self.categories], pa.string())

        alike, bought = learned.weight == 1, self._read(features).held() > 0

        def reasons(rows: Integers) -> pa.Array:
            words = self._reasons(named.take(pa.array(chosen[rows])), own[rows], support[rows], alike)
            return pc.if_else(
                pa.array(chosen[rows] > 0), words, self._nothing(bought[rows], model["figures"])
            )

        return previous_labels.labels(
            record, [NOTHING, *self.keys], chosen, score, reasons, before, as_of, {"pending": pending}
        )

    def lists(self, features: pd.DataFrame, model: Mapping[str, Any], most: int = 3) -> pd.DataFrame:
        """The best categories of each record: record, rank from 1, category, score, support (buyers behind
        it).
        """
        record = features["record"].to_numpy(np.int64)
        parts = []
        for part, values, _held, behind in self._scored(features, _Learned.from_model(model)):
            order = np.argsort(-values, axis=1, kind="stable")[:, :most]
            rows = np.arange(len(values))[:, None]
            columns = {
                "record": np.repeat(record[part], order.shape[1]),
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(values)),
                "category": np.array(self.categories, dtype=object)[order].ravel(),
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

    def _scored(self, features: pd.DataFrame, learned: _Learned) -> Iterator[_Scored]:
        """Piece by piece of the rows."""
        baskets, segment = self._read(features), _segments(features)
        orders = baskets.held()
        for part in _parts(len(features)):
            table = baskets.table(learned.names, part)
            if self.goal == "replenish":
                values, behind = self._replenishing(learned, table, orders[part], segment[part])
            else:
                values, behind = self._discovering(learned, table, orders[part])
            yield part, values, table[:, : len(self.keys)].astype(np.int64), behind

    def _replenishing(
        self, learned: _Learned, table: Matrix, orders: Fractions, segment: npt.NDArray[Any]
    ) -> tuple[Matrix, _Behind]:
        offered = learned.offered
        buyers = np.diag(learned.both[:offered]).astype(np.int64)
        popular = np.zeros((len(table), offered))
        for key in np.unique(segment):
            popular[segment == key] = learned.popularity.get(str(key), learned.popularity[EVERYONE])[:offered]
        popular *= buyers >= learned.support
        values = (table[:, :offered] + PRIOR * popular) / (orders[:, None] + PRIOR)
        return np.where(orders[:, None] > 0, values, 0), lambda at: buyers[at]

    def _discovering(self, learned: _Learned, table: Matrix, orders: Fractions) -> tuple[Matrix, _Behind]:
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
        if self.goal == "replenish":
            orders_text = reason_text.joined(
                ": in ", reason_text.counted(own, "order", "orders"), f" within {self.window_days} days"
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
        few, within = figures["support"], f"within {self.window_days} days"
        if figures["buyers"] < few:
            reason = f"not told: {figures['buyers']} buyers {within} are too few to learn from (at least {few} are needed)"
        elif self.goal == "replenish":
            reason = f"fewer than {few} buyers have anything that may be offered and that it would want"
        else:
            reason = f"it has all that may be offered, or fewer than {few} buyers share what it bought"
        return pc.if_else(pa.array(bought), reason, f"nothing bought {within} that says what it would want")

    @property
    def _frozen(self) -> dict[str, Any]:
        return {
            "categories": list(self.categories),
            "goal": self.goal,
            "window_days": self.window_days,
            "segment_by": self.segment_by,
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


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def _support(buyers: int) -> int:
    return max(FEWEST, int(np.ceil(SHARE * buyers)))


def _described(names: Sequence[str], sums: Mapping[str, Matrix], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Per segment, of the categories with support: the five that it orders most, and the five that set it
    apart.
    """
    share = sums[EVERYONE][1] / max(1, sizes[EVERYONE])
    described = {}
    for key, (orders, buyers) in sums.items():
        enough = buyers >= _support(sizes[key])
        ratio = np.where(
            enough, (buyers + SHRINK * share) / (sizes[key] + SHRINK) / np.maximum(share, 1e-12), 0
        )
        usual = np.where(enough, orders / max(1.0, orders.sum()), 0)

        def leading(values: Fractions, buyers: Fractions = buyers) -> list[dict[str, Any]]:
            best = [
                int(position) for position in np.argsort(-values, kind="stable")[:5] if values[position] > 0
            ]
            return [
                {"category": names[p], "buyers": int(buyers[p]), "value": round(float(values[p]), 4)}
                for p in best
            ]

        described[key or "none"] = {"replenish": leading(usual)} | (
            {"distinct": leading(ratio)} if key != EVERYONE else {}
        )
    return described
