"""The reference of the config: every key with its type, range, default and meaning.

Keys, types and defaults are those of the pydantic models. What a key means is told by its model where it has a
description, else by ``config_keys.toml`` here, else by its comment in ``config.example.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from connectors import settings_model
from connectors.files.settings import ActivityTable, RecordTable
from connectors.sql.settings import ActivityRows, RecordRows
from segmentation.kinds import KINDS
from sync.config.alerting import Alerts, Channel, Metrics
from sync.config.settings import (
    AccountSettings,
    Approval,
    AttributeSettings,
    Guards,
    Limit,
    Match,
    Pace,
    Report,
    SegmentationSettings,
    SegmentSettings,
    Top,
    Ui,
)
from tests.documentation import example
from tests.documentation.markdown import code, page, sentence, table
from tests.documentation.types import default_of, type_of

_ABOUT = """
`config.toml` says which accounts there are and which segmentations each gets. `crm-segments init` writes a first one.
`crm-segments config example` prints `config.example.toml`, which shows every key in its place.
A config that is wrong is refused with all of its faults at once: file, line, key, what is wrong, and what is valid.
An unknown key is a fault.

**Secrets** are never written in it, only references: `env:NAME` (an environment variable or systemd credential), `file:PATH` (a file that
holds nothing else) or `keyring:SERVICE/USER`. Relative paths start at the folder of the config.
"""


@dataclass(frozen=True)
class Section:
    """A part of the page: the keys of a model. ``places``: where their meanings are looked up, in this order."""

    title: str
    model: type[BaseModel]
    places: tuple[str, ...]
    about: str = ""
    left_out: tuple[str, ...] = ()
    level: int = 2


def sections() -> list[Section]:
    """All parts of the page, in its order."""
    rows = tuple(RecordRows.model_fields)
    return [
        Section("Top level", Top, ("",), "Keys above the first table."),
        Section("Accounts", AccountSettings, ("accounts", "accounts.files"), _ACCOUNTS),
        Section("Attributes", AttributeSettings, ("accounts.attributes",), _ATTRIBUTES, level=3),
        Section("Matches", Match, ("accounts.match",), _MATCHES, level=3),
        Section("Files", settings_model("files"), ("accounts.files",), 'Where `crm = "files"`.', level=3),
        Section("Tables of records", RecordTable, ("records",), _RECORDS, level=3),
        Section(
            *("Tables of activities", ActivityTable, ("records", "accounts.files.activities")),
            "`[accounts.NAME.activities]`: all that tables of records have, but `words`, and:",
            tuple(RecordTable.model_fields.keys() - {"columns"}),
            level=3,
        ),
        Section("HubSpot", settings_model("hubspot"), ("accounts.hubspot",), _OF.format("hubspot"), level=3),
        Section(
            "Salesforce",
            settings_model("salesforce"),
            ("accounts.salesforce",),
            _OF.format("salesforce"),
            level=3,
        ),
        Section("Odoo", settings_model("odoo"), ("accounts.odoo",), _OF.format("odoo"), level=3),
        Section("Tryton", settings_model("tryton"), ("accounts.tryton",), _OF.format("tryton"), level=3),
        Section(
            "Databases", settings_model("sql"), ("accounts.sql", "accounts.files"), _OF.format("sql"), level=3
        ),
        Section("Rows of a database", RecordRows, ("records",), _ROWS, level=3),
        Section(
            *("Rows of activities", ActivityRows, ("records",)),
            "`[accounts.NAME.activities]` of a database: all that rows have, but `words`, and:",
            tuple({*rows, "newest_wins"} - {"columns"}),
            level=3,
        ),
        Section(
            "Segmentations", SegmentationSettings, ("segmentations", "segmentations.rfm"), _SEGMENTATIONS
        ),
        Section("Segments", SegmentSettings, ("segmentations.segments",), _SEGMENTS, level=3),
        *(_kind(name) for name in KINDS if own_keys(KINDS[name])),
        Section("Guards", Guards, ("guards",), _GUARDS),
        Section("Limits of a guard", Limit, ("limit",), _LIMITS, level=3),
        Section("Approval", Approval, ("approval",), _APPROVAL),
        Section("Pace", Pace, ("pace",), "`[pace]`: how fast and when is written."),
        Section("Report", Report, ("report",), "`[report]`: what the report shows first."),
        Section("Alerts", Alerts, ("alerts",), _ALERTS),
        Section("Channels", Channel, ("alerts.channels",), _CHANNELS, level=3),
        Section("Metrics", Metrics, ("metrics",), _METRICS),
        Section(
            "Web interface", Ui, ("ui",), "`[ui]`: of `crm-segments ui`, where a proxy stands before it."
        ),
    ]


_OF = 'Where `crm = "{}"`.'
_ACCOUNTS = (
    "`[accounts.NAME]`, one for each log-in to one CRM. The name is yours: small letters, digits and `_`."
)
_ATTRIBUTES = (
    "`[accounts.NAME.attributes]`: what rules may use. A bare string is a text attribute of that field."
)
_MATCHES = "`match` of an account, where it is no name of an attribute: how contacts of another account are found here."
_RECORDS = "`[accounts.NAME.contacts]`, `.leads` and `.companies` of a folder of files."
_ROWS = "`[accounts.NAME.contacts]`, `.leads` and `.companies` of a database: a `table` or a `query`."
_ALERTS = "`[alerts]`: what counts as wrong, and in which words it is told; see [alerts](../guides/schedule.md#alerts)."
_METRICS = (
    "`[metrics]`: figures for Prometheus; see [look from outside](../guides/schedule.md#look-from-outside)."
)
_CHANNELS = "`[[alerts.channels]]`: who is told. One that is down is tried again by the next `watch`."
_SEGMENTATIONS = "`[[segmentations]]`, one for each. Each gives every record of its population one segment."
_SEGMENTS = "`[[segmentations.segments]]`, below the segmentation that they belong to."
_GUARDS = """
`[guards]`: what stops a plan before its first write (exit code 5). `--allow GUARD --reason TEXT` lets one pass, and
the journal keeps who did it and why. The last four judge what was read, for each source account by itself.
"""
_APPROVAL = """
`[approval]`: with this table a plan waits for `crm-segments approve` where it is the first labelling by a segmentation, writes a field
or list for the first time, follows from changed settings or a new training, goes to an ad platform, or is large.
[Approval](../safety.md#approval) tells how it works.
"""
_LIMITS = "A guard is a table of these, or one number: a share for some guards, a count for others."


def own_keys(kind: type[BaseModel]) -> list[str]:
    """The options of a kind."""
    return list(kind.model_fields)


def _kind(name: str) -> Section:
    model = KINDS[name]
    about = f'Options where `kind = "{name}"`; what they do is told in [its page](../kinds/{name}.md).'
    return Section(f"Kind {name}", model, ("segmentations.kinds", f"segmentations.{name}"), about, level=3)


def keys(section: Section) -> Iterator[tuple[str, str]]:
    """Each key of a section, and what it means ("" where nothing tells)."""
    for key, field in section.model.model_fields.items():
        if not field.exclude and key not in section.left_out:
            yield key, _meaning(section, key, field.description)


def _meaning(section: Section, key: str, described: str | None) -> str:
    told = [texts[key] for place in section.places if key in (texts := written().get(place, {}))]
    comments = example.meanings()
    told += [described or "", *(comments.get((place, key), "") for place in section.places)]
    return re.sub(r"^default[;,] ", "", next(filter(None, told), ""))


@cache
def written() -> dict[str, dict[str, str]]:
    """Table → key → what is written of it, beside the models and the example."""
    return tomllib.loads((Path(__file__).parent / "config_keys.toml").read_text(encoding="utf-8"))


def text() -> str:
    """The page."""
    parts = [_part(section) for section in sections()]
    place = next(index for index, part in enumerate(parts) if part.startswith("## Segmentations"))
    return page("Config", _ABOUT, *parts[:place], _RATES, *parts[place:])


_RATES = """
## Rates

`[rates]`: worth of one unit of another currency in the account's currency. `USD = 0.92`, or from days on:
`GBP = { "2024-01-01" = 1.15, "2024-07-01" = 1.18 }`. Without a rate an amount is rejected, never guessed. See
[several currencies](../guides/currencies.md).
"""


def _part(section: Section) -> str:
    rows = [_row(section, key, meaning) for key, meaning in keys(section)]
    heads: Sequence[str] = ("Key", "Type", "Default", "Meaning")
    return "\n\n".join(
        filter(None, ["#" * section.level + f" {section.title}", section.about.strip(), table(heads, rows)])
    )


def _row(section: Section, key: str, meaning: str) -> tuple[str, str, str, str]:
    field = section.model.model_fields[key]
    return code(key), type_of(field), default_of(field), sentence(meaning)
