"""Which files of a folder are a stream, and how are they written?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from connectors.contract import Account, IdType, Problem
from connectors.errors import AccessError, RequestError
from connectors.files.settings import ActivityTable, RecordTable
from connectors.tables.dialect import Dialect
from connectors.tables.settings import TABLES


def unusable(path: Path, remedy: str) -> Problem:
    """What is wrong with a folder that is none, or not there; beside the remedy the neighbour that may be meant."""
    if path.exists():
        return Problem(f'"{path}" is not a folder', remedy)
    near = get_close_matches(path.name, _neighbours(path), 1)
    meant = f'did you mean "{path.with_name(near[0])}"? ' if near else ""
    return Problem(
        f'folder "{path}" not found', f"{meant}{remedy[:1].upper()}{remedy[1:]}" if meant else remedy
    )


def _neighbours(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.absolute().parent.iterdir() if entry.is_dir()]
    except OSError:
        return []


DEFAULT_FILES = {
    "contact": ["contacts.csv|parquet|xlsx"],
    "lead": ["leads.csv|parquet|xlsx"],
    "company": ["companies.csv|parquet|xlsx"],
    "activity": ["activities*.csv|parquet|xlsx"],
}


@dataclass(frozen=True)
class FileDialect(Dialect):
    """How the files of one stream are written."""

    table: RecordTable | ActivityTable
    patterns: tuple[str, ...]
    delimiter: str | None
    encoding: str
    skip_lines: int
    decimal: str | None  # None: to be proven on the whole column
    thousands: str | None
    negative: str | None
    date_format: tuple[str, ...] | None  # None: to be proven on each whole column
    id_type: IdType

    @property
    def orders(self) -> ActivityTable:
        assert isinstance(self.table, ActivityTable)
        return self.table


@dataclass(frozen=True)
class Folder:
    """The folder of an account."""

    account: Account

    @property
    def path(self) -> Path:
        """Where the exports are."""
        return Path(self.account.folder) / Path(self.account.settings.path).expanduser()

    def dialect(self, stream: str) -> FileDialect:
        """How the files of a stream are written: its own settings before those of the account."""
        settings = self.account.settings
        table = getattr(settings, TABLES[stream])
        return FileDialect(
            stream,
            table,
            tuple(table.files or DEFAULT_FILES[stream]),
            table.delimiter or settings.delimiter,
            table.encoding or settings.encoding,
            table.skip_lines or 0,
            table.decimal or settings.decimal,
            table.thousands or settings.thousands,
            table.negative or settings.negative,
            tuple(formats) if (formats := table.date_format or settings.date_format) else None,
            table.id_type or settings.id_type,
        )

    def setting(self, stream: str) -> str:
        """The table of the config that describes a stream, as a person writes it."""
        return f"accounts.{self.account.name}.{TABLES[stream]}"

    def files(self, stream: str) -> dict[str, Path]:
        """The files of a stream by name within the folder, in the order of their names."""
        return self.matching(self.dialect(stream).patterns)

    def matching(self, patterns: Sequence[str]) -> dict[str, Path]:
        """The files that patterns name, by name within the folder and in that order.

        Upper and lower case are the same.
        """
        folder = self.path
        if not folder.is_dir():
            problem = unusable(folder, f"set path in [accounts.{self.account.name}]")
            raise RequestError(f"{problem.what}: {problem.remedy}")
        matches = {}
        try:
            for pattern in patterns:
                for path in (
                    path
                    for alternative in _alternatives(pattern)
                    for path in folder.glob(_any_case(alternative))
                ):
                    if not path.name.startswith((".", "~$")):
                        matches[path.relative_to(folder).as_posix()] = path
        except PermissionError as error:
            raise AccessError(
                f"{folder} cannot be read: allow this user to read and list it ({error.strerror})"
            ) from error
        return dict(sorted(matches.items()))

    def required(self, stream: str) -> dict[str, Path]:
        """As ``files``, where there must be one."""
        files = self.files(stream)
        if not files:
            patterns = ", ".join(self.dialect(stream).patterns)
            raise RequestError(
                f'no file {patterns} in {self.path}: put the export there, or set [{self.setting(stream)}] files = "..."'
            )
        return files


def _alternatives(pattern: str) -> list[str]:
    """``contacts.csv|parquet`` means ``contacts.csv`` and ``contacts.parquet``."""
    first, *others = pattern.split("|")
    stem = first.rpartition(".")[0]
    return [first, *(f"{stem}.{other}" if stem and "." not in other else other for other in others)]


def _any_case(pattern: str) -> str:
    """A pattern of ``Path.glob`` that takes letters of both cases for the same."""
    parts = re.split(r"(\[[^]]*\])", pattern)
    return "".join(part if part.startswith("[") else re.sub("[A-Za-z]", _both_cases, part) for part in parts)


def _both_cases(letter: re.Match[str]) -> str:
    return f"[{letter[0].lower()}{letter[0].upper()}]"
