"""By which ways do the records of each segment come to buy?

``segmentation.evaluation.attribution`` over the account's own activity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.label.activity import prepare_deeds, unbound
from sync.store.mirror import quoted

if TYPE_CHECKING:
    import ibis
    import pandas as pd

_SPREAD, _RANGE = 2_654_435_761, 2**32  # Knuth's multiplicative hash: an even draw, the same each time


def ways(session: Session, name: str, most: int | None = None) -> dict[str, dict[str, Any]]:
    """The journey per segment of a segmentation as of ``session.as_of``; people who object are in none. See
    ``segmentation.evaluation.attribution``.

    ``most``: of more records than so many, so many are drawn (about).
    """
    import ibis as engine

    from segmentation.evaluation.attribution import journey

    mirror = session.mirror()
    consent_of(session)  # makes the view ``people``
    labels = f"(SELECT record, segment FROM {quoted('labels_' + name)} WHERE segment IS NOT NULL)"
    records = int(mirror.value(f"SELECT count(*) FROM {labels}"))
    drawn = (
        f"WHERE (record * {_SPREAD}) % {_RANGE} < {_RANGE * most // records}"
        if most and records > most
        else ""
    )
    mirror.run(f"CREATE OR REPLACE TEMP TABLE travellers AS FROM {labels} {drawn}")
    prepare_deeds(session, answers=True)
    columns = "record, kind, occurred_at, channel::VARCHAR AS channel, day"
    mirror.run(
        f"CREATE OR REPLACE TEMP TABLE touched AS SELECT {columns} FROM deeds SEMI JOIN travellers USING (record)"
    )

    def run(expression: ibis.Table) -> pd.DataFrame:
        return mirror.run(engine.to_sql(expression, dialect="duckdb")).df()

    return journey(run, unbound(mirror, "touched"), unbound(mirror, "travellers"), session.as_of)
