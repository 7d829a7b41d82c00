"""Can a monitoring system and a scheduler read what came of a run, whatever came of it?"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sync.watch.metrics import _HELP, Sample, text
from tests.test_cli import answer, cli, first, folder
from tests.world import World

METRICS = '[metrics]\npath = "textfile/crm.prom"\n'


def exposed(world: World) -> dict[tuple[str, ...], float]:
    """Name and values of the labels → figure, as Prometheus' own parser reads the file."""
    content = (world.folder / "textfile" / "crm.prom").read_text(encoding="utf-8")
    return {
        (sample.name.removeprefix("crm_segments_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(content)
        for sample in family.samples
    }


def measured(path: Path, **settings: Any) -> World:
    world = folder(path, 60, more=METRICS, **settings)
    first(world)
    return world


def test_a_run_writes_its_figures_for_prometheus(tmp_path: Path) -> None:
    world = measured(tmp_path)
    _, ran = answer(world, "run")
    figures = exposed(world)
    assert figures["last_run_exit_code", "portal"] == 0
    assert figures["last_run_rows", "portal", "done"] == ran["applied"]["done"]
    assert figures["last_run_calls", "portal", "read"] == ran["calls"]["read"]
    for segment, size in ran["segments"]["rfm"].items():
        assert figures["segment_size", "portal", "rfm", segment] == size
    assert figures["label_churn_ratio", "portal", "rfm"] == 0
    assert figures["last_good_run_timestamp_seconds", "portal"] > 1_700_000_000
    assert {("last_run_stage_seconds", "portal", stage) for stage in ran["seconds"]} <= figures.keys()
    file = tmp_path / "textfile" / "crm.prom"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644, "node_exporter is another user"
    assert [path.name for path in file.parent.iterdir()] == ["crm.prom"]


def test_label_churn_is_the_share_whose_segment_moves(tmp_path: Path) -> None:
    world = measured(tmp_path)
    for number in range(1, 7):
        world.buys(str(number), days_ago=1, amount=90_000)
    world.store.save()  # type: ignore[attr-defined]
    allowed = [
        word for guard in ("max_enter", "max_leave", "max_change", "max_drop") for word in ("--allow", guard)
    ]
    code, ran = answer(world, "run", *allowed, "--reason", "a test")
    assert code == 0, ran
    moved = sum(ran["plan"]["by_target"].get("seg_rfm", {}).values())
    assert moved > 0
    assert exposed(world)["label_churn_ratio", "portal", "rfm"] == pytest.approx(
        moved / sum(ran["segments"]["rfm"].values())
    )


def test_a_run_that_fails_keeps_the_figures_of_the_last_good_one_and_says_that_it_failed(
    tmp_path: Path,
) -> None:
    world = measured(tmp_path)
    cli(world, "run")
    before = exposed(world)
    [contacts] = (tmp_path / "crm").glob("contacts*")
    contacts.rename(contacts.with_suffix(".aside"))
    summary = tmp_path / "summary.json"
    assert cli(world, "run", "--summary", str(summary)).exit_code == 1
    after = exposed(world)
    assert after["last_run_exit_code", "portal"] == 1
    same = ("last_good_run_timestamp_seconds", "segment_size")
    assert {k: v for k, v in after.items() if k[0] in same} == {
        k: v for k, v in before.items() if k[0] in same
    }
    told = json.loads(summary.read_text(encoding="utf-8"))
    assert (told["command"], told["exit_code"]) == ("run", 1) and told["error"]


def test_the_summary_of_a_run_is_what_json_prints_and_takes_the_place_of_the_last(tmp_path: Path) -> None:
    world = folder(tmp_path, 60)
    first(world)
    summary = tmp_path / "summary.json"
    summary.write_text("of yesterday", encoding="utf-8")
    _, ran = answer(world, "run", "--summary", str(summary))
    told = json.loads(summary.read_text(encoding="utf-8"))
    assert {key: told[key] for key in ran} == ran
    assert stat.S_IMODE(summary.stat().st_mode) == 0o600


def test_watch_refreshes_the_figures_and_counts_what_is_wrong(tmp_path: Path) -> None:
    world = folder(tmp_path, 60, more=f"[alerts]\nno_good_run_hours = 1e-6\n{METRICS}")
    first(world)
    assert cli(world, "watch").exit_code == 1
    assert exposed(world)["alerts_open", "portal", "silence", ""] == 1


@given(st.text(), st.floats(allow_nan=False), st.sampled_from(sorted(_HELP)))
def test_any_label_and_figure_reads_back(label: str, figure: float, name: str) -> None:
    [family] = text_string_to_metric_families(text([Sample(name, {"segment": label}, figure)]))
    [sample] = family.samples
    assert (sample.labels["segment"], sample.value) == (label, figure)
    assert family.name == f"crm_segments_{name}" and family.documentation == _HELP[name]
