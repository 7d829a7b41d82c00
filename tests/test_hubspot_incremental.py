"""What changed in HubSpot since the last reading: nothing is lost, nothing comes for ever, and little is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Account, Attribute
from connectors.hubspot.fetching import Fetching
from connectors.hubspot.reading import Reading
from connectors.rest import full_read, incremental_read
from connectors.schemas import ATTRIBUTE
from tests.hubspot_reading import Fold, Row, World, world
from tests.servers.hubspot import Fault, seed

ACCOUNT = Account(
    "portal",
    "hubspot",
    None,
    attributes={"city": Attribute("city")},
    activity_types=frozenset({"purchase", "refund", "call"}),
)
LONG = 8 * 86_400  # longer than the days between two sweeps


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.account = ACCOUNT
        yield made


def test_an_unchanged_account_brings_no_page_and_costs_a_handful_of_calls(crm: World) -> None:
    seed(crm.portal, 700, deals=900)
    crm.later()
    folds = [crm.read(), crm.read("activity")]
    for late in (0, 60, 3600):
        crm.later(late)
        crm.calls()
        assert [crm.pull(fold) for fold in folds] == [0, 0]
        assert len(crm.calls()) < 25


def test_an_edited_contact_comes_once(crm: World) -> None:
    seed(crm.portal, 300)
    crm.later()
    fold = crm.read()
    id = crm.portal.store.shelves["contacts"].live[7]
    crm.portal.put("contacts", {"city": "Oslo"}, id)
    assert crm.pull(fold) == 1
    assert fold.records[str(id)][ATTRIBUTE + "city"] == "Oslo"
    assert crm.pull(fold) == 0


def test_an_edit_within_the_same_millisecond_as_the_reading_is_not_lost(crm: World) -> None:
    crm.portal.clock.speed = 0
    id = crm.portal.put("contacts", {"email": "ada@example.org", "city": "Ulm"})
    fold = crm.read()
    crm.portal.put("contacts", {"city": "Oslo"}, id)
    assert crm.pull(fold) == 1
    assert fold.records[str(id)][ATTRIBUTE + "city"] == "Oslo"
    assert crm.pull(fold) == 0


def test_a_change_that_search_finds_late_is_not_lost(crm: World) -> None:
    crm.portal.knobs.index_lag = 90.0
    seed(crm.portal, 300)
    crm.later()
    fold = crm.read()
    first, second = crm.portal.store.shelves["contacts"].live[:2]
    crm.portal.put("contacts", {"city": "Oslo"}, first)
    crm.later(60)
    crm.portal.put("contacts", {"city": "Rome"}, second)
    crm.later(31)
    assert crm.pull(fold) == 1  # search knows of the first only
    crm.later(90)
    assert crm.pull(fold) == 1
    assert [fold.records[str(id)][ATTRIBUTE + "city"] for id in (first, second)] == ["Oslo", "Rome"]


def test_thousands_of_contacts_with_one_time_of_change_all_arrive(
    crm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental_read, "ROWS", 500)
    seed(crm.portal, 9000)
    crm.later()
    fold = crm.read()
    crm.portal.clock.speed = 0
    changed = crm.portal.store.shelves["contacts"].live[:2600]
    for id in changed:
        crm.portal.put("contacts", {"city": "Oslo"}, id)
    crm.portal.clock.speed = 1
    assert crm.pull(fold) == 2600
    assert sum(row.get(ATTRIBUTE + "city") == "Oslo" for row in fold.records.values()) == 2600


def test_a_reading_of_changes_cut_off_after_any_page_goes_on_without_a_gap(
    crm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental_read, "ROWS", 100)
    seed(crm.portal, 3000)
    crm.later()
    fold = crm.read()
    changed = crm.portal.store.shelves["contacts"].live[:750]
    for id in changed:
        crm.portal.put("contacts", {"city": "Oslo"}, id)
    crm.later()
    pulls = 0
    while crm.pull(fold, pages=1):
        pulls += 1
    assert pulls > 4
    assert sum(row.get(ATTRIBUTE + "city") == "Oslo" for row in fold.records.values()) == 750


def test_most_of_the_contacts_changed_and_a_full_reading_is_chosen(crm: World) -> None:
    seed(crm.portal, 2500)
    crm.later()
    fold = crm.read()
    for id in crm.portal.store.shelves["contacts"].live[:1600]:
        crm.portal.put("contacts", {"city": "Oslo"}, id)
    crm.later(10)
    crm.calls()
    assert crm.pull(fold) == 2500
    assert fold.pages[-1].whole
    calls = crm.calls()
    assert "POST /crm/v3/objects/contacts/batch/read" not in calls
    assert len(calls) < 25 + 25
    crm.later(10)
    crm.calls()
    assert crm.pull(fold) == 0
    assert len(crm.calls()) < 8


def test_a_look_back_full_of_known_changes_costs_no_second_look(crm: World) -> None:
    seed(crm.portal, 6000)
    crm.later()
    fold = crm.read()
    for id in crm.portal.store.shelves["contacts"].live[:2000]:
        crm.portal.put("contacts", {"city": "Oslo"}, id)
    crm.later(200)
    assert crm.pull(fold) == 2000
    crm.later(5)
    crm.calls()
    assert crm.pull(fold) == 0
    assert len(crm.calls()) < 8


def test_archived_and_restored_contacts_go_and_come_back(crm: World) -> None:
    seed(crm.portal, 50)
    crm.later()
    fold = crm.read()
    id = crm.portal.store.shelves["contacts"].live[3]
    crm.portal.archive("contacts", id)
    assert crm.pull(fold) == 1
    assert str(id) not in fold.records
    assert crm.pull(fold) == 0
    crm.portal.restore("contacts", id)
    assert crm.pull(fold) == 1
    assert str(id) in fold.records
    assert crm.pull(fold) == 0


def test_an_erased_contact_is_found_by_the_sweep(crm: World) -> None:
    seed(crm.portal, 50)
    crm.later()
    fold = crm.read()
    id = crm.portal.store.shelves["contacts"].live[3]
    crm.portal.erase("contacts", id)
    crm.later(LONG)
    crm.pull(fold)
    assert fold.pages[-1].whole
    assert str(id) not in fold.records
    assert len(fold.records) == 49


def test_an_erased_contact_that_search_still_knows_goes_at_once(crm: World) -> None:
    seed(crm.portal, 50)
    crm.later()
    fold = crm.read()
    id = crm.portal.store.shelves["contacts"].live[3]
    crm.portal.put("contacts", {"city": "Oslo"}, id)
    crm.portal.tick()
    crm.portal.knobs.index_lag = 600.0
    crm.portal.erase("contacts", id)
    crm.pull(fold)
    assert str(id) not in fold.records
    assert crm.pull(fold) == 0


@pytest.mark.parametrize("event", ["edit", "archive", "merge", "erase", "create"])
def test_what_happens_in_the_middle_of_a_full_reading_is_known_after_the_next(crm: World, event: str) -> None:
    seed(crm.portal, 1200)
    crm.later()
    for nth in (2, 6, 11):
        crm.portal.script.rules.append(
            Fault(
                do="meanwhile",
                method="GET",
                path="objects/contacts$",
                nth=nth,
                event=event,
                values={"city": "Oslo"},
            )
        )
    fold = crm.read()
    crm.later(LONG if event == "erase" else 60)
    crm.pull(fold)
    assert _live(fold) == _live(crm.read())


def test_more_changes_than_one_search_gives_are_found(crm: World) -> None:
    """The server refuses results past 10,000 and bodies of over 3,000 characters."""
    crm.account = Account(
        "portal",
        "hubspot",
        None,
        attributes={f"a{n}": Attribute(f"custom_{'long_' * 8}{n}") for n in range(200)},
    )
    seed(crm.portal, 10_400)
    session = crm.session()
    [source] = Reading(session).sources("contact")
    pages = list(Fetching(session, source).changed(0, 0, 0))
    session.close()
    assert [id for page in pages for id in page.ids] == crm.portal.store.shelves["contacts"].live


# -- any history
# ------------------------------------------------------------------------------------------------

PLACES = st.integers(0, 7)
STEPS = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(["Ulm", "Bonn"])),
    st.tuples(st.just("edit"), PLACES, st.sampled_from(["Ulm", "Bonn", "Köln", ""])),
    st.tuples(st.just("merge"), PLACES, PLACES),
    st.tuples(st.just("archive"), PLACES),
    st.tuples(st.just("restore"), PLACES),
    st.tuples(st.just("erase"), PLACES),
    st.tuples(st.just("deal"), PLACES, st.sampled_from(["closedwon", "contractsent"])),
    st.tuples(st.just("stage"), PLACES, st.sampled_from(["closedwon", "closedlost"])),
    st.tuples(st.just("amount"), PLACES, st.sampled_from(["1", "-2.5", "3"])),
    st.tuples(st.just("undeal"), PLACES),
    st.tuples(st.just("redeal"), PLACES),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 200, 4000])),
    st.tuples(st.just("pull"), st.sampled_from([None, 1])),
)


@given(
    st.lists(STEPS, max_size=25),
    st.sampled_from(["new", "keep"]),
    st.sampled_from([0.0, 20.0]),
    st.booleans(),
    st.integers(1, 3),
)
@settings(max_examples=40)
def test_any_history_read_piece_by_piece_ends_as_if_read_at_once(
    steps: list[tuple[Any, ...]], merging: Any, lag: float, still: bool, rows: int
) -> None:
    with (
        TemporaryDirectory() as folder,
        world(Path(folder), merge_id=merging, index_lag=lag) as crm,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(incremental_read, "ROWS", rows)
        patch.setattr(full_read, "ROWS", rows)
        crm.account = ACCOUNT
        crm.portal.clock.speed = 0.0 if still else 1.0
        records, activity = Fold("contact"), Fold("activity")
        history = History(crm)
        for step in steps:
            if step[0] == "pull":
                crm.pull(records, pages=step[1])
                crm.pull(activity, pages=step[1])
            else:
                history.play(*step)
        crm.later(LONG if history.erased else 60)
        for fold in (records, activity):
            while crm.pull(fold, pages=2):
                pass
            crm.pull(fold)  # a reading that was cut off may give a row of its look-back once more
            assert crm.pull(fold) == 0
        assert _live(records) == _live(crm.read()) == set(crm.portal.dump())
        assert _cities(records) == {id: values.get("city") for id, values in crm.portal.dump().items()}
        assert _deeds(activity, records) == _deeds(crm.read("activity"), crm.read())


class History:
    """Plays steps on a portal; what cannot be done is left out. A deal has at most one contact."""

    def __init__(self, crm: World) -> None:
        self.crm, self.erased, self.number = crm, False, 0

    def play(self, verb: str, *given: Any) -> None:
        getattr(self, verb)(*given)

    def create(self, city: str) -> None:
        self.number += 1
        self.crm.portal.put("contacts", {"email": f"person{self.number}@example.org", "city": city})

    def edit(self, position: int, city: str) -> None:
        if (id := self._pick("contacts", position)) is not None:
            self.crm.portal.put("contacts", {"city": city}, id)

    def merge(self, first: int, other: int) -> None:
        ids = self._pick("contacts", first), self._pick("contacts", other)
        if ids[0] is not None and ids[1] is not None and ids[0] != ids[1]:
            self.crm.portal.join("contacts", ids[0], ids[1])

    def archive(self, position: int) -> None:
        if (id := self._pick("contacts", position)) is not None:
            self.crm.portal.archive("contacts", id)

    def restore(self, position: int) -> None:
        if (id := self._pick("contacts", position, recycled=True)) is not None:
            self.crm.portal.restore("contacts", id)

    def erase(self, position: int) -> None:
        if (id := self._pick("contacts", position)) is not None:
            self.crm.portal.erase("contacts", id)
            self.erased = True

    def deal(self, position: int, stage: str) -> None:
        if (id := self._pick("contacts", position)) is not None:
            self.crm.deal(id, dealstage=stage)

    def stage(self, position: int, stage: str) -> None:
        if (id := self._pick("deals", position)) is not None:
            self.crm.portal.put("deals", {"dealstage": stage}, id)

    def amount(self, position: int, amount: str) -> None:
        if (id := self._pick("deals", position)) is not None:
            self.crm.portal.put("deals", {"amount": amount}, id)

    def undeal(self, position: int) -> None:
        if (id := self._pick("deals", position)) is not None:
            self.crm.portal.archive("deals", id)

    def redeal(self, position: int) -> None:
        if (id := self._pick("deals", position, recycled=True)) is not None:
            self.crm.portal.restore("deals", id)

    def wait(self, seconds: int) -> None:
        self.crm.later(seconds)

    def _pick(self, kind: str, position: int, recycled: bool = False) -> int | None:
        shelf = self.crm.portal.store.shelves[kind]
        ids = shelf.recycled if recycled else shelf.live
        return ids[position % len(ids)] if ids else None


def _live(fold: Fold) -> set[str]:
    return {id for id, row in fold.records.items() if "merged_into" not in row}


def _cities(fold: Fold) -> dict[str, str | None]:
    return {id: row.get(ATTRIBUTE + "city") for id, row in fold.records.items() if "merged_into" not in row}


def _deeds(activity: Fold, records: Fold) -> list[tuple[Any, ...]]:
    """Activity of those who are there, under the survivors of merges."""

    def survivor(id: str) -> str:
        while into := records.records.get(id, {}).get("merged_into"):
            id = into
        return id

    rows: list[Row] = [row for several in activity.rows.values() for row in several]
    deeds = [
        (row["id"], survivor(row["record_id"]), row["kind"], row.get("amount_minor"), row["occurred_at"])
        for row in rows
    ]
    return sorted(deed for deed in deeds if deed[1] in _live(records))
