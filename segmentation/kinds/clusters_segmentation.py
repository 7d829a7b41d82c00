"""How are clusters learned and given? (kind ``clusters``)

k-means over traits (``segmentation.models.encoder``): how lately, how often and for how much a record buys; kinds of
activity and attributes that the config names. Levels of categories weigh sqrt(0.5), the objective of
k-prototypes (Huang 1998). ``k`` is the largest of 3 to 8 whose clusters come back in draws with replacement
(``segmentation.evaluation.cluster_stability``), or fixed.

A cluster keeps its number for life. Between fits centres are frozen; a refit starts from the old centres and
keeps k as long as it holds; a new cluster that shares less than half of its records with an old one gets a
new number, and the old number is never used again. A record changes its cluster when another centre is nearer
by the dead band, on two distinct as_of. A silence that is usual for the record is no news
(``segmentation.usual_silence``): weekly, over twelve weeks, this brings changes on Complete Journey from 6.9% of the
households to 2.3%, and those who come back from 20% to 2%, and on CDNOW from 2.2% to 1.1% and from 2.9% to 0.3%.

Without configured kinds and attributes the clusters are of buyers, and who never bought is a ``prospect``.
Names say what sets a cluster apart most; the config may override them. Not for few records: below ``FEWEST``
nobody is clustered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, model_file, reason_text
from segmentation.activity_words import plural
from segmentation.ecdf import Flags, Fractions, Integers
from segmentation.evaluation import cluster_stability
from segmentation.feature_request import Needs
from segmentation.hysteresis import choose
from segmentation.kinds.base import PROSPECT, Account
from segmentation.kinds.cluster_names import names_of
from segmentation.kinds.clusters import SCORING, TOO_LITTLE, UNSCORED, Clusters, cluster_key, scoring
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.models.encoder import Encoder, Matrix, Trait, columns_of, traits_of
from segmentation.rules.comparison import ATTRIBUTE
from segmentation.usual_silence import Silence

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

FEWEST = 100  # records
CATEGORY = 0.5**0.5
_BUYING = (
    Trait("last_purchase", "day", "last purchase", "inactive", "recent"),
    Trait("purchase_days", "number", "purchase days", "frequent", "rare"),
    Trait("net_revenue", "money", "net revenue", "high spend", "low spend"),
)


@dataclass(frozen=True)
class _Learned:
    """The clusters of a model: numbers, names and centres in the space of the encoder."""

    encoder: Encoder
    numbers: Integers
    names: list[str]
    centres: Matrix
    scoring: int = SCORING

    def points(self, features: pd.DataFrame, as_of: date) -> Matrix:
        if self.scoring >= SCORING:
            features = _as_usual(features, as_of)
        return self.encoder.matrix(features, as_of, CATEGORY)


class ClustersSegmentation(LabellingKind[Clusters, pd.DataFrame]):
    """Clusters of behaviour."""

    def __init__(self, kind: Clusters, account: Account) -> None:
        """ValueError where an attribute cannot be learned from."""
        super().__init__(kind, account)
        many = {activity: plural(activity) for activity in kind.activity_types}
        counted = [
            Trait(f"count_{activity}", "number", words, f"many {words}", f"few {words}")
            for activity, words in many.items()
        ]
        looked = traits_of(kind.categories, kind.learned, account.attributes)
        self.traits = (*_BUYING, *counted, *looked)
        self.everyone = bool(kind.activity_types or kind.learned)
        self.needs = Needs(kinds=kind.activity_types, categories=kind.categories)

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, and what is known of each trait; an attribute that no record ever had is null."""
        return facts.select("record", "first_purchase", orders=facts.orders, **columns_of(facts, self.traits))

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """Clusters of ``features``, numbered and started from those of ``past.model``.

        ValueError: a wrong frame.
        """
        self._check(features, as_of)
        frame = features[self._clustered(features)].reset_index(drop=True)
        old = self._earlier(past, frame)
        refused = f"fewer than {FEWEST} records to learn from ({len(frame)})" if len(frame) < FEWEST else ""
        usual = _as_usual(frame, as_of)
        encoder = Encoder.fit(usual, self.traits, as_of) if not refused else Encoder((), {})
        if not refused and not encoder.columns:
            refused = "nothing tells the records apart: " + "; ".join(
                f"{name} is {why}" for name, why in encoder.dropped.items()
            )
        figures: dict[str, Any] = {
            "refused": refused,
            "dropped": dict(encoder.dropped),
            "scoring": SCORING,
        }
        learned: dict[str, Any] = {"clusters": [], "next": 1, "retired": []}
        if past is not None and past.model is not None:
            learned |= {
                name: past.model.get("learned", {}).get(name, learned[name]) for name in ("next", "retired")
            }
        if not refused:
            learned = self._learn(encoder, frame, as_of, old, learned, figures)
        made = model_file.model(
            self.kind.name,
            as_of,
            self._frozen,
            {"records": len(features), "clustered": len(frame)},
            {},
            figures,
        )
        return {**made, "learned": learned}

    def _learn(
        self,
        encoder: Encoder,
        frame: pd.DataFrame,
        as_of: date,
        old: _Learned | None,
        former: dict[str, Any],
        figures: dict[str, Any],
    ) -> dict[str, Any]:
        """Centres, numbers and names; what was measured on the way goes into ``figures``."""
        points = encoder.matrix(_as_usual(frame, as_of), as_of, CATEGORY)
        places = (
            cluster_stability.nearest(old.points(frame, as_of), old.centres) if old else np.zeros(0, np.int64)
        )
        centres, figures["stability"] = self._centres(points, places, len(old.numbers) if old else 0)
        labels = cluster_stability.nearest(points, centres)
        shared = (
            cluster_stability.contingency(places, labels, len(old.numbers), len(centres))
            if old
            else np.zeros((0, len(centres)), np.int64)
        )
        same = cluster_stability.matched(shared) if old else {}
        numbers, following = [], int(former["next"])
        for position in range(len(centres)):
            number = int(old.numbers[same[position]]) if old and position in same else following
            following += number == following
            numbers.append(number)
        if following > self.kind.max_clusters + 1 and old is not None:
            figures["refused"] = (
                f"all {self.kind.max_clusters} numbers of clusters are used up, so the old clusters stay; raise max_clusters and run setup"
            )
            figures["scoring"] = old.scoring
            return {
                **former,
                **_stored(old, cluster_stability.nearest(old.points(frame, as_of), old.centres)),
            }
        if old:
            kept = np.array([old.numbers[position] for position in places])
            figures["same_after_refit"] = round(float((kept == np.array(numbers)[labels]).mean()), 4)
        retired = sorted(
            {*former["retired"], *((set(old.numbers.tolist()) if old else set()) - set(numbers))}
        )
        kept_names = dict(zip(old.numbers.tolist(), old.names, strict=True)) if old else {}
        names = names_of(
            encoder,
            points / encoder.weights(CATEGORY),
            labels,
            [kept_names.get(number, "") for number in numbers],
        )
        learned = _Learned(encoder, np.array(numbers), names, centres)
        figures["clusters"] = {
            cluster_key(number): {"name": name, "records": int((labels == position).sum())}
            for position, (number, name) in enumerate(zip(numbers, names, strict=True))
        }
        return {**_stored(learned, labels), "next": following, "retired": retired}

    def _centres(self, points: Matrix, places: Integers, former: int) -> tuple[Matrix, list[dict[str, Any]]]:
        """Centres: as many as fixed, as before where that still holds, or as are stable; and the stability of
        each k tried.
        """
        filled = np.unique(places)
        start = (
            np.array([points[places == position].mean(0) for position in filled])
            if former and len(filled) == former
            else None
        )
        different = len(np.unique(cluster_stability.draw(points, cluster_stability.DRAWN), axis=0))
        wanted = self.kind.k or former
        if wanted and start is not None and former == wanted:
            centres = cluster_stability.centres_of(points, wanted, start)
            measured = cluster_stability.stability(points, centres)
            if self.kind.k or measured.holds:
                return centres, [measured.figures()]
        if self.kind.k:
            centres = cluster_stability.centres_of(points, min(self.kind.k, different))
            return centres, [cluster_stability.stability(points, centres).figures()]
        centres, tried = cluster_stability.most_stable(points)
        return centres, [trial.figures() for trial in tried]

    def _seen(self, features: pd.DataFrame, as_of: date) -> pd.DataFrame:
        self._check(features, as_of)
        return features

    def _given(self, seen: pd.DataFrame, start: Start) -> Given:
        """The score says how clear the case is: 1 - distance to the own centre / distance to the next."""
        model, before, as_of = start.model, start.before, start.as_of
        inside, learned = self._clustered(seen), _learned(model)
        codes = np.where(inside, 1, 0)  # prospect, unscored, then the clusters
        pending, score = np.zeros(len(seen), np.int64), np.full(len(seen), np.nan)
        if learned is not None:
            for part in cluster_stability.parts(len(seen)):
                rows = np.flatnonzero(inside[part]) + part.start
                former = _numbers(before.text("segment").take(pa.array(rows)))
                waiting = before.memory("pending")[rows]
                places, pending[rows], score[rows] = self._settled(
                    learned, seen.iloc[rows], as_of, former, waiting
                )
                codes[rows] = places + 2
        keys = [
            PROSPECT,
            UNSCORED,
            *(cluster_key(int(number)) for number in (learned.numbers if learned else ())),
        ]
        reasons = _Reasons(
            self.account,
            seen,
            as_of,
            codes,
            ["", TOO_LITTLE, *(learned.names if learned else ())],
            model["figures"]["refused"],
        )
        return Given(keys, codes, score, reasons.of, {"pending": pending})

    def _settled(
        self, learned: _Learned, frame: pd.DataFrame, as_of: date, former: Integers, waiting: Integers
    ) -> tuple[Integers, Integers, Fractions]:
        """Place of each record's cluster, the number that it may move to next time (0: none), and its score."""
        away = cluster_stability.distances(learned.points(frame, as_of), learned.centres)
        best = away.argmin(1)
        rows = np.arange(len(best))
        most = int(learned.numbers.max())
        position_by_number = np.full(most + 2, -1)
        position_by_number[learned.numbers] = np.arange(len(learned.numbers))
        was = position_by_number[np.clip(former, 0, most + 1)]  # -1: none, or a cluster that is no more
        clearly = away[rows, best] < (1 - self.kind.dead_band) * away[rows, np.maximum(was, 0)]
        number, pending = choose(learned.numbers[best], np.where(was >= 0, former, 0), clearly, waiting)
        positions = position_by_number[number]
        ordered = np.partition(away, min(1, away.shape[1] - 1), axis=1) if len(away) else away
        second = ordered[:, min(1, away.shape[1] - 1)]
        score = np.clip(1 - away[rows, positions] / np.where(second > 0, second, 1), 0, 1)
        return positions, pending, score

    @property
    def _frozen(self) -> dict[str, Any]:
        return {"k": self.kind.k, "traits": [trait.column for trait in self.traits]}

    def _check(self, features: pd.DataFrame, as_of: date) -> None:
        counts = [
            t.column
            for t in self.traits
            if t.sort in ("number", "money") and not t.column.startswith(ATTRIBUTE)
        ]
        frames.check_features(features, counts, ("first_purchase", "last_purchase"), as_of)

    def _clustered(self, features: pd.DataFrame) -> Flags:
        bought: Flags = ~np.isnat(frames.as_days(features["last_purchase"]))
        return np.ones(len(features), np.bool_) if self.everyone else bought

    def _earlier(self, past: Past | None, frame: pd.DataFrame) -> _Learned | None:
        """The clusters that a fit replaces, where the frame still holds their traits."""
        if (
            past is None
            or past.model is None
            or past.model.get("kind") != self.kind.name
            or len(frame) < FEWEST
        ):
            return None
        learned = _learned(past.model)
        return (
            learned
            if learned and all(column.trait.column in frame for column in learned.encoder.columns)
            else None
        )


@dataclass(frozen=True)
class _Reasons:
    """``Recent, frequent: last purchase 3 days ago, 12 purchase days, 1,204.50 EUR in all``."""

    account: Account
    features: pd.DataFrame
    as_of: date
    codes: Integers
    names: list[str]
    refused: str

    def of(self, rows: Integers) -> pa.Array:
        frame = self.features.iloc[rows]
        last = frames.as_days(frame["last_purchase"])
        bought = ~np.isnat(last)
        silent = np.where(bought, (np.datetime64(self.as_of, "D") - last).astype("int64"), 0)
        days, money = frame["purchase_days"].to_numpy(np.int64), frame["net_revenue"].to_numpy(np.int64)
        summary = reason_text.joined(
            *(
                "last purchase ",
                reason_text.ago(silent),
                ", ",
                reason_text.counted(days, "purchase day", "purchase days"),
                ", ",
            ),
            *(reason_text.money(money, self.account.currency, self.account.exponent), " in all"),
        )
        summary = pc.if_else(pa.array(bought), summary, "no purchase yet")
        name = pa.array(self.names, pa.string()).take(pa.array(self.codes[rows]))
        words = reason_text.reasons(name, ": ", summary)
        words = pc.if_else(
            pa.array(self.codes[rows] == 1),
            reason_text.reasons("not clustered: ", self.refused or TOO_LITTLE),
            words,
        )
        return pc.if_else(pa.array(self.codes[rows] == 0), "no purchase yet", words)


def _numbers(segments: pa.Array) -> Integers:
    """Numbers of clusters, 0 where a segment is none."""
    digits = pc.replace_substring_regex(pc.fill_null(segments, ""), r"^cluster_(\d{1,6})$|^.*$", r"0\1")
    numbers: Integers = digits.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def _stored(learned: _Learned, labels: Integers) -> dict[str, Any]:
    sizes = np.bincount(labels, minlength=len(learned.numbers))
    return {
        "encoder": learned.encoder.to_dict(),
        "clusters": [
            {"number": int(number), "name": name, "records": int(size), "centre": centre.tolist()}
            for number, name, size, centre in zip(
                learned.numbers, learned.names, sizes, learned.centres, strict=True
            )
        ],
    }


def _learned(model: Mapping[str, Any]) -> _Learned | None:
    """The clusters of a model; None where it has none."""
    stored = model.get("learned", {})
    if not stored.get("clusters"):
        return None
    numbers = np.array([cluster["number"] for cluster in stored["clusters"]], np.int64)
    centres = np.array([cluster["centre"] for cluster in stored["clusters"]], np.float64)
    return _Learned(
        Encoder.from_dict(stored["encoder"]),
        numbers,
        [cluster["name"] for cluster in stored["clusters"]],
        centres,
        scoring(model),
    )


def _as_usual(features: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The features where a silence that is usual for a record is no news."""
    first, last = (frames.as_days(features[name]) for name in ("first_purchase", "last_purchase"))
    silence = Silence.of(first, last, features["purchase_days"].to_numpy(np.int64), as_of)
    counted = np.datetime64(as_of, "D") - silence.counted().astype("timedelta64[D]")
    return features.assign(last_purchase=np.where(np.isnat(last), last, counted))
