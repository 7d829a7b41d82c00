"""What do the frames that enter and leave this room hold, and is this one right?

activity   ibis    one row per thing that a record did (a purchase line, a refund, a visit)
records    ibis    one row per record
features   ibis, then pandas   one row per record of ``records``; see ``segmentation.features``
labels     pandas  one row per record of a population:
    record int64 · segment text · since date (as_of of the move) · previous text or null · score float
    (0 worst .. 1 best) · reason text (at most 255 characters) · memory.* int (the kind's own state, 0 = none)
    · value.* text or null (further values, ``segmentation.value_fields``)

Money is in integer minor units, days are local dates of the account. Further columns are always allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import ibis
    import numpy as np
    import pandas as pd
    import pyarrow as pa

MEMORY = "memory."  # column prefix in labels: state of the kind, carried from one labelling to the next
VALUE = "value."  # column prefix in labels: further values, as they are written
REASON_LENGTH = 255

ACTIVITY: Mapping[str, str] = {
    "record": "integer",
    "order": "integer",  # lines of one order share it; null: the row is an order by itself
    "kind": "string",
    "day": "date",
    "amount": "integer",  # minor units; refunds are negative
    "category": "string",
}
# where surveys are asked for
ANSWERS: Mapping[str, str] = {"campaign": "string", "answer": "string", "occurred_at": "timestamp"}
RECORDS: Mapping[str, str] = {"record": "integer"}


@dataclass(frozen=True)
class Segment:
    """One value of a segmentation: ``key`` is stored and never changes, ``title`` is shown.

    ``advice``: what to do about its customers. ``standing``: "buying" as usual, "slipping" (may soon be lost, so
    their revenue is at risk), or "gone" (buys nothing now, or never did).
    """

    key: str
    title: str
    description: str = ""
    advice: str = ""
    standing: Literal["buying", "slipping", "gone"] = "buying"


def check(table: ibis.Table, columns: Mapping[str, str], name: str) -> None:
    """Raise ValueError naming the first column of ``columns`` (name → type) that ``table`` lacks or holds in
    another type.
    """
    schema = table.schema()
    for column, kind in columns.items():
        if column not in schema:
            raise ValueError(f"the {name} frame has no column {column!r}; it needs {', '.join(columns)}")
        if not getattr(schema[column], f"is_{kind}")():
            raise ValueError(f"column {column!r} of the {name} frame is {schema[column]}, expected {kind}")


def check_features(features: pd.DataFrame, counts: Iterable[str], days: Iterable[str], as_of: date) -> None:
    """Raise ValueError naming the first thing that is wrong with a features frame.

    ``counts`` are columns of whole numbers without gaps, ``days`` columns of dates that may be null but not
    after ``as_of``.
    """
    import pandas as pd

    for column in ("record", *counts, *days):
        if column not in features:
            raise ValueError(f"the features frame has no column {column!r}")
    for column in ("record", *counts):
        values = features[column]
        if len(values) and not pd.api.types.is_integer_dtype(values) and not values.isna().any():
            raise ValueError(
                f"column {column!r} of the features frame is {values.dtype}, expected whole numbers"
            )
        if values.isna().any():
            raise ValueError(
                f"column {column!r} of the features frame is null in row {int(values.isna().to_numpy().argmax())}"
            )
    if not features["record"].is_unique:
        twice = features["record"][features["record"].duplicated()].iloc[0]
        raise ValueError(f"record {twice} is twice in the features frame; one row per record")
    for column in days:
        late = as_days(features[column]) > _day(as_of)
        if late.any():
            record = features["record"].to_numpy()[late.argmax()]
            raise ValueError(
                f"{column} of record {record} is after as_of {as_of}; make the features as of that day"
            )


def as_days(values: Any) -> np.ndarray[Any, Any]:
    """Dates of any spelling (datetime.date, datetime64, Arrow date32, ISO text, null) as numpy days; null is
    NaT.
    """
    import numpy as np
    import pandas as pd

    series = pd.Series(values)
    if isinstance(series.dtype, pd.ArrowDtype):
        import pyarrow as pa

        days: np.ndarray[Any, Any] = (
            pa.array(series).cast(pa.date32()).to_numpy(zero_copy_only=False).astype("datetime64[D]")
        )
        return days
    if series.isna().all():
        return np.full(len(series), "NaT", dtype="datetime64[D]")
    try:
        return (
            pd.to_datetime(series, format="ISO8601" if series.dtype == "str" else None)
            .to_numpy()
            .astype("datetime64[D]")
        )
    except (ValueError, TypeError) as fault:
        raise ValueError(f"column {series.name!r} holds something that is no date ({fault})") from fault


def as_texts(values: Any) -> pa.Array:
    """Texts of any spelling (object, pandas' own, Arrow's, in pieces or none) as one Arrow array."""
    import pyarrow as pa

    texts = pa.array(values, pa.string(), from_pandas=True)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _day(as_of: date) -> Any:
    import numpy as np

    return np.datetime64(as_of, "D")
