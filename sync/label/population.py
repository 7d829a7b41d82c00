"""Which records is a segmentation about, and what does it read of them? In chunks, so that ten million need
no more memory than one.

A population is labelled whole, chunk by chunk, and fitted on as many records as teach a model anything
(``FITTED``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from sync.store import lazy
from sync.store.chunks import Span, drawn, spans, within
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from segmentation.protocol import Segmentation

# records that a model is fitted on at most: parameters of a tenth of them differ by less than 3%
FITTED = 1_000_000


class Population:
    """The records of one segmentation, ordered by record, so that equal facts give equal models.

    ``frame``: all that is known of them, as an Ibis table over the mirror.
    """

    def __init__(
        self, mirror: AccountMirror, segmentation: Segmentation, frame: Callable[[], ibis.Table]
    ) -> None:
        self._mirror, self._segmentation, self._frame = mirror, segmentation, frame

    @cached_property
    def _rows(self) -> Relation:
        """What the segmentation reads of all of them: one row each. To compile it costs more than to count it."""
        return lazy.rows_of(self._segmentation.reads(self._frame()))

    def records(self) -> Relation:
        """(record) of all of them."""
        return Relation(f"SELECT record FROM ({self._rows})")

    def chunks(self) -> Iterator[tuple[Span, pd.DataFrame]]:
        """All of them, at least one chunk."""
        rows = self._rows
        for span in spans(self._mirror):
            yield (
                span,
                self._mirror.run(f"SELECT * FROM ({rows}) WHERE {within(span)} ORDER BY record").df(),
            )

    def some(self, most: int | None = None) -> tuple[pd.DataFrame, int]:
        """At most so many of them (else ``FITTED``), the same each time, and how many there are."""
        mirror, most, rows = self._mirror, most or FITTED, self._rows
        count = int(mirror.value(f"SELECT count(*) FROM ({rows})"))
        if count > most:
            rows = lazy.rows_of(self._segmentation.reads(drawn(self._frame(), count, most)))
        return mirror.run(f"SELECT * FROM ({rows}) ORDER BY record LIMIT {most}").df(), count
