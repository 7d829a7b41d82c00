"""Which fields of ours has the config left behind?

What we ever wrote is read back until it is cleared, whatever the config names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from connectors.contract import FieldSpec, Option
from sync.config.config import Config
from sync.store.journal import Journal
from sync.store.journal.objects import MadeObject

FieldType = Literal["enum", "number", "date", "bool", "text"]
_EXTRA_FIELDS: Mapping[str, FieldType] = {
    "reason": "text",
    "since": "date",
    "previous": "text",
    "score": "number",
}


def left_fields(config: Config, journal: Journal, account: str) -> tuple[FieldSpec, ...]:
    """The fields that set-up made or adopted in an account and that no segmentation names any more."""
    named = {(spec.record_type, spec.name) for spec in config.fields(account)}
    made = [row for row in journal.objects.of(account) if row.kind == "field"]
    names = {row.key for row in made}
    return tuple(_spec(row, names) for row in made if (row.record_type, row.key) not in named)


def extra_fields_of(config: Config, journal: Journal, account: str) -> set[str]:
    """Names of all extra fields of ours in an account, those that the config left behind included."""
    names = {field for settings in config.segmentations_of(account) for field in settings.fields.values()}
    made = [row for row in journal.objects.of(account) if row.kind == "field"]
    names |= {row.key for row in made}
    valued = {row.key for row in made if row.form.get("type", "enum") != "enum"}
    valued |= {s.fields[value] for s in config.segmentations_of(account) for value in s.value_fields}
    return {name for name in names if name in valued or _extra_field(name, names)}


def _spec(row: MadeObject, names: set[str]) -> FieldSpec:
    form = row.form
    options = tuple(Option(str(option["key"]), str(option["label"])) for option in form.get("options") or ())
    kind: FieldType = form.get("type") or _EXTRA_FIELDS.get(_extra_field(row.key, names), "enum")
    return FieldSpec(
        row.key,
        row.record_type,
        kind,
        form.get("label", ""),
        form.get("description", ""),
        options,
        form.get("unit", ""),
        retired=True,
    )


def _extra_field(name: str, names: set[str]) -> str:
    """Which extra field a name means; "" where it is a segmentation's own field."""
    return next(_endings(name, names), "")


def _endings(name: str, names: set[str]) -> Iterator[str]:
    for extra_field in _EXTRA_FIELDS:
        base = name.removesuffix(f"_{extra_field}")
        if base != name and base in names:
            yield extra_field
