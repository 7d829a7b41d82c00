"""What does every kind of segmentation declare, and what do all of them have in common?

A kind is one class: its options are the fields, with their defaults and their validation; the rest tells the
config, the labelling, the scorecard and the report what they must know. A second class fits and labels: it is
imported when it is first used, because numpy, pandas and pyarrow are costly. The package lists all kinds (``KINDS``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from segmentation.evaluation.judgement import Judgement, Line, calibration
from segmentation.frames import Segment
from segmentation.rules.comparison import AttributeType
from segmentation.sensitive import unasked
from segmentation.value_fields import ValueField

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.evaluation.backtest import Backtest
    from segmentation.point_in_time import Past
    from segmentation.protocol import Segmentation
    from segmentation.rules.logic import Rule

MONEY = frozenset({"purchase", "refund"})
PROSPECT = "prospect"


@dataclass(frozen=True)
class Account:
    """What a kind must know of the account that it labels. ``exponent``: decimal places of the currency.

    ``rules``: the segments of the config that have a rule, by priority. ``attributes``: types.
    """

    currency: str = "EUR"
    exponent: int = 2
    rules: Sequence[tuple[Segment, Rule]] = ()
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """What a campaign to its segments is measured by: activity of this type, within so many days if it says
    so, in answer to campaigns of this pattern of names.
    """

    activity_type: str = "purchase"
    within_days: int | None = None
    campaign_pattern: str | None = None


@dataclass(frozen=True)
class Suggestion:
    """What ``init`` writes for a kind. ``about``: a comment. ``lines``: further lines of TOML."""

    title: str = ""  # the kind's name if empty
    about: str = ""
    name: str = ""  # of the segmentation; the kind's if empty
    lines: tuple[str, ...] = ()


class Kind(BaseModel):
    """A kind of segmentation under its options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    segmentation_class: ClassVar[str]  # what fits and labels, as module:Class
    suggestion: ClassVar[Suggestion] = Suggestion()

    # options on which neither model nor label hangs, but its further values alone
    beside_labels: ClassVar[frozenset[str]] = frozenset()

    # where its segments, or its further values, are categories that records want next: the segments that are none
    no_category: ClassVar[frozenset[str] | None] = None
    learns: ClassVar[bool] = True  # its model holds what may grow old
    segments_by_rules: ClassVar[bool] = False  # its segments are those of the config, each with a rule
    texts_from_model: ClassVar[bool] = (
        False  # what a segment means depends on the version that fitted the model
    )
    cuts_by_ranks: ClassVar[bool] = False  # somebody of the fit has the highest score of each axis
    predicts_value: ClassVar[bool] = False  # its model predicts purchases and their value
    score_is_probability: ClassVar[bool] = False

    judgement: ClassVar[Judgement] = Judgement()

    how_to_read: ClassVar[str] = ""  # a sentence for people who look at its segments
    panels: ClassVar[str] = ""  # what it shows in the report, by the name of a module of ``sync.report``
    leads: ClassVar[bool] = False  # where several kinds are shown, it stands first
    value_axis: ClassVar[Literal["", "past", "future"]] = ""  # of the matrix of value
    # column of a file of labels: forecasts give it there, by default options where the config has no such kind
    forecast_column: ClassVar[str] = ""

    @property
    def names_from_model(self) -> bool:
        """Whether a model finds the segments and names them."""
        return False

    @classmethod
    def finds_segments(cls, model: Mapping[str, Any]) -> bool:
        """Whether this model found its segments, so that those of another model are others."""
        return False

    @property
    def segments(self) -> list[Segment]:
        """Every segment that a label may have, in order; none where the config gives them."""
        return []

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        """The segments that a model gives, under its names."""
        return self.segments

    @property
    def value_fields(self) -> tuple[ValueField, ...]:
        """Further values of each record, each in a field of its own; none unless its options ask for some."""
        return ()

    @property
    def asked_values(self) -> dict[str, Any]:
        """The options that decide its further values; nothing where there are none."""
        return self.model_dump(mode="json", include=set(self.beside_labels)) if self.value_fields else {}

    def outdated(self, model: Mapping[str, Any]) -> str:
        """Why a model that an earlier version fitted is worth a new fit; "": it is not."""
        return ""

    def keys(self) -> list[str]:
        """Keys of the segments, in their order."""
        return [segment.key for segment in self.segments]

    @property
    def ranked(self) -> tuple[str, ...]:
        """Keys of the segments that are ordered, the best first."""
        return ()

    @property
    def days_ahead(self) -> int | None:
        """How far it looks ahead; None: the model says it, or it does not."""
        return None

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the segmentations that its options name."""
        return ()

    @property
    def measured_by(self) -> Event:
        """What shows that a campaign to its segments had an effect."""
        return Event()

    @property
    def categories_used(self) -> tuple[str, ...]:
        """Categories of purchases that its options name."""
        return ()

    @property
    def activity_types_used(self) -> frozenset[str] | None:
        """Types of activity that it looks at, its rules aside; None: not to be told, so all of them."""
        return MONEY

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Lines of the scorecard that only this kind has. ``backtest`` None: there is none."""
        return calibration(model.get("figures", {})) if backtest is not None else []

    def value_lines(self, model: Mapping[str, Any]) -> list[Line]:
        """Those of its own lines that are the back-tests of its further values."""
        return []

    def in_account(self, account: Account | None = None) -> Segmentation:
        """What fits and labels by these options in an account."""
        module, _, name = self.segmentation_class.partition(":")
        made: Segmentation = getattr(import_module(module), name)(self, account or Account())
        return made


class BandedKind(Kind):
    """A kind whose segments have borders that records could flap at."""

    dead_band: float = Field(0.03, ge=0, lt=0.5, description="dead band, as a share of the population")


class LearningKind(Kind):
    """A kind that learns from what the config names of people."""

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

    @property
    def categories_used(self) -> tuple[str, ...]:
        return self.categories

    @property
    def activity_types_used(self) -> frozenset[str] | None:
        return MONEY | frozenset(self.activity_types)

    @field_validator("attributes")
    @classmethod
    def _asked_for(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if faults := unasked(value):
            raise ValueError("; ".join(faults))
        return value


K = TypeVar("K", bound=Kind)


class KindSegmentation(Generic[K]):
    """A kind in an account; the base of what fits and labels (``segmentation.protocol``)."""

    def __init__(self, kind: K, account: Account) -> None:
        self.kind, self.account = kind, account

    @property
    def segments(self) -> list[Segment]:
        """Every segment that a label may have, in order."""
        return self.kind.segments

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        """The segments that a model gives, under its names."""
        return self.kind.named(model)

    def like(self, figures: Mapping[str, Any]) -> Self:
        """The same with what a model has settled (its figures), to judge that model on other days; without further
        values, which are judged apart.
        """
        fields = type(self.kind).model_fields
        defaults = {name: fields[name].get_default() for name in self.kind.beside_labels}
        return type(self)(self.kind.model_copy(update=defaults), self.account) if defaults else self

    @property
    def asked_values(self) -> dict[str, Any]:
        """The options that decide its further values; nothing where there are none."""
        return self.kind.asked_values

    def fit_values(
        self, features: pd.DataFrame, model: Mapping[str, Any], as_of: date, past: Past | None
    ) -> dict[str, Any]:
        """What its further values need beside a model, kept in it as ``values``; JSON-able."""
        return {}
