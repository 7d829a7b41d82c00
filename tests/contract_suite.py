"""What must hold of every connector? Subclass ``ContractSuite`` (of what can only be read: ``SourceSuite``), give
it the fixture ``crm``, and pytest tells.

A ``Crm`` is one account of the CRM under test: it opens connectors on it, and does what people do behind our
back. A ``Shop`` is one that can only be read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from connectors.contract import Connector, FieldSpec, ListSpec, Option, Page, RemoteList, Source
from connectors.schemas import (
    ACTIVITY_SCHEMA,
    ATTRIBUTE,
    CHANGE_SCHEMA,
    FIELD,
    MEMBER,
    OUTCOME_SCHEMA,
    RECORD_SCHEMA,
    VALUE_SCHEMA,
)

SEGMENT = FieldSpec(
    "seg_rfm", "contact", "enum", "Buying habits", options=(Option("loyal", "Loyal"), Option("lost", "Lost"))
)
REASON = FieldSpec("seg_rfm_reason", "contact", "text", "Buying habits: reason")
LIST = ListSpec("rfm.loyal", "Buying habits: Loyal")
ODD_TEXTS = [
    "plain",
    'comma, "quote"; line\nbreak',
    "=SUM(A1)",
    "+49 89",
    "-1",
    "@home",
    "'quoted",
    "''=x",
    "Zoë ☃",
    " blank ",
    "0012",
]


class Shop(ABC):
    """One account under test, as its people see it. Days are UTC dates."""

    @abstractmethod
    def connect(self) -> Source:
        """A new source on the account, opened with attribute ``city``."""

    @abstractmethod
    def put(
        self, id: str, *, email: str | None = None, city: str | None = None, merged_into: str | None = None
    ) -> None:
        """A person creates or edits a contact."""

    @abstractmethod
    def delete(self, id: str) -> None:
        """A person deletes a contact."""

    @abstractmethod
    def buy(self, id: str, moment: datetime, amount: str, order: str) -> None:
        """A contact buys something, in the account's currency (EUR)."""


class Crm(Shop):
    """One account of the CRM under test."""

    @abstractmethod
    def connect(self) -> Connector:
        """A new connector on the account, opened with the fields SEGMENT and REASON, and attribute ``city``."""

    @abstractmethod
    def set_field(self, id: str, name: str, value: str | None) -> None:
        """A person sets or clears a field of ours on a contact."""

    @abstractmethod
    def set_member(self, key: str, id: str, member: bool) -> None:
        """A person adds a contact to a list of ours, or removes it."""


class Paper:
    """A ticket kept in memory."""

    def __init__(self) -> None:
        self.kept: str | None = None

    @property
    def job(self) -> str | None:
        return self.kept

    def save(self, job: str) -> None:
        self.kept = job


class Reader:
    """Folds pages as a mirror does: by part, the last row of an id wins, parts that are read whole replace
    what they held.
    """

    def __init__(self, crm: Shop, stream: str) -> None:
        self.crm, self.stream = crm, stream
        self.position: str | None = None
        self.parts: dict[str, list[dict[str, Any]]] = {}
        self._unfinished: dict[str, list[dict[str, Any]]] = {}

    def pull(self, pages: int | None = None) -> int:
        """Read on from the last position (at most so many pages) with a new connector; how many rows came."""
        came = 0
        for number, page in enumerate(self.crm.connect().read(self.stream, self.position), 1):
            self.take(page)
            came += page.records.num_rows
            if number == pages:
                break
        return came

    def take(self, page: Page) -> None:
        rows = page.records.to_pylist()
        if not page.whole:
            self.parts.setdefault(page.part, []).extend(rows)
        else:
            if page.first:
                self._unfinished[page.part] = []
            self._unfinished.setdefault(page.part, []).extend(rows)
            if page.last:
                self.parts[page.part] = self._unfinished.pop(page.part)
        self.position = page.position

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """By id; of an activity without an id, by its order."""
        rows = [row for part in self.parts.values() for row in part]
        latest = {row.get("id") or row["order_id"]: row for row in rows}
        return {id: row for id, row in latest.items() if not row.get("deleted")}


def changes(*rows: tuple[str, str, str | None, str | None]) -> pa.Table:
    """Changes of contacts: id, target, before, after."""
    return pa.Table.from_pylist(
        [dict(zip(CHANGE_SCHEMA.names, ("contact", *row), strict=True)) for row in rows], schema=CHANGE_SCHEMA
    )


def statuses(outcomes: pa.Table) -> list[str]:
    return [str(status) for status in outcomes["status"].to_pylist()]


def noon(month: int, day: int) -> datetime:
    return datetime(2024, month, day, 12, tzinfo=UTC)


def value_stream(connector: Connector) -> str:
    """The stream that the values of our fields come with."""
    return "value" if "value" in connector.capabilities.streams else "contact"


class SourceSuite(ABC):
    """What must hold of reading. A fixture gives the account, empty of records; two contacts are there before
    each test.
    """

    @pytest.fixture
    @abstractmethod
    def crm(self, tmp_path: Any) -> Any:
        """The account under test."""

    @pytest.fixture(autouse=True)
    def _two_contacts(self, crm: Shop) -> None:
        crm.put("1", email="ada@example.org", city="Ulm")
        crm.put("2", email="bob@example.org", city="Bonn")
        crm.buy("1", noon(1, 5), "12.50", "order-1")

    @pytest.fixture
    def ready(self, crm: Shop) -> Any:
        """A source on an account that is set up."""
        return crm.connect()

    def test_a_sound_account_has_no_problems(self, crm: Shop) -> None:
        assert crm.connect().check() == []

    @pytest.mark.parametrize(
        ("stream", "schema"),
        [("contact", RECORD_SCHEMA), ("activity", ACTIVITY_SCHEMA), ("value", VALUE_SCHEMA)],
    )
    def test_pages_have_the_columns_and_types_of_the_contract(
        self, crm: Shop, ready: Source, stream: str, schema: pa.Schema
    ) -> None:
        if stream not in ready.capabilities.streams:
            pytest.skip(f"has no stream {stream}")
        for page in ready.read(stream, None):
            for column in page.records.schema:
                allowed = column.name.startswith((ATTRIBUTE, FIELD)) or column.name in [*schema.names, "line"]
                assert allowed, column.name
                if column.name in schema.names:
                    assert column.type == schema.field(column.name).type, column.name
            required = [column.name for column in schema if not column.nullable]
            assert all(page.records[name].null_count == 0 for name in required)

    def test_every_contact_arrives_with_its_attributes(self, crm: Shop) -> None:
        reader = Reader(crm, "contact")
        reader.pull()
        assert {id: (row["email"], row[ATTRIBUTE + "city"]) for id, row in reader.rows.items()} == {
            "1": ("ada@example.org", "Ulm"),
            "2": ("bob@example.org", "Bonn"),
        }

    def test_every_purchase_arrives_in_minor_units_and_utc(self, crm: Shop) -> None:
        reader = Reader(crm, "activity")
        reader.pull()
        (row,) = reader.rows.values()
        assert (row["record_id"], row["kind"], row["amount_minor"], row["occurred_at"]) == (
            "1",
            "purchase",
            1250,
            noon(1, 5),
        )

    @pytest.mark.parametrize("stream", ["contact", "activity"])
    def test_an_unchanged_account_has_nothing_new(self, crm: Shop, stream: str) -> None:
        reader = Reader(crm, stream)
        assert reader.pull() > 0
        assert reader.pull() == 0

    def test_an_edited_contact_is_read_again(self, crm: Shop) -> None:
        reader = Reader(crm, "contact")
        reader.pull()
        crm.put("2", email="bob@example.org", city="Köln")
        reader.pull()
        assert reader.rows["2"][ATTRIBUTE + "city"] == "Köln"
        assert reader.rows["1"][ATTRIBUTE + "city"] == "Ulm"

    def test_new_purchases_join_the_old_ones(self, crm: Shop) -> None:
        reader = Reader(crm, "activity")
        reader.pull()
        crm.buy("2", noon(2, 1), "3", "order-2")
        reader.pull()
        assert sorted(row["amount_minor"] for row in reader.rows.values()) == [300, 1250]

    def test_a_reading_that_stops_after_any_page_goes_on_without_a_gap(self, crm: Shop) -> None:
        for number in range(3, 30):
            crm.put(str(number), email=f"{number}@example.org")
        reader = Reader(crm, "contact")
        while reader.pull(pages=1):
            pass
        assert sorted(reader.rows, key=int) == [str(number) for number in range(1, 30)]

    def test_a_deleted_contact_is_reported(self, crm: Shop) -> None:
        reader = Reader(crm, "contact")
        reader.pull()
        if not crm.connect().capabilities.deletions:
            pytest.skip("does not report deletions")
        crm.delete("2")
        reader.pull()
        assert list(reader.rows) == ["1"]

    def test_a_merged_contact_names_its_survivor(self, crm: Shop) -> None:
        reader = Reader(crm, "contact")
        reader.pull()
        if not crm.connect().capabilities.merges:
            pytest.skip("does not report merges")
        crm.put("2", merged_into="1")
        reader.pull()
        assert reader.rows["2"]["merged_into"] == "1"

    def test_the_count_is_what_can_be_read_or_not_told(self, crm: Shop) -> None:
        assert crm.connect().count("contact") in (2, None)
        assert crm.connect().count("activity") in (1, None)


class ContractSuite(SourceSuite):
    """The tests of a connector that reads and writes."""

    @pytest.fixture
    def ready(self, crm: Crm) -> Connector:
        """A connector on an account that is set up."""
        connector = crm.connect()
        connector.ensure_field(SEGMENT)
        connector.ensure_field(REASON)
        return crm.connect()

    @pytest.fixture
    def loyal(self, ready: Connector) -> RemoteList:
        return ready.ensure_list(LIST)

    def test_opening_and_checking_reads_and_writes_nothing(self, crm: Crm) -> None:
        crm.connect().check()
        assert (SEGMENT.record_type, SEGMENT.name) not in crm.connect().fields()

    # Fields

    def test_ensuring_a_field_twice_changes_nothing(self, crm: Crm, ready: Connector) -> None:
        before = crm.connect().fields()
        crm.connect().ensure_field(SEGMENT)
        assert crm.connect().fields() == before
        assert (SEGMENT.record_type, SEGMENT.name) in before

    def test_an_option_is_added_before_use_and_none_is_lost(self, crm: Crm, ready: Connector) -> None:
        crm.connect().ensure_field(FieldSpec(SEGMENT.name, options=(Option("new", "New"),)))
        self._write(crm, ("1", SEGMENT.name, None, "new"), ("2", SEGMENT.name, None, "loyal"))
        assert self._held(crm, SEGMENT.name) == {"1": "new", "2": "loyal"}

    def test_a_written_value_is_there_at_once_and_is_read_back(self, crm: Crm, ready: Connector) -> None:
        written = self._write(crm, ("1", SEGMENT.name, None, "loyal"), ("2", SEGMENT.name, None, "lost"))
        assert crm.connect().current_values(written).to_pylist() == ["loyal", "lost"]
        assert self._held(crm, SEGMENT.name) == {"1": "loyal", "2": "lost"}

    def test_writing_twice_equals_writing_once(self, crm: Crm, ready: Connector) -> None:
        written = self._write(crm, ("1", SEGMENT.name, None, "loyal"))
        assert statuses(crm.connect().write_fields(written, Paper())) == ["done"]
        assert self._held(crm, SEGMENT.name)["1"] == "loyal"

    def test_null_clears(self, crm: Crm, ready: Connector) -> None:
        self._write(crm, ("1", SEGMENT.name, None, "loyal"))
        self._write(crm, ("1", SEGMENT.name, "loyal", None))
        assert not self._held(crm, SEGMENT.name).get("1")

    def test_every_change_is_answered_in_its_order(self, crm: Crm, ready: Connector) -> None:
        outcomes = ready.write_fields(
            changes(
                ("1", SEGMENT.name, None, "loyal"),
                ("1", "no_such_field", None, "x"),
                ("2", SEGMENT.name, None, "lost"),
            ),
            Paper(),
        )
        assert outcomes.schema.equals(OUTCOME_SCHEMA)
        assert statuses(outcomes) == ["done", "rejected", "done"]
        assert outcomes["kind"].to_pylist() == [None, "permission", None]
        assert "setup" in str(outcomes["reason"][1])

    def test_a_change_of_an_unknown_contact_is_done_only_if_it_is_kept(
        self, crm: Crm, ready: Connector
    ) -> None:
        change = changes(("nobody", SEGMENT.name, None, "loyal"))
        outcomes = ready.write_fields(change, Paper())
        kept = crm.connect().current_values(change).to_pylist() == ["loyal"]
        assert statuses(outcomes) == (["done"] if kept else ["rejected"])
        assert outcomes["kind"].to_pylist() == [None if kept else "gone"]

    def test_a_value_of_a_person_comes_back_as_the_person_wrote_it(self, crm: Crm, ready: Connector) -> None:
        self._write(crm, ("1", SEGMENT.name, None, "loyal"))
        crm.set_field("1", SEGMENT.name, "lost")
        assert crm.connect().current_values(changes(("1", SEGMENT.name, None, None))).to_pylist() == ["lost"]
        assert self._held(crm, SEGMENT.name)["1"] == "lost"

    def test_a_writer_that_compares_leaves_a_value_that_moved(self, crm: Crm, ready: Connector) -> None:
        if not ready.capabilities.compares_before:
            pytest.skip("does not compare before writing")
        self._write(crm, ("1", SEGMENT.name, None, "loyal"))
        crm.set_field("1", SEGMENT.name, "vip")
        assert statuses(
            crm.connect().write_fields(changes(("1", SEGMENT.name, "loyal", "lost")), Paper())
        ) == ["skipped"]
        assert self._held(crm, SEGMENT.name)["1"] == "vip"

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_comparing_a_text_in_normal_form_never_differs_for_ever(
        self, crm: Crm, ready: Connector, text: str
    ) -> None:
        wanted = ready.normal(REASON, text)
        assert ready.normal(REASON, wanted) == wanted
        written = self._write(crm, ("1", REASON.name, None, wanted))
        assert crm.connect().current_values(written).to_pylist() == [wanted]
        assert self._held(crm, REASON.name)["1"] == wanted

    def test_settling_tells_what_happened_from_what_did_not(self, crm: Crm, ready: Connector) -> None:
        self._write(crm, ("1", SEGMENT.name, None, "loyal"))
        batch = changes(("1", SEGMENT.name, None, "loyal"), ("2", SEGMENT.name, None, "lost"))
        outcomes = crm.connect().settle_fields(batch, Paper())
        assert statuses(outcomes) == ["done", "rejected"]
        assert outcomes["kind"].to_pylist() == [None, "transient"]

    def test_nothing_is_known_to_listen_or_the_missing_right_is_named(self, ready: Connector) -> None:
        listeners = ready.automations([SEGMENT], [LIST])
        assert all(
            listener.name and listener.target in (SEGMENT.name, LIST.key) for listener in listeners.found
        )
        assert isinstance(listeners.unknown, str)

    def test_every_call_is_counted_where_it_is_made(self, crm: Crm, ready: Connector) -> None:
        connector = crm.connect()
        assert (connector.calls.read, connector.calls.write) == (0, 0)
        list(connector.read("contact", None))
        assert connector.calls.read > 0 and connector.calls.write == 0
        connector.write_fields(changes(("1", SEGMENT.name, None, "loyal")), Paper())
        assert connector.calls.write > 0

    def test_notes_and_files_to_deploy_are_texts_without_people(self, ready: Connector) -> None:
        files = ready.export([SEGMENT, REASON], [LIST])
        assert all(not name.startswith("/") and ".." not in name for name in files)
        for text in (*ready.diagnostics(), *files.values()):
            assert isinstance(text, str) and "@example.org" not in text

    # Lists

    def test_ensuring_a_list_twice_makes_one_list(self, crm: Crm, loyal: RemoteList) -> None:
        again = crm.connect().ensure_list(LIST)
        assert (again.id, again.key) == (loyal.id, LIST.key)
        assert [remote.key for remote in crm.connect().lists()] == [LIST.key]

    def test_a_dynamic_list_is_told_as_soon_as_it_is_not_what_we_would_make(
        self, crm: Crm, ready: Connector
    ) -> None:
        if not ready.capabilities.dynamic_lists:
            pytest.skip("no dynamic lists")
        spec = replace(LIST, kind="dynamic", field=SEGMENT.name, value="loyal")
        made = replace(spec, id=ready.ensure_list(spec).id)
        assert crm.connect().changed_lists([made]) == {}
        assert crm.connect().changed_lists([replace(made, value="lost")]).keys() == {LIST.key}
        assert crm.connect().changed_lists([spec]) == {}, (
            "a list that we have not made is not ours to compare"
        )

    def test_members_come_and_go(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER), ("2", LIST.key, None, MEMBER))
        assert self._members(crm, loyal) == {"1", "2"}
        self._enlist(crm, loyal, ("1", LIST.key, MEMBER, None))
        assert self._members(crm, loyal) == {"2"}

    def test_adding_a_member_twice_adds_it_once(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        written = self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        pages = list(crm.connect().members(loyal, None))
        assert [id for page in pages for id in page.records["id"].to_pylist()] == ["1"]
        assert crm.connect().current_members(loyal, written).to_pylist() == [MEMBER]

    def test_members_whom_a_person_adds_or_removes_are_seen(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        crm.set_member(LIST.key, "1", False)
        crm.set_member(LIST.key, "2", True)
        assert self._members(crm, loyal) == {"2"}
        both = changes(("1", LIST.key, None, None), ("2", LIST.key, None, None))
        now = crm.connect().current_members(loyal, both)
        assert now.to_pylist() == [None, MEMBER]

    def test_settling_a_list_tells_who_came_in_from_who_did_not(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        batch = changes(("1", LIST.key, None, MEMBER), ("2", LIST.key, None, MEMBER))
        outcomes = crm.connect().settle_members(loyal, batch, Paper())
        assert statuses(outcomes) == ["done", "rejected"]
        assert outcomes["kind"].to_pylist() == [None, "transient"]

    def test_an_unchanged_list_is_not_read_again(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        position = list(crm.connect().members(loyal, None))[-1].position
        assert list(crm.connect().members(loyal, position)) == []

    def test_the_members_of_a_list_are_one_whole_part(self, crm: Crm, loyal: RemoteList) -> None:
        self._enlist(crm, loyal, ("1", LIST.key, None, MEMBER))
        pages = list(crm.connect().members(loyal, None))
        assert all(page.whole for page in pages)
        assert pages[0].first
        assert pages[-1].last

    def _write(self, crm: Crm, *rows: tuple[str, str, str | None, str | None]) -> pa.Table:
        table = changes(*rows)
        assert statuses(crm.connect().write_fields(table, Paper())) == ["done"] * len(rows)
        return table

    def _enlist(
        self, crm: Crm, remote: RemoteList, *rows: tuple[str, str, str | None, str | None]
    ) -> pa.Table:
        table = changes(*rows)
        assert statuses(crm.connect().write_members(remote, table, Paper())) == ["done"] * len(rows)
        return table

    def _held(self, crm: Crm, name: str) -> dict[str, str | None]:
        """What a full reading says that a field of ours holds."""
        reader = Reader(crm, value_stream(crm.connect()))
        reader.pull()
        return {id: row.get(FIELD + name) for id, row in reader.rows.items()}

    def _members(self, crm: Crm, remote: RemoteList) -> set[str]:
        pages: Iterable[Page] = crm.connect().members(remote, None)
        return {id for page in pages for id in page.records["id"].to_pylist()}
