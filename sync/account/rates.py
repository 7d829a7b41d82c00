"""What is the money of a joined account (``activity_from``) worth in the currency of the account that it
counts for?

By ``[rates]``, on the day of each purchase, exact and half to even: as amounts of another currency within one
account are read. An amount without a rate is never guessed, and never added one to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from connectors.contract import Problem
from connectors.values.currency import exponent
from sync.config.config import Config
from sync.exit_codes import CommandError
from sync.store.mirror import AccountMirror
from sync.store.purchases import amounts_before
from sync.store.relation import Relation


def foreign(config: Config, account: str) -> dict[str, str]:
    """The joined accounts whose currency is another one, each with its currency."""
    settings = config.accounts[account]
    currencies = {name: config.accounts[name].currency for name in settings.activity_from}
    return {name: currency for name, currency in currencies.items() if currency != settings.currency}


def problems(config: Config, account: str) -> Iterator[Problem]:
    """Joined accounts whose money has no rate at all."""
    for name, currency in foreign(config, account).items():
        if not config.rates.get(currency):
            yield Problem(
                f"{_both(config, account, name)}, and [rates] has no rate of {currency}",
                _remedy(config, account, currency),
            )


def notes(config: Config, account: str) -> list[str]:
    """Joined accounts whose money is converted, and those whose numbers are taken as they stand."""
    converted = [
        f"{_both(config, account, name)}: its amounts are converted by [rates] {currency}, on the day of each purchase"
        for name, currency in foreign(config, account).items()
        if config.rates.get(currency)
    ]
    return [*converted, *_unconverted(config, account)]


def _unconverted(config: Config, account: str) -> Iterator[str]:
    """Attributes have no currency and no day: a number may be an amount, but nobody says so."""
    settings = config.accounts[account]
    for name in settings.attributes_from:
        theirs = config.accounts[name]
        numbers = [f"{name}.{key}" for key, value in theirs.attributes.items() if value.type == "number"]
        if numbers and theirs.currency != settings.currency:
            yield (
                f"account {name} counts in {theirs.currency}, account {account} in {settings.currency}: numbers among its attributes "
                f"({', '.join(numbers)}) are not converted, so write amounts of money in rules in {theirs.currency}"
            )


def converted(config: Config, account: str, theirs: AccountMirror, rows: Relation) -> Relation:
    """The activity of an account that ``account`` draws from (with ``day`` and ``amount`` in minor units), in
    the currency of ``account``.

    CommandError: an amount has no rate on its day.
    """
    currency = foreign(config, account).get(theirs.name)
    if currency is None:
        return rows
    rates = config.rates.get(currency, {})
    remedy = _remedy(config, account, currency)
    if not rates:
        raise CommandError(
            f"{_both(config, account, theirs.name)}, and [rates] has no rate of {currency}. {remedy}"
        )
    first = min(rates)
    if number := amounts_before(theirs, first):
        what = f"{number:,} amounts of account {theirs.name} are older than the first rate of {currency} ({first})"
        raise CommandError(f"{what}: they cannot be counted for account {account}. {remedy}")
    places = exponent(config.accounts[account].currency) - exponent(currency)
    return _by_rates(rows, {date.fromisoformat(day): rate for day, rate in rates.items()}, places)


def _by_rates(rows: Relation, rates: dict[date, float], places: int) -> Relation:
    """Whole numbers all the way: a rate is ``times`` / ``parts``."""
    exact = {day: Decimal(repr(rate)).scaleb(places) for day, rate in rates.items()}
    decimals = max(0, *(-int(exact_rate.as_tuple().exponent) for exact_rate in exact.values()))
    listed = ", ".join(
        f"(DATE '{day.isoformat()}', {int(rate.scaleb(decimals))}::HUGEINT)"
        for day, rate in sorted(exact.items())
    )
    parts, product = f"{10**decimals}::HUGEINT", "(abs(amount)::HUGEINT * times)"
    half = f"2 * ({product} % {parts})"
    up = f"CASE WHEN {half} > {parts} OR ({half} = {parts} AND ({product} // {parts}) % 2 = 1) THEN 1 ELSE 0 END"
    return Relation(
        f"""SELECT * EXCLUDE (starts, times) REPLACE ((sign(amount) * ({product} // {parts} + {up}))::BIGINT AS amount)
            FROM ({rows}) AS foreign_rows ASOF LEFT JOIN (VALUES {listed}) AS rates(starts, times) ON foreign_rows.day >= rates.starts"""
    )


def _both(config: Config, account: str, name: str) -> str:
    theirs, ours = config.accounts[name].currency, config.accounts[account].currency
    return f"account {name} counts in {theirs}, account {account}, which takes its activity, in {ours}"


def _remedy(config: Config, account: str, currency: str) -> str:
    written = f'{currency} = {{ "2024-01-01" = 0.9 }} from that day on, or {currency} = 0.9 for all days'
    return f"Say what 1 {currency} is worth in {config.accounts[account].currency}: [rates] {written}"
