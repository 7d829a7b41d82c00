"""Which tables that no platform's description knows hold contacts and purchases?

Names and headers choose a few, without reading anything, and the cells of those decide. Marts come before the tables
that they are made of: ``fct_orders`` before ``stg_orders``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors.errors import AccessError, RequestError
from connectors.sql.catalogue import TableEntry
from connectors.sql.engines.base import Engine
from connectors.sql.landed import is_made_of_others
from connectors.sql.probing import Probe
from connectors.sql.statements import table_source
from connectors.tables.header_matching import ACTIVITIES, RECORDS, plain, reduced
from connectors.tables.sample import Sample
from connectors.tables.stream_inference import HINTS, streams_of

_LOOKED_AT = 6  # tables of a stream and schema whose cells are read
_USUAL = {
    "contact": ("customer", "contact", "client", "user", "person", "people", "account", "kunde", "member"),
    "activity": ("order", "purchase", "sale", "invoice", "transaction", "payment", "bestellung", "auftrag"),
}
_MART = re.compile(r"(dim|fct|fact|mart)_+")
_NEEDED: Mapping[str, Sequence[Sequence[str]]] = {
    "contact": (("id", "email"),),
    "activity": (("contact_id", "contact_email"), ("occurred_at",)),
}


@dataclass(frozen=True)
class PlainTable:
    """A table that is taken for contacts or purchases by its cells."""

    stream: str
    table: TableEntry
    sample: Sample
    rank: int  # how usual its name is


def candidates(engine: Engine, tables: Sequence[TableEntry]) -> dict[str, dict[str, PlainTable]]:
    """The likeliest table of each stream, by schema; only the schemas whose tables have the most usual names."""
    schemas: dict[str, dict[str, PlainTable]] = {}
    for schema in dict.fromkeys(table.schema for table in tables):
        here = [table for table in tables if table.schema == schema]
        found = {stream: best for stream in _NEEDED if (best := _best(engine, here, stream)) is not None}
        if found:
            schemas[schema] = found
    ranks = {
        schema: (len(found), sum(each.rank for each in found.values())) for schema, found in schemas.items()
    }
    return {schema: schemas[schema] for schema, rank in ranks.items() if rank == max(ranks.values())}


def _best(engine: Engine, tables: Sequence[TableEntry], stream: str) -> PlainTable | None:
    """The table of a stream with the most usual name; of equally usual ones the largest."""
    likely = sorted(
        (table for table in tables if _may_hold(table, stream)), key=lambda table: -_rank(table, stream)
    )
    looked_at: list[PlainTable] = []
    for table in likely[:_LOOKED_AT]:
        if looked_at and _rank(table, stream) < looked_at[0].rank:
            break
        sample = _sample(engine, table)
        if sample is not None and streams_of([sample])[sample.name] == stream:
            looked_at.append(PlainTable(stream, table, sample, _rank(table, stream)))
    return max(looked_at, key=lambda each: each.sample.size, default=None)


def _sample(engine: Engine, table: TableEntry) -> Sample | None:
    try:
        return Probe(engine, table_source(table.shown, engine.dialect)).sample(table.name)
    except (AccessError, RequestError):  # the catalogue names it, but it cannot be read
        engine.end()
        engine.begin()
        return None


def _rank(table: TableEntry, stream: str) -> int:
    """How usual a name is for a stream: 4 of a mart, 3 alone, 2 with more, 0 without; less of what marts are made of."""
    name = table.name.lower()
    core = _MART.sub("", name, count=1) if _MART.match(name) else name
    words = plain(core, " ").split()
    usual = {form for word in _USUAL[stream] for form in (word, f"{word}s", f"{word}en")}
    rank = (
        3
        if len(words) == 1 and words[0] in usual
        else 2
        if any(hint in plain(core) for hint in HINTS[stream])
        else 0
    )
    rank += rank == 3 and core != name
    return rank - 2 if any(map(is_made_of_others, words)) else rank


def _may_hold(table: TableEntry, stream: str) -> bool:
    """Whether headers of the table say that it has what a stream must have. Reads nothing."""
    synonyms = RECORDS if stream == "contact" else ACTIVITIES
    return all(any(_has(table.types, name, synonyms[name]) for name in names) for names in _NEEDED[stream])


def _has(headers: Iterable[str], name: str, synonyms: str) -> bool:
    words = _words(name, synonyms)
    return any(plain(header) in words or reduced(header)[0] in words for header in headers)


@lru_cache
def _words(name: str, synonyms: str) -> frozenset[str]:
    return frozenset([plain(name), *synonyms.split()])
