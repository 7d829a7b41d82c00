"""Which ways of segmenting are there, and how is one configured?

    chosen = segmentation("rfm", {"window_days": 180}, currency="EUR", exponent=2)
    model = chosen.fit(features, as_of, past)                            # rare: freezes cut points, learns
    from the past labels = chosen.label(features, model, previous, previous_as_of, as_of)

The kinds' own modules are imported when one is used: pandas and pyarrow are costly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segmentation.frames import Segment
from segmentation.kinds.lifecycle_stages import STAGES
from segmentation.kinds.rfm_groups import DEFAULT, PROSPECT, Group, table
from segmentation.rules.comparison import Kind
from segmentation.sensitive import unasked
from segmentation.slugs import slugs

if TYPE_CHECKING:
    from segmentation.protocol import Segmentation
    from segmentation.rules.logic import Rule


class Settings(BaseModel):
    """Options of a kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def keys(self) -> list[str]:
        """Keys of the segments that the kind has, in their order."""
        return []


class Banded(Settings):
    """Options of kinds whose segments have borders that records could flap at."""

    dead_band: float = Field(0.03, ge=0, lt=0.5, description="dead band, as a share of the population")


class RfmSettings(Banded):
    window_days: int = Field(365, ge=1, description="days of purchases that F and M count")
    recency_patience: float = Field(
        3.0, ge=0, description="R falls only after a silence longer than this many of the record's mean gaps"
    )
    groups: tuple[Group, ...] = DEFAULT

    def keys(self) -> list[str]:
        return [*(group.key for group in self.groups), PROSPECT]

    @field_validator("groups")
    @classmethod
    def _total(cls, value: tuple[Group, ...]) -> tuple[Group, ...]:
        table(value)
        return value


class AbcSettings(Banded):
    window_days: int | None = Field(None, ge=1, description="days of revenue; all history if not set")
    a_share: float = Field(0.8, gt=0, lt=1)
    b_share: float = Field(0.95, gt=0, le=1)

    def keys(self) -> list[str]:
        return ["a", "b", "c", PROSPECT]

    @model_validator(mode="after")
    def _rising(self) -> AbcSettings:
        if self.a_share >= self.b_share:
            raise ValueError(f"a_share = {self.a_share} must be below b_share = {self.b_share}")
        return self


class PotentialSettings(Settings):
    dead_band: float = Field(0.05, ge=0, lt=0.5, description="dead band, as a share of the population")
    horizon_days: int | None = Field(
        None, ge=1, description="days that are looked ahead; the 90th percentile of gaps if not set"
    )
    high_share: float = Field(0.2, gt=0, lt=1, description="share of the buyers that is high")
    medium_share: float = Field(0.5, gt=0, lt=1, description="share of the buyers that is high or medium")

    def keys(self) -> list[str]:
        return ["high", "medium", "low", PROSPECT]

    @model_validator(mode="after")
    def _rising(self) -> PotentialSettings:
        if self.high_share >= self.medium_share:
            raise ValueError(
                f"high_share = {self.high_share} must be below medium_share = {self.medium_share}"
            )
        return self


class LifecycleSettings(Settings):
    dead_band: float | None = Field(
        None, ge=0, lt=1, description="dead band, as a share of the border between two stages; else learned"
    )
    horizon_days: int | None = Field(
        None, ge=1, description="days that stages look ahead, and that new and won back last; else learned"
    )

    def keys(self) -> list[str]:
        return list(STAGES)


class LearningSettings(Settings):
    """Options of kinds that learn from what the config names of people."""

    activity_types: tuple[str, ...] = Field(
        (), description="activity types that are looked at, beside purchases"
    )
    categories: tuple[str, ...] = Field((), description="categories of purchases that are looked at")
    attributes: tuple[str, ...] = Field((), description="attributes that are looked at")
    sensitive: tuple[str, ...] = Field((), description="sensitive attributes that are looked at all the same")

    @property
    def learned(self) -> tuple[str, ...]:
        """All attributes that are looked at."""
        return (*self.attributes, *self.sensitive)

    @field_validator("attributes")
    @classmethod
    def _asked_for(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if faults := unasked(value):
            raise ValueError("; ".join(faults))
        return value


class ClustersSettings(LearningSettings):
    k: int | None = Field(
        None, ge=2, le=20, description="how many clusters; the largest number that is stable if not set"
    )
    max_clusters: int = Field(
        12,
        ge=2,
        le=99,
        description="numbers that may ever be given to clusters: a retired one is never used again",
    )
    dead_band: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="how much nearer another cluster must be, as a share of the distance to the own one",
    )

    def keys(self) -> list[str]:
        return [*(f"cluster_{number}" for number in range(1, self.max_clusters + 1)), PROSPECT, "unscored"]

    @model_validator(mode="after")
    def _numbers_suffice(self) -> ClustersSettings:
        if self.k is not None and self.max_clusters < self.k:
            raise ValueError(f"max_clusters = {self.max_clusters} is below k = {self.k}")
        return self


class ResponseSettings(LearningSettings, Banded):
    target: str = Field("purchase", min_length=1, description="kind of activity that is foreseen")
    within_days: int | None = Field(
        None, ge=1, le=3650, description="days in which it must come; the 90th percentile of gaps if not set"
    )
    churn: bool = Field(False, description="foresee that no purchase comes: churn")
    campaign_pattern: str | None = Field(
        None,
        min_length=1,
        description="campaigns to learn from, such as 'Spring *'; with a target in response to them",
    )
    cost: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="of one contact, in the account's currency"
    )
    value: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="of one event, in the account's currency"
    )

    def keys(self) -> list[str]:
        return ["likely", "possible", "unlikely", "unscored"]

    @model_validator(mode="after")
    def _fits_together(self) -> ResponseSettings:
        if self.churn and (self.target != "purchase" or self.campaign_pattern):
            raise ValueError(
                "churn = true foresees that no purchase comes; leave out target and campaign_pattern"
            )
        if self.campaign_pattern and self.target == "purchase":
            raise ValueError(
                "campaign_pattern needs what is recorded under a campaign's name; set target = 'campaign_response' or its like"
            )
        if (self.cost is None) != (self.value is None):
            raise ValueError(
                "cost and value belong together: probability * value >= cost is what makes a contact pay"
            )
        if self.cost is not None and self.value is not None and self.cost > self.value:
            raise ValueError(f"cost = {self.cost} is above value = {self.value}: no contact can ever pay")
        return self


class OffersSettings(Settings):
    categories: tuple[str, ...] = Field(
        min_length=1, max_length=60, description="that may be offered, as the activity names them"
    )
    goal: Literal["replenish", "discover"] = "replenish"
    window_days: int = Field(365, ge=1, description="days of purchases that are looked at")
    segment_by: str | None = Field(None, description="a segmentation whose segments have habits of their own")
    dead_band: float = Field(0.1, ge=0, lt=1, description="how much better another category must be")

    def keys(self) -> list[str]:
        return [*slugs(self.categories), "no_offer"]

    @field_validator("categories")
    @classmethod
    def _different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({category.strip() for category in value} - {""}) < len(value):
            raise ValueError("a category is named twice, or has no name")
        return value


class RulesSettings(Settings):
    """None: the config's segments say all."""


KINDS: Mapping[str, type[Settings]] = {
    "rules": RulesSettings,
    "rfm": RfmSettings,
    "lifecycle": LifecycleSettings,
    "abc": AbcSettings,
    "potential": PotentialSettings,
    "clusters": ClustersSettings,
    "response": ResponseSettings,
    "offers": OffersSettings,
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
    attributes: Mapping[str, Kind] | None = None,
) -> Segmentation:
    """The segmentation of a kind under its options. ``rules``: the segments of kind ``rules``, by priority.
    ``attributes``: types.

    ValueError (pydantic's) tells every fault of the options.
    """
    model = settings_model(kind)
    settings = options if isinstance(options, model) else model.model_validate(options)
    if isinstance(settings, RulesSettings):
        from segmentation.kinds.rules import RulesKind

        return RulesKind(rules)
    if isinstance(settings, RfmSettings):
        from segmentation.kinds.rfm import Rfm

        return Rfm(
            settings.window_days,
            settings.groups,
            settings.dead_band,
            settings.recency_patience,
            currency,
            exponent,
        )
    if isinstance(settings, LifecycleSettings):
        from segmentation.kinds.lifecycle import Lifecycle

        return Lifecycle(settings.horizon_days, settings.dead_band)
    if isinstance(settings, PotentialSettings):
        from segmentation.kinds.potential import Potential

        return Potential(
            settings.horizon_days,
            settings.high_share,
            settings.medium_share,
            settings.dead_band,
            currency,
            exponent,
        )
    if isinstance(settings, ClustersSettings):
        from segmentation.kinds.clusters import Clusters
        from segmentation.models.encoder import Looked

        looked = Looked(settings.activity_types, settings.categories, settings.learned, attributes or {})
        return Clusters(settings.k, settings.max_clusters, looked, settings.dead_band, currency, exponent)
    if isinstance(settings, ResponseSettings):
        from segmentation.kinds.response import Event, Response
        from segmentation.models.encoder import Looked

        event = Event(settings.target, settings.within_days, settings.churn, settings.campaign_pattern)
        looked = Looked(settings.activity_types, settings.categories, settings.learned, attributes or {})
        return Response(event, settings.cost, settings.value, looked, settings.dead_band)
    if isinstance(settings, OffersSettings):
        from segmentation.kinds.offers import Offers

        return Offers(
            settings.categories, settings.goal, settings.window_days, settings.segment_by, settings.dead_band
        )
    assert isinstance(settings, AbcSettings)
    from segmentation.kinds.abc import Abc

    return Abc(
        settings.window_days, settings.a_share, settings.b_share, settings.dead_band, currency, exponent
    )
