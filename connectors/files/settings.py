"""What may the account of a folder say in the config?"""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from connectors.contract import IdType
from connectors.files.column_mapping import ACTIVITY_NAMES, RECORD_NAMES

WHITESPACE = "whitespace"  # as a delimiter: runs of blanks
UTF8 = "utf-8"
TABLES = {
    "contact": "contacts",
    "lead": "leads",
    "company": "companies",
    "activity": "activities",
}  # stream → table of the settings
SEGMENTS = "segments.csv"
LISTS = "lists"


def _delimiter(value: str) -> str:
    value = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if value != WHITESPACE and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
        raise ValueError(
            'must be one character such as "," ";" "|" or "\\t", or "whitespace" for columns aligned with blanks'
        )
    return value


def _encoding(value: str) -> str:
    try:
        name = codecs.lookup(value).name
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(
            f"{value!r} is no encoding; write the name of a codec such as utf-8, cp1252, latin-1, utf-16"
        ) from None
    return UTF8 if name in ("utf-8", "utf-8-sig", "ascii") else name


def _date_format(value: str) -> str:
    from connectors.values.timestamps import fault

    if what := fault(value):
        raise ValueError(what)
    return value


def _regex(value: str) -> str:
    try:
        if re.compile(value).groups != 1:
            raise ValueError("must have one group, which is the amount")
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
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
Decimal = Literal[".", ","]
# " " is every blank, no-break ones too; "'" the typographic one too
Thousands = Literal[".", ",", "'", " ", "_", "none"]
Negative = Literal["minus", "trailing", "parentheses"]
DateFormats = Annotated[list[Annotated[str, AfterValidator(_date_format)]], BeforeValidator(_patterns)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Header = Annotated[str, AfterValidator(str.strip)]


def _known(names: tuple[str, ...], what: str) -> Any:
    def check(name: str) -> str:
        if name not in names:
            remedy = f"our names are {', '.join(names)}. Columns of other names are attributes"
            raise ValueError(f"{name!r} is no column of {what}; {remedy}")
        return name

    return AfterValidator(check)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    """What the words of a column mean, compared without case and blanks.

    "" is an empty cell, "*" every other word.
    """

    yes: list[str] = Field(default_factory=list)
    no: list[str] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)  # words that say neither


class Statuses(_Strict):
    """Which words of a status column make a row count.

    "" is an empty cell, "*" every other word; a word in neither list is refused.
    """

    counted: list[str] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)


class Join(_Strict):
    """Further columns of each row, from other files: those whose column ``on`` holds what the row's column of
    that name holds.
    """

    files: Annotated[list[Pattern], BeforeValidator(_patterns)]
    on: Header


class Table(_Strict):
    """One kind of file: where it is, how its columns are called, and how it differs from the others."""

    files: Annotated[list[Pattern], BeforeValidator(_patterns)] = Field(default_factory=list)
    skip_lines: Annotated[int, Field(ge=0)] | None = None  # title lines above the header
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    decimal: Decimal | None = None
    thousands: Thousands | None = None
    negative: Negative | None = None
    date_format: DateFormats | None = None
    id_type: IdType | None = None
    # file pattern → our name → what all of its rows say
    constants: dict[Pattern, dict[str, str]] = Field(default_factory=dict)


class RecordTable(Table):
    """Files of contacts, leads or companies."""

    columns: dict[Annotated[str, _known(RECORD_NAMES, "records")], Header] = Field(default_factory=dict)
    words: dict[Annotated[str, _known(RECORD_NAMES, "records")], Words] = Field(default_factory=dict)


class ActivityTable(Table):
    """Files of activities."""

    columns: dict[Annotated[str, _known(ACTIVITY_NAMES, "activities")], Header] = Field(default_factory=dict)
    # their header → which of its words count; a row must count in each
    status: dict[Header, Statuses] = Field(default_factory=dict)
    # an order of several rows: amounts of their own, its total on each, or once
    line_items: Literal["own", "repeat", "blank"] | None = None
    newest_wins: Literal["updated_at", "file", "never"] = "updated_at"  # of an order that two files hold
    # amounts within the text of column ``refunded``
    refunded_pattern: Annotated[str, AfterValidator(_regex)] | None = None
    # their word for what was done → our kind, such as "purchase" or "refund"
    activity_types: dict[str, str] = Field(default_factory=dict)
    join: list[Join] = Field(default_factory=list)


class Settings(BaseModel):
    """What ``[accounts.NAME]`` takes where ``crm = "files"``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    delimiter: Delimiter | None = None
    encoding: Encoding = UTF8
    decimal: Decimal | None = None  # None: proven on the whole column
    thousands: Thousands | None = None
    negative: Negative | None = None
    date_format: DateFormats | None = None  # None: proven on each whole column
    id_type: IdType = "text"  # how ids of activity are compared with those of records
    contacts: RecordTable = RecordTable()
    leads: RecordTable = RecordTable()
    companies: RecordTable = RecordTable()
    activities: ActivityTable = ActivityTable()
