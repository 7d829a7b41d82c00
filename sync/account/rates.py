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
from sync.account.session import Session
from sync.exit_codes import CommandError
from sync.store.mirror import literal


def foreign(session: Session) -> dict[str, str]:
    """The joined accounts whose currency is another one, each with its currency."""
    currencies = {name: session.config.accounts[name].currency for name in session.settings.activity_from}
    return {name: currency for name, currency in currencies.items() if currency != session.settings.currency}


def problems(session: Session) -> Iterator[Problem]:
    """Joined accounts whose money has no rate at all."""
    for name, currency in foreign(session).items():
        if not session.config.rates.get(currency):
            yield Problem(
                f"{_both(session, name)}, and [rates] has no rate of {currency}", _remedy(session, currency)
            )


def notes(session: Session) -> list[str]:
    """Joined accounts whose money is converted."""
    return [
        f"{_both(session, name)}: its amounts are converted by [rates] {currency}, on the day of each purchase"
        for name, currency in foreign(session).items()
        if session.config.rates.get(currency)
    ]


def converted(session: Session, name: str, rows: str) -> str:
    """SQL of an account's activity (with ``day`` and ``amount`` in minor units) in this account's currency.

    CommandError: an amount has no rate on its day.
    """
    currency = foreign(session).get(name)
    if currency is None:
        return rows
    rates = session.config.rates.get(currency, {})
    if not rates:
        raise CommandError(
            f"{_both(session, name)}, and [rates] has no rate of {currency}. {_remedy(session, currency)}"
        )
    first, mirror = min(rates), session.mirror(name)
    early = f"amount IS NOT NULL AND NOT shadowed AND day < DATE {literal(first)}"
    if number := mirror.value(
        f"SELECT count(*) FROM activity WHERE {early} AND part IN (SELECT part FROM parts WHERE live)"
    ):
        what = f"{number:,} amounts of account {name} are older than the first rate of {currency} ({first})"
        raise CommandError(
            f"{what}: they cannot be counted for account {session.account}. {_remedy(session, currency)}"
        )
    places = exponent(session.settings.currency) - exponent(currency)
    return _sql(rows, {date.fromisoformat(day): rate for day, rate in rates.items()}, places)


def _sql(rows: str, rates: dict[date, float], places: int) -> str:
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
    return f"""SELECT * EXCLUDE (starts, times) REPLACE ((sign(amount) * ({product} // {parts} + {up}))::BIGINT AS amount)
               FROM ({rows}) AS foreign_rows ASOF LEFT JOIN (VALUES {listed}) AS rates(starts, times) ON foreign_rows.day >= rates.starts"""


def _both(session: Session, name: str) -> str:
    theirs, ours = session.config.accounts[name].currency, session.settings.currency
    return (
        f"account {name} counts in {theirs}, account {session.account}, which takes its activity, in {ours}"
    )


def _remedy(session: Session, currency: str) -> str:
    written = f'{currency} = {{ "2024-01-01" = 0.9 }} from that day on, or {currency} = 0.9 for all days'
    return f"Say what 1 {currency} is worth in {session.settings.currency}: [rates] {written}"
