"""What does a refusal of a database mean for a person, and what is to be done?"""

from __future__ import annotations

from typing import Literal

from connectors.errors import AccessError, ConnectorError, RequestError, TemporaryError
from connectors.sql.address import DatabaseAddress

Meaning = Literal[
    "log-in", "grant", "tls", "host", "database", "missing", "lost", "busy", "slow", "request",
    "write grant", "not set up", "not written",
]  # fmt: skip


def failure(
    meaning: Meaning, address: DatabaseAddress, said: str, source: str = "", grant: str = ""
) -> ConnectorError:
    """The error for what a server said. ``source``: the table or query that was asked; ``grant``: the statement
    that would give the right to it.
    """
    setting, user = f"[accounts.{address.account}]", address.user or "this user"
    quoted = f" ({_first_line(address.without_secrets(said))})" if said else ""
    where = f"{source} of {address.shown}" if source else address.shown
    temporary = {
        "lost": f"{address.shown} does not answer, or the connection was lost{quoted}: try again later",
        "busy": f"{where} is in use{quoted}: try again later",
        "slow": f"{where} took longer than statement_timeout_minutes{quoted}: try again, set it higher in {setting}, "
        "or give the table an index on changed_at",
    }
    access = {
        "log-in": f"{address.shown} refuses the log-in of {user}{quoted}: correct user and password in {setting}",
        "grant": f"{user} may not read {where}{quoted}: ask an administrator for {grant or 'the right to read it'}",
        "write grant": f"{user} may not write {where}{quoted}: ask an administrator for {grant or 'the right to write it'}; "
        "`crm-segments setup --export FOLDER` writes down all that is needed",
        "tls": f"{address.shown} cannot be trusted over TLS{quoted}: name the authority's file (sslrootcert) or the host "
        f"as its certificate has it in {setting}; sslmode says how much is verified",
        "host": f"the host of {address.shown} is not found{quoted}: correct host or url in {setting}",
        "database": f"{address.shown} is not there{quoted}: correct database, path or url in {setting}",
    }
    if meaning in temporary:
        return TemporaryError(temporary[meaning])
    if meaning in access:
        return AccessError(access[meaning])
    if meaning == "missing":
        return RequestError(
            f"{where} has not what was asked for{quoted}: correct table, query or columns in {setting}"
        )
    if meaning == "not set up":
        return RequestError(f"{where} has not what is written to{quoted}: run `crm-segments setup`")
    if meaning == "not written":
        return RequestError(f"{where} refuses what is written{quoted}: correct segments_schema in {setting}")
    return RequestError(
        f"{where} refuses the statement{quoted}: correct table, query or deleted in {setting}"
    )


def _first_line(text: str) -> str:
    """What happened, without the statement and the place in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else ""
    return (line[:300] + " …") if len(line) > 300 else line
