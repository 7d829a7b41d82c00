"""What was each record labelled before, and what do its labels say now?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames
from segmentation.ecdf import Flags, Integers


@dataclass(frozen=True)
class Before:
    """Labels of the labelling before, row by row those of the records that are labelled now; null where there
    was none.
    """

    rows: pd.DataFrame
    known: Flags
    as_of: date | None

    def memory(self, name: str) -> Integers:
        """A column of the kind's own state; 0 where there is none."""
        column = frames.MEMORY + name
        if column not in self.rows:
            return np.zeros(len(self.rows), np.int64)
        return pd.to_numeric(self.rows[column]).fillna(0).to_numpy(np.int64)

    def text(self, column: str) -> pa.Array:
        if column not in self.rows:
            return pa.nulls(len(self.rows), pa.string())
        return frames.as_texts(self.rows[column])


def before(
    previous: pd.DataFrame | None, previous_as_of: date | None, record: Integers, as_of: date
) -> Before:
    """Line up ``previous`` (a labels frame with a column ``record``, or indexed by it) with ``record``.

    ValueError when it is not of an earlier day than ``as_of``: relabelling a day starts from the state before
    that day.
    """
    if previous is None or previous.empty:
        return Before(pd.DataFrame(index=range(len(record))), np.zeros(len(record), np.bool_), None)
    if previous_as_of is not None and previous_as_of >= as_of:
        raise ValueError(
            f"the previous labels are of {previous_as_of}, not before {as_of}; pass the labels of an earlier day"
        )
    missing = {"segment", "since"} - set(previous.columns)
    if missing:
        raise ValueError(f"the previous labels have no column {sorted(missing)[0]!r}")
    keys = pd.Index(previous["record"]) if "record" in previous else previous.index
    if len(keys) == len(record) and np.array_equal(keys.to_numpy(), record):
        return Before(previous, previous["segment"].notna().to_numpy(), previous_as_of)
    if not keys.is_unique:
        raise ValueError(
            f"record {keys[keys.duplicated()][0]} stands twice in the previous labels; one row per record"
        )
    positions = keys.get_indexer(pd.Index(record))
    rows = previous.reset_index(drop=True).reindex(positions)
    return Before(rows, rows["segment"].notna().to_numpy(), previous_as_of)


def labels(
    record: Integers,
    keys: Sequence[str],
    codes: Integers,
    score: np.ndarray[tuple[int], np.dtype[np.float64]],
    reasons: Callable[[Integers], pa.Array],
    before: Before,
    as_of: date,
    memory: Mapping[str, Integers],
    further: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """The labels frame. ``codes`` point into ``keys``; ``reasons`` words the rows whose positions it gets.

    Who did not move keeps since, previous and reason; who moved gets ``as_of``, the former segment and a new
    reason. ``further``: texts of further fields, whoever moved.
    """
    segment = pa.array(keys, pa.string()).take(pa.array(codes))
    former = before.text("segment") if before.known.any() else pa.nulls(len(record), pa.string())
    moved = ~pc.fill_null(pc.equal(former, segment), False).to_numpy(zero_copy_only=False)
    since = np.full(len(record), np.datetime64(as_of, "D"))
    if before.known.any():
        since = np.where(moved, since, frames.as_days(before.rows["since"]))
    places = np.flatnonzero(moved)
    columns: dict[str, pa.Array] = {
        "segment": segment,
        "since": pa.array(since),
        "previous": pc.if_else(pa.array(moved), former, before.text("previous")),
        "score": pa.array(score, from_pandas=True),
        "reason": _patched(before.text("reason"), places, reasons(places)),
    }
    frame = pd.DataFrame({"record": record})
    for name, values in columns.items():
        dtype = pd.ArrowDtype(values.type) if name == "since" else None
        frame[name] = pd.Series(values.to_pandas(types_mapper=pd.ArrowDtype) if dtype else values.to_pandas())
    for name, state in memory.items():
        frame[frames.MEMORY + name] = state
    for name, texts in (further or {}).items():
        frame[frames.VALUE + name] = pd.Series(texts.to_pandas())
    return frame


def _patched(texts: pa.Array, places: Integers, news: pa.Array) -> pa.Array:
    """``texts`` with ``news`` at ``places``."""
    take = np.arange(len(texts))
    take[places] = len(texts) + np.arange(len(places))
    return pa.concat_arrays([texts, news.cast(pa.string())]).take(pa.array(take))
