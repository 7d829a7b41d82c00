"""Which contacts of another account are contacts here? The law, and the keys by which they are found."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.store.identity_resolution import people
from sync.store.joined import (
    ID_TYPE,
    Joined,
    Known,
    alike,
    found,
    known,
    matched,
    same_people,
    with_attributes,
)
from tests.reading import Reading, contact
from tests.test_laws import law

ADDRESSES = ("a@x.example", "b@x.example", "c@x.example", "d@x.example")
PEOPLE = st.lists(st.lists(st.sampled_from(ADDRESSES), max_size=3, unique=True), max_size=5)


@contextmanager
def two() -> Iterator[tuple[Reading, Reading]]:
    with tempfile.TemporaryDirectory() as folder:
        ours = Reading(Path(folder), account="portal")
        theirs = object.__new__(Reading)
        theirs.id_type, theirs.newest_wins, theirs.mirror = "text", False, ours._file.account("shop")
        yield ours, theirs
        ours.close()


def pairs(ours: Reading, joined: Joined) -> dict[str, str]:
    """Whom of theirs we know, as whom."""
    rows = ours.mirror.rows(
        f"""SELECT t.id, o.id FROM ({same_people(ours.mirror, joined)}) JOIN "shop".ids AS t ON t.record = theirs
            JOIN "portal".ids AS o ON o.record = ours"""
    )
    assert len(rows) == len(dict(rows)), "nobody of theirs is two of ours"
    return dict(rows)


def named(prefix: str, people: Sequence[Sequence[str]]) -> Mapping[str, Sequence[str]]:
    return {f"{prefix}{number}": addresses for number, addresses in enumerate(people)}


@law(60)
@given(ours=PEOPLE, theirs=PEOPLE)
def test_a_contact_of_theirs_is_the_only_one_here_that_shares_a_key_with_it_or_nobody(
    ours: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]
) -> None:
    here, there = named("o", ours), named("t", theirs)
    fits = {
        id: {other for other, known in here.items() if set(known) & set(addresses)}
        for id, addresses in there.items()
    }
    with two() as (our_reading, their_reading):
        our_reading.pull([contact(id, *addresses) for id, addresses in here.items()])
        their_reading.pull([contact(id, *map(str.upper, addresses)) for id, addresses in there.items()])
        joined = Joined(their_reading.mirror)
        assert pairs(our_reading, joined) == {id: min(some) for id, some in fits.items() if len(some) == 1}
        counted = matched(found(our_reading.mirror, joined))
        sizes = [len(some) for some in fits.values()]
        assert counted.contacts == len(sizes)
        assert (counted.unmatched, counted.matched) == (sizes.count(0), sizes.count(1))
        assert counted.ambiguous == sum(size > 1 for size in sizes)


@pytest.mark.parametrize(
    ("id_type", "own", "other", "same"),
    [
        ("text", "A-7", " a-7", True),
        ("text", "007", "7", False),
        ("number", "007", "7.0", True),
        ("salesforce", "003A0000015cQmb", "003A0000015cQmbAAE", True),
        ("salesforce", "003A0000015cQmb", "003A0000015cqmbAAE", False),
    ],
)
def test_ids_are_compared_as_the_account_compares_them(
    id_type: str, own: str, other: str, same: bool
) -> None:
    with two() as (ours, theirs):
        ours.pull([contact(own)])
        theirs.pull([contact(other)])
        theirs.mirror.set_stamp(ID_TYPE, id_type)
        joined = Joined(theirs.mirror, own="id", other="id")
        assert pairs(ours, joined) == ({other: own} if same else {})


def test_an_id_of_a_merged_contact_means_the_survivor(tmp_path: Path) -> None:
    with two() as (ours, theirs):
        ours.pull([contact("1", merged_into="2"), contact("2")])
        theirs.pull([contact("1"), contact("2"), contact("3")])
        joined = Joined(theirs.mirror, own="id", other="id")
        assert pairs(ours, joined) == {"1": "2", "2": "2"}
        survivor = ours.mirror.record("2")
        assert survivor and len(alike(ours.mirror, joined, [survivor[0]])) == 2


# -- attributes ----------------------------------------------------------------------------------------------

TIERS = st.lists(st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(("gold", "silver", None))), max_size=8)


@law(40)
@given(theirs=TIERS)
def test_an_attribute_is_known_where_all_records_that_have_it_agree(
    theirs: Sequence[tuple[str, str | None]],
) -> None:
    values: dict[str, set[str]] = {address: set() for address in ADDRESSES}
    for address, tier in theirs:
        values[address] |= {tier} - {None}  # type: ignore[arg-type]
    with two() as (our_reading, their_reading):
        our_reading.pull([contact(address, address) for address in ADDRESSES])
        rows = [
            contact(f"t{n}", address, **{"attribute.tier": tier}) for n, (address, tier) in enumerate(theirs)
        ]
        their_reading.read_contacts(rows, {"tier": pa.string()})
        ours, source = our_reading.mirror, Joined(their_reading.mirror, attributes={"tier": "text"})
        told = ours.rows(
            f'SELECT id, "attribute.shop.tier" FROM ({with_attributes(ours, people(ours), [source])})'
        )
        assert dict(told) == {
            address: next(iter(some)) if len(some) == 1 else None for address, some in values.items()
        }
        sizes = [len(some) for some in values.values()]
        assert known(found(ours, source))["shop.tier"] == Known(sizes.count(1), sizes.count(2))


def test_a_column_of_ours_that_happens_to_have_the_name_gives_way() -> None:
    with two() as (our_reading, their_reading):
        own = contact("1", "a@x.example", **{"attribute.Shop.tier": "ours"})
        our_reading.read_contacts([own], {"Shop.tier": pa.string()})
        theirs = contact("s1", "a@x.example", **{"attribute.tier": "gold"})
        their_reading.read_contacts([theirs], {"tier": pa.string()})
        ours, source = our_reading.mirror, Joined(their_reading.mirror, attributes={"tier": "text"})
        rows = ours.table(f"{with_attributes(ours, people(ours), [source])}")
        assert rows["attribute.shop.tier"].to_pylist() == ["gold"]
        assert "attribute.Shop.tier" not in rows.column_names


def test_an_attribute_that_no_record_of_theirs_ever_had_is_not_known() -> None:
    with two() as (our_reading, their_reading):
        our_reading.pull([contact("1", "a@x.example")])
        their_reading.pull([contact("s1", "a@x.example")])
        types = {"tier": "text", "spent": "number", "since": "date", "vip": "bool"}
        ours, source = our_reading.mirror, Joined(their_reading.mirror, attributes=types)
        rows = ours.table(f"{with_attributes(ours, people(ours), [source])}")
        kinds = [rows.schema.field(f"attribute.shop.{name}").type for name in types]
        assert kinds == [pa.string(), pa.float64(), pa.date32(), pa.bool_()]
        assert known(found(ours, source))["shop.tier"] == Known(0, 0)
