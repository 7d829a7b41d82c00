"""How does a secret come into the keyring of this user? Asked for, tried by one call that changes nothing, stored.

The secret is in no answer, message or log line: those hold the reference that the config names it by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from connectors import open_source, secret_steps, settings_model
from connectors.contract import Account
from connectors.errors import ConnectorError
from sync.config.config import Config, load
from sync.config.faults import one_of
from sync.config.secret import SecretError, keep, kept, keyring_in_use
from sync.exit_codes import CommandError, UsageError
from sync.start.access import ACCESS, Ask, reached

SERVICE = "crm-segments"  # under which the keyring shows what is ours


@dataclass(frozen=True)
class LogIn:
    """An account that gets its secrets. ``settings``: as the config has them, or as they would be there."""

    account: str
    crm: str
    settings: BaseModel
    config: Path
    in_config: bool

    @property
    def keys(self) -> list[str]:
        """The keys of the account that hold a secret."""
        return [name for name, value in self.settings if isinstance(value, SecretStr)]

    def reference(self, key: str) -> str:
        """What the config names the secret of a key by."""
        return f"keyring:{SERVICE}/{self.account}.{key}"

    @property
    def lines(self) -> list[str]:
        """What stands in the account's table of the config."""
        return [f'{key} = "{self.reference(key)}"' for key in self.keys]

    @property
    def unnamed(self) -> bool:
        """Whether the config names another place for one of the secrets."""
        return not self.in_config or any(
            getattr(self.settings, key).get_secret_value() != self.reference(key) for key in self.keys
        )

    def steps(self) -> dict[str, list[str]]:
        """How a person comes by each secret."""
        return {key: secret_steps(self.crm, key) for key in self.keys}


def log_in(config: Path, crm: str, account: str | None, access: Mapping[str, str | None], ask: Ask) -> LogIn:
    """Which account gets which secrets: by the config where it has such an account, else by ``access`` (api_url,
    client_id). UsageError where that is not clear; CommandError where there is no keyring.
    """
    if crm not in ACCESS:
        raise UsageError(f"There is no log-in to {crm!r}; {one_of(crm, ACCESS)}")
    try:
        keyring_in_use()
    except SecretError as error:
        raise CommandError(f"Nothing was asked for: {error}.") from None
    known = load(config) if config.exists() else None
    if known is not None and (name := _configured(known, crm, account)):
        settings = known.accounts[name].settings
        assert isinstance(settings, BaseModel)
        return LogIn(name, crm, settings, config, in_config=True)
    stated = reached(crm, access, ask)
    try:
        model = settings_model(crm).model_validate({**stated, ACCESS[crm].secret: "to be asked for"})
    except ValidationError as error:
        raise UsageError(f"This is no account of {crm}: {error.errors()[0]['msg']}.") from None
    return LogIn(account or ACCESS[crm].account, crm, model, config, in_config=False)


def store(
    wanted: LogIn, secrets: Mapping[str, str], check: bool, replace: Callable[[str], bool]
) -> dict[str, Any]:
    """Try the secrets, and put them into the keyring. ``replace``: is asked before another secret goes.

    CommandError, and nothing is stored, where the CRM does not take them.
    """
    records = _try(wanted, secrets) if check else None
    try:
        there = [wanted.reference(key) for key in wanted.keys if kept(wanted.reference(key))]
        if there and not replace(", ".join(there)):
            raise CommandError(
                f"Nothing was stored: the keyring holds {', '.join(there)} already. Replace it with --yes, or name another account."
            )
        for key in wanted.keys:
            keep(wanted.reference(key), secrets[key])
        backend = keyring_in_use()
    except SecretError as error:
        raise CommandError(f"The secret was not stored: {error}.") from None
    return {
        "exit_code": 0,
        "account": wanted.account,
        "crm": wanted.crm,
        "keyring": backend,
        "checked": check,
        "records": records,
        "lines": wanted.lines if wanted.unnamed else [],
        "config": str(wanted.config) if wanted.in_config else None,
    }


def _configured(config: Config, crm: str, account: str | None) -> str | None:
    """The account of the config that is meant; None: the config has none of this CRM."""
    if account is not None and account in config.accounts:
        if config.accounts[account].crm != crm:
            raise UsageError(f"{account} is an account of {config.accounts[account].crm}, not of {crm}.")
        return account
    names = [name for name, settings in config.accounts.items() if settings.crm == crm]
    if account is not None and names:
        raise UsageError(f"The config has no account {account!r} of {crm}; {one_of(account, names)}")
    if len(names) > 1:
        raise UsageError(
            f"The config has several accounts of {crm}: name one of {', '.join(names)}, as in "
            f"`crm-segments login {crm} {names[0]}`."
        )
    return names[0] if names else None


def _try(wanted: LogIn, secrets: Mapping[str, str]) -> int | None:
    """One harmless call, which only those may make who may read contacts; how many the CRM counts."""
    update = {key: SecretStr(text) for key, text in secrets.items()}
    settings = wanted.settings.model_copy(update=update)
    source = None
    try:
        source = open_source(Account(wanted.account, wanted.crm, settings, folder=wanted.config.parent))
        return source.count("contact")
    except ConnectorError as error:
        raise CommandError(
            f"Nothing was stored, because {wanted.crm} does not take it: {_whole(str(error))} "
            "Store it untried with --no-check."
        ) from None
    finally:
        if source is not None:
            source.close()


def _whole(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."
