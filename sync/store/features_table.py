"""Which features does the mirror keep of each record? Those of the last labelling, in the table ``features``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.scratch import remembered

if TYPE_CHECKING:
    import pandas as pd


def kept_features(mirror: AccountMirror, key: str | None = None) -> Relation | None:
    """The features that the mirror keeps; with a key, only those that were made from it."""
    if (key is not None and mirror.stamp("features") != key) or not mirror.has_table("features"):
        return None
    return Relation(f"SELECT * FROM {mirror.schema}.features")


def keep_features(mirror: AccountMirror, rows: Relation, key: str) -> Relation:
    """Compute features and keep them under all that they are made from; a mirror that is only read keeps none."""
    if mirror.read_only:
        return remembered(mirror, "features", rows)
    with mirror.transaction():
        mirror.run(f"CREATE OR REPLACE TABLE features AS {rows}")
        mirror.set_stamp("features", key)
    return Relation(f"SELECT * FROM {mirror.schema}.features")


def feature_names(mirror: AccountMirror) -> set[str]:
    """The features that the mirror keeps, by name; none where it keeps none."""
    return mirror.columns("features") - {"record"}


def bought_first_within(mirror: AccountMirror, after: date, until: date) -> pd.Series | None:
    """Numbers of the records whose first purchase lies in the days after ``after`` up to ``until``; None where
    the mirror keeps no first purchases.
    """
    features = kept_features(mirror)
    if features is None or "first_purchase" not in feature_names(mirror):
        return None
    first, last = literal(after.isoformat()), literal(until.isoformat())
    within = f"first_purchase > {first}::DATE AND first_purchase <= {last}::DATE"
    return mirror.run(f"SELECT record FROM ({features}) WHERE {within}").df()["record"]
