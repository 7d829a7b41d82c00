"""By which ways do the records of each segment come to buy? ``segmentation.journey`` over the account's own activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync import consent
from sync.labelling import unbound
from sync.mirror import quoted
from sync.session import Session

if TYPE_CHECKING:
    import ibis
    import pandas as pd


def ways(session: Session, name: str) -> dict[str, dict[str, Any]]:
    """The journey per segment of a segmentation as of ``session.as_of``; people who object are in none. See ``segmentation.journey``."""
    import ibis as engine

    from segmentation.journey import journey

    mirror = session.mirror()
    consent.prepare(session)
    channel = "channel" if "channel" in mirror.columns("activity") else "NULL::VARCHAR AS channel"
    mirror.run(
        f"""CREATE OR REPLACE TEMP VIEW touched AS SELECT record, kind, occurred_at, {channel}, day FROM activity
            WHERE NOT shadowed AND part IN (SELECT part FROM parts WHERE live) AND record IN (SELECT record FROM people)"""
    )
    mirror.run(f"CREATE OR REPLACE TEMP VIEW segments AS SELECT record, segment FROM {quoted('labels_' + name)}")

    def run(expression: ibis.Table) -> pd.DataFrame:
        return mirror.run(engine.to_sql(expression, dialect="duckdb")).df()

    return journey(run, unbound(mirror, "touched"), unbound(mirror, "segments"), session.as_of)
