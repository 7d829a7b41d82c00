"""What may the config say of a table of records or of activity, wherever its rows stand?"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from connectors.contract import IdType
from connectors.tables.column_mapping import ACTIVITY_NAMES, RECORD_NAMES


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


def one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


TABLES = {
    "contact": "contacts",
    "lead": "leads",
    "company": "companies",
    "activity": "activities",
}  # stream → table of the settings
Decimal = Literal[".", ","]
# " " is every blank, no-break ones too; "'" the typographic one too
Thousands = Literal[".", ",", "'", " ", "_", "none"]
Negative = Literal["minus", "trailing", "parentheses"]
DateFormats = Annotated[list[Annotated[str, AfterValidator(_date_format)]], BeforeValidator(one_or_several)]
Header = Annotated[str, AfterValidator(str.strip)]


def _known(names: tuple[str, ...], what: str) -> Any:
    def check(name: str) -> str:
        if name not in names:
            remedy = f"our names are {', '.join(names)}. Columns of other names are attributes"
            raise ValueError(f"{name!r} is no column of {what}; {remedy}")
        return name

    return AfterValidator(check)


class Strict(BaseModel):
    """Settings in which an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Strict):
    """What the words of a column mean, compared without case and blanks.

    "" is an empty cell, "*" every other word.
    """

    yes: list[str] = Field(default_factory=list)
    no: list[str] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)  # words that say neither


class Statuses(Strict):
    """Which words of a status column make a row count.

    "" is an empty cell, "*" every other word; a word in neither list is refused.
    """

    counted: list[str] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)


class CellFormats(Strict):
    """How numbers and times are written where they are text; what is not set is proven on the whole column."""

    decimal: Decimal | None = None
    thousands: Thousands | None = None
    negative: Negative | None = None
    date_format: DateFormats | None = None
    id_type: IdType | None = None


class RecordColumns(Strict):
    """What the columns of contacts, leads or companies are called, and what their words mean."""

    columns: dict[Annotated[str, _known(RECORD_NAMES, "records")], Header] = Field(default_factory=dict)
    words: dict[Annotated[str, _known(RECORD_NAMES, "records")], Words] = Field(default_factory=dict)


class ActivityColumns(Strict):
    """What the columns of activity are called, and which of its rows count."""

    columns: dict[Annotated[str, _known(ACTIVITY_NAMES, "activities")], Header] = Field(default_factory=dict)
    # their header → which of its words count; a row must count in each
    status: dict[Header, Statuses] = Field(default_factory=dict)
    # an order of several rows: amounts of their own, its total on each, or once
    line_items: Literal["own", "repeat", "blank"] | None = None
    newest_wins: Literal["updated_at", "file", "never"] = "updated_at"  # of an order that stands twice
    # amounts within the text of column ``refunded``
    refunded_pattern: Annotated[str, AfterValidator(_regex)] | None = None
    # their word for what was done → our kind, such as "purchase" or "refund"
    activity_types: dict[str, str] = Field(default_factory=dict)
