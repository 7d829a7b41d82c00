"""Who is told when something is wrong, of what, and in which words?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from string import Formatter
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, PlainValidator, field_validator, model_validator

from sync.config.faults import one_of
from sync.config.secret import FORMS, is_reference
from sync.config.table import Table, date_of, name_of

Cause = Literal["failed", "guard", "approval", "rejects", "size", "quota", "secret", "silence"]


@dataclass(frozen=True)
class Wording:
    """A cause's title, its text, and what further a template may name."""

    title: str
    text: str
    fields: tuple[str, ...]


WORDINGS: Mapping[str, Wording] = {
    "failed": Wording(
        "A run failed",
        "{account}: run {run} failed ({ended}). `crm-segments status` tells why.",
        ("run", "ended"),
    ),
    "guard": Wording(
        "A guard stopped a run",
        "{account}: {guards} stopped run {run}. A person has to look: `crm-segments plan`.",
        ("run", "guards"),
    ),
    "approval": Wording(
        "A plan waits for an approval",
        "{account}: plan {plan} waits for an approval: {why}. Run {run} wrote {written} changes that need none. Look at it: `crm-segments "
        "plan show {plan}`.",
        ("run", "plan", "why", "written"),
    ),
    "rejects": Wording(
        "Many rejects",
        "{account}: {rejects} rows or changes are refused, {limit} are allowed. `crm-segments rejects` lists them.",
        ("rejects", "limit"),
    ),
    "size": Wording(
        "Unusual segment sizes",
        "{account}: in run {run} sizes of {segmentation} are unlike the last runs: {segments}.",
        ("run", "segmentation", "segments"),
    ),
    "quota": Wording(
        "API calls nearly used up",
        "{account}: {left} of {limit} API calls of the day were left after run {run}, {reserved} of them are reserved for others.",
        ("run", "left", "limit", "reserved"),
    ),
    "secret": Wording(
        "A secret expires",
        "The secret {secret} expires on {day}. Renew it, and write the new day into the config.",
        ("secret", "day", "days"),
    ),
    "silence": Wording(
        "No good run",
        "{account}: the last good run ended at {last_good_run}, longer ago than {hours} hours.",
        ("last_good_run", "hours"),
    ),
}
RECOVERED = Wording("Over", "Over since {closed_at}: {text}", ("closed_at", "text"))
_COMMON = ("account", "cause", "opened_at")  # what every template may name


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError(f"is a secret, which must not stand in the config; write a reference: {FORMS}")
    return text


def require_fields(template: str, valid: tuple[str, ...]) -> None:
    """ValueError where a template names something else than these fields, or is none."""
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"is not a template: {error}; write a literal brace twice") from None
    for name, form, conversion in fields:
        if name not in valid or form or conversion:
            raise ValueError(f"{{{name}}} is not a field of this text; {one_of(name, valid)}")


Reference = Annotated[str, AfterValidator(_reference)]
Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(gt=0, le=1)]
_KEYS = {
    "webhook": ({"url"}, {"url"}),
    "slack": ({"url"}, {"url"}),
    "email": ({"host", "sender", "to"}, {"host", "port", "security", "user", "password", "sender", "to"}),
}


class Channel(Table):
    """One way in which people are told."""

    name: Annotated[str, AfterValidator(name_of)]
    type: Literal["webhook", "slack", "email"]
    causes: tuple[Cause, ...] = get_args(Cause)
    url: Reference | None = None
    host: str | None = None
    port: Annotated[int, Field(gt=0, lt=65536)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Reference | None = None
    sender: str | None = None
    to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _keys_fit_type(self) -> Channel:
        needed, valid = _KEYS[self.type]
        lacking = sorted(key for key in needed if not getattr(self, key))
        if lacking:
            raise ValueError(f'a channel of type "{self.type}" needs {", ".join(lacking)}')
        odd = sorted(self.model_fields_set - valid - {"name", "type", "causes"})
        if odd:
            raise ValueError(f'a channel of type "{self.type}" has no {", ".join(odd)}')
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        return self

    @property
    def references(self) -> tuple[str, ...]:
        """The secrets that it needs."""
        return tuple(reference for reference in (self.url, self.password) if reference is not None)


class Metrics(Table):
    """Figures for a monitoring system."""

    path: str | None = None  # a file for node_exporter's textfile collector


class Alerts(Table):
    """What counts as wrong, and who is told."""

    no_good_run_hours: Hours = 26
    rejects_over: Annotated[int, Field(ge=0)] = 100
    size_deviation: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    quota_left: Part = 0.1
    secret_days: Annotated[int, Field(ge=0)] = 14
    secrets_expire: dict[Reference, Annotated[date, PlainValidator(date_of)]] = {}
    templates: dict[Cause, str] = {}
    recovered: str = RECOVERED.text
    channels: tuple[Channel, ...] = ()

    @field_validator("templates")
    @classmethod
    def _templates_name_fields(cls, templates: dict[str, str]) -> dict[str, str]:
        for cause, template in templates.items():
            require_fields(template, (*_COMMON, *WORDINGS[cause].fields))
        return templates

    @field_validator("recovered")
    @classmethod
    def _recovered_names_fields(cls, template: str) -> str:
        require_fields(template, (*_COMMON, *RECOVERED.fields))
        return template

    @field_validator("channels")
    @classmethod
    def _channels_have_names(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        names = [channel.name for channel in channels]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is the name of two channels; names must be unique")
        return channels

    def template(self, cause: str) -> str:
        """The text of a cause."""
        return next((text for key, text in self.templates.items() if key == cause), WORDINGS[cause].text)
