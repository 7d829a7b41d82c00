"""Whose is a purchase that names its buyer by another spelling of an id, or by an address?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import IdType
from connectors.values.ids import comparable
from sync.store.joined import Joined, found, same_people
from sync.store.reading_counts import strangers
from tests.reading import NOON, Reading, Row, bought, contact
from tests.test_laws import law

OLD, YOUNG = datetime(2020, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)


@contextmanager
def reading(id_type: IdType = "text", **settings: Any) -> Iterator[Reading]:
    with tempfile.TemporaryDirectory() as folder:
        made = Reading(Path(folder), id_type, **settings)
        try:
            yield made
        finally:
            made.close()


def owned(id_type: IdType, people: Sequence[Row], rows: Sequence[Row]) -> dict[str, int]:
    """Whose how much is after one pull."""
    with reading(id_type) as made:
        made.pull(people, {"": rows})
        return made.owned()


@pytest.mark.parametrize(
    ("id_type", "record", "written"),
    [
        ("number", "1001", "1001.0"),
        ("number", "1001", "1001.00"),
        ("number", "1001", "001001"),
        ("number", "0001001", " 1001.0 "),
        ("number", "1001.0", "1001"),
        ("number", "0", "000"),
        ("number", "A-7", "A-7"),
        ("email", "Anna@Example.org", " anna@example.ORG"),
        ("salesforce", "003Hs00000ABCde", "003Hs00000ABCdeIAF"),
        ("salesforce", "003Hs00000ABCdeIAF", "003Hs00000ABCde"),
    ],
)
def test_an_id_is_found_in_another_spelling(id_type: IdType, record: str, written: str) -> None:
    assert owned(id_type, [contact(record), contact("2")], [bought(written)]) == {record: 100}
    assert comparable(record, id_type) == comparable(written, id_type)


@pytest.mark.parametrize(
    ("id_type", "record", "written"),
    [
        ("text", "1001", "01001"),
        ("text", "1001", "1001.0"),
        ("number", "1001", "1001.5"),
        ("number", "1001", "10010"),
        ("number", "A-7", "a-7"),
        ("salesforce", "003Hs00000ABCde", "003Hs00000abcde"),
        ("salesforce", "003Hs00000ABCde", "003Hs00000ABCdf"),
    ],
)
def test_an_id_that_is_another_one_waits(id_type: IdType, record: str, written: str) -> None:
    with reading(id_type) as made:
        made.pull([contact(record)], {"": [bought(written)]})
        assert (made.owned(), made.waiting()) == ({}, [(written, None, 100)])


def test_ids_of_two_records_that_are_alike_are_never_guessed() -> None:
    with reading("number") as made:
        made.pull(
            [contact("1001"), contact("01001")],
            {"": [bought("1001", 1), bought("01001", 2), bought("1001.0", 4)]},
        )
        assert made.owned() == {"1001": 1, "01001": 2}
        assert made.waiting() == [("1001.0", None, 4)]
        made.pull([contact("1001")])
        assert made.owned() == {"1001": 7}, "now one record alone is meant"


def test_alike_ids_that_were_merged_mean_the_survivor() -> None:
    people = [contact("1001"), {**contact("01001"), "merged_into": "1001"}]
    assert owned("number", people, [bought("1001.0")]) == {"1001": 100}


def test_every_address_of_a_contact_finds_it_where_ids_are_addresses() -> None:
    people = [contact("7", "anna@example.org", "Anna@Home.example"), contact("bert@example.org")]
    rows = [
        bought("ANNA@home.example", 1),
        bought(" anna@example.org", 2),
        bought("Bert@Example.org", 4),
        bought("eve@example.org", 8),
    ]
    assert owned("email", people, rows) == {"7": 3, "bert@example.org": 4}


def test_an_address_is_looked_for_where_nobody_has_the_id() -> None:
    people = [contact("1", "anna@example.org", "a@home.example"), contact("2", "bert@example.org")]
    rows = [
        bought(None, 1, record_email=" A@HOME.example "),
        bought("guest-5", 2, record_email="anna@example.org"),
        bought("2", 4, record_email="anna@example.org"),
        bought(None, 8, record_email="eve@example.org"),
        bought("1", 16),
    ]
    with reading() as made:
        made.pull(people, {"": rows})
        assert made.owned() == {"1": 19, "2": 4}
        assert made.waiting() == [(None, "eve@example.org", 8)]


def test_an_address_of_two_contacts_means_the_older_one() -> None:
    young, old = (
        contact("1", "a@example.org", created_at=YOUNG),
        contact("2", "x@example.org", "A@example.org", created_at=OLD),
    )
    row = bought(None, record_email="a@example.org")
    assert owned("text", [young, old], [row]) == {"2": 100}
    with reading() as made:
        made.pull([young], {"": [row]})
        assert made.owned() == {"1": 100}
        made.pull([young, old])
        assert made.owned() == {"2": 100}, "as if both had been there from the beginning"


def test_a_purchase_waits_until_its_buyer_appears_or_gains_the_address() -> None:
    rows = [
        bought("01001", 1),
        bought(None, 2, record_email="anna@example.org"),
        bought(None, 4, record_email="second@example.org"),
    ]
    with reading("number") as made:
        made.pull([], {"": rows})
        assert made.waiting() == [
            ("01001", None, 1),
            (None, "anna@example.org", 2),
            (None, "second@example.org", 4),
        ]
        made.pull([contact("1001", "anna@example.org")])
        assert made.owned() == {"1001": 3}
        made.pull([contact("1001", "anna@example.org", "second@example.org")])
        assert (made.owned(), made.waiting()) == ({"1001": 7}, [])


def test_a_purchase_under_an_address_that_a_contact_gave_up_is_no_longer_theirs() -> None:
    row = bought(None, record_email="shared@example.org")
    with reading() as made:
        made.pull([contact("1", "shared@example.org")], {"": [row]})
        made.pull([contact("1", "own@example.org")])
        assert (made.owned(), made.waiting()) == ({}, [(None, "shared@example.org", 100)])


def test_an_address_of_a_merged_contact_is_one_of_the_survivor() -> None:
    people = [{**contact("1", "old@example.org"), "merged_into": "2"}, contact("2", "new@example.org")]
    assert owned("text", people, [bought(None, record_email="OLD@example.org")]) == {"2": 100}


def test_one_purchase_in_two_exports_counts_once_however_its_id_is_spelled() -> None:
    rows = {"a": [bought("1001", 5), bought("77", 5)], "b": [bought("1001.0", 5), bought("077", 5)]}
    with reading("number") as made:
        made.pull([contact("1001")], rows)
        assert (made.owned(), len(made.waiting())) == ({"1001": 5}, 1)
        made.pull([contact("1001"), contact("77")])
        assert made.owned() == {"1001": 5, "77": 5}


def test_two_guests_who_buy_the_same_at_the_same_time_are_two() -> None:
    people = [contact("1", "a@example.org"), contact("2", "b@example.org")]
    rows = [bought(None, 5, record_email="a@example.org"), bought(None, 5, record_email="b@example.org")]
    with reading() as made:
        made.pull(people, {"a": rows, "b": rows})
        assert made.owned() == {"1": 5, "2": 5}


def test_a_page_without_addresses_is_read_as_ever() -> None:
    with reading() as made:
        made.pull([contact("1")], {"": [bought("1")]})
        assert "named_by" not in made.mirror.columns("activity")
        assert made.mirror.value("SELECT count(*) FROM names") == 0


# -- the law -------------------------------------------------------------------------------------------------

IDS = st.sampled_from(["1", "01", "1.0", "2", "a@x.org", "A@x.org"])
MAILS = st.sampled_from(["a@x.org", "A@X.org ", "b@x.org"])
PEOPLE = st.lists(
    st.builds(
        lambda id, mails, created, into: {
            **contact(id, *mails),
            "created_at": created,
            "merged_into": into if into != id else None,
        },
        IDS,
        st.lists(MAILS, max_size=2),
        st.sampled_from([None, OLD, YOUNG]),
        st.one_of(st.none(), st.none(), IDS),
    ),
    max_size=4,
    unique_by=lambda person: person["id"],
)
ROWS = st.lists(
    st.builds(
        lambda id, mail, amount: bought(id, amount, NOON + timedelta(hours=amount), record_email=mail),
        st.one_of(st.none(), IDS),
        st.one_of(st.none(), MAILS),
        st.integers(1, 50),
    ),
    max_size=4,
)


@law(30)
@given(
    id_type=st.sampled_from(["text", "number", "email", "salesforce"]),
    newest=st.booleans(),
    pulls=st.lists(
        st.tuples(PEOPLE, st.dictionaries(st.sampled_from(["p", "q"]), ROWS, max_size=2)),
        min_size=1,
        max_size=4,
    ),
)
def test_whose_a_purchase_is_follows_from_what_was_read_last(
    id_type: IdType, newest: bool, pulls: list[Any]
) -> None:
    files: dict[str, list[Row]] = {}
    with reading(id_type, newest_wins=newest) as made:
        for people, parts in pulls:
            made.pull(people, parts)
            files |= parts
        incremental = made.owned()
        waiting = sum(amount for _, _, amount in made.waiting())
    with reading(id_type, newest_wins=newest) as made:
        made.pull(pulls[-1][0], files)
        assert made.owned() == incremental
        assert sum(amount for _, _, amount in made.waiting()) == waiting


# -- people of two accounts ----------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Reading, Reading]]:
    ours = Reading(tmp_path, account="portal")
    theirs = object.__new__(Reading)
    theirs.id_type, theirs.newest_wins, theirs.mirror = "text", False, ours._file.account("shop")
    yield ours, theirs
    ours.close()


def pairs(ours: Reading, theirs: Reading) -> dict[str, str]:
    """Whom of theirs we know, as whom."""
    sql = same_people(ours.mirror, Joined(theirs.mirror))
    rows = ours.mirror.rows(
        f"""SELECT t.id, o.id FROM ({sql}) AS same JOIN "shop".ids AS t ON t.record = theirs
            JOIN "portal".ids AS o ON o.record = ours"""
    )
    assert len(rows) == len(dict(rows)), "nobody of theirs is two of ours"
    return dict(rows)


def test_every_address_of_theirs_is_matched_with_every_address_of_ours(two: tuple[Reading, Reading]) -> None:
    ours, theirs = two
    ours.pull(
        [contact("1", "a@work.example", "Anna@home.example"), contact("2", "b@work.example"), contact("3")]
    )
    theirs.pull(
        [
            contact("s1", "x@other.example", " ANNA@home.example"),
            contact("s2", "b@work.example"),
            contact("s3", "c@c.example"),
        ]
    )
    assert pairs(ours, theirs) == {"s1": "1", "s2": "2"}


def test_who_fits_several_contacts_here_is_none_of_them(two: tuple[Reading, Reading]) -> None:
    ours, theirs = two
    ours.pull(
        [
            contact("1", "a@x.example", created_at=YOUNG),
            contact("2", "b@x.example", created_at=OLD),
            contact("3", "a@x.example"),
        ]
    )
    theirs.pull([contact("s1", "a@x.example", "b@x.example"), contact("s2", "a@x.example")])
    assert pairs(ours, theirs) == {}
    ours.pull([contact("1", "a@x.example", created_at=YOUNG), contact("2", "b@x.example", created_at=OLD)])
    assert pairs(ours, theirs) == {"s2": "1"}, "s1 has an address of both"


def test_what_matches_nobody_is_counted(two: tuple[Reading, Reading]) -> None:
    ours, theirs = two
    ours.pull([contact("1", "a@x.example"), contact("2", "d@x.example"), contact("3", "d@x.example")])
    people = [
        contact("s5", "d@x.example"),
        contact("s1", "A@x.example"),
        contact("s2", "b@x.example"),
        contact("s3", "c@x.example"),
        contact("s4"),
    ]
    rows = [
        bought("s1"),
        bought("s2", 1),
        bought("s2", 2),
        bought("s4"),
        bought("s3", kind="visit"),
        bought("s9"),
        bought("s5"),
    ]
    theirs.pull(people, {"": rows})
    assert strangers(found(ours.mirror, Joined(theirs.mirror)), {"purchase"}) == (3, 1)
