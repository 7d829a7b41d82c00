"""Which ways of segmenting are there, and how is one configured?

    chosen = segmentation("rfm", {"window_days": 180}, currency="EUR", exponent=2)
    model = chosen.fit(features, as_of)                                  # rare: freezes cut points
    labels = chosen.label(features, model, previous, previous_as_of, as_of)

The kinds' own modules are imported when one is used: pandas and pyarrow are dear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segmentation.frames import Segment
from segmentation.groups import DEFAULT, PROSPECT, Group, table
from segmentation.needs import Needs
from segmentation.stages import STAGES

if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from segmentation.logic import Rule


class Segmentation(Protocol):
    """One configured way of segmenting."""

    kind: str
    needs: Needs

    @property
    def segments(self) -> list[Segment]:
        """Every segment that ``label`` may give."""

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """What ``fit`` and ``label`` read of a facts frame (``segmentation.logic``), one row per record."""

    def fit(self, features: pd.DataFrame, as_of: date) -> dict[str, Any]:
        """A model (``segmentation.models``) of the population in ``features``."""

    def label(
        self, features: pd.DataFrame, model: Mapping[str, Any], previous: pd.DataFrame | None, previous_as_of: date | None, as_of: date
    ) -> pd.DataFrame:
        """One row per record of ``features`` (``segmentation.frames``). ``previous``: labels of ``previous_as_of``, an earlier day."""


class Settings(BaseModel):
    """Options of a kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def keys(self) -> list[str]:
        """Keys of the segments that the kind has, in their order."""
        return []


class Banded(Settings):
    """Options of kinds whose segments have borders that records could tremble at."""

    band: float = Field(0.03, ge=0, lt=0.5, description="dead band, as a share of the population")


class RfmSettings(Banded):
    window_days: int = Field(365, ge=1, description="days of purchases that F and M count")
    silence: float = Field(3.0, ge=0, description="R falls only after a silence longer than this many of the record's mean gaps")
    groups: tuple[Group, ...] = DEFAULT

    def keys(self) -> list[str]:
        return [*(group.key for group in self.groups), PROSPECT]

    @field_validator("groups")
    @classmethod
    def _total(cls, value: tuple[Group, ...]) -> tuple[Group, ...]:
        table(value)
        return value


class ValueSettings(Banded):
    window_days: int | None = Field(None, ge=1, description="days of revenue; all history if not set")
    a_share: float = Field(0.8, gt=0, lt=1)
    b_share: float = Field(0.95, gt=0, le=1)

    def keys(self) -> list[str]:
        return ["a", "b", "c", PROSPECT]

    @model_validator(mode="after")
    def _rising(self) -> ValueSettings:
        if self.a_share >= self.b_share:
            raise ValueError(f"a_share = {self.a_share} must be below b_share = {self.b_share}")
        return self


class LifecycleSettings(Settings):
    band: float = Field(0.1, ge=0, lt=1, description="dead band, as a share of the border between two stages")
    horizon_days: int | None = Field(None, ge=1, description="how long new and won back last; the 90th percentile of gaps if not set")

    def keys(self) -> list[str]:
        return list(STAGES)


class RulesSettings(Settings):
    """None: the config's segments say all."""


KINDS: Mapping[str, type[Settings]] = {
    "rules": RulesSettings,
    "rfm": RfmSettings,
    "lifecycle": LifecycleSettings,
    "value": ValueSettings,
}


def settings_model(kind: str) -> type[Settings]:
    """The pydantic model of a kind's own options. ValueError names the kinds there are."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r} of segmentation; choose one of {', '.join(KINDS)}")
    return KINDS[kind]


def segmentation(
    kind: str,
    options: Mapping[str, Any] | Settings,
    currency: str,
    exponent: int,
    rules: Sequence[tuple[Segment, Rule]] = (),
) -> Segmentation:
    """The segmentation of a kind under its options. ``rules``: the segments of kind ``rules``, by priority.

    ValueError (pydantic's) tells every fault of the options.
    """
    model = settings_model(kind)
    settings = options if isinstance(options, model) else model.model_validate(options)
    if isinstance(settings, RulesSettings):
        from segmentation.ruled import Ruled

        return Ruled(rules)
    if isinstance(settings, RfmSettings):
        from segmentation.rfm import Rfm

        return Rfm(settings.window_days, settings.groups, settings.band, settings.silence, currency, exponent)
    if isinstance(settings, LifecycleSettings):
        from segmentation.lifecycle import Lifecycle

        return Lifecycle(settings.horizon_days, settings.band)
    assert isinstance(settings, ValueSettings)
    from segmentation.value import Value

    return Value(settings.window_days, settings.a_share, settings.b_share, settings.band, currency, exponent)
