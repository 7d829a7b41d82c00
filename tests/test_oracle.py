"""Does the product do what it did when the oracle was recorded? The small size of every scene of
``tests.oracle``; and does the oracle notice what it should?
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.oracle.__main__ import read, recorded
from tests.oracle.comparing import Rename, differences, renames
from tests.oracle.normal import Normal
from tests.oracle.scenes import SCENES

SMALL = Path(__file__).parent / "oracle" / "small.json.gz"
RECORDED = {
    "plan": {"columns": ["id", "kind"], "rows": [["1", "value"], ["2", "rfm"]]},
    "calls": {
        "unordered": [{"method": "GET", "path": "/a"}, {"method": "POST", "path": "/b", "body": {"n": 1.0}}]
    },
    "reason": "kind value, bought 3 times",
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_product_does_what_was_recorded(scene: str) -> None:
    now = recorded([scene], small=True)
    differing = differences({scene: read(SMALL)[scene]}, now, renames())
    assert "\n".join(str(each) for each in islice(differing, 10)) == "", (
        f"python -m tests.oracle compare {SMALL} --small --only {scene}"
    )


def test_a_call_of_another_body_and_one_more_call_are_differences() -> None:
    calls = [
        {"method": "POST", "path": "/b", "body": {"n": 2.0}},
        {"method": "GET", "path": "/a"},
        {"method": "GET", "path": "/c"},
    ]
    differing = [tuple(each) for each in differences(RECORDED, {**RECORDED, "calls": {"unordered": calls}})]
    assert differing == [
        ("calls (number)", "2", "3"),
        ("calls[POST /b]/body/n", "1.0", "2.0"),
        ("calls", "(not there)", '{"method": "GET", "path": "/c"}'),
    ]


def test_the_order_of_calls_and_the_last_digits_of_a_number_are_none() -> None:
    calls = [{"method": "POST", "path": "/b", "body": {"n": 1.0 + 1e-9}}, {"method": "GET", "path": "/a"}]
    assert list(differences(RECORDED, {**RECORDED, "calls": {"unordered": calls}})) == []


def test_a_changed_row_is_told_by_its_column() -> None:
    plan = {"columns": ["id", "kind"], "rows": [["1", "value"], ["2", "clusters"]]}
    assert [each.place for each in differences(RECORDED, {**RECORDED, "plan": plan})] == ["plan[1]/kind"]


def test_renamed_words_are_no_differences_where_they_were_renamed() -> None:
    now = {
        **RECORDED,
        "plan": {"columns": ["id", "type"], "rows": [["1", "abc"], ["2", "rfm"]]},
        "reason": "type value, bought 3 times",
    }
    renamed = [
        Rename("kind", "type"),
        Rename("value", "abc", where="plan*"),
        Rename("kind", "type", where="reason", part=True),
    ]
    assert list(differences(RECORDED, now, renamed)) == []
    unnamed = {each.place for each in differences(RECORDED, now, renamed[1:])}
    assert unnamed == {
        "plan (columns)[1]",
        *(f"plan[{row}]/{column}" for row in (0, 1) for column in ("kind", "type")),
    }


def test_folders_ports_digests_and_times_of_today_are_left_out(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    text = f"{tmp_path}/x http://127.0.0.1:4711/y 0123456789abcdef {datetime.now(UTC).isoformat()} 2024-06-30T10:00:00Z"
    assert Normal(tmp_path).text(text) == "FOLDER/x HOST/y DIGEST NOW 2024-06-30T10:00:00Z"
