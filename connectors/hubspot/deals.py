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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.activity import gone_rows, rows_of
from connectors.contract import Account
from connectors.hubspot.associations import Links
from connectors.hubspot.line_items import LineItems
from connectors.hubspot.records import MERGED, merged
from connectors.hubspot.source import Result, form, values
from connectors.values.api_columns import instants, texts, truths
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
    def form(self) -> str:
        account = self.account
        facts = (
            account.currency,
            account.time_zone,
            account.rates,
            account.deal_share,
            self.amounts.home,
            self.won_stages,
            self.void_stages,
        )
        return form(self.kind, self.properties, self.targets, *facts, asdict(self.terms))

    def table(
        self, results: Sequence[Result], links: dict[str, Links], rejects: Rejects, whole: bool
    ) -> pa.Table:
        """The rows of all purchases and refunds; unless ``whole``, also those that take back what is none
        (any more).
        """
        sound = self._sound(results, rejects)
        chosen = sound["results"]
        table = self._shared(sound, chosen, links)
        if whole:
            return table
        kept = set(table["id"].to_pylist())
        void = [id for row in results for id in self._ids(str(row["id"])) if id not in kept]
        void += [id for row in results for old in merged(row) for id in self._ids(old)]
        return pa.concat_tables([table, gone_rows(void)], promote_options="default") if void else table

    def gone(self, results: Sequence[Result]) -> pa.Table:
        """Rows that end all rows of these deals and of those merged into them."""
        return gone_rows(
            [id for row in results for deal in (str(row["id"]), *merged(row)) for id in self._ids(deal)]
        )

    def _ids(self, deal: str) -> list[str]:
        """Activity ids of a deal: its purchase and what was given back."""
        own = f"{self.terms.singular}/{deal}"
        return [own, f"{own}/refund"] if self.terms.refund else [own]

    def _won(self, results: Sequence[Result]) -> pa.Array:
        if self.kind != "deals":
            cancelled = [texts(values(results, name)).is_valid() for name in _CANCELLED]
            void = [
                pc.match_substring_regex(pc.fill_null(texts(values(results, name)), ""), _VOID)
                for name in _STATES
            ]
            stages = pc.is_in(texts(values(results, _STAGE)), pa.array(self.void_stages, pa.string()))
            return pc.invert(functools.reduce(pc.or_, [*cancelled, *void, stages]))
        stages = texts(values(results, "dealstage"))
        if self.won_stages:
            return pc.is_in(stages, pa.array(self.won_stages, pa.string()))
        won = truths(texts(values(results, "hs_is_closed_won")))
        # HubSpot computes the former a moment later
        return pc.coalesce(won, pc.fill_null(pc.equal(stages, _WON), False))

    def _sound(self, results: Sequence[Result], rejects: Rejects) -> dict[str, Any]:
        """Won deals whose date and amount can be read, column by column."""
        won = self._won(results).to_numpy(zero_copy_only=False)
        chosen = [row for row, is_won in zip(results, won.tolist(), strict=True) if is_won]
        ids = [str(row["id"]) for row in chosen]
        terms = self.terms

        def column(*names: str) -> pa.Array:
            return pc.coalesce(*(texts(values(chosen, name)) for name in names))

        moments = instants(column(*terms.dates))
        rejects.refuse(
            moments.is_null(), ids, f"a purchase without a date ({terms.dates[0]}): it is not counted"
        )
        currencies, amounts, home = column(terms.currency), column(terms.amount), column(*terms.home)
        units, wrong, unrated = self.amounts.minor(amounts, currencies, home, moments)
        dated = moments.is_valid()
        rejects.refuse(pc.and_(wrong, dated), ids, f"{terms.amount} is no number: it is not counted")
        remedy = (
            f"no rate for its currency on its day: set [rates] for what account {self.account.name} sells in"
        )
        rejects.refuse(pc.and_(unrated, dated), ids, remedy)
        good = pc.and_(dated, pc.invert(pc.or_(wrong, unrated)))
        rejects.cells(
            pc.and_(units.is_null(), good), ids, terms.amount, "is empty: counted without an amount"
        )
        columns = {
            "moments": moments,
            "units": units,
            "currencies": pc.fill_null(currencies, self.amounts.home),
        }
        columns = {name: array.filter(good) for name, array in columns.items()}
        chosen = [row for row, is_good in zip(chosen, good.to_pylist(), strict=True) if is_good]
        return {**columns, "results": chosen, "refunds": self._refunds(chosen, columns)}

    def _refunds(self, chosen: Sequence[Result], columns: dict[str, pa.Array]) -> pa.Array | None:
        """What was given back of each, in minor units; None where there is nothing."""
        if not self.terms.refund:
            return None
        given = texts(values(chosen, self.terms.refund))
        if given.null_count == len(given):
            return None
        units, _, _ = self.amounts.minor(
            given, columns["currencies"], pa.nulls(len(given), pa.string()), columns["moments"]
        )
        return pc.if_else(
            pc.fill_null(pc.greater(units, 0), False), pc.negate(units), pa.scalar(None, pa.int64())
        )

    def _shared(self, sound: dict[str, Any], chosen: Sequence[Result], links: dict[str, Links]) -> pa.Table:
        """One row for each purchase and each record that it belongs to; one that names nobody where it belongs
        to none.
        """
        contacts, companies, share = (
            links.get("contacts", {}),
            links.get("companies", {}),
            self.account.deal_share,
        )
        deals, places, shares = [], [], []
        owners: list[str | None] = []
        of_company: list[bool] = []
        for index, row in enumerate(chosen):
            id = str(row["id"])
            belongs: Sequence[str | None] = contacts.get(id, ())
            if not belongs:
                employer = companies.get(id, [])[:1]
                of_company.append(bool(employer))
                belongs = employer or [None]
                part = 1.0
            else:
                belongs = belongs[:1] if share == "primary" else belongs
                of_company.extend(False for _ in belongs)
                part = 1.0 / len(belongs) if share == "split" else 1.0
            for owner in belongs:
                deals.append(id)
                owners.append(owner)
                places.append(index)
                shares.append(part)
        where = pa.array(places, pa.int64())
        keys = pc.binary_join_element_wise(self.terms.singular, pa.array(deals, pa.string()), "/")
        units = sound["units"].take(where)
        parts = np.array(shares, np.float64)
        columns = {
            "id": keys,
            "record_type": pc.if_else(pa.array(of_company, pa.bool_()), "company", "contact"),
            "record_id": pa.array(owners, pa.string()),
            "share": pa.array(parts, mask=parts == 1.0),
            "order_id": keys,
            "kind": pc.if_else(pc.fill_null(pc.less(units, 0), False), "refund", "purchase"),
            "occurred_at": sound["moments"].take(where),
            "amount_minor": units,
            "currency": sound["currencies"].take(where),
        }
        table = rows_of(columns)
        if self.products is not None:
            table = self.products.lines(table, deals, links.get("line_items", {}))
        return self._with_refunds(table, columns, sound, where)

    def _with_refunds(
        self, table: pa.Table, columns: dict[str, pa.Array], sound: dict[str, Any], where: pa.Array
    ) -> pa.Table:
        if sound["refunds"] is None:
            return table
        refunds = sound["refunds"].take(where)
        ids = pc.binary_join_element_wise(columns["id"], "refund", "/")
        kinds = pa.array(["refund"] * len(refunds), pa.string())
        given = rows_of({**columns, "id": ids, "kind": kinds, "amount_minor": refunds}).filter(
            refunds.is_valid()
        )
        return pa.concat_tables([table, given], promote_options="default")
