"""What does an upload file for an ad platform hold of a segment's members?

Identifiers in the platform's own form, hashed or not, of those who may be reached by ``ads``. No identifier goes
that somebody holds who said no, under whichever spelling the platform takes for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from connectors.audience_files import identifiers
from connectors.audience_files.layouts import LAYOUTS, Layout, Person
from sync.exit_codes import CommandError

CHANNEL = "ads"
COLUMNS = ("email", "phone", "first_name", "last_name", "country")  # of sync.store.segment_members
_POST_CODES = ("postal_code", "post_code", "postcode", "zip", "zip_code", "zipcode", "plz")  # attributes
NO_IDENTIFIER = "no address or number that {} takes"
REFUSED = "share an address or number with somebody who may not be reached by ads"
TWICE = "have the same identifiers as another member"


@dataclass
class Audience:
    """The rows of an upload file, and why members are not in it."""

    layout: Layout
    rows: list[list[str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    unread_numbers: int = 0  # phone numbers of members that are none, or whose country is not known

    @property
    def table(self) -> pa.Table:
        """The rows, under the platform's headers."""
        columns = [
            pa.array([row[at] for row in self.rows], pa.string()) for at in range(len(self.layout.headers))
        ]
        return pa.table(dict(zip(self.layout.headers, columns, strict=True)))

    def _without(self, why: str) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1

    def add(self, person: Person, refused: Set[str], hashed: bool, seen: set[tuple[str, ...]]) -> None:
        """One member, unless nothing may stand in the file of them."""
        found = self.layout.identifiers(person)
        self.unread_numbers += bool(self.layout.phone and person.phone and not found[self.layout.phone])
        usable = {name: cell for name, cell in found.items() if cell and cell not in refused}
        if not usable:
            taken = any(found.values())
            self._without(REFUSED if taken else NO_IDENTIFIER.format(self.layout.title))
            return
        row = self.layout.row(person, usable, hashed)
        if tuple(row) in seen:
            self._without(TWICE)
            return
        seen.add(tuple(row))
        self.rows.append(row)


def require_installed() -> None:
    """CommandError where what reads numbers and countries is not there."""
    if find_spec("phonenumbers") is None or find_spec("babel") is None:
        raise CommandError(
            "What reads phone numbers and countries is not installed. Install it with: pip install 'crm-segments[ads]'"
        )


def post_code_column(attributes: Iterable[str]) -> str | None:
    """The attribute that holds the post code, by its name."""
    return next((name for name in attributes if name.lower() in _POST_CODES), None)


def audience(
    platform: str, members: pa.Table, refusing: pa.Table, post_code: str | None, hashed: bool
) -> Audience:
    """The file of ``members`` (COLUMNS, and the post code's). ``refusing``: ``email`` or ``phone``, with ``country``, of
    everybody who may not be reached.
    """
    layout = LAYOUTS[platform]
    made, seen = Audience(layout), set[tuple[str, ...]]()
    refused = {
        cell for person in _people(refusing, None) for cell in layout.identifiers(person).values() if cell
    }
    for person in _people(members, post_code):
        made.add(person, refused, hashed, seen)
    return made


def _people(rows: pa.Table, post_code: str | None) -> Iterator[Person]:
    for row in rows.to_pylist():
        yield Person(**_cells(row, post_code))


def _cells(row: Mapping[str, Any], post_code: str | None) -> dict[str, str | None]:
    cells = {name: row.get(name) for name in COLUMNS}
    cells["country"] = identifiers.country_code(cells["country"]) if cells["country"] else None
    code = row.get(post_code) if post_code else None
    return {**cells, "post_code": None if code is None else str(code)}
