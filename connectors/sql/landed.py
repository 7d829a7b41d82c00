"""Which tables of a database are those of a platform that a loader landed there?

Descriptions are those of ``connectors.tables.platform``, under ``landed``. Their columns are expressions in
PostgreSQL's SQL, of which the first is taken whose columns are all there; money that is spread over several
tables comes in ``parts``, one row of which belongs to a row of ours. ``connectors.sql.composition`` makes a
table or query of the config from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from connectors.sql.catalogue import TableEntry
from connectors.sql.settings import ActivityRows, RecordRows
from connectors.tables.platform import (
    Headers,
    PlatformDescription,
    TableDescription,
    described,
    folded,
    shipped,
)

_MADE_OF_OTHERS = re.compile(
    r"stg|staging|raw|src|base|int|tmp|temp|bak|backup|old|test|audit|log|history|hist|archive|snapshot"
)


class Strict(BaseModel):
    """A part of a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Joined(Strict):
    """A table that a part joins: its row of which ``key`` holds what the part's column ``on`` holds."""

    table: Headers
    on: str
    key: str = "id"


class Part(Strict):
    """A table with several rows for one of ours, which are added up."""

    table: Headers  # its names, as loaders call it
    key: str  # its column that names our row; of a joined table: ALIAS.column
    of: Headers = ("id",)  # the column of ours that it names, best first
    joined: dict[str, Joined] = Field(default_factory=dict)  # by alias
    columns: dict[str, Headers] = Field(default_factory=dict)  # name → aggregates, best first


class LandedTable(TableDescription):
    """One kind of table of a platform, as loaders land it."""

    table: Headers  # its names, as loaders call it
    beside: bool = False  # its signature is weak: it counts only where another table of the platform is
    needs: tuple[str, ...] = ()  # names without which another description is tried
    further: dict[str, Headers] = Field(default_factory=dict)  # columns of status words → expressions
    parts: dict[str, Part] = Field(default_factory=dict)  # by alias
    notes: list[str] = Field(default_factory=list)  # what a person should know where the table is used

    def fits(self, headers: Iterable[str]) -> bool:
        """As of any table; underscores do not matter either, and of names with ``|`` between them one is enough."""
        present = {bare_name(header) for header in headers}
        wanted = all(any(bare_name(name) in present for name in each.split("|")) for each in self.signature)
        return wanted and present.isdisjoint(map(bare_name, self.unlike))

    def model_post_init(self, _context: object) -> None:
        (ActivityRows if self.stream == "activity" else RecordRows).model_validate(
            {"table": "any", **self.settings}
        )


class LandedPlatform(PlatformDescription):
    """A platform whose landed tables are known."""

    landed: Annotated[tuple[LandedTable, ...], Field(default_factory=tuple)]


@lru_cache(maxsize=1)
def load() -> tuple[LandedPlatform, ...]:
    """The descriptions that ship with the package and tell of landed tables."""
    return tuple(platform for platform in shipped(LandedPlatform) if platform.landed)


def is_made_of_others(word: str) -> bool:
    """Whether a word of a table's name says that it is a step on the way, a copy or a history."""
    return _MADE_OF_OTHERS.fullmatch(word) is not None


def bare_name(name: str) -> str:
    """A name as loaders agree on it: ``IsWon`` is ``is_won``."""
    return folded(name).replace("_", "")


def load_file(path: Path) -> LandedPlatform:
    """A description of the user's own. Raises RequestError that names the file and every key that is wrong."""
    return described(LandedPlatform, path)


@dataclass(frozen=True)
class Landing:
    """A table that is recognised, and the tables that stand beside it under the same prefix and suffix."""

    platform: str  # its title
    description: LandedTable
    table: TableEntry
    siblings: Mapping[str, TableEntry] = field(repr=False)  # their names, without what all have → table

    def sibling(self, names: Iterable[str]) -> TableEntry | None:
        """The table of one of these names, the first that is there."""
        keys = [bare_name(name) for name in names]
        return next((self.siblings[key] for key in keys if key in self.siblings), None)


@dataclass(frozen=True)
class Place:
    """The tables of one platform that belong together: those of one shop, of one org."""

    platform: str
    schema: str
    prefix: str
    suffix: str
    streams: Mapping[str, Sequence[Landing]]  # by stream, those whose signature tells most first

    @property
    def is_copy(self) -> bool:
        """Whether prefix or suffix say that the tables are made of others, such as ``stg_shopify__order_tmp``."""
        return any(is_made_of_others(word) for word in f"{self.prefix}{self.suffix}".lower().split("_"))

    @property
    def shown(self) -> str:
        """As people read it."""
        affix = f", tables {self.prefix}…{self.suffix}" if self.prefix or self.suffix else ""
        return f"{self.platform} in {self.schema or 'the database'}{affix}"


def recognised(tables: Sequence[TableEntry], platforms: Sequence[LandedPlatform]) -> list[Place]:
    """The places at which tables of a platform stand, those with the most streams first; no copies beside originals."""
    found: dict[tuple[str, str, str, str], dict[str, list[tuple[LandedTable, TableEntry]]]] = {}
    for platform in platforms:
        for description in platform.landed:
            for table in tables:
                affix = _affix(table.name, description.table)
                if affix is not None and description.fits(table.types):
                    place = found.setdefault((platform.title, table.schema, *affix), {})
                    place.setdefault(description.stream, []).append((description, table))
    places = []
    for (title, schema, prefix, suffix), streams in found.items():
        if any(not description.beside for fitting in streams.values() for description, _ in fitting):
            siblings = _siblings(tables, schema, prefix, suffix)
            landings = {
                stream: [
                    Landing(title, description, table, siblings)
                    for description, table in sorted(fitting, key=lambda pair: -len(pair[0].signature))
                ]
                for stream, fitting in streams.items()
            }
            places.append(Place(title, schema, prefix, suffix, landings))
    originals = {place.platform for place in places if not place.is_copy}
    likely = [place for place in places if not (place.is_copy and place.platform in originals)]
    return sorted(likely, key=lambda place: -len(place.streams))


def _affix(name: str, usual: Sequence[str]) -> tuple[str, str] | None:
    """What stands before and behind a usual name, such as ``shopify_`` and ``_data``; None: it is not in it."""
    for base in usual:
        match = re.fullmatch(rf"(.+_)??{re.escape(base)}(_.+)?", name, re.IGNORECASE)
        if match:
            return match[1] or "", match[2] or ""
    return None


def _siblings(tables: Sequence[TableEntry], schema: str, prefix: str, suffix: str) -> dict[str, TableEntry]:
    return {
        bare_name(table.name[len(prefix) : len(table.name) - len(suffix)]): table
        for table in tables
        if table.schema == schema
        and table.name.startswith(prefix)
        and table.name.endswith(suffix)
        and len(table.name) > len(prefix) + len(suffix)
    }
