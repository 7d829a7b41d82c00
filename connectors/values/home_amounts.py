"""How much was a deal, in minor units of the account's currency? Exact, and half to even.

The CRM's own amount in its home currency comes first; where the account counts in another currency, or the
CRM has none, the amount in the deal's currency is taken at the account's rate of its day.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.values.currency import exponent
from connectors.values.minor_units import minor_units, rates_of, worth


class Amounts:
    """Converts amounts of one account.

    ``home`` is the CRM's currency, "" where it does not tell: the account's.
    """

    def __init__(self, account: Account, home: str) -> None:
        self.currency = account.currency
        self.home = home or account.currency
        self._places = exponent(account.currency)
        self._account = account

    def minor(
        self, amounts: pa.Array, currencies: pa.Array, home_amounts: pa.Array, moments: pa.Array
    ) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Minor units (int64); which amounts are no numbers; which have no rate.

        Amounts and currencies are texts.
        """
        units = (
            self._plain(home_amounts) if self.home == self.currency else pa.nulls(len(amounts), pa.int64())
        )
        wrong, unrated = np.zeros(len(amounts), bool), np.zeros(len(amounts), bool)
        rows = pc.indices_nonzero(
            pc.and_(units.is_null(), pc.or_(amounts.is_valid(), home_amounts.is_valid()))
        )
        if not len(rows):
            return units, pa.array(wrong), pa.array(unrated)
        home, own = pa.scalar(self.home, pa.string()), amounts.take(rows)
        names = pc.if_else(own.is_valid(), pc.coalesce(currencies.take(rows), home), home)
        texts = pc.coalesce(own, home_amounts.take(rows))
        converted = units.to_pylist()
        for row, text, rate in zip(
            rows.to_pylist(), texts.to_pylist(), self._rates(names, moments.take(rows)), strict=True
        ):
            unrated[row] = rate is None
            converted[row] = None if rate is None else worth(text, rate, self._places)
            wrong[row] = rate is not None and converted[row] is None
        return pa.array(converted, pa.int64()), pa.array(wrong), pa.array(unrated)

    def _rates(self, names: pa.Array, moments: pa.Array) -> list[float | None]:
        """Worth of 1 of each currency on its day; None where the config tells none, or the day is not known."""
        account = self._account
        rates = rates_of(names, moments, self.currency, account.rates, account.time_zone)
        if rates is None:
            return [1.0] * len(names)
        sure = pc.or_(moments.is_valid(), pc.equal(pc.utf8_upper(names), self.currency))
        rated: list[float | None] = pc.if_else(sure, rates, pa.scalar(None, pa.float64())).to_pylist()
        return rated

    def _plain(self, texts: pa.Array) -> pa.Array:
        """Amounts that need no rate; null where a text is none."""
        return minor_units(texts, self._places)[0]


def divided(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts that sum to it, as near to the weights as whole numbers can be (largest
    remainder).
    """
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda index: (-((total * weights[index]) % whole), index))
    for index in order[: total - sum(parts)]:
        parts[index] += 1
    return parts
