"""How are the scores of a segmentation's labels spread?"""

from __future__ import annotations

from datetime import date

from sync.store.features_table import feature_names, kept_features
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation


def scores_of_recent(mirror: AccountMirror, labels: Relation, since: date) -> Relation | None:
    """(score) of the labels of records that bought after a day; of an account without purchases, of everybody.
    None: the mirror keeps no features.
    """
    features = kept_features(mirror)
    if features is None:
        return None
    bought = f"SELECT record FROM ({features}) WHERE last_purchase > {literal(since.isoformat())}::DATE"
    has_buyers = "last_purchase" in feature_names(mirror) and mirror.value(
        f"SELECT count(*) > 0 FROM ({bought})"
    )
    buyers = f"SEMI JOIN ({bought}) USING (record)" if has_buyers else ""
    return Relation(f"SELECT score FROM ({labels}) {buyers}")


def deciles(mirror: AccountMirror, scores: Relation) -> list[float]:
    """The values that cut the scores into tenths, each once."""
    wanted = ", ".join(f"0.{n}" for n in range(1, 10))
    cuts = mirror.value(f"SELECT quantile_cont(score, [{wanted}]) FROM ({scores}) WHERE NOT isnan(score)")
    return sorted({cut for cut in cuts or () if cut is not None})


def counts_between(mirror: AccountMirror, scores: Relation, cuts: list[float]) -> list[int]:
    """Scores between the cuts; the last number is of those that are missing."""
    above = " + ".join(f"(score > {cut!r})::INTEGER" for cut in cuts) or "0"
    position = f"CASE WHEN score IS NULL OR isnan(score) THEN {len(cuts) + 1} ELSE {above} END"
    counted = dict(mirror.rows(f"SELECT {position} AS place, count(*) FROM ({scores}) GROUP BY place"))
    return [int(counted.get(n, 0)) for n in range(len(cuts) + 2)]
