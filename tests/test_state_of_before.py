"""Does a state directory of an earlier version open as if nothing had happened? No label moves, nothing is
written, what was open is open, what was on hold is on hold, and an old run can be undone.

The state was created by ``tests.make_state_fixture``, before any word of the config or the state was renamed.
"""

from __future__ import annotations

import csv
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.make_state_fixture import CONFIG, DAYS, do

ARCHIVE = CONFIG.with_suffix(".tar.xz")
LAST = DAYS[-1]
C, UNDONE, OPEN = 4, 5, 6  # run C, the run that was undone, the plan that would undo C


@pytest.fixture
def company(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    shutil.copyfile(CONFIG, tmp_path / "company" / "config.toml")
    return tmp_path / "company"


def written(company: Path) -> dict[str, bytes]:
    """What we write in the CRM, as bytes, by file."""
    files = [company / "segments.csv", *sorted((company / "lists").glob("*.csv"))]
    return {path.name: path.read_bytes() for path in files}


def stored(company: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(company / "state" / "journal.sqlite")) as connection:
        return connection.execute(sql).fetchall()


def labels(company: Path) -> list[tuple[Any, ...]]:
    """When which segmentation changed labels, and under which version of its model."""
    days = stored(company, "SELECT segmentation, as_of, part FROM labels ORDER BY 1, 2, 3")
    return days + stored(
        company, "SELECT segmentation, max(version), max(as_of) FROM models GROUP BY 1 ORDER BY 1"
    )


def test_status_tells_its_runs_its_open_plan_and_its_hold(company: Path) -> None:
    status = do(company, "status", LAST)
    assert [row["run"] for row in status["runs"]][:3] == [7, 6, 5]
    assert [row["plan"] for row in status["plans"] if row["state"] == "open"] == [OPEN]
    assert [(row["segmentation"], row["run"]) for row in status["holds"]] == [("mailing", UNDONE)]


def test_a_run_writes_nothing_moves_no_label_and_keeps_the_hold(company: Path) -> None:
    before, moved = written(company / "crm"), labels(company)
    answer = do(company, "run", LAST, allow={})
    assert (answer["plan"]["changes"], answer["calls"]["write"]) == (0, 0)
    assert answer["plan"]["held"] == ["mailing"]
    assert written(company / "crm") == before == written(company / "after_c")
    assert labels(company) == moved


def test_an_old_run_is_undone_to_the_byte(company: Path) -> None:
    answer = do(company, "undo", LAST, number=C)
    assert answer["exit_code"] == 0 and answer["applied"]["done"] > 0
    assert written(company / "crm") == written(company / "before_c")


def test_the_open_plan_can_be_applied(company: Path) -> None:
    answer = do(company, "apply", LAST, number=OPEN)
    assert answer["exit_code"] == 0 and answer["applied"]["done"] > 0
    assert written(company / "crm") == written(company / "before_c")


def test_without_the_mirror_it_is_the_same(company: Path) -> None:
    (company / "state" / "mirror.duckdb").unlink()
    moved = labels(company)
    answer = do(company, "run", LAST, allow={})
    assert (answer["plan"]["changes"], answer["calls"]["write"], answer["plan"]["held"]) == (
        0,
        0,
        ["mailing"],
    )
    assert labels(company) == moved


def test_every_segment_is_explained_as_it_was(company: Path) -> None:
    with (company / "crm" / "segments.csv").open(encoding="utf-8", newline="") as lines:
        rows = {row["id"]: row for row in csv.DictReader(lines)}
    do(company, "pull", LAST)  # a mirror is a cache: another version reads anew
    for id in ("1", "9", "33", "90"):
        story = do(company, "show", LAST, id=id)["segmentations"]
        assert {name: story[name]["reason"] for name in ("rfm", "value")} == {
            "rfm": rows[id]["seg_rfm_reason"],
            "value": rows[id]["seg_value_reason"],
        }


def test_no_model_is_fitted_anew_and_each_is_judged(company: Path) -> None:
    assert do(company, "evaluate", LAST)["exit_code"] == 0
    assert set(do(company, "train", LAST, propose=True)["proposals"]) == {
        "rfm",
        "value",
        "styles",
        "again",
        "offer",
    }
