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
from connectors.values.money import minor_units, rates_of, worth


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
        wrong = np.zeros(len(amounts), bool)
        unrated = np.zeros(len(amounts), bool)
        places = pc.indices_nonzero(
            pc.and_(units.is_null(), pc.or_(amounts.is_valid(), home_amounts.is_valid()))
        ).to_pylist()
        if not places:
            return units, pa.array(wrong), pa.array(unrated)
        stated = pc.coalesce(currencies, pa.scalar(self.home, pa.string()))
        names = pc.if_else(amounts.is_valid(), stated, pa.scalar(self.home, pa.string()))
        rates = rates_of(names, moments, self.currency, self._account.rates, self._account.time_zone)
        worths = [1.0] * len(amounts) if rates is None else rates.to_pylist()
        is_dated = [True] * len(amounts) if rates is None else moments.is_valid().to_pylist()
        converted, texts, homes = units.to_pylist(), amounts.to_pylist(), home_amounts.to_pylist()
        domestic = pc.equal(pc.utf8_upper(names), self.currency).to_pylist()
        for row in places:
            if worths[row] is None or not (is_dated[row] or domestic[row]):
                unrated[row] = True
                continue
            converted[row] = worth(
                texts[row] if texts[row] is not None else homes[row], worths[row], self._places
            )
            wrong[row] = converted[row] is None
        return pa.array(converted, pa.int64()), pa.array(wrong), pa.array(unrated)

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
