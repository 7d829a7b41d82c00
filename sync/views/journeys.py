"""By which ways do the records of each segment come to buy?

``segmentation.evaluation.attribution`` over the account's own activity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.label.feature_frame import AccountFeatures
from sync.store import lazy
from sync.store.label_tables import labels_of
from sync.store.scratch import computed

if TYPE_CHECKING:
    import ibis
    import pandas as pd

_SPREAD, _RANGE = 2_654_435_761, 2**32  # Knuth's multiplicative hash: an even draw, the same each time


def ways(session: Session, name: str, most: int | None = None) -> dict[str, dict[str, Any]]:
    """The journey per segment of a segmentation as of ``session.as_of``; people who object are in none. See
    ``segmentation.evaluation.attribution``.

    ``most``: of more records than so many, so many are drawn (about).
    """
    from segmentation.evaluation.attribution import journey

    mirror = session.mirror()
    activity = AccountFeatures(session).activity.rows(answers=True)
    labels = f"SELECT record, segment FROM ({labels_of(name)}) WHERE segment IS NOT NULL"
    records = int(mirror.value(f"SELECT count(*) FROM ({labels})"))
    drawn = (
        f"WHERE (record * {_SPREAD}) % {_RANGE} < {_RANGE * most // records}"
        if most and records > most
        else ""
    )
    columns = "record, kind, occurred_at, channel::VARCHAR AS channel, day"
    with computed(mirror, f"SELECT * FROM ({labels}) {drawn}") as travellers:
        touches = f"SELECT {columns} FROM ({activity}) SEMI JOIN ({travellers}) AS t USING (record)"
        with computed(mirror, touches) as touched:

            def run(expression: ibis.Table) -> pd.DataFrame:
                return mirror.run(lazy.rows_of(expression).sql).df()

            return journey(run, lazy.table(mirror, touched), lazy.table(mirror, travellers), session.as_of)
