"""What may the account of a folder say in the config?"""

from __future__ import annotations

import codecs
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from connectors.contract import IdType
from connectors.tables.settings import (
    ActivityColumns,
    CellFormats,
    DateFormats,
    Decimal,
    Header,
    Negative,
    RecordColumns,
    Strict,
    Thousands,
    one_or_several,
)

WHITESPACE = "whitespace"  # as a delimiter: runs of blanks
UTF8 = "utf-8"
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
            f"{value!r} is not an encoding; write the name of a codec such as utf-8, cp1252, latin-1, utf-16"
        ) from None
    return UTF8 if name in ("utf-8", "utf-8-sig", "ascii") else name


def _pattern(value: str) -> str:
    path = PurePosixPath(value)
    if not value.strip() or path.is_absolute() or ".." in path.parts or "\0" in value:
        raise ValueError('must be a name or pattern inside the folder, such as "orders-*.csv"')
    return value


Delimiter = Annotated[str, AfterValidator(_delimiter)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Join(Strict):
    """Further columns of each row, from other files: those whose column ``on`` holds what the row's column of
    that name holds.
    """

    files: Annotated[list[Pattern], BeforeValidator(one_or_several)]
    on: Header


class Table(CellFormats):
    """One kind of file: where it is, and how it differs from the others."""

    files: Annotated[list[Pattern], BeforeValidator(one_or_several)] = Field(default_factory=list)
    skip_lines: Annotated[int, Field(ge=0)] | None = None  # title lines above the header
    delimiter: Delimiter | None = None
    encoding: Encoding | None = None
    # file pattern → our name → what all of its rows say
    constants: dict[Pattern, dict[str, str]] = Field(default_factory=dict)


class RecordTable(RecordColumns, Table):
    """Files of contacts, leads or companies."""

    of_orders: bool = False  # the files are those of orders: whoever ordered is a record, and rows that name nobody are none

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the younger key where it says nothing: nobody's files are read again for its sake."""
        table: dict[str, Any] = dump(self)
        return {key: value for key, value in table.items() if key != "of_orders" or value}


class ActivityTable(ActivityColumns, Table):
    """Files of activities."""

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
    # what lists/*.csv hold of members beside their id, where the list is for a channel (reachable_only, channel)
    export_columns: tuple[str, ...] = ()
    contacts: RecordTable = RecordTable()
    leads: RecordTable = RecordTable()
    companies: RecordTable = RecordTable()
    activities: ActivityTable = ActivityTable()
