"""Which features does the mirror keep of each record? Those of the last labelling, in the table ``features``."""

from __future__ import annotations

from sync.store.mirror import AccountMirror
from sync.store.relation import Relation


def kept_features(mirror: AccountMirror, key: str | None = None) -> Relation | None:
    """The features that the mirror keeps; with a key, only those that were made from it."""
    if (key is not None and mirror.stamp("features") != key) or not mirror.has_table("features"):
        return None
    return Relation(f"SELECT * FROM {mirror.schema}.features")


def keep_features(mirror: AccountMirror, rows: Relation, key: str) -> Relation:
    """Compute features and keep them under all that they are made from."""
    with mirror.transaction():
        mirror.run(f"CREATE OR REPLACE TABLE features AS {rows}")
        mirror.set_stamp("features", key)
    return Relation(f"SELECT * FROM {mirror.schema}.features")


def feature_names(mirror: AccountMirror) -> set[str]:
    """The features that the mirror keeps, by name; none where it keeps none."""
    return mirror.columns("features") - {"record"}
