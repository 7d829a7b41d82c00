"""Who bought what? Won opportunities, each belonging to the contacts of its roles.

An opportunity without roles belongs to its account's primary contact (the person of a person account, or the
primary contact role of the account), else to the account itself. Where accounts get segments, it is its own
account's too, wherever the contacts are employed. A role does not move the stamp of its opportunity, nor the
other way round: both are looked at ("Object Reference": Opportunity, OpportunityContactRole).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import FieldSpec
from connectors.rest.activity import gone_rows, rows_of
from connectors.rest.seen import Overlap
from connectors.salesforce import soql
from connectors.salesforce.fetching import Fetching, texts
from connectors.salesforce.session import Org
from connectors.salesforce.source import STAMP, column, form, is_true, keyed, midnights
from connectors.values.api_columns import instants
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects

_WANTED = (
    "Id",
    "AccountId",
    "Amount",
    "CurrencyIsoCode",
    "CloseDate",
    "IsWon",
    "StageName",
    "Type",
    STAMP,
    "CreatedDate",
    "IsDeleted",
)
_ROLE = ("OpportunityId", "ContactId", "IsPrimary", "IsDeleted", "Id", STAMP)
_PERSON = "Account.PersonContactId"


@dataclass
class Opportunities:
    """The opportunities that this user sees."""

    org: Org
    fields: tuple[str, ...]
    amounts: Amounts
    corporate: dict[str, float]  # currency → how much of it is worth 1 of the org's corporate currency
    name: str = "opportunities"
    object: str = "Opportunity"
    _roles: pd.DataFrame = field(default_factory=lambda: _owners(texts([], _ROLE)))
    _primary: dict[str, str] = field(default_factory=dict)  # account → its primary contact

    @property
    def form(self) -> str:
        account = self.org.account
        facts = (
            account.currency,
            account.time_zone,
            account.rates,
            account.deal_share,
            self.org.settings.won_stages,
        )
        return form(self.fields, *facts, self._of_people, self._of_accounts, "parts to the cent")

    @property
    def _labelled(self) -> list[FieldSpec]:
        """Fields that segments are written to."""
        return [spec for spec in self.org.account.fields if not spec.retired]

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
        self._roles, self._primary = _owners(roles), self._primaries(fetching, window)

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
        self._roles = _owners(fetching.among(_ROLE, "OpportunityContactRole", "OpportunityId", others))
        self._primary = self._primary_of(
            fetching, sorted({account_id for account_id in rows["AccountId"].to_pylist() if account_id})
        )
        yield rows

    def table(self, rows: pa.Table, rejects: Rejects, whole: bool) -> pa.Table:
        """One row for each won opportunity and each record that it belongs to; lost and deleted ones are
        taken back.
        """
        won = self._won(rows, rejects)
        table = self._shared(won)
        if whole:
            return table
        ids = keyed("opportunity", column(rows, "Id"))
        void = ids.filter(pc.invert(pc.is_in(ids, table["id"].combine_chunks())))
        return (
            pa.concat_tables([table, gone_rows(void.to_pylist())], promote_options="default")
            if len(void)
            else table
        )

    def _won(self, rows: pa.Table, rejects: Rejects) -> dict[str, pa.Array]:
        """Columns of the won ones whose date and amount can be read."""
        stages = self.org.settings.won_stages
        won = (
            pc.is_in(column(rows, "StageName"), pa.array(stages, pa.string()))
            if stages
            else is_true(rows, "IsWon")
        )
        rows = rows.filter(pc.and_(won, pc.invert(is_true(rows, "IsDeleted"))))
        ids, account = column(rows, "Id"), self.org.account
        listed = ids.to_pylist()
        moments = midnights(column(rows, "CloseDate"), account.time_zone)
        rejects.refuse(moments.is_null(), listed, "a purchase without a close date: it is not counted")
        currencies, amounts = column(rows, "CurrencyIsoCode"), column(rows, "Amount")
        units, wrong, unrated = self.amounts.minor(
            amounts, currencies, self._home(amounts, currencies), moments
        )
        dated = moments.is_valid()
        rejects.refuse(pc.and_(wrong, dated), listed, "Amount is no number: it is not counted")
        remedy = f"no rate for its currency on its day: set [rates] for what account {account.name} sells in"
        rejects.refuse(pc.and_(unrated, dated), listed, remedy)
        good = pc.and_(dated, pc.invert(pc.or_(wrong, unrated)))
        rejects.cells(pc.and_(units.is_null(), good), listed, "Amount", "is empty: counted without an amount")
        columns = {
            "id": ids,
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

    def _shared(self, won: dict[str, pa.Array]) -> pa.Table:
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

    def _of_its_account(self, won: dict[str, pa.Array]) -> pa.Table:
        """One row for each opportunity of an account that is no person: the whole of it, whoever took part."""
        here = pc.and_(won["account"].is_valid(), won["person"].is_null())
        own = {name: values.filter(here) for name, values in won.items()}
        return rows_of(self._columns(own, own["account"], pa.repeat(pa.scalar("company"), len(own["id"]))))

    def _of_owners(self, won: dict[str, pa.Array]) -> pa.Table:
        """One row for each opportunity and owner, with the owner's part of it."""
        frame = pd.DataFrame(
            {
                "opportunity": won["id"].to_pandas(),
                "place": np.arange(len(won["id"])),
                "person": self._persons(won),
            },
            dtype=object,
        )
        merged = frame.merge(self._roles, on="opportunity", how="left")
        merged["owner"] = merged["contact"].where(merged["contact"].notna(), merged["person"])
        if self.org.account.deal_share == "primary":
            merged = merged.drop_duplicates("opportunity")
        company = merged["owner"].isna().to_numpy(bool)
        at = pa.array(merged["place"].to_numpy(np.int64))
        owners = pa.array(merged["owner"].where(merged["owner"].notna(), None), pa.string())
        shared = {name: values.take(at) for name, values in won.items()}
        if self.org.account.deal_share == "split":
            shared["amount_minor"] = _parts(shared["amount_minor"], merged.groupby("opportunity"))
        types = pc.if_else(pa.array(company), "company", "contact")
        table = rows_of(self._columns(shared, pc.coalesce(owners, shared["account"]), types))
        return table.filter(table["record_id"].is_valid())

    def _columns(self, won: dict[str, pa.Array], owners: pa.Array, types: pa.Array) -> dict[str, pa.Array]:
        keys = keyed("opportunity", won["id"])
        return {
            **{
                name: won[name]
                for name in ("occurred_at", "recorded_at", "amount_minor", "currency", "category")
            },
            "id": keys,
            "record_type": types,
            "record_id": owners,
            "order_id": keys,
            "kind": pc.if_else(pc.fill_null(pc.less(won["amount_minor"], 0), False), "refund", "purchase"),
        }

    def _persons(self, won: dict[str, pa.Array]) -> list[str | None]:
        """The primary contact of each one's account, where there is one."""
        pairs = zip(won["person"].to_pylist(), won["account"].to_pylist(), strict=True)
        return [person or self._primary.get(account or "") for person, account in pairs]

    # What belongs to opportunities

    def _has_roles(self) -> bool:
        return "OpportunityId" in self.org.fields("OpportunityContactRole")

    def _roles_of(self, fetching: Fetching, window: Sequence[str] | None) -> pa.Table:
        if not self._has_roles():
            return texts([], _ROLE)
        where = [] if window is None else [f"OpportunityId IN ({soql.Select(['Id'], self.object, window)})"]
        statement = soql.Select(_ROLE, "OpportunityContactRole", where)
        read = (
            fetching.all(statement, fetching.size("OpportunityContactRole"))
            if window is None
            else fetching.changed(statement)
        )
        return pa.concat_tables([batch.table for batch in read])

    def _primaries(self, fetching: Fetching, window: Sequence[str] | None) -> dict[str, str]:
        if not self._has_primaries():
            return {}
        where = ["IsPrimary = true"]
        if window is not None:
            where.append(f"AccountId IN ({soql.Select(['AccountId'], self.object, window)})")
        statement = soql.Select(["AccountId", "ContactId", "IsDeleted"], "AccountContactRole", where)
        return _by_account(pa.concat_tables([batch.table for batch in fetching.changed(statement)]))

    def _primary_of(self, fetching: Fetching, accounts: Sequence[str]) -> dict[str, str]:
        if not self._has_primaries():
            return {}
        fields = ["AccountId", "ContactId", "IsDeleted"]
        return _by_account(
            fetching.among(fields, "AccountContactRole", "AccountId", accounts, ["IsPrimary = true"])
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
    return Opportunities(org, tuple(fields), Amounts(org.account, corporate), rates)


def _currencies(org: Org) -> tuple[str, dict[str, float]]:
    """The org's corporate currency and its own rates; of an org of one currency, nothing."""
    if not org.several_currencies:
        return "", {}
    statement = soql.Select(["IsoCode", "ConversionRate", "IsCorporate"], "CurrencyType", ["IsActive = true"])
    rows = [row for page in org.query(statement) for row in page]
    corporate = next((str(row["IsoCode"]) for row in rows if row["IsCorporate"]), "")
    return corporate, {
        str(row["IsoCode"]): float(row["ConversionRate"]) for row in rows if row["ConversionRate"]
    }


def _owners(roles: pa.Table) -> pd.DataFrame:
    """Contacts of each opportunity, the primary one first, each once."""
    roles = roles.filter(
        pc.and_(pc.invert(is_true(roles, "IsDeleted")), column(roles, "ContactId").is_valid())
    )
    frame = pd.DataFrame(
        {
            "opportunity": column(roles, "OpportunityId").to_pandas(),
            "contact": column(roles, "ContactId").to_pandas(),
            "later": ~is_true(roles, "IsPrimary").to_numpy(zero_copy_only=False),
            "id": column(roles, "Id").to_pandas(),
        }
    ).astype({"opportunity": object, "contact": object, "id": object})
    ordered = frame.sort_values(["opportunity", "later", "id"]).drop_duplicates(["opportunity", "contact"])
    return ordered[["opportunity", "contact"]]


def _by_account(rows: pa.Table) -> dict[str, str]:
    rows = rows.filter(pc.invert(is_true(rows, "IsDeleted")))
    pairs: Any = zip(rows["AccountId"].to_pylist(), rows["ContactId"].to_pylist(), strict=True)
    return {account: contact for account, contact in pairs if account and contact}


def _parts(units: pa.Array, opportunities: Any) -> pa.Array:
    """Equal parts of each opportunity's amount, in whole minor units that add up to it: the first owners get
    what is left over.
    """
    has_amount = units.is_valid().to_numpy(zero_copy_only=False)
    whole = pc.fill_null(units, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    many, number = (
        opportunities["place"].transform("size").to_numpy(np.int64),
        opportunities.cumcount().to_numpy(np.int64),
    )
    part = whole // many
    return pa.array(part + (number < whole - part * many), pa.int64(), mask=~has_amount)


def _divided(text: str | None, rate: float | None) -> str | None:
    from decimal import Decimal, InvalidOperation

    if text is None or not rate:
        return None
    try:
        return str((Decimal(text) / Decimal(repr(rate))).quantize(Decimal("0.000001")))
    except InvalidOperation:
        return None
