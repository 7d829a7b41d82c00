"""Does the file of labels tell forecasts over the horizon that was asked for, of every record, and ``train``
its contest?
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sync import commands
from sync.cli import app
from sync.commands import Options
from tests.segmentation_frames import installed
from tests.test_cdnow import CONFIG

FORETOLD = ["value_score", "p_purchase", "expected_purchases", "expected_value"]
NAMED = ["lifecycle", "rfm", "value_tier", "cluster"]
BOUGHT = ["orders", "net_revenue", "first_purchase", "last_purchase"]
DAY = date(1997, 9, 30)
POTENTIAL = '\n[[segmentations]]\nname = "potential"\nkind = "potential"\nfield = "seg_potential"\n'


def laid_out(folder: Path, every: int) -> Path:
    """A config whose CRM holds every so manieth customer of CDNOW, and one contact who never bought."""
    (folder / "crm").mkdir()
    lines = installed("lifetimes", "datasets/CDNOW_master.txt").read_text().splitlines()
    kept = [line for line in lines[1:] if int(line.split()[0]) % every == 0]
    (folder / "crm" / "CDNOW_master.txt").write_text("\n".join([lines[0], *kept]) + "\n")
    customers = sorted({line.split()[0] for line in kept})
    (folder / "crm" / "contacts.csv").write_text("id\n" + "\n".join([*customers, "nobody"]) + "\n")
    (folder / "config.toml").write_text(CONFIG)
    return folder / "config.toml"


def told(config: Path, horizon: int | None = None) -> list[dict[str, str]]:
    out = config.parent / "labels.csv"
    commands.label(config, Options(as_of=DAY), out=out, horizon=horizon)
    return list(csv.DictReader(out.open()))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("sample"), 12)


def test_every_record_has_forecasts_and_segments_of_every_kind(sample: Path) -> None:
    rows = told(sample, 273)
    assert list(rows[0])[:13] == ["id", *BOUGHT, *FORETOLD, *NAMED]
    *buyers, nobody = sorted(rows, key=lambda row: row["id"])
    assert len(buyers) > 1900 and all(row[name] for row in buyers for name in (*FORETOLD, *NAMED))
    assert all(0 < float(row["p_purchase"]) < 1 and float(row["expected_purchases"]) > 0 for row in buyers)
    assert [nobody[name] for name in (*FORETOLD, *NAMED)] == ["0", "", "", "", *["prospect"] * 4]
    assert {row["value_tier"] for row in buyers} == {"high", "medium", "low"}


def test_without_a_horizon_nothing_is_trained_that_the_config_has_not(sample: Path) -> None:
    scores = [f"rfm.{axis}" for axis in ("frequency", "money", "recency")]
    assert list(told(sample)[0]) == ["id", *BOUGHT, "rfm", *scores]
    sample.write_text(CONFIG + POTENTIAL)
    columns = ["id", *BOUGHT, *FORETOLD, "rfm", "value_tier", *scores, "potential", "potential.tier"]
    assert list(told(sample)[0]) == columns
    sample.write_text(CONFIG)


def test_a_longer_horizon_foretells_more_and_without_one_the_data_decide(sample: Path) -> None:
    sample.write_text(CONFIG + POTENTIAL)
    short, long, own = (told(sample, horizon) for horizon in (30, 273, None))
    sample.write_text(CONFIG)
    for smaller, other in ((short, long), (short, own), (own, long)):
        assert sum(float(r["expected_purchases"] or 0) for r in smaller) < sum(
            float(r["expected_purchases"] or 0) for r in other
        )


def test_training_tells_how_each_score_did(sample: Path) -> None:
    sample.write_text(CONFIG + POTENTIAL)
    result = CliRunner().invoke(
        app, ["train", "--config", str(sample), "--as-of", DAY.isoformat()], terminal_width=120
    )
    assert result.exit_code == 0 and "how well each score would have predicted the last" in result.output
    answer = commands.train(sample, Options(as_of=DAY))
    figures = answer["contests"]["potential"]
    assert (
        figures["winner"] in figures["contest"] and len(figures["contest"]) == 7 and figures["horizon"] > 60
    )


def test_few_customers_are_ranked_but_nothing_is_foretold_of_them(tmp_path: Path) -> None:
    rows = told(laid_out(tmp_path, 400), 90)
    assert len(rows) < 100 and all(
        row["value_tier"] and row["lifecycle"] and not row["p_purchase"] for row in rows
    )
    assert len({row["value_score"] for row in rows}) > 10
