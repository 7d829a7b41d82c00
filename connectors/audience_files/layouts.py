"""Which columns does each ad platform's upload file have, and what stands in them of a person?

A file holds what finds people, and no more: a name or a post code only where the platform matches by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.audience_files import identifiers as write


@dataclass(frozen=True)
class Person:
    """What is known of somebody, as the CRM has it; the country in two letters."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    post_code: str | None = None


@dataclass(frozen=True)
class Layout:
    """An upload file of one platform: ``headers``, of which ``email`` and ``phone`` find a person by themselves."""

    platform: str
    title: str
    headers: tuple[str, ...]
    email: str
    phone: str  # "" where the platform takes none
    address: Callable[[str], str | None]
    number: Callable[[str, str | None], str | None]
    others: Callable[[Person], dict[str, str | None]]  # the cells of the other columns
    plain: frozenset[str]  # columns that no file has hashed
    least: int  # matched members below which the platform shows no advertisement
    hashed_headers: frozenset[str] | None = None  # in a hashed file only these are filled; None: all are

    def identifiers(self, person: Person) -> dict[str, str | None]:
        """By column, what finds this person, before it is hashed."""
        found = {self.email: self.address(person.email) if person.email else None}
        if self.phone:
            found[self.phone] = self.number(person.phone, person.country) if person.phone else None
        return found

    def row(self, person: Person, identifiers: Mapping[str, str | None], hashed: bool) -> list[str]:
        """The cells of a person, of whom these identifiers may be used."""
        cells = {**self.others(person), **identifiers}
        if hashed:
            kept = self.hashed_headers
            cells = {
                name: cell if cell is None or name in self.plain else write.hashed(cell)
                for name, cell in cells.items()
                if kept is None or name in kept
            }
        return [cells.get(name) or "" for name in self.headers]


def _google(person: Person) -> dict[str, str | None]:
    """Google matches by a postal address only where it knows all four of these."""
    cells = {
        "First Name": person.first_name and write.google_name(person.first_name),
        "Last Name": person.last_name and write.google_name(person.last_name),
        "Country": person.country,
        "Zip": person.post_code and person.post_code.strip(),
    }
    return cells if all(cells.values()) else {}


def _meta(person: Person) -> dict[str, str | None]:
    return {
        "fn": person.first_name and write.meta_name(person.first_name),
        "ln": person.last_name and write.meta_name(person.last_name),
        "zip": person.post_code and write.meta_post_code(person.post_code, person.country),
        "country": person.country and person.country.lower(),
    }


def _linkedin(person: Person) -> dict[str, str | None]:
    return {"firstname": person.first_name, "lastname": person.last_name, "country": person.country}


_LINKEDIN = ("email", "firstname", "lastname", "jobtitle", "employeecompany", "country", "googleaid")

# Headers and least sizes: https://support.google.com/google-ads/answer/7659867 and /answer/7474166,
# https://www.facebook.com/business/help/2082575038703844, https://www.linkedin.com/help/lms/answer/a1489764
# (its hashed files have hashed addresses; the template of Campaign Manager has the other columns as they are)
LAYOUTS = {
    layout.platform: layout
    for layout in (
        Layout(
            "google",
            "Google",
            ("Email", "Phone", "First Name", "Last Name", "Country", "Zip"),
            "Email",
            "Phone",
            write.google_email,
            write.international_phone,
            _google,
            frozenset({"Country", "Zip"}),
            100,
        ),
        Layout(
            "meta",
            "Meta",
            ("email", "phone", "fn", "ln", "zip", "country"),
            "email",
            "phone",
            write.trimmed_email,
            write.phone_digits,
            _meta,
            frozenset(),
            100,
        ),
        Layout(
            "linkedin",
            "LinkedIn",
            _LINKEDIN,
            "email",
            "",
            write.trimmed_email,
            lambda number, country: None,
            _linkedin,
            frozenset(_LINKEDIN) - {"email"},
            300,
            frozenset({"email"}),
        ),
    )
}


def of_header(header: Sequence[str]) -> Layout | None:
    """The layout of a file that begins with these columns; None: it is no upload file of ours."""
    return next((layout for layout in LAYOUTS.values() if list(layout.headers) == list(header)), None)


def cells_of(layout: Layout, addresses: Iterable[str], phones: Iterable[tuple[str, str | None]]) -> set[str]:
    """How addresses and numbers (each with its country's two letters) stand in a file of this layout, plain and hashed."""
    written = {layout.address(address) for address in addresses}
    written |= {layout.number(number, country) for number, country in phones}
    there = {cell for cell in written if cell}
    return there | {write.hashed(cell) for cell in there}
