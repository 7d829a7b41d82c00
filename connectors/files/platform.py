"""Which platform wrote an export, and what do its columns and words mean?

What a description says, ``connectors.tables.platform`` tells: here is what it says of files, and which file is which.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from connectors.files.settings import ActivityTable, RecordTable
from connectors.tables.platform import (
    PlatformDescription,
    TableDescription,
    described,
    faults_of,
    folded,
    shipped,
)

_OWN_KEYS = ("files", "columns", "status", "words")  # of an account's table: not among the further settings


class PlatformTable(TableDescription):
    """One kind of export file of a platform."""

    @model_validator(mode="after")
    def _settings_are_those_of_files(self) -> PlatformTable:
        for key in _OWN_KEYS:
            if key in self.settings:
                raise ValueError(f"settings.{key}: belongs next to settings, not in it")
        try:
            (ActivityTable if self.stream == "activity" else RecordTable).model_validate(self.settings)
        except ValidationError as error:
            raise ValueError("; ".join(faults_of(error, ("settings",)))) from None
        return self

    def resolved(self, headers: Sequence[str]) -> ActivityTable | RecordTable:
        """The settings of an account's table for a file with these headers, without ``files``.

        Of several headers of a column the first that the file has is taken, as the file spells it; columns
        and status columns that it does not have are left out. Where further files are joined, they may hold
        the column: its first header stays. Words that the user is to be asked about leave their row out.
        """
        spelling = {folded(header): header.strip() for header in reversed(headers)}
        joined = bool(self.settings.get("join"))
        columns = {}
        for name, alternatives in self.columns.items():
            present = [spelling[folded(header)] for header in alternatives if folded(header) in spelling]
            if present or joined:
                columns[name] = present[0] if present else alternatives[0]
        if self.stream == "activity":
            status = {
                spelling.get(folded(header), header): words.decided()
                for header, words in self.status.items()
                if joined or folded(header) in spelling
            }
            return ActivityTable.model_validate({**self.settings, "columns": columns, "status": status})
        consent = {name: words.plain() for name, words in self.words.items() if name in columns}
        return RecordTable.model_validate({**self.settings, "columns": columns, "words": consent})


class Platform(PlatformDescription):
    """A platform whose exports are known by name."""

    tables: Annotated[tuple[PlatformTable, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def load() -> tuple[Platform, ...]:
    """The descriptions that ship with the package, by name."""
    return shipped(Platform)


def load_file(path: Path) -> Platform:
    """A description of the user's own. Raises RequestError that names the file and every key that is wrong."""
    return described(Platform, path)


def recognise(headers: Sequence[str], platforms: Sequence[Platform]) -> list[tuple[Platform, PlatformTable]]:
    """The tables whose signature a file with these headers carries: those with the longest one that fits.

    None: the file is unknown. Several: it is ambiguous, and the user is to be asked.
    """
    fitting = [
        (platform, table) for platform in platforms for table in platform.tables if table.fits(headers)
    ]
    longest = max((len(table.signature) for _, table in fitting), default=0)
    return [(platform, table) for platform, table in fitting if len(table.signature) == longest]
