"""How are rows of activity put together: whose a deal is, what it is worth, and what is taken back?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.schemas import ACTIVITY_SCHEMA
from connectors.values.home_amounts import Amounts
from connectors.values.rejects import Rejects
from connectors.values.timestamps import INSTANT

Columns = dict[str, pa.Array]


def rows_of(columns: Mapping[str, pa.Array]) -> pa.Table:
    """Columns of the contract, in its order."""
    return pa.table({name: columns[name] for name in ACTIVITY_SCHEMA.names if name in columns})


def repeated(value: str, count: int) -> pa.Array:
    """One text in every row."""
    return pa.repeat(pa.scalar(value, pa.string()), count)


def gone_rows(ids: Iterable[str]) -> pa.Table:
    """Rows that end all rows of each id. Whose they were and when does not matter."""
    unique_ids = list(dict.fromkeys(ids))
    count = len(unique_ids)
    return pa.table(
        {
            "id": pa.array(unique_ids, pa.string()),
            "record_type": repeated("contact", count),
            "record_id": repeated("", count),
            "kind": repeated("", count),
            "occurred_at": pa.array([0] * count, pa.int64()).cast(INSTANT),
            "deleted": pa.array([True] * count, pa.bool_()),
        }
    )


def taking_back(table: pa.Table, ids: Iterable[str]) -> pa.Table:
    """The rows, and rows that end whatever of ``ids`` is not among them (any more)."""
    kept = set(table["id"].to_pylist())
    void = [id for id in ids if id not in kept]
    return pa.concat_tables([table, gone_rows(void)], promote_options="default") if void else table


def deal_facts(account: Account) -> tuple[object, ...]:
    """What of the account decides how deals are read."""
    return account.currency, account.time_zone, account.rates, account.deal_share


@dataclass(frozen=True)
class Owners:
    """One row for each pair of a deal and a record that it belongs to, the rows of a deal together."""

    deals: npt.NDArray[np.int64]  # which deal, counted from 0
    record_types: pa.Array
    record_ids: pa.Array  # null: nobody's
    counts: npt.NDArray[np.int64]  # to how many records the deal belongs

    @staticmethod
    def of(contacts: Iterable[Sequence[str]], companies: Iterable[Sequence[str]]) -> Owners:
        """A deal belongs to its contacts, else to its companies, else to nobody. Both: deal by deal."""
        record_ids: list[str | None] = []
        counts: list[int] = []
        of_company: list[bool] = []
        for persons, employers in zip(contacts, companies, strict=True):
            owners: Sequence[str | None] = persons or employers or (None,)
            record_ids += owners
            counts.append(len(owners))
            of_company.append(not persons and bool(employers))
        repeats = np.array(counts, np.int64)
        types = pc.if_else(pa.array(np.repeat(np.array(of_company, bool), repeats)), "company", "contact")
        deals = np.repeat(np.arange(len(counts)), repeats)
        return Owners(deals, types, pa.array(record_ids, pa.string()), np.repeat(repeats, repeats))

    def shares(self) -> pa.Array:
        """Each owner's part of a deal that is divided equally, as ``share``; null: all of it."""
        return pa.array(1.0 / self.counts, mask=self.counts == 1)

    def parts(self, units: pa.Array) -> pa.Array:
        """Each owner's part of the ``units`` (of each row's deal), in whole minor units that add up to them:
        the first owners get what is left over.
        """
        has_amount = units.is_valid().to_numpy(zero_copy_only=False)
        totals = pc.fill_null(units, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        rank = np.arange(len(self.deals)) - np.searchsorted(self.deals, self.deals)
        part = totals // self.counts
        return pa.array(part + (rank < totals - part * self.counts), pa.int64(), mask=~has_amount)


@dataclass(frozen=True)
class Prices:
    """What purchases say of their worth, as texts; ``date`` and ``amount`` are what the CRM's people call
    these.
    """

    date: str
    amount: str
    amounts: pa.Array
    currencies: pa.Array
    home: pa.Array  # in the CRM's own currency

    def minor(
        self, account: Account, amounts: Amounts, ids: Sequence[str], moments: pa.Array, rejects: Rejects
    ) -> tuple[pa.Array, pa.Array]:
        """Minor units (int64), and which purchases count; those whose date or amount cannot be read are
        refused.
        """
        units, wrong, unrated = amounts.minor(self.amounts, self.currencies, self.home, moments)
        dated = moments.is_valid()
        rejects.refuse(moments.is_null(), ids, f"{self.date}: it is not counted")
        rejects.refuse(pc.and_(wrong, dated), ids, f"{self.amount} is not a number: it is not counted")
        remedy = (
            f"no rate for its currency on its day: set [rates] for the currency of account {account.name}"
        )
        rejects.refuse(pc.and_(unrated, dated), ids, remedy)
        good = pc.and_(dated, pc.invert(pc.or_(wrong, unrated)))
        rejects.cells(pc.and_(units.is_null(), good), ids, self.amount, "is empty: counted without an amount")
        return units, good


def purchase_types(units: pa.Array) -> pa.Array:
    """A purchase of a negative amount is a refund."""
    return pc.if_else(pc.fill_null(pc.less(units, 0), False), "refund", "purchase")
