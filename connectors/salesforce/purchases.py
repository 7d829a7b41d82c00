"""Who bought what? Won opportunities, each belonging to the contacts of its roles; and orders, where the
account counts them.

An opportunity without roles belongs to its account's primary contact (the person of a person account, or the
primary contact role of the account), else to the account itself. Where accounts get segments, it is its own
account's too, wherever the contacts are employed. A role does not move the stamp of its opportunity, nor the
other way round: both are looked at. Only activated orders count ("Object Reference": Opportunity,
OpportunityContactRole, Order).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import FieldSpec
from connectors.rest.activity import (
    Columns,
    Owners,
    Prices,
    deal_facts,
    purchase_types,
    repeated,
    rows_of,
    taking_back,
)
from connectors.rest.cursor import fingerprint
from connectors.rest.seen import Overlap
from connectors.salesforce import soql
from connectors.salesforce.activities import Activities, Meaning, activity_of
from connectors.salesforce.fetching import Fetching, texts
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, Source, column, is_true, keyed, midnights
from connectors.values.api_columns import instants
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects

_WANTED = (
    *("Id", "AccountId", "Amount", "CurrencyIsoCode", "CloseDate", "IsWon", "StageName", "Type"),
    *(STAMP, "CreatedDate", "IsDeleted"),
)
_ROLE = ("OpportunityId", "ContactId", "IsPrimary", "IsDeleted", "Id", STAMP)
_PRIMARY, _IS_PRIMARY = ("AccountId", "ContactId", "IsDeleted"), "IsPrimary = true"
_PERSON = "Account.PersonContactId"
_ORDER = (
    *("AccountId", "BillToContactId", "EffectiveDate", "StatusCode", "TotalAmount", "CurrencyIsoCode"),
    *("IsReductionOrder", "Type"),
)


@dataclass
class Opportunities(Source):
    """The opportunities that this user sees."""

    org: Org
    amounts: Amounts
    corporate: dict[str, float]  # currency → how much of it is worth 1 of the org's corporate currency
    _roles: Mapping[str, Sequence[str]] = field(default_factory=dict)  # opportunity → its contacts
    _primary: Mapping[str, str] = field(default_factory=dict)  # account → its primary contact

    @property
    def fingerprint(self) -> str:
        facts = (*deal_facts(self.account), self.org.settings.won_stages)
        return fingerprint(self.fields, *facts, self._of_people, self._of_accounts, "parts to the cent")

    @property
    def _labelled(self) -> list[FieldSpec]:
        """Fields that segments are written to."""
        return [spec for spec in self.account.fields if not spec.retired]

    @property
    def _of_accounts(self) -> bool:
        """Whether accounts get segments: then each opportunity is its own account's."""
        return any(spec.record_type == "company" for spec in self._labelled)

    @property
    def _of_people(self) -> bool:
        """Whether somebody else does, or nobody is known to."""
        return not self._of_accounts or any(spec.record_type != "company" for spec in self._labelled)

    def prepare(self, fetching: Fetching, window: Sequence[str] | None, overlap: Overlap) -> None:
        """The roles of the window's opportunities, and primary contacts of their accounts."""
        roles = self._roles_of(fetching, window)
        overlap.delivered(roles)
        self._roles, self._primary = _contacts(roles), self._primaries(fetching, window)

    def further(
        self, fetching: Fetching, window: Sequence[str], known_ids: pa.Array, overlap: Overlap
    ) -> Iterator[pa.Table]:
        """Opportunities of which a role changed."""
        if not self._has_roles():
            return
        statement = soql.Select(_ROLE, "OpportunityContactRole", window)
        changed = [overlap.fresh(batch.table) for batch in fetching.changed(statement)]
        ids = pc.unique(pa.concat_tables(changed)["OpportunityId"].combine_chunks().drop_null())
        others: list[str] = ids.filter(pc.invert(pc.is_in(ids, known_ids))).to_pylist()
        if not others:
            return
        rows = fetching.among(self.fields, self.object, "Id", others)
        self._roles = _contacts(fetching.among(_ROLE, "OpportunityContactRole", "OpportunityId", others))
        accounts = sorted({account_id for account_id in rows["AccountId"].to_pylist() if account_id})
        self._primary = self._primary_of(fetching, accounts)
        yield rows

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """One row for each won opportunity and each record that it belongs to; lost and deleted ones are
        taken back.
        """
        table = self._shared(self._won(rows, rejects))
        return table if whole else taking_back(table, keyed("opportunity", column(rows, "Id")).to_pylist())

    def _won(self, rows: pa.Table, rejects: Rejects) -> Columns:
        """Columns of the won ones whose date and amount can be read."""
        stages = pa.array(self.org.settings.won_stages, pa.string())
        won = pc.is_in(column(rows, "StageName"), stages) if len(stages) else is_true(rows, "IsWon")
        rows = rows.filter(pc.and_(won, pc.invert(is_true(rows, "IsDeleted"))))
        ids, moments = column(rows, "Id"), midnights(column(rows, "CloseDate"), self.account.time_zone)
        currencies, amounts = column(rows, "CurrencyIsoCode"), column(rows, "Amount")
        home = self._home(amounts, currencies)
        prices = Prices("a purchase without a close date", "Amount", amounts, currencies, home)
        units, good = prices.minor(self.account, self.amounts, ids.to_pylist(), moments, rejects)
        columns = {
            "opportunity": ids,
            "account": column(rows, "AccountId"),
            "person": column(rows, _PERSON),
            "occurred_at": moments,
            "recorded_at": instants(column(rows, "CreatedDate")),
            "amount_minor": units,
            "currency": pc.fill_null(currencies, self.amounts.home),
            "category": column(rows, "Type"),
        }
        return {name: array.filter(good) for name, array in columns.items()}

    def _home(self, amounts: pa.Array, currencies: pa.Array) -> pa.Array:
        """Amounts in the org's own currency: as they are in an org of one currency, else by the org's rates."""
        if not self.org.several_currencies:
            return amounts
        rates = [self.corporate.get(currency) if currency else None for currency in currencies.to_pylist()]
        worth = [_divided(text, rate) for text, rate in zip(amounts.to_pylist(), rates, strict=True)]
        return pa.array(worth, pa.string())

    def _shared(self, won: Columns) -> pa.Table:
        """One row for each opportunity and owner; where accounts get segments, one for the account whose
        opportunity it is too.
        """
        table = self._of_owners(won)
        if not self._of_accounts:
            return table
        accounts = self._of_its_account(won)
        others = pc.not_equal(table["record_type"], "company")
        if not self._of_people:
            others = pc.and_(others, pc.invert(pc.is_in(table["id"], accounts["id"].combine_chunks())))
        return pa.concat_tables([table.filter(others), accounts], promote_options="default")

    def _of_its_account(self, won: Columns) -> pa.Table:
        """One row for each opportunity of an account that is no person: the whole of it, whoever took part."""
        here = pc.and_(won["account"].is_valid(), won["person"].is_null())
        own = {name: values.filter(here) for name, values in won.items()}
        return _rows(own, repeated("company", len(own["account"])), own["account"])

    def _of_owners(self, won: Columns) -> pa.Table:
        """One row for each opportunity and owner, with the owner's part of it."""
        accounts, share = won["account"].to_pylist(), self.account.deal_share
        persons = zip(won["opportunity"].to_pylist(), won["person"].to_pylist(), accounts, strict=True)
        owners = Owners.of(
            (self._contacts(*of)[: 1 if share == "primary" else None] for of in persons),
            ([account] if account else [] for account in accounts),
        )
        shared = {name: values.take(pa.array(owners.deals)) for name, values in won.items()}
        if share == "split":
            shared["amount_minor"] = owners.parts(shared["amount_minor"])
        table = _rows(shared, owners.record_types, owners.record_ids)
        return table.filter(table["record_id"].is_valid())

    def _contacts(self, opportunity: str, person: str | None, account: str | None) -> Sequence[str]:
        """Those of its roles, else the primary contact of its account, where there is one."""
        primary = person or self._primary.get(account or "")
        return self._roles.get(opportunity) or ([primary] if primary else [])

    # What belongs to opportunities

    def _has_roles(self) -> bool:
        return "OpportunityId" in self.org.fields("OpportunityContactRole")

    def _roles_of(self, fetching: Fetching, window: Sequence[str] | None) -> pa.Table:
        if not self._has_roles():
            return texts([], _ROLE)
        if window is None:
            everything = soql.Select(_ROLE, "OpportunityContactRole")
            batches = fetching.all(everything, fetching.size("OpportunityContactRole"))
        else:
            where = [f"OpportunityId IN ({soql.Select(['Id'], self.object, window)})"]
            batches = fetching.changed(soql.Select(_ROLE, "OpportunityContactRole", where))
        return pa.concat_tables([batch.table for batch in batches])

    def _primaries(self, fetching: Fetching, window: Sequence[str] | None) -> dict[str, str]:
        """Primary contacts of the accounts of a window's opportunities."""
        if not self._has_primaries():
            return {}
        where = [_IS_PRIMARY]
        if window is not None:
            where.append(f"AccountId IN ({soql.Select(['AccountId'], self.object, window)})")
        batches = fetching.changed(soql.Select(_PRIMARY, "AccountContactRole", where))
        return _by_account(pa.concat_tables([batch.table for batch in batches]))

    def _primary_of(self, fetching: Fetching, accounts: Sequence[str]) -> dict[str, str]:
        if not self._has_primaries():
            return {}
        return _by_account(
            fetching.among(_PRIMARY, "AccountContactRole", "AccountId", accounts, [_IS_PRIMARY])
        )

    def _has_primaries(self) -> bool:
        return {"AccountId", "ContactId", "IsPrimary"} <= set(self.org.fields("AccountContactRole"))


def opportunities(org: Org) -> Opportunities | None:
    """The source, or None where this user does not see the object."""
    visible = org.fields("Opportunity")
    if not visible:
        return None
    fields = [name for name in _WANTED if name in visible]
    if "PersonContactId" in org.fields("Account") and "AccountId" in fields:
        fields.append(_PERSON)
    corporate, rates = _currencies(org)
    amounts = Amounts(org.account, corporate)
    return Opportunities("opportunities", "Opportunity", tuple(fields), org.account, org, amounts, rates)


def _currencies(org: Org) -> tuple[str, dict[str, float]]:
    """The org's corporate currency and its own rates; of an org of one currency, nothing."""
    if not org.several_currencies:
        return "", {}
    statement = soql.Select(["IsoCode", "ConversionRate", "IsCorporate"], "CurrencyType", ["IsActive = true"])
    rows = [row for page in org.query(statement) for row in page]
    corporate = next((str(row["IsoCode"]) for row in rows if row["IsCorporate"]), "")
    rated = (row for row in rows if row["ConversionRate"])
    return corporate, {str(row["IsoCode"]): float(row["ConversionRate"]) for row in rated}


def _rows(won: Columns, record_types: pa.Array, record_ids: pa.Array) -> pa.Table:
    """Rows of opportunities, each with the record that it belongs to."""
    keys = keyed("opportunity", won["opportunity"])
    columns = {"id": keys, "record_type": record_types, "record_id": record_ids, "order_id": keys}
    return rows_of({**won, **columns, "kind": purchase_types(won["amount_minor"])})


def _contacts(roles: pa.Table) -> dict[str, list[str]]:
    """Contacts of each opportunity, the primary one first, each once."""
    is_role = pc.and_(pc.invert(is_true(roles, "IsDeleted")), column(roles, "ContactId").is_valid())
    keys = [("OpportunityId", "ascending"), ("IsPrimary", "descending"), ("Id", "ascending")]
    roles = roles.filter(is_role).sort_by(keys)  # "true" stands behind "false"
    contacts: dict[str, dict[str, None]] = {}
    pairs = zip(roles["OpportunityId"].to_pylist(), roles["ContactId"].to_pylist(), strict=True)
    for opportunity, contact in pairs:
        contacts.setdefault(opportunity, {})[contact] = None
    return {opportunity: list(of) for opportunity, of in contacts.items()}


def _by_account(rows: pa.Table) -> dict[str, str]:
    rows = rows.filter(pc.invert(is_true(rows, "IsDeleted")))
    pairs: Any = zip(rows["AccountId"].to_pylist(), rows["ContactId"].to_pylist(), strict=True)
    return {account: contact for account, contact in pairs if account and contact}


def _divided(text: str | None, rate: float | None) -> str | None:
    if text is None or not rate:
        return None
    try:
        return str((Decimal(text) / Decimal(repr(rate))).quantize(Decimal("0.000001")))
    except InvalidOperation:
        return None


def orders(org: Org) -> Activities | None:
    """The source of orders, or None where this user does not see the object."""
    return activity_of(org, "orders", Meaning("Order", _ORDER, _orders))


def _orders(source: Activities, rows: pa.Table, rejects: Rejects) -> list[Columns]:
    rows = rows.filter(pc.fill_null(pc.not_equal(column(rows, "StatusCode"), "Draft"), False))
    ids, moments = column(rows, "Id"), midnights(column(rows, "EffectiveDate"), source.account.time_zone)
    currencies, amounts = column(rows, "CurrencyIsoCode"), column(rows, "TotalAmount")
    home = pa.nulls(len(ids), pa.string()) if "CurrencyIsoCode" in rows.column_names else amounts
    prices = Prices("an order without an effective date", "TotalAmount", amounts, currencies, home)
    units, good = prices.minor(source.account, source.amounts, ids.to_pylist(), moments, rejects)
    is_return, contact = is_true(rows, "IsReductionOrder"), column(rows, "BillToContactId")
    keys = source.key(rows)
    columns = {
        "id": keys,
        "record_type": pc.if_else(contact.is_valid(), "contact", "company"),
        "record_id": pc.coalesce(contact, column(rows, "AccountId")),
        "order_id": keys,
        "kind": pc.if_else(is_return, "refund", "purchase"),
        "occurred_at": moments,
        "recorded_at": instants(column(rows, "CreatedDate")),
        "amount_minor": pc.if_else(is_return, pc.negate(pc.abs(units)), units),
        "currency": pc.fill_null(currencies, source.amounts.home),
        "category": column(rows, "Type"),
    }
    return [{name: array.filter(good) for name, array in columns.items()}]
