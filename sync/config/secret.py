"""Where does a secret come from? Never from the config file: it holds references only.

``env:NAME`` is an environment variable, or in a service of systemd the credential of that name; ``file:PATH`` the content
of a file (relative to the config's folder), ``keyring:SERVICE/USER`` an entry of the system's keyring, which ``crm-segments login`` fills.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:[^/]+/.+")
FORMS = "env:NAME, file:PATH or keyring:SERVICE/USER"
_NO_KEYRING = ("keyring.backends.fail", "keyring.backends.null")  # they keep nothing


class SecretError(Exception):
    """A secret cannot be read. The message names the reference, never the secret."""


def is_reference(text: str) -> bool:
    """Is this a reference to a secret, and not the secret itself?"""
    return _REFERENCE.fullmatch(text) is not None


def secret(reference: str, folder: Path = Path()) -> str:
    """The secret that a reference stands for. SecretError says what is missing and how to provide it."""
    if not is_reference(reference):
        raise SecretError(f"a secret is written as a reference; valid: {FORMS}")
    form, _, name = reference.partition(":")
    value = (
        _from_file(name, folder)
        if form == "file"
        else {"env": _from_environment, "keyring": _from_keyring}[form](name)
    )
    if not value:
        raise SecretError(f"{reference} is empty: put the secret there")
    return value


def _from_environment(name: str) -> str:
    if name in os.environ:
        return os.environ[name].strip()
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")  # systemd sets it: LoadCredential=NAME:PATH
    if credentials is None:
        raise SecretError(
            f"env:{name}: the environment variable {name} is not set; run `export {name}=...` first"
        )
    try:
        return (Path(credentials) / name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise SecretError(
            f"env:{name}: there is neither an environment variable nor a credential of that name; write `LoadCredential={name}:PATH` into "
            f"the service"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretError(f"env:{name}: cannot read the credential of that name: {reason}") from error


def _from_file(name: str, folder: Path) -> str:
    path = folder / Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretError(f"file:{name}: cannot read {path}: {reason}") from error


def _from_keyring(name: str) -> str:
    service, _, user = name.partition("/")
    keyring = _keyring(name)
    try:
        return keyring.get_password(service, user) or ""
    except Exception as error:  # each backend has errors of its own, and some quote what they were given
        raise _refused(name, error) from None


# -- the keyring -------------------------------------------------------------------------------------------


def keyring_in_use() -> str:
    """The name of the keyring that this user has. SecretError where there is none."""
    backend = _keyring("").get_keyring()
    if type(backend).__module__ in _NO_KEYRING:
        raise SecretError(
            "this system has no keyring that could keep a secret (a server has often none): write the secret into an "
            "environment variable or a file that only you can read, and name it in the config as env:NAME or file:PATH"
        )
    return str(backend.name)


def kept(reference: str) -> bool:
    """Does the keyring hold something under this reference?"""
    return bool(_from_keyring(reference.partition(":")[2]))


def keep(reference: str, value: str) -> None:
    """Store a secret in the keyring, in place of what it holds there. SecretError where it does not come back."""
    name = reference.partition(":")[2]
    service, _, user = name.partition("/")
    try:
        _keyring(name).set_password(service, user, value)
    except Exception as error:
        raise _refused(name, error) from None
    if _from_keyring(name) != value:
        raise SecretError(
            f"{reference}: the keyring does not give back what was stored; use env: or file: instead"
        )


def _keyring(name: str) -> Any:
    try:
        return import_module("keyring")
    except ImportError:
        what = f"keyring:{name}" if name else "the keyring"
        raise SecretError(
            f"{what} needs the package keyring; run `pip install keyring`, or use env: or file: instead"
        ) from None


def _refused(name: str, error: Exception) -> SecretError:
    return SecretError(
        f"keyring:{name}: the keyring refused ({type(error).__name__}); unlock it, or use env: or file: instead"
    )
