"""Where does a secret come from? Never from the config file: it holds references only.

``env:NAME`` is an environment variable, ``file:PATH`` the content of a file (relative to the config's
folder), ``keyring:SERVICE/USER`` an entry of the system's keyring (needs the package ``keyring``).
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:[^/]+/.+")
FORMS = "env:NAME, file:PATH or keyring:SERVICE/USER"


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
    if name not in os.environ:
        raise SecretError(
            f"env:{name}: the environment variable {name} is not set; run `export {name}=...` first"
        )
    return os.environ[name].strip()


def _from_file(name: str, folder: Path) -> str:
    path = folder / Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretError(f"file:{name}: cannot read {path}: {reason}") from error


def _from_keyring(name: str) -> str:
    try:
        keyring = import_module("keyring")
    except ImportError as error:
        raise SecretError(
            f"keyring:{name} needs the package keyring; run `pip install keyring`, or use env: or file: instead"
        ) from error
    service, _, user = name.partition("/")
    try:
        return keyring.get_password(service, user) or ""
    except Exception as error:
        raise SecretError(
            f"keyring:{name}: the keyring refused ({type(error).__name__}); unlock it, or use env: or file: instead"
        ) from error
