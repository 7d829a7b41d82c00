"""What may each table of the config hold, and what is it when left out?

One pydantic model per table. What needs more than one table to judge is in ``sync.config.config``.
"""

from __future__ import annotations

import re
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from connectors.values.folding import comparable
from segmentation.value_fields import ValueField
from sync.config.alerting import Alerts, Metrics
from sync.config.table import Table, date_of, name_of
from sync.config.templates import FIELD_PARTS, LIST_PARTS, filled, template
from sync.config.windows import Window, Windows

_CURRENCY = re.compile(r"[A-Z]{3}")
_MEMORY = re.compile(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B")


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        near = "".join(
            f"did you mean {name!r}? " for name in get_close_matches(text, available_timezones(), 1)
        )
        raise ValueError(
            f"{text!r} is not a time zone; {near}valid: IANA names such as Europe/Berlin"
        ) from error
    return text


def known_zone(text: str) -> bool:
    """Is this the name of a time zone?"""
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return False
    return bool(text)


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError(f"{text!r} is not a currency; valid: an ISO 4217 code such as EUR")
    return text


def _memory(text: str) -> str:
    if not _MEMORY.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount of memory; valid: a number and a unit, such as 2GB")
    return text


def _as_of(value: object) -> object:
    return value if value == "yesterday" else _date_or(value, '"yesterday" or a date such as 2024-01-31')


def _date_or(value: object, valid: str) -> date:
    try:
        return date_of(value)
    except ValueError:
        raise ValueError(f"{value!r} is not understood; valid: {valid}") from None


def _rate(value: object) -> object:
    """A bare number holds from the first day on."""
    return {"0001-01-01": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _matches(value: object) -> object:
    """By account; what holds for all that are not named stands under ``""``."""
    if isinstance(value, str) or (isinstance(value, dict) and value.keys() & {"own", "other"}):
        return {"": _match(value)}
    if not isinstance(value, dict):
        raise ValueError(_NO_MATCH)
    return {name: _match(match) for name, match in value.items()}


_NO_MATCH = 'must be one name that both accounts have, or a pair: { own = "customer_number", other = "id" }'


def _match(value: object) -> object:
    if isinstance(value, str):
        return {"own": value, "other": value}
    if not isinstance(value, dict) or value.keys() != {"own", "other"}:
        raise ValueError(_NO_MATCH)
    return value


def _bare(key: str) -> BeforeValidator:
    """A bare string stands for a table that has only ``key``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _field_name(text: str) -> str:
    return template(text, FIELD_PARTS, "name")


def _list_name(text: str) -> str:
    return template(text, LIST_PARTS, "segment")


Name = Annotated[str, AfterValidator(name_of)]
Currency = Annotated[str, AfterValidator(_currency)]
Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(lambda text: date_of(text).isoformat())]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
AsOf = Annotated[date | Literal["yesterday"], PlainValidator(_as_of)]
ExtraField = Literal["reason", "since", "previous", "score"]


class AttributeSettings(Table):
    """An attribute used in rules: its field in the CRM and its type."""

    field: str = Field(min_length=1)
    type: Literal["text", "number", "date", "bool", "ordered", "set"] = "text"
    order: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    # texts are compared letter by letter; else without case, blanks around and forms of accents
    exact: bool = False
    sensitive: bool = False  # learned from only where a segmentation names it in its own ``sensitive``

    @model_validator(mode="after")
    def _order_fits_type(self) -> AttributeSettings:
        if (self.type == "ordered") != bool(self.order):
            raise ValueError(
                'an attribute of type "ordered" needs its order = [lowest, ..., highest], and no other type has one'
            )
        if len(set(self.order)) < len(self.order):
            raise ValueError("order lists a value twice")
        if not self.exact and len(set(map(comparable, self.order))) < len(self.order):
            raise ValueError(
                "order lists two values that differ only in case or blanks; set exact = true if that is intended"
            )
        return self


class Match(Table):
    """By what a contact of another account is found here: ``id``, ``email``, or the name of an attribute."""

    own: Name
    other: Name

    @property
    def written(self) -> str | dict[str, str]:
        """As the config has it."""
        return self.own if self.own == self.other else {"own": self.own, "other": self.other}


_BY_EMAIL = Match(own="email", other="email")


class AccountSettings(Table):
    """What every account has, whichever CRM it is of. ``settings`` is the connector's own model, validated;
    ``joined_attributes`` are those of the accounts that ``attributes_from`` names.
    """

    name: Name = Field(exclude=True)
    crm: str
    time_zone: Zone = "UTC"
    currency: Currency = "EUR"
    deal_share: Literal["primary", "split", "full"] = "primary"
    on_conflict: Literal["keep", "overwrite"] = "keep"
    consent_basis: Literal["opt_in", "not_opted_out"] = "opt_in"
    quota_reserve: Share = 0.3
    test_contacts: tuple[Annotated[str, Field(pattern=r"\S")], ...] = ()
    activity_from: tuple[str, ...] = ()
    attributes_from: tuple[str, ...] = ()
    match: Annotated[dict[str, Match], BeforeValidator(_matches)] = {"": _BY_EMAIL}
    attributes: dict[Name, Annotated[AttributeSettings, _bare("field")]] = {}
    writable: bool = True
    # what fields and lists are called here, and who answers for them; labels do not hang on it
    prefix: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    field_name: Annotated[str, AfterValidator(_field_name)] | None = None
    list_name: Annotated[str, AfterValidator(_list_name)] | None = None
    owner: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\r\n]+$")] | None = None
    settings: Any = Field(default=None, exclude=True)
    joined_attributes: dict[str, AttributeSettings] = Field(default={}, exclude=True)

    @property
    def joined(self) -> tuple[str, ...]:
        """Names of the accounts whose activity or attributes are used here."""
        return tuple(dict.fromkeys((*self.activity_from, *self.attributes_from)))

    @property
    def known_attributes(self) -> dict[str, AttributeSettings]:
        """All attributes that a contact has here: its own, and those of joined accounts as ``ACCOUNT.NAME``."""
        return {**self.attributes, **self.joined_attributes}

    @property
    def field_template(self) -> str:
        """What makes the names of fields."""
        return self.field_name or "{prefix}{name}"

    @property
    def list_template(self) -> str:
        """What makes the names of lists that people read."""
        return self.list_name or "{title}: {segment}"

    @property
    def names_fields(self) -> bool:
        """Whether fields may be called otherwise here than in the config."""
        return bool(self.prefix or self.field_name)

    def with_its_names(self, segmentation: SegmentationSettings) -> SegmentationSettings:
        """A segmentation with the names that its fields have here."""
        if not self.names_fields:
            return segmentation
        parts = {"prefix": self.prefix or "", "segmentation": segmentation.name, "account": self.name}
        name = filled(self.field_template, name=segmentation.field, **parts)
        return segmentation.model_copy(update={"field": name})

    def list_title(self, segmentation: SegmentationSettings, segment: str) -> str:
        """What people call the list of a segment here."""
        parts = {"prefix": self.prefix or "", "segmentation": segmentation.name, "account": self.name}
        title = segmentation.title or segmentation.name
        return filled(self.list_template, title=title, segment=segment, **parts)

    def match_with(self, account: str) -> Match:
        """By what the contacts of a joined account are found here."""
        return self.match.get(account) or self.match.get("", _BY_EMAIL)

    @field_serializer("match")
    def _match_as_written(self, match: dict[str, Match]) -> Any:
        written = {name: pair.written for name, pair in match.items()}
        return written[""] if list(written) == [""] else written


class SegmentSettings(Table):
    """One segment of a segmentation: its key, which is stored and never changes, what people read about it,
    and its rule.
    """

    key: Name
    title: str | None = None
    description: str | None = None
    playbook: dict[str, str | int] = {}
    # of kind rules: who belongs to it; the first segment whose rule holds wins
    when: dict[str, Any] | None = None


class SegmentationSettings(Table):
    """What every segmentation has, whichever kind it is of. ``options`` is the kind's own model, validated."""

    name: Name
    title: str = ""
    kind: str
    field: Name
    lists: Literal["none", "dynamic", "static"] = "none"
    reachable_only: bool = False
    channel: Literal["email", "phone", "sms", "post", "ads"] = "email"
    unknown_reachable: bool = False
    # share of each campaign list that is held out of it, to compare with
    control: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    extra_fields: tuple[ExtraField, ...] = ()
    frozen: bool = False  # nobody enters, moves or is labelled again; who leaves the population leaves
    accounts: tuple[str, ...] = ()
    population: dict[str, Any] | None = None
    segments: tuple[SegmentSettings, ...] = ()
    options: Any = Field(default=None, exclude=True)

    @field_validator("reachable_only")
    @classmethod
    def _reachable_only_has_lists(cls, value: bool, other: ValidationInfo) -> bool:
        if value and other.data.get("lists", "static") == "none":
            raise ValueError(
                "reachable_only limits lists to people who can be reached, and there are no lists; set lists = "
                '"static" or lists = "dynamic"'
            )
        return value

    @field_validator("channel", "unknown_reachable", "control")
    @classmethod
    def _only_with_reachable_only(
        cls, value: str | bool | float, other: ValidationInfo
    ) -> str | bool | float:
        if not other.data.get("reachable_only", True):
            raise ValueError("this needs reachable_only = true: set that too, or leave this out")
        return value

    @property
    def fields(self) -> dict[str, str]:
        """Names of our fields in the CRM: "" → the segment's, extra field or further value → its own."""
        own = (*self.extra_fields, *self.value_fields)
        return {"": self.field, **{extra: f"{self.field}_{extra}" for extra in own}}

    @property
    def value_fields(self) -> dict[str, ValueField]:
        """Further values of its kind, each of which has a field."""
        return {value.name: value for value in self.options.value_fields} if self.options else {}


class Limit(Table):
    """How much a guard lets through: a share, a count, or what breaks either. None: no limit of that sort.

    A share is not judged among fewer than ``floor`` records. ``configured`` says that the user wrote this
    guard.
    """

    share: Share | None = None
    count: Count | None = None
    floor: Count = 0
    configured: bool = Field(default=False, exclude=True)


def _limit(key: str, floor: int = 0) -> BeforeValidator:
    def from_file(value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = {key: value}
        return {"floor": floor, **value, "configured": True} if isinstance(value, dict) else value

    return BeforeValidator(from_file)


def _defaults(share: float | None = None, count: int | None = None) -> Limit:
    return Limit(share=share, count=count, floor=20)


_ByTable = Annotated[Limit, _limit("share")]
_ByCount = Annotated[Limit, _limit("count")]
_OfRows = Annotated[Limit, _limit("share", floor=3)]  # one or two rows are told, and stop nothing
_OfWeeks = Annotated[Limit, _limit("share", floor=20)]


class Guards(Table):
    """What stops a plan before its first write."""

    # where it is not configured: or three times what usually changes (``sync.plan.usual_change``)
    max_change: _ByTable = Limit(share=0.05, floor=50)
    max_enter: _ByTable = _defaults(0.5, 5_000)
    max_leave: _ByTable = _defaults(0.5, 5_000)
    max_cleared: _ByTable = _defaults(0.2, 20_000)
    max_overwrite: _ByTable = _defaults(0.1, 1_000)
    max_writes: _ByCount = _defaults(count=50_000)
    max_calls: _ByCount = _defaults()
    min_size: _ByCount = _defaults(count=0)
    max_shrink: _ByTable = _defaults(0.1)
    max_enrolled: _ByCount = Limit(count=0)
    # On what was read (``sync.plan.reading_guards``):
    max_rejected: _OfRows = Limit(share=0.005, floor=3)
    max_unmatched: _OfRows = Limit(share=0.03, floor=3)
    max_stale_days: _ByCount = Limit(count=3)
    max_drop: _OfWeeks = Limit(share=0.4, floor=20)


# what ``--allow`` takes: guards, a hold since an undo, and a retire where nobody can tell who refers to it
ALLOWABLE = (*Guards.model_fields, "undone", "references")


_Span = Annotated[Window, PlainValidator(lambda text: Window.parse(str(text)))]


class Pace(Table):
    """How fast and when we write."""

    writes_per_hour: Annotated[int, Field(gt=0)] | None = None
    windows: tuple[_Span, ...] = ()
    # when changes go that start a workflow or flow, and days on which none of them goes
    send_windows: tuple[_Span, ...] = (Window.parse("09:00-18:00"),)
    freeze: tuple[Annotated[date, PlainValidator(date_of)], ...] = ()

    def windows_in(self, time_zone: str) -> Windows:
        """The windows in the time zone of an account."""
        return Windows(self.windows, ZoneInfo(time_zone))

    def send_windows_in(self, time_zone: str) -> Windows:
        """When something may start in the CRM, in the time zone of an account."""
        return Windows(self.send_windows, ZoneInfo(time_zone), frozenset(self.freeze))


class Approval(Table):
    """Which plans a person approves of before they are carried out. Without this table none has to be."""

    required: bool = True
    above: Count = 1_000  # records: a larger plan waits for approval, whatever it is about
    valid_hours: Annotated[int, Field(gt=0)] = 24
    four_eyes: bool = False  # whoever made a plan does not approve it
    user_header: str | None = None  # of a proxy that authenticates people before they reach ``ui``


class Report(Table):
    """What the report shows first."""

    leading: Name | None = None  # the segmentation of page one; None: a life cycle, or else the first one


class Ui(Table):
    """Of ``crm-segments ui``, where a proxy stands before it."""

    user_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] | None = None
    origin: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")] | None = None


class Top(Table):
    """The config beside its accounts and segmentations."""

    state_dir: str = "state"
    as_of: AsOf = "yesterday"
    rates: dict[
        Currency,
        Annotated[dict[Day, Annotated[float, Field(gt=0, allow_inf_nan=False)]], BeforeValidator(_rate)],
    ] = {}
    guards: Guards = Guards()
    automations: dict[str, Count] = {}
    pace: Pace = Pace()
    approval: Approval = Approval(required=False)
    report: Report = Report()
    alerts: Alerts = Alerts()
    metrics: Metrics = Metrics()
    ui: Ui = Ui()
    retention_days: Annotated[int, Field(gt=0)] = 730
    memory_limit: Annotated[str, AfterValidator(_memory)] = "2GB"
