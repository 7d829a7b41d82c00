"""A portal on loopback with some contacts, and connectors on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from connectors import open_connector, settings_model
from connectors.contract import Account, FieldSpec, Option
from connectors.hubspot.connector import HubspotConnector
from tests.servers.hubspot import TOKEN, Fault, Knobs, Portal, serving

SEGMENT = FieldSpec(
    "seg_rfm",
    "contact",
    "enum",
    "Buying habits",
    "How often they buy",
    (Option("loyal", "Loyal"), Option("lost", "Lost")),
)
SCORE = FieldSpec("seg_rfm_score", "contact", "number", "Buying habits: score")
TIER = FieldSpec("seg_tier", "company", "enum", "Tier", options=(Option("a", "A"), Option("b", "B")))
QUICK: dict[str, Any] = {"limit": 1_000_000, "list_build": 0.0, "list_lag": 0.0, "index_lag": 0.0}


@dataclass
class Shop:
    """A portal, as its people and as we see it."""

    url: str
    portal: Portal
    ids: list[str] = field(default_factory=list)
    opened: list[HubspotConnector] = field(default_factory=list)

    def connect(self, account: dict[str, Any] | None = None, **settings: Any) -> HubspotConnector:
        """A connector with the fields above; ``settings`` are HubSpot's, ``account`` the account's."""
        if "refresh_token" not in settings:
            settings.setdefault("token", TOKEN)
        model = settings_model("hubspot")(api_url=self.url, **settings)
        opened = Account(
            "crm",
            "hubspot",
            model,
            time_zone="Europe/Berlin",
            fields=(SEGMENT, SCORE),
            activity_types=frozenset({"purchase"}),
        )
        connector = open_connector(replace(opened, **(account or {})))
        assert isinstance(connector, HubspotConnector)
        self.opened.append(connector)
        return connector

    def fail(self, *faults: Fault) -> None:
        """From now on this goes wrong."""
        self.portal.script.rules = list(faults)

    def held(self, name: str) -> dict[str, str]:
        """What the contacts hold in a property."""
        return {id: values[name] for id, values in self.portal.dump("contacts").items() if values.get(name)}

    def calls(self, method: str = "", path: str = "") -> int:
        """How many calls of a method came to paths that hold a text."""
        return sum(method in ("", call.method) and path in call.path for call in self.portal.log)


@contextmanager
def shop(contacts: int = 0, fields: bool = True, **knobs: Any) -> Iterator[Shop]:
    """A portal with so many contacts, where our fields are made unless said otherwise."""
    with serving(Portal(Knobs(**{**QUICK, **knobs}))) as server:
        opened = Shop(server.url, server.portal)
        opened.ids = [
            str(server.portal.put("contacts", {"email": f"person-{number}@example.org"}))
            for number in range(contacts)
        ]
        if fields:
            for spec in (SEGMENT, SCORE):
                opened.connect().ensure_field(spec)
        try:
            yield opened
        finally:
            for connector in opened.opened:
                connector.close()
