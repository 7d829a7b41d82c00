"""Which files are a folder's streams, and how are they written?

Settings of an account of the files CRM, and the folder that they open.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from connectors.contract import Account
from connectors.errors import AccessError, RequestError
from connectors.files.names import ACTIVITY_NAMES, RECORD_NAMES

WHITESPACE = "whitespace"  # as a delimiter: runs of blanks
UTF8 = "utf-8"
TABLES = {"contact": "contacts", "lead": "leads", "company": "companies", "activity": "activities"}  # stream → table of the settings
_DEFAULT_FILES = {
    "contact": ["contacts.csv|parquet"],
    "lead": ["leads.csv|parquet"],
    "company": ["companies.csv|parquet"],
    "activity": ["activities*.csv|parquet"],
}
SEGMENTS = "segments.csv"
LISTS = "lists"


def _delimiter(value: str) -> str:
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if value != WHITESPACE and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        raise ValueError('must be one character such as "," ";" "|" or "\\t", or "whitespace" for columns aligned with blanks')
    return value


def _encoding(value: str) -> str:
    try:
        name = codecs.lookup(value).name
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f"{value!r} is no encoding; write the name of a codec such as utf-8, cp1252, latin-1, utf-16") from None
    return UTF8 if name in ("utf-8", "utf-8-sig", "ascii") else name


def _decimal(value: str) -> str:
    if value not in (".", ","):
        raise ValueError('must be "." or ","')
    return value


def _date_format(value: str) -> str:
    if "%" not in value:
        raise ValueError('must be a format such as "%d.%m.%Y" or "%m/%d/%Y %H:%M"')
    return value


def _patterns(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _pattern(value: str) -> str:
    path = PurePosixPath(value)
    if not value.strip() or path.is_absolute() or ".." in path.parts or "\0" in value:
        raise ValueError('must be a name or pattern inside the folder, such as "orders-*.csv"')
    return value


Delimiter = Annotated[str, AfterValidator(_delimiter)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Decimal = Annotated[str, AfterValidator(_decimal)]
DateFormat = Annotated[str, AfterValidator(_date_format)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Header = Annotated[str, AfterValidator(str.strip)]


class _Table(BaseModel):
    """One kind of file: where it is, how its columns are called, and how it differs from the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    files: Annotated[list[Pattern], BeforeValidator(_patterns)] = Field(default_factory=list)
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    decimal: Decimal | None = None
    date_format: DateFormat | None = None


def _known(names: tuple[str, ...], what: str) -> Any:
    def check(name: str) -> str:
        if name not in names:
            remedy = f"our names are {', '.join(names)}. Columns of other names are attributes"
            raise ValueError(f"{name!r} is no column of {what}; {remedy}")
        return name

    return AfterValidator(check)


class RecordTable(_Table):
    """Files of contacts, leads or companies."""

    columns: dict[Annotated[str, _known(RECORD_NAMES, "records")], Header] = Field(default_factory=dict)


class ActivityTable(_Table):
    """Files of activities."""

    columns: dict[Annotated[str, _known(ACTIVITY_NAMES, "activities")], Header] = Field(default_factory=dict)


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "files"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    delimiter: Delimiter | None = None
    encoding: Encoding = UTF8
    decimal: Decimal = "."
    date_format: DateFormat | None = None
    contacts: RecordTable = RecordTable()
    leads: RecordTable = RecordTable()
    companies: RecordTable = RecordTable()
    activities: ActivityTable = ActivityTable()


@dataclass(frozen=True)
class Dialect:
    """How the files of one stream are written, and what their columns are called."""

    stream: str
    patterns: tuple[str, ...]
    columns: dict[str, str]  # our name → their header
    delimiter: str | None
    encoding: str
    decimal: str
    date_format: str | None


@dataclass(frozen=True)
class Folder:
    """The folder of an account."""

    account: Account

    @property
    def path(self) -> Path:
        """Where the exports are."""
        return Path(self.account.folder) / Path(self.account.settings.path).expanduser()

    def dialect(self, stream: str) -> Dialect:
        """How the files of a stream are written: its own settings before those of the account."""
        settings = self.account.settings
        table = getattr(settings, TABLES[stream])
        return Dialect(
            stream,
            tuple(table.files or _DEFAULT_FILES[stream]),
            table.columns,
            table.delimiter or settings.delimiter,
            table.encoding or settings.encoding,
            table.decimal or settings.decimal,
            table.date_format or settings.date_format,
        )

    def setting(self, stream: str) -> str:
        """The table of the config that describes a stream, as a person writes it."""
        return f"accounts.{self.account.name}.{TABLES[stream]}"

    def files(self, stream: str) -> dict[str, Path]:
        """The files of a stream by name within the folder, in the order of their names."""
        folder = self.path
        if not folder.is_dir():
            raise RequestError(f"{folder} is {'no folder' if folder.exists() else 'not there'}: set path in [accounts.{self.account.name}]")
        found = {}
        try:
            for pattern in self.dialect(stream).patterns:
                for path in (path for one in _alternatives(pattern) for path in folder.glob(one)):
                    if not path.name.startswith("."):
                        found[path.relative_to(folder).as_posix()] = path
        except PermissionError as error:
            raise AccessError(f"{folder} cannot be read: give us the right to read and list it ({error.strerror})") from error
        return dict(sorted(found.items()))

    def required(self, stream: str) -> dict[str, Path]:
        """As ``files``, where there must be one."""
        found = self.files(stream)
        if not found:
            patterns = ", ".join(self.dialect(stream).patterns)
            raise RequestError(f'no file {patterns} in {self.path}: put the export there, or set [{self.setting(stream)}] files = "..."')
        return found


def _alternatives(pattern: str) -> list[str]:
    """``contacts.csv|parquet`` means ``contacts.csv`` and ``contacts.parquet``."""
    first, *others = pattern.split("|")
    stem = first.rpartition(".")[0]
    return [first, *(f"{stem}.{other}" if stem and "." not in other else other for other in others)]
