"""What are our names for the columns of a table, and in which of its columns do we find each?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.contract import Attribute
from connectors.errors import RequestError
from connectors.schemas import ACTIVITY_SCHEMA, ATTRIBUTE, CHANNELS, REACHABLE, RECORD_SCHEMA

# in activities: whose it is, by the column
OWNERS = {"contact_id": "contact", "lead_id": "lead", "company_id": "company"}
AMOUNT = "amount"

# the opposite question: yes means no
OPTED_OUT = {f"opted_out_{channel}": f"reachable_{channel}" for channel in CHANNELS}
RECORD_NAMES = (
    *(
        name.replace(REACHABLE, "reachable_")
        for name in RECORD_SCHEMA.names
        if name not in ("record_type", "line")
    ),
    *OPTED_OUT,
)
ACTIVITY_NAMES = (
    *OWNERS,
    *("contact_email", "date", "time"),  # date and time in place of occurred_at
    *(
        AMOUNT if name == "amount_minor" else name
        for name in ACTIVITY_SCHEMA.names
        if name not in ("record_email", "line")
    ),
    "price",  # price of one piece, with quantity in place of amount
    # taken off the amount: given back, not paid (yet), paid in for later
    *("refunded", "outstanding", "gift_card"),
)
CHANNEL_NAMES = {f"reachable_{channel}": REACHABLE + channel for channel in CHANNELS}


@dataclass(frozen=True)
class Place:
    """The headers of one file, and where our columns are in it."""

    headers: tuple[str, ...]
    columns: Mapping[str, int]  # our name → index
    attributes: Mapping[str, int] = field(default_factory=dict)  # attribute → index
    # their header → index: status columns, keys of joins
    further: Mapping[str, int] = field(default_factory=dict)
    joined: tuple[str, ...] = ()  # the last of ``headers``, which come from joined files


def column_with(headers: Sequence[str], wanted: str) -> list[int]:
    """Where a header stands: as it is written, else without regard to case."""
    exact = [index for index, header in enumerate(headers) if header == wanted]
    return exact or [index for index, header in enumerate(headers) if header.casefold() == wanted.casefold()]


class MissingColumn(RequestError):
    """A column that must be there is not. The message names the mapping to set."""


def locate(
    part: str,
    headers: Iterable[str],
    names: tuple[str, ...],
    mapping: Mapping[str, str],
    in_small_letters: tuple[str, ...] = (),
) -> Place:
    """Find each of our names: where the mapping says, else under its own name in a header that no mapping
    uses. Those of ``in_small_letters`` only so: an ``Id`` is often that of the order, which a row's own is
    not.

    Raises RequestError for a mapped header that stands twice. A mapped header that is not there is left out.
    """
    headers = tuple(header.strip() for header in headers)
    columns = {}
    for name, header in mapping.items():
        exact = column_with(headers, header)
        if len(exact) > 1:
            raise RequestError(
                f"{part}: the header {header!r}, mapped to {name}, stands {len(exact)} times: rename one of the columns"
            )
        if exact:
            columns[name] = exact[0]
    used = set(columns.values())
    for name in names:
        free = [
            i for i, header in enumerate(headers) if _own(header, name, in_small_letters) and i not in used
        ]
        if name not in mapping and free:
            columns[name] = free[0]
    return Place(headers, columns)


def _own(header: str, name: str, in_small_letters: tuple[str, ...]) -> bool:
    return header == name if name in in_small_letters else header.casefold() == name


def with_attributes(layout: Place, attributes: Mapping[str, Attribute]) -> Place:
    """Every further column is an attribute: those of the config under their name, the others named by their
    header.
    """
    columns_by_name = {}
    for name, attribute in attributes.items():
        hits = column_with(layout.headers, attribute.field.strip())
        if hits:
            columns_by_name[name] = hits[0]
    taken = {name.casefold() for name in columns_by_name} | {"record_type"}
    used = set(columns_by_name.values()) | set(layout.columns.values())
    for index, header in enumerate(layout.headers):
        if header and index not in used and header.casefold() not in taken:
            taken.add(header.casefold())
            columns_by_name[header] = index
    return replace(layout, attributes=columns_by_name)


def missing(
    part: str, layout: Place, name: str, setting: str, mapping: Mapping[str, str], or_else: str = ""
) -> MissingColumn:
    """The error for a required column that a file does not have."""
    shown = ", ".join(repr(header) for header in layout.headers[:30] if header) or "none"
    what = f"column {mapping[name]!r} (mapped to {name})" if name in mapping else f"column {name}"
    return MissingColumn(
        f'{part}: {what} is missing{or_else}; its headers are {shown}. Map it in the config: [{setting}.columns] {name} = "..."'
    )


def require_activity(
    part: str, layout: Place, setting: str, mapping: Mapping[str, str], constants: Iterable[str] = ()
) -> None:
    """MissingColumn where rows of activity say neither whose they are nor when they were.

    ``constants``: our names of what all rows say.
    """
    owners = ("record_id", *OWNERS, "contact_email")
    if not set(owners) & {*layout.columns, *constants}:
        name = next((name for name in owners if name in mapping), "contact_id")
        raise missing(
            part, layout, name, setting, mapping, " (or lead_id, company_id, record_id, contact_email)"
        )
    if not {"occurred_at", "date"} & layout.columns.keys():
        raise missing(part, layout, "occurred_at", setting, mapping)


def attribute_column(name: str) -> str:
    """The column of a page that holds an attribute."""
    return ATTRIBUTE + name
