"""What do all kinds that cut buyers into levels (rfm, abc, potential) do alike when they label?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
class Banded:
    """What each record is labelled, row by row."""

    keys: Sequence[str]  # of the segments
    codes: Integers  # into ``keys``
    rank: Fractions  # mid-rank percentile among the buyers of the fit; 0 for others
    reasons: Callable[[Integers], pa.Array]  # words of the rows whose positions it gets
    memory: Mapping[str, Integers]  # what the next labelling starts from


class BandedSegmentation(KindSegmentation[K], Generic[K, Seen]):
    """Levels of axes whose borders are frozen at the fit."""

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """Labels of every record in ``features`` (``segmentation.frames``), given those of an earlier day.

        A model that saw no buyer (``models.blank``) tells nobody apart: buyers then have the lowest level
        until there is another one. ValueError: a wrong frame, a model of other settings, previous labels that
        are not of an earlier day.
        """
        seen = self._seen(features, as_of)
        axes = model_file.axes(model, self.kind.name, self._frozen)
        record = features["record"].to_numpy(np.int64)
        before = previous_labels.before(previous, previous_as_of, record, as_of)
        bands = self._banded(seen, axes, model, before)
        return previous_labels.labels(
            record, bands.keys, bands.codes, bands.rank, bands.reasons, before, as_of, bands.memory
        )

    @property
    @abstractmethod
    def _frozen(self) -> dict[str, Any]:
        """The settings that a model of it depends on."""

    @abstractmethod
    def _seen(self, features: pd.DataFrame, as_of: date) -> Seen:
        """The records as the kind sees them. ValueError: a wrong frame."""

    @abstractmethod
    def _banded(
        self,
        seen: Seen,
        axes: Mapping[str, EmpiricalCdf],
        model: Mapping[str, Any],
        before: previous_labels.Before,
    ) -> Banded:
        """What each record is labelled. ``axes``: those of the model, none where it saw no buyer."""
