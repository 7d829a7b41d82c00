"""How do sales, opportunities and other rows of a model become activity of the contract?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.rest.activity import (
    Prices,
    deal_facts,
    gone_rows,
    purchase_types,
    repeated,
    rows_of,
    taking_back,
)
from connectors.rest.cursor import fingerprint
from connectors.search_read.server import Domain, Row
from connectors.values.api_columns import instants, texts
from connectors.values.home_amounts import Amounts, divided
from connectors.values.rejects import Rejects
from connectors.values.timestamps import INSTANT, api_midnights

_MOST = 1 << 40  # of a weight


@dataclass(frozen=True)
class Line:
    """What was sold, and its part of the amount as text."""

    product: str | None = None
    category: str | None = None
    quantity: float | None = None
    amount: str = ""


@dataclass(frozen=True)
class Happening:
    """What one row tells. A day is one of the account's time zone; a time is UTC."""

    id: int
    moment: str
    records: tuple[int, ...] = ()  # all of whom did it; nobody's ...
    email: str | None = None  # ... or whose address this is
    amount: str = ""
    currency: str = ""
    lines: tuple[Line, ...] = ()
    campaign: str | None = None
    answer: str | None = None


class Activity(ABC):
    """Rows of one model as activity (``connectors.search_read.reader.Source``)."""

    name: str  # of the part, and the beginning of every id
    kind: str  # of the activity; "purchase": a refund where the amount is negative
    model: str
    domain: Domain
    fields: tuple[str, ...]
    details: dict[str, str]

    def __init__(self, account: Account, amounts: Amounts) -> None:
        self.account, self.amounts = account, amounts

    @abstractmethod
    def happening(self, row: Row) -> Happening | None:
        """What a row tells; None: nothing (any more)."""

    @property
    def fingerprint(self) -> str:
        facts = (*deal_facts(self.account), self.amounts.home)
        return fingerprint(self.name, self.kind, self.model, self.domain, self.fields, *facts)

    def table(self, rows: Sequence[Row], rejects: Rejects, whole: bool) -> pa.Table:
        """The rows of what counts; unless ``whole``, also those that take back what does not (any more)."""
        told = [happening for row in rows if (happening := self.happening(row)) is not None]
        moments = self._moments(told)
        ids = [f"{self.name}/{happening.id}" for happening in told]
        units, good = self._units(told, ids, moments, rejects)
        counted = [h for h, is_good in zip(told, good.to_pylist(), strict=True) if is_good]
        table = self._rows(counted, moments.filter(good), units.filter(good))
        return table if whole else taking_back(table, self._ids(row["id"] for row in rows))

    def gone(self, ids: Sequence[int]) -> pa.Table:
        """Rows that end all rows of these."""
        return gone_rows(self._ids(ids))

    def _ids(self, ids: Iterable[int]) -> list[str]:
        return [f"{self.name}/{id}" for id in ids]

    def _moments(self, told: Sequence[Happening]) -> pa.Array:
        days = api_midnights(
            texts(h.moment if len(h.moment) == 10 else None for h in told), self.account.time_zone
        )
        times = instants(texts(h.moment if len(h.moment) > 10 else None for h in told))
        return pc.coalesce(days.cast(INSTANT), times)

    def _units(
        self, told: Sequence[Happening], ids: list[str], moments: pa.Array, rejects: Rejects
    ) -> tuple[pa.Array, pa.Array]:
        count = len(told)
        if self.kind != "purchase":
            rejects.refuse(moments.is_null(), ids, f"a {self.name} without a date: it is not counted")
            return pa.nulls(count, pa.int64()), moments.is_valid()
        amounts, currencies = texts(h.amount for h in told), texts(h.currency for h in told)
        prices = Prices(
            f"a {self.name} without a date", "amount", amounts, currencies, pa.nulls(count, pa.string())
        )
        return prices.minor(self.account, self.amounts, ids, moments, rejects)

    def _rows(self, told: Sequence[Happening], moments: pa.Array, units: pa.Array) -> pa.Table:
        """A row for each record and line; one for what has none. The lines' parts sum to the whole amount."""
        places: list[int] = []
        records: list[int | None] = []
        lines: list[Line] = []
        parts: list[int | None] = []
        for place, (happening, total) in enumerate(zip(told, units.to_pylist(), strict=True)):
            sold = happening.lines or (Line(),)
            for record in happening.records or (None,):
                places += [place] * len(sold)
                records += [record] * len(sold)
                lines += sold
                parts += _parts(total, sold)
        of = pa.array(places, pa.int64())
        chosen = [told[place] for place in places]
        keys = texts(f"{self.name}/{h.id}" for h in chosen)
        types = purchase_types(units) if self.kind == "purchase" else repeated(self.kind, len(told))
        return rows_of(
            {
                "id": keys,
                "record_type": repeated("contact", len(chosen)),
                "record_id": texts(str(record) if record else None for record in records),
                "record_email": texts(h.email for h in chosen),
                "order_id": keys,
                "kind": types.take(of),
                "occurred_at": moments.take(of),
                "amount_minor": pa.array(parts, pa.int64()),
                "currency": texts(h.currency for h in chosen),
                "quantity": pa.array([line.quantity for line in lines], pa.float64()),
                "product": texts(line.product for line in lines),
                "category": texts(line.category for line in lines),
                "campaign": texts(h.campaign for h in chosen),
                "answer": texts(h.answer for h in chosen),
            }
        )


def _parts(total: int | None, lines: Sequence[Line]) -> list[int | None]:
    """The whole amount in parts by the lines' own amounts."""
    if total is None:
        return [None] * len(lines)
    return list(divided(total, [_weight(line.amount, -1 if total < 0 else 1) for line in lines]))


def _weight(text: str, sign: int) -> int:
    """A discount has no weight: it lowers all the others."""
    try:
        return min(max(round(sign * float(text or 0) * 100), 0), _MOST)
    except ValueError:
        return 0
