"""Is an address, a number or a name written as each ad platform says before it is hashed?

The cases are those of the platforms' own pages (see ``connectors.audience_files.identifiers``), and what shops have.
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.audience_files import identifiers
from connectors.audience_files.layouts import LAYOUTS, Person, of_header


@pytest.mark.parametrize(
    ("address", "google", "meta"),
    [
        ("Jane.Doe+Sale@Gmail.com", "janedoe@gmail.com", "jane.doe+sale@gmail.com"),
        (" j.d.o.e@googlemail.com ", "jdoe@googlemail.com", "j.d.o.e@googlemail.com"),
        ("Jane.Doe+sale@Example.org", "jane.doe+sale@example.org", "jane.doe+sale@example.org"),
        ("jane doe@example.org", "janedoe@example.org", None),
        ("ÄNNE@example.org", "änne@example.org", "änne@example.org"),
        ("+sale@gmail.com", None, "+sale@gmail.com"),
        ("jane@localhost", None, None),
        ("a@b@example.org", None, None),
        ("n/a", None, None),
    ],
)
def test_gmail_loses_dots_and_suffix_for_google_and_nowhere_else(
    address: str, google: str | None, meta: str | None
) -> None:
    assert identifiers.google_email(address) == google
    assert identifiers.trimmed_email(address) == meta


@pytest.mark.parametrize(
    ("number", "country", "international"),
    [
        ("+49 (0)170 1234567", None, "+491701234567"),
        ("0170 1234567", "DE", "+491701234567"),
        ("0049 170 1234567", "US", "+491701234567"),
        ("00491701234567", None, "+491701234567"),
        ("(650) 253-0000", "US", "+16502530000"),
        ("650.253.0000 ext. 12", "US", "+16502530000"),
        ("+39 06 1234567", "DE", "+39061234567"),  # the zero of Italy stays
        (
            "\u0660\u0661\u0667\u0660 \u0661\u0662\u0663\u0664\u0665\u0666\u0667",
            "DE",
            "+491701234567",
        ),  # Arabic digits
        ("0170 1234567", None, None),
        ("+49 170 123456700000000", "DE", None),
        ("call me", "DE", None),
        ("", "DE", None),
    ],
)
def test_numbers_are_international_or_left_out(
    number: str, country: str | None, international: str | None
) -> None:
    assert identifiers.international_phone(number, country) == international
    assert identifiers.phone_digits(number, country) == (international and international[1:])


def test_names_and_post_codes_are_written_as_each_says() -> None:
    assert identifiers.google_name("  Zoë-Marie O'Neil ") == "zoë-marie o'neil"
    assert identifiers.meta_name("  Zoë-Marie O'Neil ") == "zoëmarie oneil"
    assert identifiers.meta_post_code("94016-1234", "US") == "94016"
    assert identifiers.meta_post_code("WC2H 8LG", "GB") == "wc2h8lg"
    assert identifiers.meta_name(" - ") is None and identifiers.google_name(" ") is None


@pytest.mark.parametrize("name", ["DE", "de", "DEU", "Germany", "Deutschland", " allemagne ", "Duitsland"])
def test_countries_are_known_by_codes_and_in_several_languages(name: str) -> None:
    assert identifiers.country_code(name) == "DE"


def test_a_country_that_is_none_is_not_guessed() -> None:
    assert identifiers.country_code("Atlantis") is None and identifiers.country_code("") is None
    assert identifiers.country_code("UK") == "GB" and identifiers.country_code("USA") == "US"


PERSON = Person("Jane.Doe@gmail.com", "0170 1234567", "Jane", "Doe", "DE", "10 115")


def test_google_gets_a_postal_address_whole_or_not_at_all_with_country_and_code_in_the_clear() -> None:
    google = LAYOUTS["google"]
    found = google.identifiers(PERSON)
    assert google.row(PERSON, found, hashed=False) == [
        "janedoe@gmail.com", "+491701234567", "jane", "doe", "DE", "10 115",
    ]  # fmt: skip
    email, phone, first, last, country, code = google.row(PERSON, found, hashed=True)
    assert (country, code) == ("DE", "10 115")
    written = ["janedoe@gmail.com", "+491701234567", "jane", "doe"]
    assert [email, phone, first, last] == [hashlib.sha256(cell.encode()).hexdigest() for cell in written]
    nameless = Person(PERSON.email, PERSON.phone, None, "Doe", "DE", "10115")
    assert google.row(nameless, google.identifiers(nameless), hashed=True)[2:] == ["", "", "", ""]


def test_meta_gets_everything_hashed_and_linkedin_nothing_but_the_address() -> None:
    meta, linkedin = LAYOUTS["meta"], LAYOUTS["linkedin"]
    written = ["jane.doe@gmail.com", "491701234567", "jane", "doe", "10115", "de"]
    assert meta.row(PERSON, meta.identifiers(PERSON), hashed=True) == list(map(identifiers.hashed, written))
    row = linkedin.row(PERSON, linkedin.identifiers(PERSON), hashed=True)
    assert row == [identifiers.hashed("jane.doe@gmail.com"), "", "", "", "", "", ""]


def test_a_file_is_known_by_its_header() -> None:
    for layout in LAYOUTS.values():
        assert of_header(layout.headers) is layout
    assert of_header(("id", "email")) is None and of_header(()) is None


@given(st.text(), st.none() | st.sampled_from(["DE", "US", "XX"]))
def test_no_text_breaks_what_writes_it_and_what_is_written_stays_as_it_is(
    text: str, country: str | None
) -> None:
    for write in (identifiers.google_email, identifiers.trimmed_email):
        written = write(text)
        assert written is None or write(written) == written
    number = identifiers.international_phone(text, country)
    assert number is None or identifiers.international_phone(number, None) == number
    identifiers.meta_name(text), identifiers.google_name(text), identifiers.country_code(text)
