"""Does activity that several records share stand under its id, and give way to what the CRM says later?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Page
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from sync.pull.ingest import Ingest
from sync.store.identity_resolution import reconcile
from sync.store.mirror import AccountMirror, Mirror
from tests.test_laws import law
from tests.world import World

MAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def mirror(tmp_path: Path) -> AccountMirror:
    """A mirror that knows the contacts 1 to 5."""
    account = Mirror(tmp_path / "mirror.duckdb").account("portal")
    rows = [{"record_type": "contact", "id": str(number)} for number in range(1, 6)]
    take(account, "contact", rows)
    return account


def take(
    mirror: AccountMirror, stream: str, rows: list[dict[str, Any]], shared: bool = True, **page: Any
) -> Any:
    schema = ACTIVITY_SCHEMA if stream == "activity" else RECORD_SCHEMA
    names = {name for row in rows for name in row} or {"record_type"}
    frame = pa.Table.from_pylist(rows, schema=pa.schema([field for field in schema if field.name in names]))
    with mirror.transaction():
        return Ingest(mirror, stream, "UTC", shared).take(Page(frame, "", **page))


def deal(id: str, amount: int, **shares: float | None) -> list[dict[str, Any]]:
    """Rows of one deal: contact → share."""
    row = {
        "id": id,
        "record_type": "contact",
        "kind": "purchase",
        "occurred_at": MAY,
        "amount_minor": amount,
        "deleted": False,
    }
    return [{**row, "record_id": name.removeprefix("c"), "share": share} for name, share in shares.items()]


def counted(mirror: AccountMirror) -> dict[str, int]:
    """What counts now: contact → amount."""
    live = "SELECT * FROM activity WHERE NOT shadowed AND part IN (SELECT part FROM parts WHERE live)"
    return dict(
        mirror.rows(
            f"SELECT id, sum(amount)::BIGINT FROM ({live}) JOIN ids USING (record) GROUP BY id ORDER BY id"
        )
    )


def test_a_deal_of_several_contacts_counts_for_each_with_its_share(mirror: AccountMirror) -> None:
    take(mirror, "activity", deal("d", 1000, c1=0.75, c2=0.25))
    assert counted(mirror) == {"1": 750, "2": 250}


def test_a_deal_that_comes_again_replaces_all_rows_of_its_id(mirror: AccountMirror) -> None:
    take(mirror, "activity", deal("d", 1000, c1=0.5, c2=0.5) + deal("e", 10, c1=None))
    take(mirror, "activity", deal("d", 900, c3=None))
    assert counted(mirror) == {"1": 10, "3": 900}


def test_within_one_reading_the_later_page_replaces_the_earlier(mirror: AccountMirror) -> None:
    for number, rows in enumerate((deal("d", 1000, c1=0.5, c2=0.5), deal("d", 600, c2=0.5, c4=0.5))):
        take(mirror, "activity", rows, part="deals", whole=True, first=number == 0, last=number == 1)
    assert counted(mirror) == {"2": 300, "4": 300}


def test_a_deleted_deal_ends_for_everybody(mirror: AccountMirror) -> None:
    take(mirror, "activity", deal("d", 1000, c1=0.5, c2=0.5) + deal("e", 10, c2=None))
    take(mirror, "activity", [{**deal("d", 1000, c1=None)[0], "deleted": True}])
    assert counted(mirror) == {"2": 10}


def test_a_deal_waits_for_a_contact_that_is_not_known_yet_and_is_replaced_there_too(
    mirror: AccountMirror,
) -> None:
    take(mirror, "activity", deal("d", 1000, c1=0.5, c9=0.5))
    take(mirror, "activity", deal("d", 800, c1=0.5, c8=0.5))
    take(mirror, "contact", [{"record_type": "contact", "id": "8"}, {"record_type": "contact", "id": "9"}])
    with mirror.transaction():
        reconcile(mirror)
    assert counted(mirror) == {"1": 400, "8": 400}


def test_a_whole_part_gives_way_to_newer_rows_and_counts_again_when_they_go(mirror: AccountMirror) -> None:
    take(mirror, "activity", deal("d", 1000, c1=0.5, c2=0.5), part="archive", whole=True, first=True)
    take(mirror, "activity", deal("d", 700, c3=None), part="recent", whole=True, first=True)
    assert counted(mirror) == {"3": 700}
    take(mirror, "activity", deal("f", 5, c4=None), part="recent", whole=True, first=True)
    assert counted(mirror) == {"1": 500, "2": 500, "4": 5}


def test_in_files_a_repeated_id_is_a_slip_and_the_last_line_wins(mirror: AccountMirror) -> None:
    rows = [
        {**row, "line": line}
        for line, row in enumerate(deal("d", 1000, c1=None) + deal("d", 300, c2=None), 2)
    ]
    answer = take(mirror, "activity", rows, shared=False, part="a.csv", whole=True, first=True)
    assert counted(mirror) == {"2": 300}
    assert answer.repeated == [("a.csv", 2, "1")]


DEAL = st.tuples(
    st.sampled_from("abc"),
    st.one_of(st.none(), st.sets(st.integers(1, 7), min_size=1, max_size=3)),
    st.integers(1, 900).map(lambda n: n * 6),
)


@law(8)
@given(
    pages=st.lists(
        st.lists(DEAL, min_size=1, max_size=4, unique_by=lambda entry: entry[0]), min_size=1, max_size=5
    )
)
def test_what_counts_is_what_was_told_last_of_each_id(
    tmp_path_factory: pytest.TempPathFactory, pages: list[list[Any]]
) -> None:
    mirror = Mirror(tmp_path_factory.mktemp("deals") / "mirror.duckdb").account("portal")
    take(mirror, "contact", [{"record_type": "contact", "id": str(number)} for number in range(1, 6)])
    last: dict[str, Any] = {}
    for page in pages:
        rows = []
        for id, contacts, amount in page:
            last[id] = (contacts, amount)
            shares = (
                {f"c{buyer}": 1 / len(contacts) for buyer in sorted(contacts)} if contacts else {"c1": None}
            )
            rows += [{**row, "deleted": contacts is None} for row in deal(id, amount, **shares)]
        take(mirror, "activity", rows)
    with mirror.transaction():
        reconcile(mirror)
    expected: dict[str, int] = {}
    for contacts, amount in last.values():
        for contact in sorted(contacts or ()):
            if contact < 6:
                expected[str(contact)] = expected.get(str(contact), 0) + amount // len(contacts)
    assert counted(mirror) == dict(sorted(expected.items()))


def test_a_shared_deal_moves_the_labels_of_all_its_contacts(tmp_path: Path) -> None:
    world = World(tmp_path, lists="none")
    world.customers(20)
    world.store.deal("big", {"5": 0.5, "10": 0.5}, datetime(2024, 6, 29, tzinfo=UTC), 9_000_000)
    world.do("label")
    assert world.labels("value")["5"] == world.labels("value")["10"] == "a"
    world.store.deal("big", {"10": None}, datetime(2024, 6, 29, tzinfo=UTC), 9_000_000)
    world.do("label")
    assert world.labels("value")["5"] == "prospect" and world.labels("value")["10"] == "a"
    world.store.lose_deal("big")
    world.do("label")
    assert world.labels("value")["10"] == "prospect"
