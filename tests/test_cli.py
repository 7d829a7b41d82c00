"""What does the command line promise?

Exit codes, JSON and nothing else, no traceback, safe text, a light ``--help``.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from sync import __version__
from sync.cli import app
from sync.cli.program import Verbs
from sync.config.faults import ConfigError
from tests.world import World

HEAVY = ("pandas", "ibis", "duckdb", "pyarrow", "numpy", "pydantic", "sklearn")


def folder(path: Path, customers: int = 12, **settings: Any) -> World:
    """A folder of files with its config."""
    world = World.of_files(path, **settings)
    world.customers(customers)
    world.store.save()  # type: ignore[attr-defined]
    world.config()
    return world


def cli(world: World, *words: str) -> Result:
    """Run the command line in the folder of a world; a traceback fails the test."""
    result = CliRunner().invoke(app, [*words, "--config", str(world.folder / "config.toml")])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def answer(world: World, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and what ``--json`` prints: nothing else is on standard output."""
    result = cli(world, *words, "--json")
    summary: dict[str, Any] = json.loads(result.stdout)
    assert summary["exit_code"] == result.exit_code
    return result.exit_code, summary


def first(world: World) -> int:
    """Set up and write for the first time; the number of the run."""
    assert cli(world, "setup", "--yes").exit_code == 0
    number = answer(world, "plan")[1]["plan"]["plan"]
    code, applied = answer(world, "apply", str(number))
    assert code == 0
    return int(applied["run"])


def test_the_way_from_set_up_to_undo(tmp_path: Path) -> None:
    world = folder(tmp_path)
    assert cli(world, "check").exit_code == 0
    assert cli(world, "run").exit_code == 2, "set-up comes first"
    assert "crm-segments setup" in cli(world, "run").stderr
    assert cli(world, "setup").exit_code == 1, "nobody said yes"
    assert cli(world, "setup", "--yes").exit_code == 0
    assert cli(world, "plan", "--exit-code").exit_code == 3
    code, stopped = answer(world, "run")
    assert code == 5 and {guard["guard"] for guard in stopped["guards"]} == {"max_enter"}
    run = first(world)
    for verb in (
        ["run"],
        ["status"],
        ["show", "3"],
        ["rejects"],
        ["history"],
        ["label"],
        ["train"],
        ["pull"],
        ["backfill"],
    ):
        assert cli(world, *verb).exit_code == 0, verb
    assert cli(world, "undo", str(run), "--yes").exit_code == 0
    assert cli(world, "run").exit_code == 5, "on hold"
    assert cli(world, "forget", "3", "--yes").exit_code == 0


def test_json_of_a_run_has_its_stable_keys(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    _, summary = answer(world, "run")
    assert {"run", "plan", "applied", "calls", "segments", "report"} <= summary.keys()
    assert {"changes", "kept", "by_target"} <= summary["plan"].keys()
    assert {"done", "rejected", "skipped"} <= summary["applied"].keys()
    assert {"read", "write"} <= summary["calls"].keys()
    for verb in (
        ["status"],
        ["show", "3"],
        ["rejects"],
        ["history"],
        ["label"],
        ["plan"],
        ["check"],
        ["setup"],
        ["pull"],
        ["train"],
        ["backfill"],
    ):
        answer(world, *verb)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nobody"],
        ["undo", "99"],
        ["apply", "99"],
        ["retire", "nothing"],
        ["run", "--account", "nowhere"],
        ["run", "--allow", "max_enter"],
        ["run", "--reason", "why"],
        ["run", "--allow", "max_everything", "--reason", "why"],
        ["run", "--as-of", "yesteryear"],
        ["rejects", "burn"],
        ["backfill", "--ids", "@nowhere.txt"],
        ["backfill", "--segment", "nothing"],
        ["label", "--out", "/nowhere/at/all.csv"],
        ["history", "--out", "/nowhere/at/all.csv"],
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path, words: list[str]) -> None:
    world = folder(tmp_path)
    cli(world, "setup", "--yes")
    result = cli(world, *words)
    assert result.exit_code in (0, 1, 2, 5)
    assert (result.stderr + result.stdout).strip()


def test_a_wrong_config_exits_2_and_names_every_fault(tmp_path: Path) -> None:
    world = folder(tmp_path)
    world.more = "[pace]\nwindows = ['never']\n[guards]\nmax_chnge = 3\n"
    with pytest.raises(ConfigError):
        world.config()
    result = cli(world, "run")
    assert result.exit_code == 2 and "max_chnge" in result.stderr and "never" in result.stderr
    (tmp_path / "config.toml").write_text("not toml [")
    assert cli(world, "run").exit_code == 2
    (tmp_path / "config.toml").unlink()
    assert cli(world, "run").exit_code == 2


def test_rejected_input_does_not_stop_a_run_and_is_listed(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    with (tmp_path / "crm" / "activities.csv").open("a") as file:
        file.write("x,3,purchase,not a date,1.00,o\n")
    code, summary = answer(world, "run")
    assert code in (0, 4) and summary["pulled"]["rejected"] == {"activity": 1}
    assert "activities.csv" in cli(world, "rejects").stdout


def test_rejects_with_the_same_reason_are_one_row_with_five_places_and_all_lists_each(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    with (tmp_path / "crm" / "activities.csv").open("a") as file:
        file.writelines(
            f"x{n},3,purchase,{day},1.00,o\n" for n, day in enumerate(["soon", "later", *["?"] * 5])
        )
        file.write("y,3,purchase,2024-01-01T00:00:00Z,much,o\n")
    answer(world, "run")
    _, summary = answer(world, "rejects")
    entries, groups = summary["rejects"], summary["groups"]
    assert [group["rows"] for group in groups] == [7, 1] and len(entries) == summary["count"] == 8
    assert groups[0]["ids"] == [f"line {row['line']}" for row in entries[:5]]
    assert "soon" not in groups[0]["reason"] and "'much'" in groups[1]["reason"]
    by_reason, each = cli(world, "rejects").stdout, cli(world, "rejects", "--all").stdout
    assert by_reason.count("activities.csv") == 2 and "rejects --all" in by_reason
    assert groups[0]["reason"] in by_reason and ", ".join(groups[0]["ids"]) + ", …" in by_reason
    for row in entries:
        (line,) = [line for line in each.splitlines() if line.split()[:1] == [str(row["reject"])]]
        assert f"activities.csv:{row['line']}" in line and row["reason"] in line
    left = answer(world, "rejects", "drop", *(str(row["reject"]) for row in entries[:7]))[1]
    assert [(group["rows"], group["quarantined"]) for group in left["groups"]] == [(1, 0)]
    cli(world, "rejects", "drop")
    assert cli(world, "rejects").stdout == "Done: No rejects.\n"


def test_the_history_is_that_of_a_record_or_of_a_run_and_as_long_as_asked(tmp_path: Path) -> None:
    world = folder(tmp_path)
    run = first(world)
    every = answer(world, "history")[1]["history"]
    assert {row["run"] for row in every} == {run} and len({row["id"] for row in every}) == 12
    assert answer(world, "history", "--last", "3")[1] == answer(world, "history")[1] | {
        "history": every[-3:],
        "of": len(every),
    }
    assert answer(world, "history", "--run", str(run))[1]["history"] == every
    assert answer(world, "history", "--id", "3")[1]["history"] == [row for row in every if row["id"] == "3"]
    both = answer(world, "history", "--id", "3", "--last", "1")[1]["history"]
    assert both == [row for row in every if row["id"] == "3"][-1:]
    shown = cli(world, "history", "--last", "3").stdout
    assert shown.count(" done") == 3 and f"The newest 3 of {len(every)} changes." in shown
    for nothing in (["--run", "99"], ["--id", "nobody"]):
        assert cli(world, "history", *nothing).stdout == "Done: No changes.\n"
    assert cli(world, "history", "--last", "0").exit_code == 2


def test_a_journal_that_is_none_is_said_to_be_so(tmp_path: Path) -> None:
    world = folder(tmp_path)
    cli(world, "setup", "--yes")
    (tmp_path / "state" / "journal.sqlite").write_bytes(b"this is no journal " * 100)
    result = cli(world, "run")
    assert result.exit_code == 1 and "journal.sqlite" in result.stderr


def test_a_mirror_that_is_none_is_made_anew(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    (tmp_path / "state" / "mirror.duckdb").write_bytes(b"this is no mirror " * 100)
    assert answer(world, "run")[1]["calls"]["write"] == 0


def test_a_second_command_waits_for_the_first(tmp_path: Path) -> None:
    world = folder(tmp_path)
    cli(world, "setup", "--yes")
    with (tmp_path / "state" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = cli(world, "run")
        assert result.exit_code == 75 and "try again" in result.stderr
        assert answer(world, "run")[0] == 75
    assert cli(world, "plan").exit_code == 0, "a lock that nobody holds stops nobody"


def test_hostile_text_in_ids_moves_no_cursor(tmp_path: Path) -> None:
    world = folder(tmp_path, customers=5)
    evil, markup = "\x1b[2Jevil\x07", "[bold red]loud[/bold red]"
    for id in (evil, markup):
        world.store.put(id, email="x@example.org")
        world.buys(id, 2)
    world.store.save()  # type: ignore[attr-defined]
    first(world)
    for verb in (
        ["show", evil],
        ["show", markup],
        ["history"],
        ["run"],
        ["rejects"],
        ["show", evil + "nobody"],
    ):
        result = cli(world, *verb)
        assert "\x1b" not in result.output and "\x07" not in result.output, verb
    assert markup in cli(world, "show", markup).stdout


def test_labels_as_a_file(tmp_path: Path) -> None:
    world = folder(tmp_path)
    out = tmp_path / "labels.csv"
    assert cli(world, "label", "--out", str(out)).exit_code == 0
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert {"id", "rfm", "value"} <= set(rows[0]) and {row[0] for row in rows[1:]} == {
        str(number) for number in range(1, 13)
    }


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, sync.cli; from typer.testing import CliRunner; shown = CliRunner().invoke(sync.cli.app, ['--help']);"
        f"print(shown.exit_code, [name for name in {HEAVY} if name in sys.modules])"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        check=True,
    )
    assert completed.stdout.strip() == "0 []"


@pytest.mark.parametrize("verb", [["status"], ["schedule"], ["show", "3"], ["history"]])
def test_what_only_looks_things_up_imports_nothing_that_labels(tmp_path: Path, verb: list[str]) -> None:
    world = folder(tmp_path)
    first(world)
    words = [*verb, "--config", str(tmp_path / "config.toml")]
    code = (
        f"import sys, sync.cli; from typer.testing import CliRunner; shown = CliRunner().invoke(sync.cli.app, {words});"
        "print(shown.exit_code, [name for name in ('pandas', 'ibis', 'sklearn', 'scipy', 'requests') if name in sys.modules])"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        check=True,
    )
    assert completed.stdout.strip() == "0 []"


def test_the_help_shows_every_verb_once_in_a_group_with_an_example() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert sorted(name for names in Verbs.groups.values() for name in names) == sorted(verbs)
    for title, names in Verbs.groups.items():
        section = shown[shown.index(f"{title}:") :]
        for name in names:
            assert f"\n  {name} " in section, name
            example = f"crm-segments {name}"
            assert f"Example: {example}" in " ".join(CliRunner().invoke(app, [name, "--help"]).stdout.split())


def test_the_example_of_a_verb_has_only_options_that_it_knows() -> None:
    for name, verb in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        words = shlex.split(verb.epilog.partition(": ")[2])[2:]
        assert verb.make_context(name, words, resilient_parsing=False).params, name


def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.stdout) == (0, f"crm-segments {__version__}\n")


def test_the_config_may_be_named_before_the_verb_and_the_verb_wins(tmp_path: Path) -> None:
    folder(tmp_path)
    config, missing = str(tmp_path / "config.toml"), str(tmp_path / "missing.toml")
    assert CliRunner().invoke(app, ["--config", config, "check"]).exit_code == 0
    assert CliRunner().invoke(app, ["--config", missing, "check"]).exit_code == 2
    assert CliRunner().invoke(app, ["--config", missing, "check", "--config", config]).exit_code == 0


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("run --account ", {"portal"}),
        ("train ", {"rfm", "value"}),
        ("train r", {"rfm"}),
        ("run --allow max_e", {"max_enter", "max_enrolled"}),
        ("run --allow undo", {"undone"}),
        ("init --segmentations rfm,a", {"rfm,abc"}),
        ("rejects d", {"drop"}),
        ("schedule --kind cr", {"cron"}),
    ],
)
def test_a_shell_is_offered_the_names_of_the_config(
    tmp_path: Path, line: str, offered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path)
    monkeypatch.setenv("_CRM_SEGMENTS_COMPLETE", "complete_bash")
    words = f"crm-segments --config {tmp_path / 'config.toml'} {line}"
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    shown = CliRunner().invoke(app, [], prog_name="crm-segments")
    assert set(shown.stdout.split()) == offered


def test_completion_offers_nothing_where_the_config_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_CRM_SEGMENTS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "crm-segments run --account ")
    monkeypatch.setenv("COMP_CWORD", "3")
    for text in (None, "not toml ["):
        if text is not None:
            (tmp_path / "config.toml").write_text(text)
        assert CliRunner().invoke(app, [], prog_name="crm-segments").stdout.strip() == ""


def test_files_of_ours_are_read_by_nobody_else(tmp_path: Path) -> None:
    world = folder(tmp_path)
    first(world)
    for name in ("journal.sqlite", "mirror.duckdb", "lock"):
        assert os.stat(tmp_path / "state" / name).st_mode & 0o077 == 0, name
