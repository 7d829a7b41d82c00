"""How much was a deal, in minor units of the account's currency? Exact, and half to even.

The CRM's own amount in its home currency comes first; where the account counts in another currency, or the
CRM has none, the amount in the deal's currency is taken at the account's rate of its day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Account
from connectors.values.currency import exponent
from connectors.values.money import minor_units, worth


class Amounts:
    """Converts amounts of one account.

    ``home`` is the CRM's currency, "" where it does not tell: the account's.
    """

    def __init__(self, account: Account, home: str) -> None:
        self.currency = account.currency
        self.home = home or account.currency
        self._places = exponent(account.currency)
        self._rates = {name.upper(): _Rates(days, account.time_zone) for name, days in account.rates.items()}

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
        converted = units.to_pylist()
        texts, names, homes, times = (
            array.to_pylist() for array in (amounts, currencies, home_amounts, moments)
        )
        for row in places:
            text, currency = (
                (texts[row], names[row] or self.home) if texts[row] is not None else (homes[row], self.home)
            )
            rate = self._rate(currency.upper(), times[row])
            if rate is None:
                unrated[row] = True
                continue
            converted[row] = worth(text, rate, self._places)
            wrong[row] = converted[row] is None
        return pa.array(converted, pa.int64()), pa.array(wrong), pa.array(unrated)

    def _plain(self, texts: pa.Array) -> pa.Array:
        """Amounts that need no rate; null where a text is none."""
        return minor_units(texts, self._places)[0]

    def _rate(self, currency: str, moment: datetime | None) -> float | None:
        if currency == self.currency:
            return 1.0
        rates = self._rates.get(currency)
        return rates.at(moment) if rates is not None and moment is not None else None


class _Rates:
    """Worth of 1 of a currency, from each local day on."""

    def __init__(self, days: Mapping[str, float], zone: str) -> None:
        dated_rates = sorted(days.items())
        self._starts: Sequence[datetime] = [_midnight(day, zone) for day, _ in dated_rates]
        self._worth = [rate for _, rate in dated_rates]

    def at(self, moment: datetime) -> float | None:
        index = bisect_right(self._starts, moment) - 1
        return self._worth[index] if index >= 0 else None


def _midnight(day: str, zone: str) -> datetime:
    local = datetime.fromisoformat(day)
    if local.year < 2:  # a rate that always holds; no zone reaches before the first year
        return local.replace(tzinfo=UTC)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


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
