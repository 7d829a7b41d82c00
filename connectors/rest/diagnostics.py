"""What do checks of all CRMs have in common?"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import Account, Problem
from connectors.errors import AccessError
from connectors.rest.api_errors import UnknownVersion


def no_way_in(error: AccessError | UnknownVersion) -> Problem:
    """The log-in fails, or the version of the API is unknown: nothing else can be asked."""
    if isinstance(error, UnknownVersion):
        return Problem(error.what, error.remedy)
    return Problem(str(error), "then run `crm-segments check` again")


def rate_missing(account: Account, theirs: str, what: str) -> list[Problem]:
    """The CRM adds up in a currency (``theirs``; "": it does not tell) that the config has no rate for."""
    if not theirs or theirs == account.currency or theirs in account.rates:
        return []
    return [Problem(what, f'set currency = "{theirs}" in [accounts.{account.name}], or add [rates] for it')]


def same_zone(zone: str, other: str) -> bool:
    """Two names of zones whose clocks go alike, this year."""
    try:
        zones = ZoneInfo(zone), ZoneInfo(other)
    except (ZoneInfoNotFoundError, ValueError):
        return zone == other
    year = datetime.now(UTC).year
    moments = [datetime(year, month, 1, tzinfo=UTC) for month in range(1, 13)]
    return all(
        moment.astimezone(zones[0]).utcoffset() == moment.astimezone(zones[1]).utcoffset()
        for moment in moments
    )
