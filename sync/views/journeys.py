"""By which ways do the records of each segment come to buy?

``segmentation.evaluation.attribution`` over the account's own activity.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from sync.label.feature_frame import AccountFeatures
from sync.store import lazy
from sync.store.journey_rows import touches, travellers
from sync.store.label_tables import labels_of

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def ways(
    features: AccountFeatures, name: str, as_of: date, most: int | None = None
) -> dict[str, dict[str, Any]]:
    """The journey per segment of a segmentation as of a day; people who object are in none. See
    ``segmentation.evaluation.attribution``.

    ``most``: of more records than so many, so many are drawn (about).
    """
    from segmentation.evaluation.attribution import journey

    mirror, activity = features.activity.mirror, features.activity.rows(answers=True)
    with travellers(mirror, labels_of(name), most) as records, touches(mirror, activity, records) as touched:

        def run(expression: ibis.Table) -> pd.DataFrame:
            return mirror.run(lazy.rows_of(expression).sql).df()

        return journey(run, lazy.table(mirror, touched), lazy.table(mirror, records), as_of)
