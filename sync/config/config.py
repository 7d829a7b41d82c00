"""What does the user want? ``load`` reads config.toml into typed settings, or says everything that is wrong
with it.

A table that another room knows better (a CRM's own settings, the options of a kind of segmentation, a rule)
is validated by that room, and its faults come in the same list: key path, line in the file, what is wrong,
valid values.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from connectors.contract import Account, Attribute, FieldSpec, Option
from sync.config.alerting import Alerts, Metrics
from sync.config.faults import ConfigError, Fault
from sync.config.renames import first_kind, first_names, present_names
from sync.config.secret import SecretError, secret
from sync.config.settings import (
    AccountSettings,
    Approval,
    Guards,
    Limit,
    Pace,
    Report,
    SegmentationSettings,
    SegmentSettings,
    Top,
    Ui,
)
from sync.config.tables import read_accounts, read_segmentations, secret_keys, validated
from sync.config.toml_lines import Lines
from sync.config.windows import Windows

__all__ = [
    "AccountSettings",
    "Config",
    "ConfigError",
    "Guards",
    "Limit",
    "Pace",
    "Report",
    "SegmentSettings",
    "SegmentationSettings",
    "Windows",
    "load",
    "secret",
]

_EXTRA_TYPES: dict[str, Literal["number", "date", "text"]] = {
    "reason": "text",
    "since": "date",
    "previous": "text",
    "score": "number",
}
_SHOWN = frozenset({"label", "description", "playbook"})  # what people read; changing it changes no label


@dataclass(frozen=True)
class Config:
    """A config that was checked whole.

    Paths are absolute or relative to the working directory, never to the file.
    """

    path: Path
    state_dir: Path
    as_of: date | Literal["yesterday"]
    accounts: Mapping[str, AccountSettings]
    segmentations: tuple[SegmentationSettings, ...]
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    guards: Guards = field(default_factory=Guards)
    automations: Mapping[str, int] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    approval: Approval = field(default_factory=lambda: Approval(required=False))
    report: Report = field(default_factory=Report)
    alerts: Alerts = field(default_factory=Alerts)
    metrics: Metrics = field(default_factory=Metrics)
    ui: Ui = field(default_factory=Ui)
    retention_days: int = 730
    memory_limit: str = "2GB"

    @property
    def folder(self) -> Path:
        """Where the file stands; relative paths in it start here."""
        return self.path.parent

    @property
    def writable(self) -> tuple[str, ...]:
        """Names of the accounts that are written to."""
        return tuple(name for name, account in self.accounts.items() if account.writable)

    def segmentations_of(self, account: str) -> tuple[SegmentationSettings, ...]:
        """The segmentations that are written to an account, with the names that their fields have there."""
        return tuple(
            self.accounts[account].with_its_names(settings)
            for settings in self.segmentations
            if account in (settings.accounts or self.writable)
        )

    def record_types(self, segmentation: SegmentationSettings) -> tuple[str, ...]:
        """The record types that the population can hold."""
        if segmentation.population is None:
            return ("contact",)
        from segmentation.rules import parser

        return tuple(parser.record_types(self.population(segmentation)))

    def population(self, segmentation: SegmentationSettings, account: str | None = None) -> Any:
        """The parsed rule of a segmentation's population, or None: all contacts."""
        return (
            None
            if segmentation.population is None
            else self._rule(segmentation, segmentation.population, account)
        )

    def rules(
        self, segmentation: SegmentationSettings, account: str | None = None
    ) -> list[tuple[SegmentSettings, Any]]:
        """The segments that have rules, by priority, each with its parsed rule.

        Amounts are in the account's currency.
        """
        return [
            (segment, self._rule(segmentation, segment.when, account))
            for segment in segmentation.segments
            if segment.when is not None
        ]

    def _rule(self, segmentation: SegmentationSettings, tree: Any, account: str | None) -> Any:
        from sync.config.rules import parsed

        accounts = [
            self.accounts[name] for name in ([account] if account else segmentation.accounts or self.writable)
        ]
        return parsed(tree, self.segmentations, accounts)

    def uses(self, segmentation: SegmentationSettings) -> tuple[SegmentationSettings, ...]:
        """The segmentations whose segments its population and rules look at; they are labelled before it."""
        from sync.config.rules import used

        names = used(segmentation)
        return tuple(settings for settings in self.segmentations if settings.name in names)

    def labelled_types(self, account: str) -> list[str]:
        """The record types that an account labels."""
        return sorted(
            {kind for settings in self.segmentations_of(account) for kind in self.record_types(settings)}
        )

    def in_order(self, account: str) -> list[SegmentationSettings]:
        """The segmentations of an account, each after those that it uses."""
        written = {settings.name: settings for settings in self.segmentations_of(account)}
        ordered: dict[str, SegmentationSettings] = {}

        def add(settings: SegmentationSettings) -> None:
            if settings.name not in ordered:
                for before in self.uses(settings):
                    add(before)
                ordered[settings.name] = written.get(settings.name, settings)

        for segmentation in written.values():
            add(segmentation)
        return list(ordered.values())

    def fields(
        self, account: str, options: Mapping[str, Sequence[Option]] | None = None
    ) -> tuple[FieldSpec, ...]:
        """Our fields in an account, extra fields too. ``options``: of each segmentation by its name."""
        return tuple(
            spec
            for segmentation in self.segmentations_of(account)
            for record_type in self.record_types(segmentation)
            for spec in _specs(
                segmentation,
                record_type,
                (options or {}).get(segmentation.name, ()),
                self.accounts[account].currency,
            )
        )

    def account(self, name: str, options: Mapping[str, Sequence[Option]] | None = None) -> Account:
        """What a connector is opened with: secrets resolved, our fields named.

        ConfigError where a secret is not to be had.
        """
        account = self.accounts[name]
        return Account(
            name=name,
            crm=account.crm,
            settings=self._revealed(account),
            folder=self.folder,
            time_zone=account.time_zone,
            currency=account.currency,
            rates=self.rates,
            attributes=self.attributes(name),
            fields=self.fields(name, options),
            deal_share=account.deal_share,
            quota_reserve=account.quota_reserve,
            consent_basis=account.consent_basis,
        )

    def attributes(self, account: str) -> dict[str, Attribute]:
        """The attributes of an account, by name."""
        attributes = self.accounts[account].attributes
        return {
            name: Attribute(settings.field, settings.type, settings.order, settings.missing, settings.exact)
            for name, settings in attributes.items()
        }

    def windows(self, account: str) -> Windows:
        """When an account may be written to."""
        return self.pace.windows_in(self.accounts[account].time_zone)

    def send_windows(self, account: str) -> Windows:
        """When changes may be written to an account that start something there."""
        return self.pace.send_windows_in(self.accounts[account].time_zone)

    def digest(self, segmentation: SegmentationSettings) -> str:
        """A hash of all that changes this segmentation's labels: not of what people read, not of where it is
        written, nor of what its keys are called today.
        """
        names = set(segmentation.accounts or self.writable)
        names |= {source for name in names for source in self.accounts[name].joined}
        content = {
            "segmentation": [
                segmentation.name,
                first_kind(segmentation.kind),
                segmentation.population,
                _unshown(first_names(_deciding(segmentation.options), ("segmentations", 0))),
            ],
            "accounts": {name: _definition(self.accounts[name]) for name in names},
            "rates": self.rates,
            "rules": [(entry.key, entry.when) for entry in segmentation.segments if entry.when is not None],
            "uses": [self.digest(entry) for entry in self.uses(segmentation)],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def _revealed(self, account: AccountSettings) -> Any:
        resolved, wrong = {}, []
        for key in secret_keys(type(account.settings)):
            value = getattr(account.settings, key)
            if value is not None:
                reference = value.get_secret_value() if isinstance(value, SecretStr) else value
                try:
                    resolved[key] = type(value)(secret(reference, self.folder))
                except SecretError as error:
                    wrong.append(Fault(("accounts", account.name, key), str(error)))
        if wrong:
            raise ConfigError(self.path, wrong, Lines(self.path.read_text(encoding="utf-8-sig")))
        return account.settings.model_copy(update=resolved)


def load(path: Path | str) -> Config:
    """The config of a TOML file. ConfigError lists every fault at once."""
    path = Path(path)
    text, tree = _tree(path)
    collected: list[Fault] = []
    tree = present_names(tree, collected)
    parts = {key: tree.pop(key, empty) for key, empty in (("accounts", {}), ("segmentations", []))}
    top = validated(Top, tree, (), collected, also=parts)
    accounts = read_accounts(parts["accounts"], collected)
    segmentations = read_segmentations(parts["segmentations"], accounts, collected)
    if top is not None and top.report.leading not in (None, *(entry.name for entry in segmentations)):
        named = ", ".join(entry.name for entry in segmentations) or "none"
        collected.append(
            Fault(("report", "leading"), f"{top.report.leading!r} is not a segmentation; valid: {named}")
        )
    if collected or top is None:
        lines = Lines(text)
        raise ConfigError(path, sorted(collected, key=lambda fault: lines.of(fault.path) or 0), lines)
    return Config(
        path=path,
        state_dir=path.parent / Path(top.state_dir).expanduser(),
        accounts=accounts,
        segmentations=tuple(segmentations),
        **{key: getattr(top, key) for key in Top.model_fields if key != "state_dir"},
    )


def _tree(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        what = "there is no such config file; name one with --config, write one with `crm-segments init`, or try `crm-segments demo`"
    except OSError as error:
        what = f"cannot read the config: {error.strerror}"
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        what = f"is not valid TOML: {error}"
    except RecursionError:
        what = "has tables nested too deeply; make its rules flatter"
    raise ConfigError(path, [Fault((), what)])


def _specs(
    segmentation: SegmentationSettings, record_type: str, options: Sequence[Option], currency: str
) -> list[FieldSpec]:
    title = segmentation.title or segmentation.name
    specs = [FieldSpec(segmentation.field, record_type, "enum", title, options=tuple(options))]
    for extra in segmentation.extra_fields:
        specs.append(
            FieldSpec(
                segmentation.fields[extra],
                record_type,
                _EXTRA_TYPES[extra],
                f"{title}: {extra}",
            )
        )
    for name, value in segmentation.value_fields.items():
        shown, unit = value.shown(currency), value.unit_in(currency)
        field = segmentation.fields[name]
        specs.append(FieldSpec(field, record_type, value.type, f"{title}: {shown}", unit=unit))
    return specs


def _deciding(options: Any) -> Any:
    """The options on which models and labels hang."""
    beside = set(options.beside_labels) if options is not None else set()
    return None if options is None else options.model_dump(mode="json", exclude=beside)


def _dumped(model: Any) -> Any:
    return model.model_dump(mode="json") if isinstance(model, BaseModel) else model


def _unshown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshown(element) for key, element in value.items() if key not in _SHOWN}
    return [_unshown(element) for element in value] if isinstance(value, list) else value


# where an account is, how it is reached, and what its lists hold beside members
_PLACES = (
    "export_columns",
    "path",
    "api_url",
    "host",
    "port",
    "user",
    "database",
    "sslmode",
    "sslrootcert",
    "statement_timeout_minutes",
)


def _definition(account: AccountSettings) -> Any:
    """What of an account changes labels: how it is read, without places, secrets and rules of writing."""
    naming = {"prefix", "field_name", "list_name", "owner"}
    unlike = {"on_conflict", "quota_reserve", "test_contacts", "writable", *naming} | (
        set() if account.attributes_from else {"attributes_from"}
    )
    settings = account.settings
    private = {*_PLACES, *(secret_keys(type(settings)) if isinstance(settings, BaseModel) else ())}
    mapping = {key: value for key, value in (_dumped(settings) or {}).items() if key not in private}
    path = ("accounts", account.name)
    return [
        first_names(account.model_dump(mode="json", exclude=unlike), path),
        first_names(mapping, path),
    ]
