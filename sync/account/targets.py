"""What do we write to?

Every field and list of an account, from the config: the one place where their names are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from connectors import limits
from connectors.contract import FieldSpec, ListSpec
from connectors.values.folding import comparable
from sync.account import help_texts
from sync.account.connections import options_of
from sync.account.segment_catalog import SegmentText, named_segments, segments_of
from sync.config.config import Config
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.store.journal import Journal


@dataclass(frozen=True)
class Target:
    """A field or a list of ours. ``name`` is the field's name or the list's key: unique within an account."""

    name: str
    kind: Literal["field", "list"]
    segmentation: str
    extra_field: str = ""  # of a field: "" is the segment itself
    by_itself: bool = False  # of an extra field: it is planned whether the segment moves or not
    segment: str = ""  # of a list
    record_type: str = ""  # of a list
    channel: str = ""  # of a campaign list: who cannot be reached by it is not in it
    unknown_reachable: bool = False  # of a campaign list: may it hold records of unknown reachability?
    plain_name: str = ""  # of a field: its name in the config, before the account's template
    control: float = 0.0  # of a campaign list: share that is held out of it (``sync.plan.control_groups``)


def targets_of(config: Config, account: str) -> list[Target]:
    """All targets of an account; a segmentation's own field stands before its extra fields and lists."""
    targets = []
    plain = {settings.name: settings.fields for settings in config.segmentations}
    for settings in config.segmentations_of(account):
        for extra_field, field in settings.fields.items():
            name = plain[settings.name][extra_field]
            by_itself = extra_field in settings.value_fields
            targets.append(Target(field, "field", settings.name, extra_field, by_itself, plain_name=name))
        if settings.lists != "none":
            for spec, segment in _lists(config, account, settings, segments_of(config, settings)):
                reach = (spec.channel, spec.unknown_reachable)
                of_list = (segment, spec.record_type, *reach)
                targets.append(
                    Target(spec.key, "list", settings.name, "", False, *of_list, control=settings.control)
                )
    return targets


def field_specs(config: Config, journal: Journal, account: str) -> list[FieldSpec]:
    """The fields that set-up makes, with the help texts that people read beside them."""
    descriptions = {}
    longest = limits(config.accounts[account].crm).description
    for settings in config.segmentations_of(account):
        signed = help_texts.signature(settings.name, account, config.accounts[account].owner)
        title, segments = settings.title or settings.name, named_segments(config, journal, settings, account)
        for extra_field, name in settings.fields.items():
            value = settings.value_fields.get(extra_field)
            descriptions[name] = (
                help_texts.of_value(title, value, config.accounts[account].currency, signed, longest)
                if value
                else help_texts.of_extra_field(title, extra_field, signed, longest)
                if extra_field
                else help_texts.of_field(title, segments, signed, longest)
            )
    return [
        replace(spec, description=descriptions[spec.name])
        for spec in config.fields(account, options_of(config, journal, account))
    ]


def list_specs(config: Config, journal: Journal, account: str, dynamic: bool) -> list[ListSpec]:
    """The lists that set-up makes; a CRM without ``dynamic`` lists gets static ones."""
    ids = {
        (made.record_type, made.key): made.remote
        for made in journal.objects.of(account)
        if made.kind == "list"
    }
    basis = config.accounts[account].consent_basis
    return [
        replace(
            spec,
            kind="dynamic" if spec.kind == "dynamic" and dynamic else "static",
            id=ids.get((spec.record_type, spec.key)) or "",
            consent_basis=basis if spec.channel and spec.kind == "dynamic" and dynamic else "",
        )
        for settings in config.segmentations_of(account)
        for spec, _segment in _lists(
            config, account, settings, named_segments(config, journal, settings, account)
        )
    ]


def name_faults(specs: Sequence[ListSpec], account: AccountSettings) -> list[str]:
    """What is wrong with the names that a template gives lists, those that a model found included."""
    if account.list_name is None:
        return []
    most, taken, faults = limits(account.crm).list_name, dict[tuple[str, str], str](), []
    for spec in specs:
        other = taken.setdefault((spec.record_type, comparable(spec.label)), spec.key)
        if other != spec.key:
            faults.append(
                f"lists {other} and {spec.key} would both be called {spec.label!r}: change list_name in [accounts.{account.name}]"
            )
        if len(spec.label) > most.get(spec.kind, len(spec.label)):
            faults.append(
                f"list {spec.key} would be called {spec.label!r}, {len(spec.label)} characters, of which {account.crm} takes "
                f"{most[spec.kind]}: shorten list_name in [accounts.{account.name}], or the title of the segment"
            )
    return faults


def _lists(
    config: Config, account: str, settings: SegmentationSettings, segments: Sequence[SegmentText]
) -> list[tuple[ListSpec, str]]:
    if settings.lists == "none":
        return []
    types = config.record_types(settings)
    campaign = (settings.channel, settings.unknown_reachable) if settings.reachable_only else ("", False)
    specs = []
    signed = help_texts.signature(settings.name, account, config.accounts[account].owner)
    for segment in segments:
        for record_type in types:
            key = f"{settings.name}.{segment.key}" + ("" if record_type == types[0] else f".{record_type}")
            title = config.accounts[account].list_title(settings, segment.title) + (
                "" if record_type == types[0] else f" ({record_type})"
            )
            text = help_texts.of_list(segment, signed)
            spec = ListSpec(
                key,
                title,
                settings.lists,
                record_type,
                settings.field,
                segment.key,
                *campaign,
                description=text,
            )
            specs.append((spec, segment.key))
    return specs
