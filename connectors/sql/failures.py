"""What does a refusal of a database mean for a person, and what is to be done?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeVar

import tenacity

from connectors.errors import AccessError, ConnectorError, RequestError, TemporaryError
from connectors.sql.address import DatabaseAddress

Meaning = Literal[
    "log-in", "grant", "tls", "host", "unreached", "database", "missing", "lost", "again", "crowded", "busy", "slow", "full", "fault",
    "would write", "request", "write grant", "not set up", "not written", "read only",
]  # fmt: skip
Answer = TypeVar("Answer")
ATTEMPTS = 4  # of what may pass in a moment: some two seconds in all


class TransientError(TemporaryError):
    """It may well go on in a moment: a deadlock, a transaction that another one overtook, a connection that broke."""


def tried_again(work: Callable[[], Answer]) -> Answer:
    """The answer of work that is repeated as a whole where it meets a TransientError, ``ATTEMPTS`` times at most."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        retry=tenacity.retry_if_exception_type(TransientError),
        reraise=True,
    )
    return retrying(work)


_ERRORS: dict[Meaning, tuple[type[ConnectorError], str]] = {
    "lost": (TransientError, "{database} does not answer, or the connection was lost{said}: try again later"),
    "unreached": (
        TemporaryError,
        "{database} cannot be reached{said}: check host, port or url in {setting}, and the network of this machine",
    ),
    "again": (TransientError, "{where} was changed by others at the same moment{said}: try again later"),
    "crowded": (
        TransientError,
        "{database} has no connection left{said}: try again later, or ask an administrator for more (max_connections)",
    ),
    "busy": (TemporaryError, "{where} is in use{said}: try again later"),
    "slow": (
        TemporaryError,
        "{where} took longer than statement_timeout_minutes{said}: try again, set it higher in {setting}, "
        "or give the table an index on changed_at",
    ),
    "full": (
        TemporaryError,
        "{where}: the server has no room left, on disk or in memory{said}: ask an administrator to make room, "
        "and try again later",
    ),
    "fault": (TemporaryError, "{where}: the server itself is at fault{said}: tell its administrator, and try again later"),
    "log-in": (
        AccessError,
        "{database} refuses the login of {user}{said}: correct user and password in {setting}",
    ),
    "grant": (
        AccessError,
        "{user} may not read {where}{said}: ask an administrator for {grant|the right to read it}",
    ),
    "write grant": (
        AccessError,
        "{user} may not write {where}{said}: ask an administrator for {grant|the right to write it}; "
        "`crm-segments setup --export FOLDER` writes all statements that are needed",
    ),
    "read only": (
        AccessError,
        "{database} accepts no changes now{said}: name the server that does (a replica is read-only) in {setting}, "
        "or ask an administrator to let {user} write again",
    ),
    "tls": (AccessError, "{database} cannot be trusted over TLS{said}: {tls}; sslmode says how much is verified"),
    "host": (AccessError, "the host of {database} is not found{said}: correct host or url in {setting}"),
    "database": (
        AccessError,
        "{database} is not there{said}: correct database, path or url in {setting}",
    ),
    "missing": (
        RequestError,
        "{where} does not have what was asked for{said}: correct table, query or columns in {setting}",
    ),
    "would write": (
        RequestError,
        "{where} would change something{said}, and a database is only read: correct query or deleted in {setting}",
    ),
    "not set up": (RequestError, "{where} does not have what is written to{said}: run `crm-segments setup`"),
    "not written": (
        RequestError,
        "{where} refuses what is written{said}: correct segments_schema in {setting}",
    ),
    "request": (
        RequestError,
        "{where} refuses the statement{said}: correct table, query or deleted in {setting}",
    ),
}  # fmt: skip
# what is said of TLS → what is to be done; the first that fits
_TLS_REMEDIES = (
    (
        r"(?i)support (SSL|it)",
        'ask an administrator to switch TLS on at the server (sslmode = "disable" protects nothing)',
    ),
    (r"(?i)does not match|mismatch|not valid for", "name the host as its certificate has it, in {setting}"),
    (r"(?i)expired|not yet valid", "ask an administrator to renew the server's certificate"),
    (
        "",
        "name the file of the authority that signed its certificate (sslrootcert) in {setting}, or have a certificate that "
        "has expired renewed",
    ),
)


def failure(
    meaning: Meaning, address: DatabaseAddress, said: str, source: str = "", grant: str = ""
) -> ConnectorError:
    """The error for what a server said. ``source``: the table or query that was asked; ``grant``: the statement
    that would give the right to it.
    """
    kind, text = _ERRORS[meaning]
    remedy = next(remedy for pattern, remedy in _TLS_REMEDIES if re.search(pattern, said))
    parts = {
        "database": address.shown,
        "where": f"{source} of {address.shown}" if source else address.shown,
        "setting": f"[accounts.{address.account}]",
        "user": address.user or "this user",
        "said": f" ({_first_line(address.without_secrets(said))})" if said else "",
    }
    parts["tls"] = _filled(remedy, parts)
    return kind(_filled(text, parts, grant))


def _filled(text: str, parts: dict[str, str], grant: str = "") -> str:
    """A text with its parts; ``{grant|words}`` is the grant, or words where there is none."""
    return re.sub(
        r"\{(\w+)(?:\|([^}]*))?\}", lambda found: (grant or found[2]) if found[2] else parts[found[1]], text
    )


def _first_line(text: str) -> str:
    """What happened, without the statement and the place in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else ""
    return (line[:300] + " …") if len(line) > 300 else line
