"""What can be read of a portal, and how far has it been read?

Records: contacts and companies. Activity: deals and orders, engagements, and what contacts' own properties
tell. Each source is a part of its stream. It is read whole at first, when what is read of it changed, and
every ``full_sync_days`` (which finds whatever HubSpot does not report: erased records, ended associations,
properties that do not move the time of change); between these, its changes are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connectors.contract import Page
from connectors.hubspot.activities import AGGREGATES, ENGAGEMENTS, Aggregates, Engagements
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.fetching import Fetching
from connectors.hubspot.line_items import LineItems
from connectors.hubspot.opt_out import Consent
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.purchases import TERMS, Purchases, void_stages
from connectors.hubspot.records import Records, person_of
from connectors.hubspot.source import Source
from connectors.rest.progress import Position, loads
from connectors.rest.reading import pages
from connectors.rest.record_reader import RecordReader
from connectors.values.home_amounts import Amounts

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

_VERSION = 1  # of what is read out of a record: a change makes every position void


class Reading:
    """The reading side of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        # sources that the key may not read, and that nobody asks for by name
        self._left_out: dict[str, None] = {}

    def pages(self, stream: str, position: str | None) -> Iterator[Page]:
        """Pages of ``contact``, ``company`` or ``activity`` after a position."""
        state, sources, portal = loads(position, _VERSION), self.sources(stream), self._portal
        sweep_every = timedelta(days=portal.settings.full_sync_days)
        readers = (
            RecordReader(Fetching(portal, source), source, portal.now(), sweep_every) for source in sources
        )
        yield from pages(stream, state, readers, self._withdrawn(state))

    def count(self, stream: str) -> int | None:
        """How many records HubSpot's search counts; None of activity, whose deals may belong to nobody or to
        several.
        """
        if stream not in OBJECTS:
            return None
        return self._portal.total(OBJECTS[stream])

    def diagnostics(self) -> list[str]:
        """What a person should know about where consent is read from, and what is not read."""
        unread = [
            f"{name} are not read: the key has no right to them, and no setting or segmentation names them"
            for name in self._left_out
        ]
        # asks nothing: the account may be closed already
        properties = self._portal.known_properties("contacts")
        note = self._consent(properties).note if properties else ""
        return [note, *unread] if note else unread

    def consent(self) -> Consent:
        """The properties that tell who may be reached."""
        return self._consent(self._portal.properties("contacts"))

    def _consent(self, properties: Mapping[str, Mapping[str, Any]]) -> Consent:
        settings = self._portal.settings
        return Consent.of(
            properties,
            settings.email_subscription,
            settings.profiling_opt_out_property,
            self._portal.account.consent_basis,
        )

    def sources(self, stream: str) -> list[Source]:
        """What a stream is read from."""
        if stream in OBJECTS:
            return [self._records(stream)]
        return [*self._purchases(), *self._engagements(), *self._rollups()]

    def _records(self, record_type: str) -> Source:
        account, properties = self._portal.account, self._portal.properties(OBJECTS[record_type])
        present = {name: wanted for name, wanted in account.attributes.items() if wanted.field in properties}
        consent = self.consent() if record_type == "contact" else None
        return Records(account, record_type, present, consent, person_of(record_type, properties))

    def _readable(self, kind: str) -> dict[str, dict[str, Any]]:
        """The definitions of an object type; none where the key may not see it, or the portal has none of it."""
        try:
            return self._portal.properties(kind)
        except Denied:
            return {}
        except Refused as error:
            if error.refusal.status not in (400, 404):
                raise
            return {}

    def _owners(self) -> tuple[str, ...]:
        """Object types whose records activity can belong to, as far as the key may see them."""
        return tuple(kind for kind in OBJECTS.values() if self._readable(kind))

    def _wants(self, name: str, *kinds: str) -> bool:
        """Whether the settings allow a source of activity, some segmentation uses what it tells, and the key
        may read it.

        A source that neither the settings nor a segmentation ask for by name is left out where the key may
        not read it.
        """
        allowed, used = self._portal.settings.activity, self._portal.account.activity_types
        if (allowed is not None and name not in allowed) or (used is not None and not used & set(kinds)):
            return False
        by_name = allowed is not None or name == "deals" or (used is not None and name != "orders")
        if by_name or name in AGGREGATES or self._readable(name):
            return True
        self._left_out[name] = None
        return False

    def _purchases(self) -> Iterator[Source]:
        account, settings = self._portal.account, self._portal.settings
        wanted = [kind for kind in TERMS if self._wants(kind, "purchase", "refund")]
        if not wanted:
            return
        amounts = Amounts(account, self._portal.details().currency)
        products = LineItems(self._portal) if settings.products and self._readable("line_items") else None
        for kind in wanted:
            void = void_stages(self._readable(kind)) if kind == "orders" else ()
            yield Purchases(account, kind, amounts, settings.won_stages, products, self._owners(), void)

    def _engagements(self) -> Iterator[Source]:
        for kind, singular in ENGAGEMENTS.items():
            if self._wants(kind, singular):
                yield Engagements(kind, self._owners())

    def _rollups(self) -> Iterator[Source]:
        wanted = tuple(
            rollup for name, each in AGGREGATES.items() for rollup in each if self._wants(name, rollup[0])
        )
        if wanted:
            yield Aggregates(wanted)

    def _withdrawn(self, state: Position) -> list[str]:
        """Sources that were read and that the settings allow no more: what they told is void.

        One that no segmentation uses at present keeps its rows and its place: it costs nothing, and goes on
        when it is used.
        """
        allowed = self._portal.settings.activity
        if allowed is None:
            return []
        kept = {*OBJECTS.values(), *allowed, *((Aggregates.name,) if set(allowed) & set(AGGREGATES) else ())}
        return sorted(set(state.sources) - kept)
