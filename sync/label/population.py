"""Which records is a segmentation about, and what does it read of them? In chunks, so that ten million need
no more memory than one.

A population is labelled whole, chunk by chunk, and fitted on as many records as teach a model anything
(``FITTED``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sync.account.session import Session
from sync.label.chunks import Span, drawn, spans, within
from sync.label.feature_frame import facts, prepare_features

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.protocol import Segmentation
    from sync.config.settings import SegmentationSettings

# records that a model is fitted on at most: parameters of a tenth of them differ by less than 3%
FITTED = 1_000_000


class Population:
    """The records of one segmentation as of the session's day, ordered by record, so that equal facts give
    equal models.
    """

    def __init__(self, session: Session, settings: SegmentationSettings, segmentation: Segmentation) -> None:
        self._session, self._settings, self._segmentation = session, settings, segmentation
        prepare_features(session)

    def records(self) -> str:
        """SQL of ``record``; it holds until facts are asked for again."""
        import ibis

        return str(ibis.to_sql(facts(self._session, self._settings).select("record"), dialect="duckdb"))

    def chunks(self) -> Iterator[tuple[Span, pd.DataFrame]]:
        """All of them, at least one chunk. Nothing else may ask for facts meanwhile."""
        import ibis

        sql = ibis.to_sql(self._segmentation.reads(facts(self._session, self._settings)), dialect="duckdb")
        mirror = self._session.mirror()
        for span in spans(mirror):
            yield span, mirror.run(f"SELECT * FROM ({sql}) WHERE {within(span)} ORDER BY record").df()

    def some(self, most: int | None = None) -> tuple[pd.DataFrame, int]:
        """At most so many of them (else ``FITTED``), the same each time, and how many there are."""
        import ibis

        mirror, most = self._session.mirror(), most or FITTED
        everyone = facts(self._session, self._settings)
        count = int(
            mirror.value(f"SELECT count(*) FROM ({ibis.to_sql(everyone.select('record'), dialect='duckdb')})")
        )
        sql = ibis.to_sql(self._segmentation.reads(drawn(everyone, count, most)), dialect="duckdb")
        return mirror.run(f"SELECT * FROM ({sql}) ORDER BY record LIMIT {most}").df(), count
