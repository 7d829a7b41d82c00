"""In which time zone and currency does an account live, where the config does not say? In those of its CRM.

The CRM is asked at the beginning of each command that works with it, and the journal keeps its answer for
those that do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.contract import AccountDefaults, Source
from connectors.values.currency import exponent
from sync.account.session import Session
from sync.config.settings import AccountSettings, known_zone
from sync.store.journal.defaults import Defaults

# others take what these found out
_ASKING = frozenset({"check", "pull", "run", "plan", "backfill", "train", "label"})


def with_defaults(session: Session, command: str, connected: bool) -> Session:
    """The session by the completed config; not ``connected``: the command works with what is known from before."""
    accounts, remembered = dict(session.config.accounts), session.journal.defaults
    for name in session.sources():
        settings = accounts[name]
        left = _left_open(settings)
        if not left:
            continue
        ask = connected and (command in _ASKING or remembered.of(name) is None)
        home = _asked(session.source(name), remembered, name) if ask else remembered.of(name)
        completed = accounts[name] = _completed(settings, left, home)
        if ask and completed is not settings:  # else the connector is opened with them
            defaults = AccountDefaults(completed.time_zone, completed.currency)
            session.source(name).use_defaults(defaults)
    if accounts == session.config.accounts:
        return session
    return session.about(config=replace(session.config, accounts=accounts))


def with_remembered(settings: AccountSettings, home: AccountDefaults | None) -> AccountSettings:
    """The settings of an account, by what its CRM said last (``home``)."""
    return _completed(settings, _left_open(settings), home)


def _left_open(settings: AccountSettings) -> list[str]:
    return [key for key in ("time_zone", "currency") if key not in settings.model_fields_set]


def _completed(
    settings: AccountSettings, left: Sequence[str], home: AccountDefaults | None
) -> AccountSettings:
    """The settings with what they ``left`` open, where the account's home says something else."""
    settled: dict[str, Any] = {
        name: value
        for name in left
        if (value := getattr(home, name, "")) and value != getattr(settings, name)
    }
    return settings.model_copy(update=settled) if settled else settings


def _asked(source: Source, remembered: Defaults, name: str) -> AccountDefaults:
    """What the CRM says, remembered for commands that do not ask."""
    answer = source.account_defaults()
    home = AccountDefaults(
        answer.time_zone if known_zone(answer.time_zone) else "",
        answer.currency if _known_currency(answer.currency) else "",
    )
    remembered.save(name, home)
    return home


def _known_currency(code: str) -> bool:
    return len(code) == 3 and code.isalpha() and code.isupper() and exponent(code) >= 0
