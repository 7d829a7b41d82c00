"""Ids of a large page find their records by an array, and never another one's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from sync.store import record_numbers as numbers
from sync.store import records
from sync.store.activity import Activity
from sync.store.mirror import AccountMirror, Mirror


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[AccountMirror]:
    opened = Mirror(tmp_path / "mirror.duckdb")
    yield opened.account("shop")
    opened.close()


def _found(
    mirror: AccountMirror, known: Sequence[str], asked: Sequence[str | None]
) -> list[str | None] | None:
    """The ids of the records that ids mean; None where SQL has to look for them."""
    mirror.register(pa.table({"record_type": ["contact"] * len(known), "id": list(known)}))
    by_place = numbers.record_numbers(mirror, "ids", "contact")
    found = by_place.of(pa.chunked_array([pa.array(asked, pa.string())])) if by_place is not None else None
    if found is None:
        return None
    ids = dict(mirror.rows("SELECT record, id FROM ids"))
    return [ids[record] if record is not None else None for record in found.to_pylist()]


def test_whole_numbers_find_the_records_of_their_ids(mirror: AccountMirror) -> None:
    known = [str(n) for n in range(5, 40)]
    assert _found(mirror, known, ["39", "7", "4", "4000000", None, "7"]) == ["39", "7", None, None, None, "7"]


def test_an_id_that_is_written_in_another_way_is_left_to_sql(mirror: AccountMirror) -> None:
    known = [str(n) for n in range(40)]
    for other in ("007", "+7", "7.0", "x7", "-0", "99999999999999999999"):
        assert _found(mirror, known, ["7", other]) is None, other


def test_ids_that_are_no_numbers_are_never_found_by_one(mirror: AccountMirror) -> None:
    known = ["007", "+8", *(str(n) for n in range(10, 40))]
    assert _found(mirror, known, ["7", "8", "12"]) == [None, None, "12"]


@pytest.mark.parametrize("known", [["a", "b"], ["1", "900000"], []])
def test_ids_that_are_texts_or_far_apart_are_left_to_sql(mirror: AccountMirror, known: list[str]) -> None:
    assert _found(mirror, known, ["1"]) is None


def _owners(mirror: AccountMirror, monkeypatch: pytest.MonkeyPatch, large: bool) -> list[tuple[str, str]]:
    """Rows of activity, by the ids that they name and the ids of their records: ("7", "7"), ("x", "waits")."""
    monkeypatch.setattr("sync.store.activity.WORTH_IT", 1 if large else 1_000)
    mirror.run("DELETE FROM activity; DELETE FROM parked")
    named = ["7", "8", "404", "7"]
    page = pa.table(
        {
            "record_type": ["contact", "contact", "contact", "lead"],
            "record_id": named,
            "kind": ["visit"] * 4,
            "occurred_at": pa.array([0] * 4, pa.timestamp("us", "UTC")),
            "line": list(range(4)),
        }
    )
    Activity(mirror, "Europe/Berlin").add(page, 1)
    rows = mirror.rows(
        """SELECT line, id FROM activity JOIN ids USING (record) UNION ALL SELECT line, 'waits' FROM parked ORDER BY line"""
    )
    return [(named[line], id) for line, id in rows]


def test_a_large_page_and_a_small_one_find_the_same_records(
    mirror: AccountMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pa.table({"record_type": ["contact"] * 40, "id": [str(n) for n in range(40)]})
    mirror.register(frame)
    records.add(mirror, frame, 1, whole=True)
    expected = [("7", "7"), ("8", "8"), ("404", "waits"), ("7", "waits")]
    assert _owners(mirror, monkeypatch, large=True) == expected
    assert _owners(mirror, monkeypatch, large=False) == expected


def test_a_small_page_does_not_look_at_every_record(
    mirror: AccountMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sync.store.activity.record_numbers", lambda *_: asked.append("all"))
    _owners(mirror, monkeypatch, large=False)
    assert not asked and numbers.WORTH_IT >= 10_000
