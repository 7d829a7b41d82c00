"""What are our names for the columns of an export, and in which column of a file do we find each?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connectors.contract import ACTIVITY_SCHEMA, ATTRIBUTE, CHANNELS, REACHABLE, RECORD_SCHEMA, Attribute
from connectors.errors import RequestError

OWNERS = {"contact_id": "contact", "lead_id": "lead", "company_id": "company"}  # in activities: whose it is, by the column
AMOUNT = "amount"

RECORD_NAMES = tuple(name.replace(REACHABLE, "reachable_") for name in RECORD_SCHEMA.names if name not in ("record_type", "line"))
ACTIVITY_NAMES = (*OWNERS, *(AMOUNT if name == "amount_minor" else name for name in ACTIVITY_SCHEMA.names if name != "line"))
CHANNEL_NAMES = {f"reachable_{channel}": REACHABLE + channel for channel in CHANNELS}


@dataclass(frozen=True)
class Place:
    """The headers of one file, and where our columns are in it."""

    headers: tuple[str, ...]
    columns: Mapping[str, int]  # our name → index
    attributes: Mapping[str, int] = field(default_factory=dict)  # attribute → index


class MissingColumn(RequestError):
    """A column that must be there is not. The message names the mapping to set."""


def locate(part: str, headers: Iterable[str], names: tuple[str, ...], mapping: Mapping[str, str]) -> Place:
    """Find each of our names: where the mapping says, else under its own name in a header that no mapping uses.

    Raises RequestError for a mapped header that stands twice. A mapped header that is not there is left out.
    """
    headers = tuple(header.strip() for header in headers)
    columns = {}
    for name, header in mapping.items():
        exact = [i for i, one in enumerate(headers) if one == header] or [
            i for i, one in enumerate(headers) if one.casefold() == header.casefold()
        ]
        if len(exact) > 1:
            raise RequestError(f"{part}: the header {header!r}, mapped to {name}, stands {len(exact)} times: rename one of the columns")
        if exact:
            columns[name] = exact[0]
    used = set(columns.values())
    for name in names:
        free = [i for i, one in enumerate(headers) if one.casefold() == name and i not in used]
        if name not in mapping and free:
            columns[name] = free[0]
    return Place(headers, columns)


def with_attributes(place: Place, attributes: Mapping[str, Attribute]) -> Place:
    """Every further column is an attribute: those of the config under their name, the others named by their header."""
    found = {}
    for name, attribute in attributes.items():
        wanted = attribute.field.strip()
        hits = [i for i, one in enumerate(place.headers) if one == wanted]
        hits = hits or [i for i, one in enumerate(place.headers) if one.casefold() == wanted.casefold()]
        if hits:
            found[name] = hits[0]
    taken = {name.casefold() for name in found} | {"record_type"}
    used = set(found.values()) | set(place.columns.values())
    for index, header in enumerate(place.headers):
        if header and index not in used and header.casefold() not in taken:
            taken.add(header.casefold())
            found[header] = index
    return Place(place.headers, place.columns, found)


def missing(part: str, place: Place, name: str, setting: str, mapping: Mapping[str, str], or_else: str = "") -> MissingColumn:
    """The error for a required column that a file does not have."""
    shown = ", ".join(repr(header) for header in place.headers[:30] if header) or "none"
    what = f"column {mapping[name]!r} (mapped to {name})" if name in mapping else f"column {name}"
    return MissingColumn(
        f'{part}: {what} is missing{or_else}; its headers are {shown}. Map it in the config: [{setting}.columns] {name} = "..."'
    )


def attribute_column(name: str) -> str:
    """The column of a page that holds an attribute."""
    return ATTRIBUTE + name
