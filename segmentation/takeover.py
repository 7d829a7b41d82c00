"""How does a new model take over from the one before it? All its moves come at once, on the first day.

Labels wait for a second cut before a record moves. Under a new model nobody would move on the first day, and all
whom it sees otherwise on the second. So the first labelling under it counts for as many cuts as labels wait for:
records that it sees otherwise by the margin of their kind move on that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from segmentation import frames, previous_labels

if TYPE_CHECKING:
    from segmentation.protocol import Segmentation

CUTS = 2  # a move is proposed, and confirmed


def first_labels(
    segmentation: Segmentation,
    features: pd.DataFrame,
    model: Mapping[str, Any],
    previous: pd.DataFrame | None,
    previous_as_of: date | None,
    as_of: date,
) -> pd.DataFrame:
    """Labels as ``segmentation.label`` gives them, ``previous`` being those of another model."""
    labels = segmentation.label(features, model, previous, previous_as_of, as_of)
    if previous is None or previous.empty:
        return labels
    for _ in range(CUTS):
        labels = segmentation.label(features, model, labels, None, as_of)
    before = previous_labels.before(previous, previous_as_of, labels["record"].to_numpy(np.int64), as_of)
    return _as_one_move(labels, before)


def _as_one_move(labels: pd.DataFrame, before: previous_labels.Before) -> pd.DataFrame:
    """The labels as if nothing had been between them and those before."""
    former, known = before.text("segment"), pa.array(before.known)
    stays = pc.fill_null(pc.equal(former, frames.as_texts(labels["segment"])), False)
    kept = stays.to_numpy(zero_copy_only=False)
    since = np.where(kept, frames.as_days(before.rows["since"]), frames.as_days(labels["since"]))
    reason = pc.if_else(stays, before.text("reason"), frames.as_texts(labels["reason"]))
    left = pc.if_else(known, pc.if_else(stays, before.text("previous"), former), pa.scalar(None, pa.string()))
    days = pa.array(since.astype("datetime64[D]"))
    return labels.assign(
        since=pd.Series(days.to_pandas(types_mapper=pd.ArrowDtype), dtype=pd.ArrowDtype(days.type)),
        previous=left.to_pandas(),
        reason=reason.to_pandas(),
    )
