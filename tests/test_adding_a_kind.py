"""Is a kind of segmentation really added in one module and one line, as CONTRIBUTING says?"""

from __future__ import annotations

import ast
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentation.kinds import KINDS
from sync import commands
from sync.commands import Options
from sync.config.config import load
from sync.config.faults import ConfigError
from sync.start.config_text import Answers, text_of
from tests.toys.regulars import Regulars

OPTIONS = Options(clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC))
CONFIG = """
state_dir = "state"
as_of = 2026-11-27

[accounts.shop]
crm = "files"
path = "exports"

[[segmentations]]
name = "regulars"
kind = "regulars"
field = "seg_regulars"
extra_fields = ["reason"]
days = {days}
"""


ROOT = Path(__file__).parent.parent
# Where the word that a kind is called by means something else.
OTHER_MEANINGS = {
    "rfm": {  # a score that competes, what ``init`` proposes, and a segmentation of the demo's config
        "sync/demo/shop.py",
        "sync/demo/story.py",
        "segmentation/models/clv_model.py",
        "segmentation/models/model_selection.py",
        "sync/report/model_selection.py",
        "sync/start/init.py",
    },
    "lifecycle": {"sync/demo/shop.py", "sync/demo/story.py"},  # a segmentation of the demo's config
    "rules": {  # those of the config, and what came of each
        "segmentation/rules/coverage.py",
        "sync/config/config.py",
        "sync/report/insight.py",
        "sync/terminal/labelling.py",
    },
    "clusters": {"sync/report/cluster_profiles.py"},  # of a model
    "offers": {"sync/report/sections.py", "sync/store/migrations.py"},  # a module; an earlier version
    "response": {"connectors/salesforce/activities.py", "sync/store/migrations.py"},  # to a campaign
    "abc": {"sync/config/renames.py", "sync/store/migrations.py"},  # an earlier version
}


def test_no_code_outside_of_the_kinds_names_one() -> None:
    named = []
    for file in (
        file for room in ("connectors", "segmentation", "sync") for file in (ROOT / room).rglob("*.py")
    ):
        path = file.relative_to(ROOT).as_posix()
        words = {
            node.value
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        if not path.startswith("segmentation/kinds/"):
            named += [
                f"{path}: {word}"
                for word in words & (KINDS.keys() - {"regulars"})
                if path not in OTHER_MEANINGS.get(word, ())
            ]
    assert not named, "ask the kind: it declares what others must know (segmentation/kinds/base.py)"


@pytest.fixture(autouse=True)
def one_module_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "regulars", Regulars)


def shop(folder: Path, days: str = "4") -> Path:
    """Forty customers, known since January; the first ten buy every week, the others once or twice."""
    (folder / "exports").mkdir()
    contacts, activities = ["id,email,created_at"], ["contact_id,occurred_at,amount"]
    for number in range(40):
        contacts.append(f"c{number},c{number}@example.org,2026-01-01")
        for week in range(40 if number < 10 else 1 + number % 2):
            day = datetime(2026, 11, 26) - timedelta(weeks=week, days=number % 5)
            activities.append(f"c{number},{day:%Y-%m-%d},{20 + number}.00")
    for name, lines in (("contacts", contacts), ("activities", activities)):
        (folder / "exports" / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "config.toml"
    path.write_text(CONFIG.format(days=days), encoding="utf-8")
    return path


def test_its_options_are_read_from_the_config_and_its_faults_told_with_their_lines(tmp_path: Path) -> None:
    path = shop(tmp_path, days='0\nnights = 3\nsegments = [{key = "often"}]')
    with pytest.raises(ConfigError) as fault:
        load(path)
    message = str(fault.value)
    assert f"{path}:14: segmentations[0].days: " in message
    assert f"{path}:15: segmentations[0].nights: unknown key; " in message and "days" in message
    path.write_text(CONFIG.format(days='3\nsegments = [{key = "often"}]'), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"'often' is not a segment of kind 'regulars'; valid: regular, seldom"
    ):
        load(path)


def test_it_is_labelled_planned_written_judged_and_reported(tmp_path: Path) -> None:
    path = shop(tmp_path)
    commands.setup(path, OPTIONS, confirm=lambda _steps: True)
    plan = commands.plan(path, OPTIONS)["plan"]["plan"]
    commands.apply(path, OPTIONS, number=plan)
    with (tmp_path / "exports" / "segments.csv").open(encoding="utf-8", newline="") as file:
        written = {row["id"]: row for row in csv.DictReader(file)}
    assert [row["seg_regulars"] for row in written.values()] == ["regular"] * 10 + ["seldom"] * 30
    assert written["c0"]["seg_regulars_reason"] == "40 purchase days"

    card = commands.evaluate(path, OPTIONS)["cards"]["regulars"]
    lines = {line["measure"]: line for line in card["lines"]}
    assert lines["regulars"]["words"] == "25% were regulars at the fit"
    assert (
        lines["lift"]["passes"] is None and "100 are needed" in lines["lift"]["words"]
    )  # of forty customers

    commands.report(path, OPTIONS, out=tmp_path / "report.html", reader="analyst")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Seldom" in page and "were regulars at the fit" in page


def test_init_proposes_it_as_it_wants_to_be_called() -> None:
    text = text_of(Answers("files", ['path = "exports"'], "UTC", "EUR", ["regulars"], []))
    assert 'title = "Regulars"' in text and 'kind = "regulars"    # who buys on many days' in text
