"""People who keep their CRM in a HubSpot portal: the contract suite's account over our stand-in for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors import open_connector, settings_model
from connectors.contract import Account, Attribute, Connector
from tests.contract_suite import LIST, REASON, SEGMENT, Crm
from tests.servers.hubspot import TOKEN, Running

# Every question that the documentation leaves open, answered otherwise than by default.
OTHERWISE: dict[str, Any] = {
    "index_lag": 20,
    "list_lag": 1,
    "list_build": 3,
    "member_lag": 0.2,
    "option_lag": 1,
    "page_limit": "clamp",
    "cursor": "last",
    "batch_refusal": "whole",
    "association_ids": "number",
    "association_page": 1,
    "lonely": "omit",
    "known_members_missing": True,
    "reads_merged": False,
    "duplicate_inputs": "last",
    "duplicate_property": 400,
    "account_info": False,
    "flows": False,
    "gzip": False,
    "links_touch": False,
    "refused_count": True,
    "retry_after": True,
    "rate_category": True,
    "unknown_route": "json",
    "number_form": "as_written",
    "trims": True,
}
_DEAL = {"dealstage": "closedwon", "pipeline": "default", "deal_currency_code": "EUR"}


class PortalCrm(Crm):
    """A portal that a server serves.

    Time is made to pass before a connector is opened: search has seen what people did.
    """

    def __init__(self, server: Running, **settings: Any) -> None:
        self.server, self.portal = server, server.portal
        self.settings = {
            "token": TOKEN,
            "api_url": server.url,
            "activity": ("deals", "calls", "forms"),
            **settings,
        }
        self.portal.knobs.merge_id = "keep"
        self._opened: list[Connector] = []

    def connect(self) -> Connector:
        self.pass_time()
        settings = settings_model("hubspot")(**self.settings)
        city = {"city": Attribute("city")}
        account = Account(
            "portal",
            "hubspot",
            settings,
            time_zone="Europe/Berlin",
            attributes=city,
            fields=(SEGMENT, REASON),
        )
        self._opened.append(open_connector(account))
        return self._opened[-1]

    def pass_time(self) -> None:
        knobs = self.portal.knobs
        lag = max(knobs.index_lag, knobs.list_lag, knobs.list_build, knobs.member_lag)
        self.portal.settle(lag + 1 if lag else 0)

    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        if merged_into is not None:
            self.portal.join("contacts", int(merged_into), int(id))
        else:
            self.portal.put("contacts", {"email": email or "", "city": city or ""}, int(id))

    def delete(self, id: str) -> None:
        self.portal.archive("contacts", int(id))

    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        values = {
            "dealname": order,
            "amount": amount,
            "closedate": moment.astimezone(UTC).isoformat(),
            **_DEAL,
        }
        self.portal.associate("deals", self.portal.put("deals", values), "contacts", int(id))

    def set_field(self, id: str, name: str, value: str | None) -> None:
        self.portal.put("contacts", {name: value or ""}, int(id))

    def set_member(self, key: str, id: str, member: bool) -> None:
        assert key == LIST.key
        with self.portal.lock:
            (listed,) = [each for each in self.portal.lists.all.values() if each.name == LIST.label]
            self.portal.lists.edit(listed, [id] if member else [], [] if member else [id])
            self.portal.settle()

    def close(self) -> None:
        for connector in self._opened:
            connector.close()
