"""Where is Tryton installed, and what does a new database of it look like? Both are made once, and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.tryton.module import files
from tests.contract_suite import REASON, SEGMENT

SERIES = os.environ.get("CRM_SEGMENTS_TRYTON", "8.2")
PACKAGES = ("trytond", "trytond-party", "trytond-sale", "trytond-sale-opportunity", "trytond-marketing-email")
MODULES = ("ir", "res", "party", "sale", "sale_opportunity", "marketing_email")
PASSWORD = "tryton-ge heim"
_VERSION = 1  # of what a template holds: to be raised with it
_HOME = Path(os.path.expanduser("~")) / ".cache" / "crm-segments-tests"  # tests move XDG_CACHE_HOME


@dataclass(frozen=True)
class Installed:
    """An installation of Tryton. ``template``: a database with a company and no customers."""

    folder: Path

    @property
    def template(self) -> Path:
        return self.folder / "template.sqlite"

    @property
    def with_module(self) -> Path:
        """The same, with the module that gives a party the suite's field for reasons."""
        return self.folder / "with_module.sqlite"

    def program(self, name: str) -> str:
        return str(self.folder / "environment" / "bin" / name)

    def update(self, database: Path, *modules: str) -> None:
        """Activate modules in a database of this file."""
        config = database.with_suffix(".conf")
        config.write_text(f"[database]\nuri = sqlite://\npath = {database.parent}\n")
        secret = database.with_suffix(".secret")
        secret.write_text(PASSWORD + "\n")
        options = [
            "-c",
            str(config),
            "-d",
            database.stem,
            "--activate-dependencies",
            "-l",
            "en",
            "-u",
            *modules,
        ]
        first = [] if database.stat().st_size else ["--email", "admin@example.com", "-p"]
        _run([self.program("trytond-admin"), *options, *first], TRYTONPASSFILE=str(secret))


@cache
def installed() -> Installed:
    """The installation of this machine, made by whoever asks first."""
    facts = (_VERSION, SERIES, PACKAGES, MODULES, _module(), sys.version)
    home = _HOME / f"tryton-{SERIES}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        if not (home / "whole").exists():
            try:
                _install(Installed(home))
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or str(error)
                _absent(f"Tryton {SERIES} cannot be installed with pip from its packages ({said[-500:]})")
            (home / "whole").touch()
    return Installed(home)


def _install(made: Installed) -> None:
    from tests.servers.tryton.server import TrytonServer

    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(made.folder / "environment")])
    python = shutil.which("python3", path=str(Path(sys.base_prefix) / "bin")) or sys.executable  # it has pip
    wanted = [f"{package}~={SERIES}.0" for package in PACKAGES]
    _run([python, "-m", "pip", "--python", made.program("python"), "install", "-q", *wanted])
    folder = _run([made.program("python"), "-c", "import trytond; print(trytond.__path__[0])"]).strip()
    for name, text in _module().items():
        file = Path(folder) / "modules" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    started = made.folder / "started.sqlite"
    started.write_bytes(b"")
    made.update(started, *MODULES)
    with TrytonServer(made, made.folder / "work", started) as server:
        server.people().open_a_company()
        server.save(made.template)
    shutil.copy(made.template, made.with_module)
    made.update(made.with_module, "crm_segments")


def _module() -> dict[str, str]:
    """The module of the documentation, with a field for the texts of the contract suite."""
    made = files([REASON])
    made["crm_segments/tryton.cfg"] = made["crm_segments/tryton.cfg"].replace("8.2.0", f"{SERIES}.0")
    assert SEGMENT.name not in made["crm_segments/party.py"].split()
    return made


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time."""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**kept, **variables})
    return done.stdout


def _absent(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
