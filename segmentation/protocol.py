"""What must every way of segmenting do? Say what it reads, learn from it, and label by what it learned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from segmentation.feature_request import Needs
from segmentation.frames import Segment

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from segmentation.point_in_time import Past


class Segmentation(Protocol):
    """One configured way of segmenting."""

    needs: Needs

    @property
    def segments(self) -> list[Segment]:
        """Every segment that ``label`` may give."""

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        """The segments that a model gives, under its names."""

    def like(self, figures: Mapping[str, Any]) -> Segmentation:
        """The same with what a model has settled (its figures), to judge that model on other days."""

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """What ``fit`` and ``label`` read of a facts frame (``segmentation.rules.logic``), one row per record."""

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> dict[str, Any]:
        """A model (``segmentation.model_file``) of the population in ``features``, and of its ``past`` where the
        kind learns from it.
        """

    @property
    def asked_values(self) -> Mapping[str, Any]:
        """The options that decide its further values; nothing where there are none."""

    def fit_values(
        self, features: pd.DataFrame, model: Mapping[str, Any], as_of: date, past: Past | None
    ) -> dict[str, Any]:
        """What its further values need beside a model of the same population, kept in it as ``values``."""

    def label(
        self,
        features: pd.DataFrame,
        model: Mapping[str, Any],
        previous: pd.DataFrame | None,
        previous_as_of: date | None,
        as_of: date,
    ) -> pd.DataFrame:
        """One row per record of ``features`` (``segmentation.frames``).

        ``previous``: labels of ``previous_as_of``, an earlier day.
        """
