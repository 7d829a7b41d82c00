"""Can a person look at each change of a plan, also of one that takes a run back, before anything is written?"""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

from tests.test_cli import answer, cli, first, folder
from tests.world import World


def planned(path: Path, customers: int = 12) -> tuple[World, int]:
    """A folder of files that is set up, and the number of its first plan."""
    world = folder(path, customers)
    assert cli(world, "setup", "--yes").exit_code == 0
    return world, int(answer(world, "plan")[1]["plan"]["plan"])


def test_each_change_of_a_plan_is_shown_with_old_and_new_value_and_reason(tmp_path: Path) -> None:
    world, number = planned(tmp_path)
    code, shown = answer(world, "plan", "show", str(number))
    assert (code, shown["plan"], shown["state"], shown["more"]) == (0, number, "open", 0)
    assert len(shown["changes"]) == shown["total"] > 20
    labels = world.labels("rfm")
    field = [change for change in shown["changes"] if change["target"] == "seg_rfm"]
    assert {change["id"]: change["after"] for change in field} == labels
    assert all(
        change["reason"] and change["before"] is None and change["status"] == "planned" for change in field
    )
    cli(world, "apply", str(number))
    assert {change["status"] for change in answer(world, "plan", "show", str(number))[1]["changes"]} == {
        "done"
    }


def test_a_terminal_shows_some_changes_and_says_how_to_see_all(tmp_path: Path) -> None:
    world, number = planned(tmp_path, 40)
    output = cli(world, "plan", "show", str(number)).output
    assert f"plan show {number} --out plan-{number}.csv" in output and output.count("planned") == 50


def test_a_plan_is_written_as_csv_and_json_for_its_owner_alone(tmp_path: Path) -> None:
    world = folder(tmp_path)
    world.store.put("=1+1", email="x@example.org")
    world.store.put("\x1b[31m9", email="y@example.org")
    world.store.save()  # type: ignore[attr-defined]
    assert cli(world, "setup", "--yes").exit_code == 0
    number = answer(world, "plan")[1]["plan"]["plan"]
    assert "\x1b[31m" not in cli(world, "plan", "show", str(number)).output
    for name in ("plan.csv", "plan.json"):
        code, shown = answer(world, "plan", "show", str(number), "--out", str(tmp_path / name))
        assert (code, shown["out"]) == (0, str(tmp_path / name))
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    with (tmp_path / "plan.csv").open(newline="", encoding="utf-8") as source:
        table = list(csv.DictReader(source))
    rows = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert len(table) == len(rows) == shown["total"]
    assert "'=1+1" in {row["id"] for row in table} and "=1+1" in {row["id"] for row in rows}
    refused = cli(world, "plan", "show", str(number), "--out", str(tmp_path / "plan.xlsx"))
    assert refused.exit_code == 2 and ".csv or .json" in refused.output


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    world, _number = planned(tmp_path)
    for words, code, message in (
        (["plan", "show"], 2, "number of a plan"),
        (["plan", "look", "1"], 2, "plan show PLAN"),
        (["plan", "show", "99"], 1, "There is no plan 99"),
    ):
        result = cli(world, *words)
        assert result.exit_code == code and message in result.output


def test_undo_is_a_plan_that_waits_for_a_yes(tmp_path: Path) -> None:
    world = folder(tmp_path)
    run = first(world)
    world.store.load()  # type: ignore[attr-defined]
    before = world.state()
    result = cli(world, "undo", str(run))
    assert result.exit_code == 1 and "Nothing was written" in result.output
    world.store.load()  # type: ignore[attr-defined]
    assert world.state() == before
    code, undone = answer(world, "undo", str(run))
    assert (code, undone["applied"]["plan"], undone["held"]) == (1, None, [])
    number = undone["plan"]["plan"]
    shown = answer(world, "plan", "show", str(number))[1]
    assert shown["kind"] == "undo" and {change["reason"] for change in shown["changes"]} == {
        f"run {run} is undone"
    }
    assert cli(world, "run").exit_code == 0, "a run that finds nothing to do leaves the way back open"
    assert cli(world, "apply", str(number), "--first", "2").exit_code == 0
    assert cli(world, "run").exit_code == 5, "it is on hold as soon as the way back begins"


def test_undo_with_a_yes_is_carried_out(tmp_path: Path) -> None:
    world = folder(tmp_path)
    run = first(world)
    code, undone = answer(world, "undo", str(run), "--yes")
    assert code == 0 and undone["applied"]["done"] > 0 and undone["held"] == ["rfm", "value"]
    world.store.load()  # type: ignore[attr-defined]
    assert not world.held("seg_rfm")


def test_retire_asks_too(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    world.value = ""
    world.config()
    code, retirement = answer(world, "retire", "seg_value")
    number = retirement["plan"]["plan"]
    assert (code, retirement["applied"]["plan"]) == (1, None) and f"apply {number}" in retirement["declined"]
    assert f"plan show {number + 1} lists it" in cli(world, "retire", "seg_value").output
    world.store.load()  # type: ignore[attr-defined]
    assert world.held("seg_value")
    assert cli(world, "retire", "seg_value", "--yes").exit_code == 0
    world.store.load()  # type: ignore[attr-defined]
    assert not world.held("seg_value")


def test_forgetting_a_person_takes_their_changes_out_of_written_plans(tmp_path: Path) -> None:
    world, number = planned(tmp_path)
    files = [tmp_path / "plan.csv", tmp_path / "plan.json"]
    for path in files:
        world.do("show_plan", number=number, out=path)
    world.do("forget", id="3")
    with files[0].open(newline="", encoding="utf-8") as source:
        assert "3" not in {row["id"] for row in csv.DictReader(source)}
    rows = json.loads(files[1].read_text(encoding="utf-8"))
    assert "3" not in {row["id"] for row in rows} and len(rows) > 10
