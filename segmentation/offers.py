"""What should be offered next? (kind ``offers``)

The segment of a record is the category that it is most likely to want next, of those that the config names.

    replenish   what it buys anyway: (own orders of the category + ``PRIOR`` * popularity in its segment) / (own orders + ``PRIOR``),
                where orders count once per category. A segment is that of the segmentation ``by``; without one, all are one.
    discover    what it never bought: the sum over its categories of log1p(orders) times the cosine between the two categories'
                log1p(orders) over all buyers (Sarwar et al. 2001); only pairs that enough buyers share.

Enough is max(30, 1% of the buyers). How a segment differs is told by a shrunk ratio, (n_sg + k p_g) / (n_s + k) / p_g with k = 50:
it describes and never ranks, for raw lift ranks far worse than plain popularity. A record changes its category when another
is better by the dead band on two distinct as_of. Not where people buy once, or one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, history, models, wording
from segmentation.axis import Fractions, Integers
from segmentation.hysteresis import choose
from segmentation.needs import Needs
from segmentation.slugs import slugs

if TYPE_CHECKING:
    import ibis

    from segmentation.past import Past

Matrix = npt.NDArray[np.float64]

SEPARATOR = "\x1f"  # of baskets: ``segmentation.features``
NOTHING = "no_offer"
EVERYONE = "all"
PRIOR = 5.0  # orders that the habits of the segment count for
SHRINK = 50.0  # buyers that the popularity among all counts for
FEWEST, SHARE = 30, 0.01  # buyers behind what is told
WIDEST = 300  # categories that are compared
BAND = 0.1
CHUNK = 50_000


@dataclass(frozen=True)
class Baskets:
    """Orders per record and category: row, place in ``names``, orders."""

    rows: Integers
    places: Integers
    orders: Integers
    names: list[str]
    count: int  # rows

    @classmethod
    def read(cls, texts: pd.Series) -> Baskets:
        """From the feature ``baskets_N``. ValueError: it is none."""
        told = pa.array(texts, pa.string(), from_pandas=True)
        split = pc.split_pattern(told, SEPARATOR)
        flat, parents = pc.list_flatten(split), pc.list_parent_indices(split).to_numpy(zero_copy_only=False)
        if len(flat) % 2:
            raise ValueError("the baskets of the features frame are broken: a category without its number of orders")
        named = flat.take(pa.array(np.arange(0, len(flat), 2))).dictionary_encode()
        try:
            orders = flat.take(pa.array(np.arange(1, len(flat), 2))).cast(pa.int64())
        except pa.ArrowInvalid as fault:
            raise ValueError(f"the baskets of the features frame are broken ({fault})") from fault
        numbers = orders.to_numpy(zero_copy_only=False).astype(np.int64)
        places = named.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(parents[::2].astype(np.int64), places, numbers, named.dictionary.to_pylist(), len(told))

    def table(self, names: Sequence[str], part: slice) -> Matrix:
        """(rows of the part, names): orders; categories that are not named are left out."""
        wanted = {name: place for place, name in enumerate(names)}
        spots = np.array([wanted.get(name, -1) for name in self.names] or [-1], np.int64)
        some = slice(*np.searchsorted(self.rows, (part.start, part.stop)))
        spot, size = spots[self.places[some]], part.stop - part.start
        cell, orders = (self.rows[some] - part.start) * len(names) + spot, self.orders[some]
        counts = np.bincount(cell[spot >= 0], weights=orders[spot >= 0], minlength=size * len(names))
        return counts.reshape(size, len(names)).astype(np.float64)

    def held(self) -> Fractions:
        """Per row: orders, counted once per category."""
        return np.bincount(self.rows, weights=self.orders, minlength=self.count).astype(np.float64)


@dataclass(frozen=True)
class _Learned:
    """What the buyers taught: of ``names`` (those offered first) popularity per segment, cosines, and who buys both."""

    names: list[str]
    popularity: Mapping[str, Fractions]  # segment → share of the orders, per name
    cosine: Matrix  # (names, offered)
    both: Matrix  # (names, offered): buyers


_Behind = Callable[[Integers], Integers]  # chosen place per row → buyers behind the choice
_Scored = tuple[slice, Matrix, Integers, _Behind]  # what each category is worth (0: not to be offered), own orders of it


class Offers:
    """The next category per record. ``categories`` are those that may be offered; ``by``: a segmentation whose segments have habits."""

    kind = "offers"

    def __init__(
        self, categories: Sequence[str], goal: str = "replenish", window_days: int = 365, by: str | None = None, band: float = BAND
    ) -> None:
        self.categories, self.goal, self.window_days, self.by, self.band = tuple(categories), goal, window_days, by, band
        self.keys = slugs(self.categories)
        self.needs = Needs(baskets=(window_days,))

    @property
    def segments(self) -> list[frames.Segment]:
        """The categories in the order of the config."""
        told = "It buys this anyway: remind it in time." if self.goal == "replenish" else "It never bought this; people who buy alike do."
        found = [frames.Segment(key, name, told) for key, name in zip(self.keys, self.categories, strict=True)]
        return [*found, frames.Segment(NOTHING, "No offer", "Nothing is known that it would want.")]

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, its baskets and its segment."""
        import ibis

        segment = facts[f"segment.{self.by}"] if self.by else ibis.literal(EVERYONE)
        return facts.select("record", baskets=facts[f"baskets_{self.window_days}"], segment=segment)

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> models.Model:
        """Learn habits and likeness of the buyers in ``features``. ValueError: a wrong frame."""
        baskets = self._read(features)
        popular = np.bincount(baskets.places, minlength=len(baskets.names))
        offered = list(self.categories)
        others = sorted((-count, name) for count, name in zip(popular.tolist(), baskets.names, strict=True) if name not in offered)
        names = [*offered, *(name for _count, name in others)][: max(WIDEST, len(offered))]
        segment = _segments(features)
        sums: dict[str, Matrix] = {one: np.zeros((2, len(names))) for one in sorted({*segment.tolist(), EVERYONE})}
        sizes = dict.fromkeys(sums, 0)
        cross, squares, both = (np.zeros((len(names), n)) for n in (len(offered), 1, len(offered)))
        for part in _parts(len(features)):
            orders = baskets.table(names, part)
            bought, logs = (orders > 0).astype(np.float64), np.log1p(orders)
            cross += logs.T @ logs[:, : len(offered)]
            both += bought.T @ bought[:, : len(offered)]
            squares[:, 0] += (logs**2).sum(0)
            for one in sums:
                chosen = np.ones(len(orders), np.bool_) if one == EVERYONE else segment[part] == one
                sums[one] += np.stack([orders[chosen].sum(0), bought[chosen].sum(0)])
                sizes[one] += int(bought[chosen].any(1).sum())
        length = np.sqrt(squares[:, 0])
        cosine = cross / np.maximum(np.outer(length, length[: len(offered)]), 1e-12)
        learned = {
            "names": names,
            "popularity": {one: (orders / max(1.0, orders.sum())).tolist() for one, (orders, _) in sums.items()},
            "cosine": np.round(cosine, 6).tolist(),
            "both": both.tolist(),
        }
        figures = {"buyers": sizes[EVERYONE], "support": _support(sizes[EVERYONE]), "segments": _described(names, sums, sizes)}
        made = models.model(self.kind, as_of, self._frozen, {"records": len(features), "buyers": sizes[EVERYONE]}, {}, figures)
        return {**made, "learned": learned}

    def label(
        self, features: pd.DataFrame, model: Mapping[str, Any], previous: pd.DataFrame | None, previous_as_of: date | None, as_of: date
    ) -> pd.DataFrame:
        """Labels of every record in ``features`` (``segmentation.frames``), given those of an earlier day; row by row.

        The score is that of the category: a share of the next orders, or of the likeness. ValueError: a wrong frame, a model of
        other settings, previous labels that are not of an earlier day.
        """
        models.axes(model, self.kind, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = history.before(previous, previous_as_of, record, as_of)
        former = pc.fill_null(pc.index_in(before.text("segment"), pa.array(self.keys)), -1).to_numpy(zero_copy_only=False) + 1
        waiting = np.where(before.memory("pending") <= len(self.keys), before.memory("pending"), 0)
        chosen, pending, score = former.astype(np.int64), waiting.copy(), np.full(len(record), np.nan)
        own, support = np.zeros(len(record), np.int64), np.zeros(len(record), np.int64)
        for part, values, held, behind in self._scored(features, model):
            rows = np.arange(len(values))
            best = values.argmax(1) + 1
            some = values[rows, best - 1] > 0
            was = np.where(values[rows, np.maximum(former[part], 1) - 1] > 0, former[part], 0)
            clearly = values[rows, best - 1] > (1 + self.band) * values[rows, np.maximum(was, 1) - 1]
            choice, wait = choose(best, was, clearly, waiting[part])
            chosen[part], pending[part] = np.where(some, choice, 0), np.where(some, wait, 0)
            at = np.maximum(chosen[part], 1) - 1
            score[part] = np.where(some, values[rows, at], np.nan)
            own[part], support[part] = held[rows, at], behind(at)
        named = pa.array(["", *self.categories], pa.string())

        def reasons(rows: Integers) -> pa.Array:
            return self._reasons(named.take(pa.array(chosen[rows])), chosen[rows], own[rows], support[rows])

        return history.labels(record, [NOTHING, *self.keys], chosen, score, reasons, before, as_of, {"pending": pending})

    def lists(self, features: pd.DataFrame, model: Mapping[str, Any], most: int = 3) -> pd.DataFrame:
        """The best categories of each record: record, rank from 1, category, score, support (buyers behind it)."""
        record = features["record"].to_numpy(np.int64)
        parts = []
        for part, values, _held, behind in self._scored(features, model):
            order = np.argsort(-values, axis=1, kind="stable")[:, :most]
            rows = np.arange(len(values))[:, None]
            columns = {
                "record": np.repeat(record[part], order.shape[1]),
                "rank": np.tile(np.arange(1, order.shape[1] + 1), len(values)),
                "category": np.array(self.categories, dtype=object)[order].ravel(),
                "score": values[rows, order].ravel(),
                "support": np.stack([behind(order[:, place]) for place in range(order.shape[1])], axis=1).ravel(),
            }
            frame = pd.DataFrame(columns)
            parts.append(frame[frame["score"] > 0])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["record", "rank", "category", "score", "support"])

    def _scored(self, features: pd.DataFrame, model: Mapping[str, Any]) -> Iterator[_Scored]:
        """Piece by piece of the rows."""
        stored, baskets = model["learned"], self._read(features)
        popularity = {one: np.array(shares) for one, shares in stored["popularity"].items()}
        learned = _Learned(stored["names"], popularity, np.array(stored["cosine"]), np.array(stored["both"]))
        fewest, segment, orders = model["figures"]["support"], _segments(features), baskets.held()
        for part in _parts(len(features)):
            table = baskets.table(learned.names, part)
            if self.goal == "replenish":
                values, behind = self._replenishing(learned, table, orders[part], segment[part], fewest)
            else:
                values, behind = self._discovering(learned, table, fewest)
            yield part, values, table[:, : len(self.keys)].astype(np.int64), behind

    def _replenishing(
        self, learned: _Learned, table: Matrix, orders: Fractions, segment: npt.NDArray[Any], fewest: int
    ) -> tuple[Matrix, _Behind]:
        offered = len(self.keys)
        buyers = np.diag(learned.both[:offered]).astype(np.int64)
        popular = np.zeros((len(table), offered))
        for one in np.unique(segment):
            popular[segment == one] = learned.popularity.get(str(one), learned.popularity[EVERYONE])[:offered]
        popular *= buyers >= fewest
        values = (table[:, :offered] + PRIOR * popular) / (orders[:, None] + PRIOR)
        return np.where(orders[:, None] > 0, values, 0), lambda at: buyers[at]

    def _discovering(self, learned: _Learned, table: Matrix, fewest: int) -> tuple[Matrix, _Behind]:
        like = np.where(learned.both >= fewest, learned.cosine, 0)
        logs = np.log1p(table)
        values = logs @ like / np.maximum(logs.sum(1), 1e-12)[:, None]
        values[table[:, : len(self.keys)] > 0] = 0

        def behind(at: Integers) -> Integers:
            """Buyers of both the category and the owned one that speaks most for it."""
            buyers: Integers = learned.both[(logs * like.T[at]).argmax(1), at].astype(np.int64)
            return buyers

        return values, behind

    def _reasons(self, name: pa.Array, chosen: Integers, own: Integers, support: Integers) -> pa.Array:
        """``Wine: in 4 of its orders within 365 days``; ``Wine: not bought yet; 312 buyers of what it buys do``."""
        if self.goal == "replenish":
            held = wording.joined(": in ", wording.counted(own, "order", "orders"), f" within {self.window_days} days")
            told = pc.if_else(pa.array(own > 0), held, wording.joined(": not bought yet, but by ", wording.number(support), " buyers"))
        else:
            told = wording.joined(": not bought yet; ", wording.number(support), " buyers of what it buys have it")
        nothing = f"nothing bought within {self.window_days} days that says what it would want"
        return pc.if_else(pa.array(chosen > 0), wording.reasons(name, told), nothing)

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"categories": list(self.categories), "goal": self.goal, "window_days": self.window_days, "by": self.by}

    def _read(self, features: pd.DataFrame) -> Baskets:
        frames.check_features(features, (), (), date.max)
        for column in ("baskets", "segment"):
            if column not in features:
                raise ValueError(f"the features frame has no column {column!r}")
        return Baskets.read(features["baskets"])


def _segments(features: pd.DataFrame) -> npt.NDArray[Any]:
    """The segment of each row as text; "" where it has none."""
    told = pc.fill_null(pa.array(features["segment"], pa.string(), from_pandas=True), "")
    segments: npt.NDArray[Any] = told.to_numpy(zero_copy_only=False)
    return segments


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def _support(buyers: int) -> int:
    return max(FEWEST, int(np.ceil(SHARE * buyers)))


def _described(names: Sequence[str], sums: Mapping[str, Matrix], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Per segment, of the categories with support: the five that it orders most, and the five that set it apart."""
    share = sums[EVERYONE][1] / max(1, sizes[EVERYONE])
    found = {}
    for one, (orders, buyers) in sums.items():
        enough = buyers >= _support(sizes[one])
        ratio = np.where(enough, (buyers + SHRINK * share) / (sizes[one] + SHRINK) / np.maximum(share, 1e-12), 0)
        usual = np.where(enough, orders / max(1.0, orders.sum()), 0)

        def told(values: Fractions, buyers: Fractions = buyers) -> list[dict[str, Any]]:
            best = [int(place) for place in np.argsort(-values, kind="stable")[:5] if values[place] > 0]
            return [{"category": names[p], "buyers": int(buyers[p]), "value": round(float(values[p]), 4)} for p in best]

        found[one or "none"] = {"replenish": told(usual)} | ({"distinct": told(ratio)} if one != EVERYONE else {})
    return found
