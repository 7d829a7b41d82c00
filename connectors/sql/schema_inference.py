"""What does a database hold that nobody has described yet?

Tables that a platform's description knows are read as that says. Of others, names, headers and cells decide, for a
person to read and correct. What could be meant in two ways is a choice, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.sql.catalogue import TableEntry
from connectors.sql.composition import Composed, composed
from connectors.sql.engines.base import Engine
from connectors.sql.landed import LandedPlatform, Landing, Place, recognised
from connectors.sql.loaders import deleted_column, is_mark, loader_of, synced_column
from connectors.sql.plain_tables import PlainTable, candidates
from connectors.sql.probing import Probe
from connectors.sql.statements import RowSource, query_source, table_source
from connectors.tables.attribute_types import attribute_types
from connectors.tables.guess import Guess, Question
from connectors.tables.header_matching import ACTIVITIES, RECORDS, mapped
from connectors.tables.sample import Sample
from connectors.tables.settings import TABLES
from connectors.tables.settling import settle_amount, settle_decimal, settle_lines, settle_times
from connectors.tables.status_words import decide_kind, decide_status, describe_words, refunded_flag
from connectors.values.money import Evidence
from connectors.values.timestamp_formats import TimeEvidence

NEEDED = ("contact", "activity")  # without them there is nothing to segment
_DELETED = re.compile(r"(is_?)?(deleted|removed)(_?(at|on|date))?", re.IGNORECASE)
_MONEY = ("amount", "price", "refunded")
_TIMES = ("occurred_at", "created_at")
_TOLD = {
    "contact_id": "who made a purchase, by id",
    "refunded": "the amount refunded: it is not subtracted",
    "gift_card": "which lines sell gift cards: they count as purchases",
    "currency": "the currency: amounts are assumed to be in that of the account",
}


@dataclass(frozen=True)
class Taken:
    """A landed table, and what the config would say of it."""

    landing: Landing
    composed: Composed


@dataclass(frozen=True)
class Choice:
    """Tables that belong together: one of several that could be meant."""

    shown: str
    schema: str
    streams: Mapping[str, Taken | PlainTable]

    @property
    def is_whole(self) -> bool:
        """Whether there are contacts and purchases."""
        return set(NEEDED) <= self.streams.keys()


def choices(
    engine: Engine, tables: Sequence[TableEntry], platforms: Sequence[LandedPlatform]
) -> list[Choice]:
    """What could be taken for contacts and purchases. Several are equally likely: a person says which.

    Where contacts or purchases are missing, it is what is there.
    """
    landed = [_of_place(place) for place in recognised(tables, platforms)]
    whole = [choice for choice in landed if choice.is_whole]
    if whole:
        return whole
    by_schema = candidates(engine, tables)
    completed = [
        replace(choice, streams={**by_schema.get(choice.schema, {}), **choice.streams})
        for choice in landed
        if choice.streams
    ]
    plain = [Choice(schema or "the database", schema, streams) for schema, streams in by_schema.items()]
    for likely in (completed, plain):
        if whole := [choice for choice in likely if choice.is_whole]:
            return whole
    return [*completed, *plain]


def guesses_of(engine: Engine, choice: Choice) -> list[Guess]:
    """What the tables of a choice are taken for, contacts first, with what they leave open."""
    made = []
    for stream in TABLES:
        taken = choice.streams.get(stream)
        if isinstance(taken, Taken):
            made.append(_of_landing(engine, stream, taken))
        elif taken is not None:
            made.append(_of_plain(engine, taken))
    return made


def _of_place(place: Place) -> Choice:
    streams: dict[str, Taken] = {}
    for stream, landings in place.streams.items():
        made = ((landing, composed(landing)) for landing in landings)
        best = next(((landing, each) for landing, each in made if each is not None), None)
        if best is not None:
            streams[stream] = Taken(*best)
    return Choice(place.shown, place.schema, streams)


def _source(engine: Engine, settings: Mapping[str, Any]) -> RowSource:
    if "query" in settings:
        return query_source(settings["query"], engine.dialect, "the query")
    return table_source(settings["table"], engine.dialect)


# -- tables of a platform ------------------------------------------------------------------------------------


def _of_landing(engine: Engine, stream: str, taken: Taken) -> Guess:
    landing, settings = taken.landing, dict(taken.composed.settings)
    description, table = landing.description, landing.table
    probe = _LandedProbe(engine, taken)
    guess = Guess(stream, probe.sample(stream), [table.shown], dict(taken.composed.columns))
    loader = loader_of(table)
    by = f", as {loader.title} lands them" if loader is not None else ""
    guess.platform, guess.amounts = f"{landing.platform}, {description.title}{by}", description.amounts
    guess.settings = settings
    guess.notes = [f"{table.name}: {note}" for note in description.notes]
    if stream != "activity":
        guess.attributes = _attributes(guess)
        return guess
    if untold := [what for name, what in _TOLD.items() if name in taken.composed.missing]:
        guess.notes.append(f"{table.name}: no readable table or column tells {', or '.join(untold)}")
    if "changed_at" not in settings:
        guess.notes.append(
            f"{table.name}: no column says when its rows were last written, so all rows are read at every pull"
        )
    for header, words in description.status.items():
        if header in settings.get("status", {}):
            named = [*words.counted, *words.left_out, *words.asked]
            counts = None if "*" in words.left_out else probe.words(header)
            describe_words(guess, header, named, words.asked, counts)
    guess.currency = _main_currency(probe.words("currency"))
    return guess


class _LandedProbe:
    """Asks the table itself where it can: a query adds up other tables too."""

    def __init__(self, engine: Engine, taken: Taken) -> None:
        self._landing, self._composed = taken.landing, taken.composed
        self._table = Probe(engine, table_source(taken.landing.table.shown, engine.dialect))
        self._whole = Probe(engine, _source(engine, taken.composed.settings))

    def sample(self, stream: str) -> Sample:
        """Some records; of purchases only their number, since the description tells the rest."""
        name = self._landing.table.name
        return self._whole.sample(name) if stream != "activity" else Sample(name, {}, self._table.count())

    def words(self, name: str) -> dict[str, int] | None:
        """The words of a column of ours or of a status; None where there are too many, or no such column."""
        if name in self._composed.bare:
            return self._table.words(self._composed.bare[name])
        return self._whole.words(name)


def _main_currency(words: Mapping[str, int] | None) -> str:
    """The currency of most rows; "" where they do not tell."""
    codes = {word: number for word, number in (words or {}).items() if word}
    return max(codes, key=lambda word: codes[word]).upper() if codes else ""


def _attributes(guess: Guess) -> dict[str, str]:
    types = attribute_types(guess.sample, set(guess.columns.values()))
    marks = {guess.settings.get("changed_at"), guess.settings.get("deleted")}
    return {header: kind for header, kind in types.items() if not is_mark(header) and header not in marks}


# -- tables of anybody ---------------------------------------------------------------------------------------


def _of_plain(engine: Engine, plain: PlainTable) -> Guess:
    table, sample = plain.table, plain.sample
    guess = Guess(plain.stream, sample, [table.shown], settings={"table": table.shown})
    probe = Probe(engine, table_source(table.shown, engine.dialect))
    if plain.stream == "activity":
        guess.columns = mapped(ACTIVITIES, sample.columns)
        settle_amount(guess)
        guess.questions = _habits(engine, probe, table, guess)
        _settle_orders(probe, guess)
    else:
        guess.columns = mapped(RECORDS, sample.columns)
        if "id" not in guess.columns and "email" in guess.columns:
            guess.columns = {"id": guess.columns["email"], **guess.columns}
            guess.notes.append(
                f"{sample.name}: it has no column of ids, so the address {guess.columns['email']!r} is the id"
            )
        if "id" in guess.columns:
            _warn_of_repeated_ids(probe, guess)
    _settle_changes(table, guess)
    if plain.stream != "activity":
        guess.attributes = _attributes(guess)
    return guess


def _settle_orders(probe: Probe, guess: Guess) -> None:
    """Which rows are one order, which of them count, and what tells a row apart."""
    columns, sample = guess.columns, guess.sample
    if "order_id" not in columns and "id" in sample.columns and "id" not in columns.values():
        columns["order_id"] = "id"
    single = False
    if "order_id" in columns:
        single = probe.count(columns["order_id"]) == sample.size
        if single:
            columns["id"] = columns["order_id"]
    decide_kind(guess, probe.words)
    refunded_flag(guess, probe.words)
    guess.questions += settle_lines(guess, probe.pages(columns.get("order_id")), single)
    if guess.settings.get("line_items") == "blank":
        guess.settings.pop("line_items")
        guess.notes.append(
            f"{sample.name}: an order's amount is on only one of its rows: check that its sums are right"
        )
    decide_status(guess, probe.words)
    words = probe.words(columns["currency"]) if "currency" in columns else None
    guess.currency = _main_currency(words) or guess.currency


def _warn_of_repeated_ids(probe: Probe, guess: Guess) -> None:
    different = probe.count(guess.columns["id"])
    if different < guess.sample.size:
        guess.notes.append(
            f"{guess.sample.name}: its {guess.sample.size:,} rows have {different:,} different ids in "
            f"{guess.columns['id']!r}: is it a history, or is another column the id?"
        )


def _settle_changes(table: TableEntry, guess: Guess) -> None:
    """What tells that a row changed or is gone."""
    changed = synced_column(table) or guess.columns.get("changed_at") or guess.columns.get("updated_at")
    if changed is not None and "id" in guess.columns and guess.settings.get("line_items") != "repeat":
        guess.settings["changed_at"] = changed
    if guess.stream == "activity":
        guess.columns.pop("updated_at", None)
    marked = [
        name
        for name in table.types
        if _DELETED.fullmatch(name) and table.kind(name) in ("bool", "instant", "local", "date")
    ]
    gone = deleted_column(table) or next(iter(marked), None)
    if gone is not None:
        guess.settings["deleted"] = gone
        guess.columns.pop("deleted", None)


def _habits(engine: Engine, probe: Probe, table: TableEntry, guess: Guess) -> list[Question]:
    """How amounts and times are written where they are text, proven on all rows; what they leave open."""
    texts = {
        name: header
        for name, header in guess.columns.items()
        if name in (*_MONEY, *_TIMES)
        and header in table.types
        and table.kind(header) == "text"
        and engine.dialect != "sqlite"  # whose cells have a type of their own
    }
    if not texts:
        return []
    numbers, moments = Evidence(), {name: TimeEvidence() for name in texts if name in _TIMES}
    for page in probe.pages()(list(texts.values())):
        for name, cells in zip(texts, page, strict=True):
            of_times = moments.get(name)
            (numbers if of_times is None else of_times).add(cells)
    return [*(settle_decimal(guess, numbers) if numbers.cells else []), *settle_times(guess, moments)]
