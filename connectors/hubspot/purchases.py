"""What do deals and orders of HubSpot mean as activity?

A won deal is a purchase on its close date; one of a negative amount is a refund. Of several contacts it
belongs to the primary one, or is shared (``deal_share``). A deal without a contact belongs to its
primary company; all others reach their company through the contacts. One of neither stands in a row that
names nobody, which counts for nobody. An order is a purchase on the day it was placed, unless it was
cancelled (by a date, or by the word that stands as its state); what was given back of it is a refund. A
deal that is not won (any more) is no purchase: its rows are taken back.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.hubspot.line_items import LineItems
from connectors.hubspot.source import MERGED, ids_of, merged, values
from connectors.rest.activity import (
    Columns,
    Owners,
    Prices,
    deal_facts,
    gone_rows,
    purchase_types,
    repeated,
    rows_of,
    taking_back,
)
from connectors.rest.cursor import fingerprint
from connectors.rest.source import Links, Row
from connectors.values.api_columns import instants, truths
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects

_WON = "closedwon"  # the stage of won deals in the pipeline that every portal has
_CANCELLED = ("hs_cancelled_date", "hs_external_cancel_date")
# in the words of the shop that the order came from
_STATES = ("hs_fulfillment_status", "hs_external_order_status")
_STAGE = "hs_pipeline_stage"
_VOID = r"(?i)cancel|void|storn|annul|geannul|anulad|deleted|declined|rejected|^failed|abgebrochen|abgelehnt"


@dataclass(frozen=True)
class _Terms:
    """What the properties of an object type are called; the first that a record has counts."""

    singular: str
    amount: str
    home: tuple[str, ...]  # the amount in the portal's currency
    currency: str
    dates: tuple[str, ...]
    refund: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(
            name for name in (self.amount, *self.home, self.currency, *self.dates, self.refund) if name
        )


TERMS = {
    "deals": _Terms("deal", "amount", ("amount_in_home_currency",), "deal_currency_code", ("closedate",)),
    "orders": _Terms(
        "order",
        "hs_total_price",
        ("hs_total_price_in_home_currency", "hs_home_currency_amount"),
        "hs_currency_code",
        ("hs_external_created_date", "hs_processed_date", "hs_createdate", "createdate"),
        "hs_refund_amount",
    ),
}


def void_stages(definitions: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Ids of the stages of orders whose name says that they were cancelled, as far as HubSpot tells the
    names.
    """
    options = definitions.get(_STAGE, {}).get("options") or ()
    return tuple(
        sorted(
            str(option["value"])
            for option in options
            if re.search(_VOID, str(option.get("label"))) and option.get("value")
        )
    )


@dataclass(frozen=True)
class Purchases:
    """The deals or the orders of an account."""

    account: Account
    kind: str
    amounts: Amounts
    won_stages: tuple[str, ...] = ()
    products: LineItems | None = None  # where purchases are wanted line by line
    owners: tuple[str, ...] = ("contacts", "companies")
    void_stages: tuple[str, ...] = ()  # ids of the stages that mean a cancelled order
    stamp: str = "hs_lastmodifieddate"
    present: tuple[str, ...] = ()
    terms: _Terms = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", TERMS[self.kind])

    @property
    def name(self) -> str:
        return self.kind

    @property
    def properties(self) -> tuple[str, ...]:
        state = ("hs_is_closed_won", "dealstage") if self.kind == "deals" else (*_CANCELLED, *_STATES, _STAGE)
        return tuple(dict.fromkeys((self.stamp, MERGED, *state, *self.terms.all)))

    @property
    def essential(self) -> tuple[tuple[str, ...], ...]:
        state = (
            (("dealstage",) if self.won_stages else ("hs_is_closed_won",),) if self.kind == "deals" else ()
        )
        return ((self.stamp,), (self.terms.amount, *self.terms.home), self.terms.dates, *state)

    @property
    def targets(self) -> tuple[str, ...]:
        return (*self.owners, *(("line_items",) if self.products else ()))

    @property
    def fingerprint(self) -> str:
        facts = (*deal_facts(self.account), self.amounts.home, self.won_stages, self.void_stages)
        return fingerprint(self.kind, self.properties, self.targets, *facts, asdict(self.terms))

    def table(
        self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """The rows of all purchases and refunds; unless ``whole``, also those that take back what is none
        (any more).
        """
        won = self._won(rows).to_pylist()
        table = self._sold([row for row, is_won in zip(rows, won, strict=True) if is_won], links, rejects)
        return table if whole else taking_back(table, self._ids(rows))

    def gone(self, rows: Sequence[Row]) -> pa.Table:
        """Rows that end all rows of these deals and of those merged into them."""
        return gone_rows(self._ids(rows))

    def _ids(self, rows: Sequence[Row]) -> Iterator[str]:
        """Activity ids of deals and of those merged into them: the purchase and what was given back."""
        for deal in (deal for row in rows for deal in (str(row["id"]), *merged(row))):
            yield f"{self.terms.singular}/{deal}"
            if self.terms.refund:
                yield f"{self.terms.singular}/{deal}/refund"

    def _won(self, rows: Sequence[Row]) -> pa.Array:
        if self.kind != "deals":
            cancelled = [values(rows, name).is_valid() for name in _CANCELLED]
            void = [pc.match_substring_regex(pc.fill_null(values(rows, name), ""), _VOID) for name in _STATES]
            stages = pc.is_in(values(rows, _STAGE), pa.array(self.void_stages, pa.string()))
            return pc.invert(functools.reduce(pc.or_, [*cancelled, *void, stages]))
        stages = values(rows, "dealstage")
        if self.won_stages:
            return pc.is_in(stages, pa.array(self.won_stages, pa.string()))
        # HubSpot computes the former a moment later
        return pc.coalesce(
            truths(values(rows, "hs_is_closed_won")), pc.fill_null(pc.equal(stages, _WON), False)
        )

    def _sold(self, rows: Sequence[Row], links: Mapping[str, Links], rejects: Rejects) -> pa.Table:
        """The rows of won deals whose date and amount can be read."""
        terms = self.terms

        def column(*names: str) -> pa.Array:
            return pc.coalesce(*(values(rows, name) for name in names))

        moments, currencies = instants(column(*terms.dates)), column(terms.currency)
        no_date = f"a purchase without a date ({terms.dates[0]})"
        prices = Prices(no_date, terms.amount, column(terms.amount), currencies, column(*terms.home))
        units, good = prices.minor(self.account, self.amounts, ids_of(rows), moments, rejects)
        columns = {
            "occurred_at": moments,
            "amount_minor": units,
            "currency": pc.fill_null(currencies, self.amounts.home),
        }
        if terms.refund:
            columns["refund"] = self._refunds(rows, columns)
        sold = [row for row, is_good in zip(rows, good.to_pylist(), strict=True) if is_good]
        return self._shared(sold, {name: array.filter(good) for name, array in columns.items()}, links)

    def _refunds(self, rows: Sequence[Row], columns: Columns) -> pa.Array:
        """What was given back of each, in minor units below 0; null where nothing was."""
        given, no_home = values(rows, self.terms.refund), pa.nulls(len(rows), pa.string())
        units, _, _ = self.amounts.minor(given, columns["currency"], no_home, columns["occurred_at"])
        is_refund = pc.fill_null(pc.greater(units, 0), False)
        return pc.if_else(is_refund, pc.negate(units), pa.scalar(None, pa.int64()))

    def _shared(self, rows: Sequence[Row], columns: Columns, links: Mapping[str, Links]) -> pa.Table:
        """One row for each purchase and each record that it belongs to; one that names nobody where it belongs
        to none.
        """
        deals, share = ids_of(rows), self.account.deal_share
        contacts, companies = links.get("contacts", {}), links.get("companies", {})
        owners = Owners.of(
            (contacts.get(deal, [])[: 1 if share == "primary" else None] for deal in deals),
            (companies.get(deal, [])[:1] for deal in deals),
        )
        columns = {name: array.take(pa.array(owners.deals)) for name, array in columns.items()}
        keys = pc.binary_join_element_wise(
            self.terms.singular, pa.array(deals, pa.string()).take(pa.array(owners.deals)), "/"
        )
        columns |= {
            "id": keys,
            "record_type": owners.record_types,
            "record_id": owners.record_ids,
            "share": owners.shares() if share == "split" else pa.nulls(len(keys), pa.float64()),
            "order_id": keys,
            "kind": purchase_types(columns["amount_minor"]),
        }
        table = rows_of(columns)
        if self.products is not None:
            of_rows = [deals[index] for index in owners.deals.tolist()]
            table = self.products.lines(table, of_rows, links.get("line_items", {}))
        refunds = columns.get("refund")
        if refunds is None or refunds.null_count == len(refunds):
            return table
        columns |= {
            "id": pc.binary_join_element_wise(keys, "refund", "/"),
            "kind": repeated("refund", len(keys)),
            "amount_minor": refunds,
        }
        given = rows_of(columns).filter(refunds.is_valid())
        return pa.concat_tables([table, given], promote_options="default")
