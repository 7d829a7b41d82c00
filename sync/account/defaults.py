"""In which time zone and currency does an account live, where the config does not say? In those of its CRM.

The CRM is asked at the beginning of each command that works with it, and the journal keeps its answer for
those that do not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.contract import AccountDefaults
from connectors.values.currency import exponent
from sync.account.session import Session
from sync.config.settings import AccountSettings, known_zone

# others take what these found out
_ASKING = frozenset({"check", "pull", "run", "plan", "backfill", "train", "label"})


def with_defaults(session: Session, command: str, connected: bool) -> Session:
    """The session by the completed config; not ``connected``: the command works with what is known from before."""
    accounts = dict(session.config.accounts)
    for name in session.sources():
        ask = connected and (command in _ASKING or session.journal.defaults.of(name) is None)
        accounts[name] = _settled(session, accounts[name], ask)
    if accounts == session.config.accounts:
        return session
    return session.about(config=replace(session.config, accounts=accounts))


def _settled(session: Session, settings: AccountSettings, ask: bool) -> AccountSettings:
    left = [name for name in ("time_zone", "currency") if name not in settings.model_fields_set]
    if not left:
        return settings
    home = _ask(session, settings.name) if ask else session.journal.defaults.of(settings.name)
    settled: dict[str, Any] = {
        name: value
        for name in left
        if (value := getattr(home, name, "")) and value != getattr(settings, name)
    }
    if not settled:
        return settings
    completed = settings.model_copy(update=settled)
    if ask:  # else the connector is opened with them
        session.source(settings.name).use_defaults(AccountDefaults(completed.time_zone, completed.currency))
    return completed


def _ask(session: Session, name: str) -> AccountDefaults:
    answer = session.source(name).account_defaults()
    home = AccountDefaults(
        answer.time_zone if known_zone(answer.time_zone) else "",
        answer.currency if _known_currency(answer.currency) else "",
    )
    session.journal.defaults.save(name, home)
    return home


def _known_currency(code: str) -> bool:
    return len(code) == 3 and code.isalpha() and code.isupper() and exponent(code) >= 0
