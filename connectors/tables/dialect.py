"""How are the rows of one stream written, and what are their columns called?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.contract import Account
from connectors.tables.settings import ActivityColumns, RecordColumns
from connectors.values.money import Notation
from connectors.values.timestamps import ISO

MONEY = ("amount", "price", "refunded", "outstanding", "gift_card")
TIMES = ("changed_at", "created_at", "consented_at", "occurred_at", "recorded_at", "updated_at")


@dataclass(frozen=True)
class Dialect:
    """What the config says of one stream."""

    stream: str
    table: RecordColumns | ActivityColumns

    @property
    def columns(self) -> Mapping[str, str]:
        """Our name → their header."""
        return self.table.columns

    @property
    def orders(self) -> ActivityColumns:
        """The settings of activity. Only for that stream."""
        assert isinstance(self.table, ActivityColumns)
        return self.table


@dataclass(frozen=True)
class Habits:
    """How the cells of a stream are written."""

    notation: Notation = field(default_factory=Notation)
    # our column (or attribute) → formats of its times
    formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[str, ...]:
        """The formats of a column; ISO 8601 where nothing else is known."""
        return self.formats.get(name) or self.formats.get("*") or (ISO,)

    def as_json(self) -> list[Any]:
        """To be compared and remembered."""
        notation = self.notation
        return [
            [notation.decimal, notation.thousands, notation.negative],
            {name: list(each) for name, each in self.formats.items()},
        ]


@dataclass(frozen=True)
class Way:
    """How the rows of one stream are read for one account."""

    account: Account
    dialect: Dialect
    habits: Habits
