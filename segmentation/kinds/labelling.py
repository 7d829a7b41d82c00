"""What do all kinds do alike when they label: what does a labelling start from, and what does it give?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from segmentation import model_file, previous_labels
from segmentation.ecdf import EmpiricalCdf, Fractions, Integers
from segmentation.kinds.base import Kind, KindSegmentation

K = TypeVar("K", bound=Kind)
Seen = TypeVar("Seen")  # the records as the kind sees them


@dataclass(frozen=True)
class Start:
    """What a labelling starts from."""

    model: Mapping[str, Any]
    axes: Mapping[str, EmpiricalCdf]  # those of the model; none where it saw nobody
    before: previous_labels.Before
    as_of: date


@dataclass(frozen=True)
class Given:
    """What each record is given, row by row."""

    keys: Sequence[str]  # of the segments
    codes: Integers  # into ``keys``
    score: Fractions  # null: none
    reasons: Callable[[Integers], pa.Array]  # words of the rows whose positions it gets
    memory: Mapping[str, Integers]  # what the next labelling starts from
    # texts of further fields, as they are written (``Kind.value_fields``); null: none
    values: Mapping[str, pa.Array] = field(default_factory=dict)


class LabellingKind(KindSegmentation[K], Generic[K, Seen]):
    """A kind that labels in one pass: it looks at the records, and gives each a segment."""

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """Labels of the records in ``features`` (``segmentation.frames``), given those of an earlier day; row by
        row, so in any chunks.

        A model that saw nobody (``model_file.blank``) tells nobody apart. ValueError: a wrong frame, a model of
        other settings, previous labels that are not of an earlier day.
        """
        features = self._labelled(features)
        seen = self._seen(features, as_of)
        axes = model_file.axes(model, self.kind.name, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = previous_labels.before(previous, previous_as_of, record, as_of)
        given = self._given(seen, Start(model, axes, before, as_of))
        return previous_labels.labels(
            record,
            given.keys,
            given.codes,
            given.score,
            given.reasons,
            before,
            as_of,
            given.memory,
            given.values,
        )

    def _labelled(self, features: pd.DataFrame) -> pd.DataFrame:
        """The records that get a label: here all of them."""
        return features

    @property
    @abstractmethod
    def _frozen(self) -> dict[str, Any]:
        """The settings that a model of it depends on."""

    @abstractmethod
    def _seen(self, features: pd.DataFrame, as_of: date) -> Seen:
        """The records as the kind sees them. ValueError: a wrong frame."""

    @abstractmethod
    def _given(self, seen: Seen, start: Start) -> Given:
        """What each record is given."""
