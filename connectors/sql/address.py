"""Where is the database, who logs in, and how is the connection protected?"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from connectors.contract import Account
from connectors.errors import RequestError
from connectors.sql.settings import LogIn

_SCHEMES = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
}
_ADDRESS = re.compile(r"[^\s@'\"<>(),;=]+@[^\s@'\"<>(),;=]+\.[A-Za-z]{2,}")  # of a person
_MODES = ("disable", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class DatabaseAddress:
    """A database and its log-in. Printing it shows no secret."""

    account: str  # our name for it
    engine: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    path: Path = Path()  # of an engine whose database is a file
    tls: str = "disable"
    root_certificate: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # further ones, as the url has them
    url: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The database, as people read it."""
        if self.path != Path():
            return str(self.path)
        port = f":{self.port}" if self.port else ""
        return (
            f"{self.database or 'the database'} on {self.host}{port}"
            if self.host
            else self.database or self.engine
        )

    @property
    def digest(self) -> str:
        """Changes where another database is named, and not with the log-in."""
        where = [self.engine, self.host, self.port, self.database, str(self.path)]
        return hashlib.blake2b(repr(where).encode(), digest_size=8).hexdigest()

    def without_secrets(self, text: str) -> str:
        """A text of the driver or server without our secrets and without addresses of people."""
        for secret in sorted(
            {self.url, self.password, quote(self.password, safe=""), quote(self.password)}, key=len
        )[::-1]:
            if secret:
                text = text.replace(secret, "***")
        return _ADDRESS.sub("an address", text)


def address_of(account: Account) -> DatabaseAddress:
    """Where the database of an account is. RequestError names what is wrong with its url, and never quotes it."""
    settings: LogIn = account.settings
    if settings.url is not None:
        return _from_url(account, settings, settings.url.get_secret_value())
    engine, host = settings.engine or "", settings.host or ""
    path = Path(account.folder) / Path(settings.path).expanduser() if settings.path else Path()
    password = settings.password.get_secret_value() if settings.password is not None else ""
    return DatabaseAddress(
        account.name, engine, host, settings.port, settings.user or "", password, settings.database or "", path,
        _tls(settings.sslmode, host), _certificate(account, settings.sslrootcert),
    )  # fmt: skip


def _from_url(account: Account, settings: LogIn, url: str) -> DatabaseAddress:
    where = f"url of account {account.name}"
    scheme, separator, behind = url.partition("://")
    engine = _SCHEMES.get(scheme.partition("+")[0].lower())
    if not separator or engine is None:
        raise RequestError(
            f"{where} does not name a supported database: write it like postgresql://user:password@host/database"
        )
    if engine in ("snowflake", "bigquery"):
        return DatabaseAddress(account.name, engine, url=url)
    if engine in ("sqlite", "duckdb"):
        path = unquote(behind.partition("?")[0].removeprefix("/"))
        if not path:
            raise RequestError(f"{where} does not name a file: write it like {engine}:///folder/name.db")
        return DatabaseAddress(
            account.name, engine, path=Path(account.folder) / Path(path).expanduser(), url=url
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        remedy = (
            "write characters such as @ : / # ? % in the password by their code (%40 %3A %2F %23 %3F %25)"
        )
        raise RequestError(f"{where} cannot be parsed: {remedy}") from None
    host = options.pop("host", host)
    mode = settings.sslmode or options.pop("sslmode", options.pop("ssl-mode", None))
    if mode is not None and mode not in _MODES:
        raise RequestError(
            f"{where} has an sslmode that does not protect or is unknown: use one of {', '.join(_MODES)}"
        )
    return DatabaseAddress(
        account.name, engine, host, port, unquote(parts.username or ""), unquote(parts.password or ""),
        unquote(parts.path.removeprefix("/")), tls=_tls(mode, host),
        root_certificate=_certificate(account, settings.sslrootcert) or options.pop("sslrootcert", ""),
        options=options, url=url,
    )  # fmt: skip


def _tls(mode: str | None, host: str) -> str:
    """TLS with a verified host, unless the config says otherwise or nothing leaves this machine."""
    return mode or ("disable" if is_loopback(host) else "verify-full")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: a loopback address, or the folder of a socket."""
    if host in ("", "localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _certificate(account: Account, path: str | None) -> str:
    return str(Path(account.folder) / Path(path).expanduser()) if path else ""
