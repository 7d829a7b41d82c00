"""Which ways of segmenting are there, and how is one configured?

    chosen = segmentation("rfm", {"window_days": 180}, currency="EUR", exponent=2)
    model = chosen.fit(features, as_of)                                  # rare: freezes cut points
    labels = chosen.label(features, model, previous, previous_as_of, as_of)

The kinds' own modules are imported when one is used: pandas and pyarrow are dear.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segmentation.frames import Segment
from segmentation.groups import DEFAULT, Group, table
from segmentation.needs import Needs

if TYPE_CHECKING:
    import pandas as pd


class Segmentation(Protocol):
    """One configured way of segmenting."""

    kind: str
    needs: Needs

    @property
    def segments(self) -> list[Segment]:
        """Every segment that ``label`` may give."""

    def fit(self, features: pd.DataFrame, as_of: date) -> dict[str, Any]:
        """A model (``segmentation.models``) of the population in ``features``."""

    def label(
        self, features: pd.DataFrame, model: Mapping[str, Any], previous: pd.DataFrame | None, previous_as_of: date | None, as_of: date
    ) -> pd.DataFrame:
        """One row per record of ``features`` (``segmentation.frames``). ``previous``: labels of ``previous_as_of``, an earlier day."""


class Settings(BaseModel):
    """Options that every kind takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    band: float = Field(0.03, ge=0, lt=0.5, description="dead band, as a share of the population")


class RfmSettings(Settings):
    window_days: int = Field(365, ge=1, description="days of purchases that F and M count")
    silence: float = Field(3.0, ge=0, description="R falls only after a silence longer than this many of the record's mean gaps")
    groups: tuple[Group, ...] = DEFAULT

    @field_validator("groups")
    @classmethod
    def _total(cls, value: tuple[Group, ...]) -> tuple[Group, ...]:
        table(value)
        return value


class ValueSettings(Settings):
    window_days: int | None = Field(None, ge=1, description="days of revenue; all history if not set")
    a_share: float = Field(0.8, gt=0, lt=1)
    b_share: float = Field(0.95, gt=0, le=1)

    @model_validator(mode="after")
    def _rising(self) -> ValueSettings:
        if self.a_share >= self.b_share:
            raise ValueError(f"a_share = {self.a_share} must be below b_share = {self.b_share}")
        return self


KINDS: Mapping[str, type[Settings]] = {"rfm": RfmSettings, "value": ValueSettings}


def settings_model(kind: str) -> type[Settings]:
    """The pydantic model of a kind's own options. ValueError names the kinds there are."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r} of segmentation; choose one of {', '.join(KINDS)}")
    return KINDS[kind]


def segmentation(kind: str, options: Mapping[str, Any] | Settings, currency: str, exponent: int) -> Segmentation:
    """The segmentation of a kind under its options. ValueError (pydantic's) tells every fault of the options."""
    model = settings_model(kind)
    settings = options if isinstance(options, model) else model.model_validate(options)
    if isinstance(settings, RfmSettings):
        from segmentation.rfm import Rfm

        return Rfm(settings.window_days, settings.groups, settings.band, settings.silence, currency, exponent)
    assert isinstance(settings, ValueSettings)
    from segmentation.value import Value

    return Value(settings.window_days, settings.a_share, settings.b_share, settings.band, currency, exponent)
