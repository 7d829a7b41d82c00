"""How many records move in a week, and how many come back, when real customers are labelled week by week?

    python -m tests.benchmarks.weekly --folder DIR

Complete Journey from June to December 2017 and CDNOW from October 1997 to June 1998, through the product: ``label`` for
each week, then ``report``, whose own figures are printed. *Raw* are RFM groups without memory, their cut points frozen
alike, or fitted anew each week as most tools do.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from segmentation import models
from segmentation.label import KINDS, segmentation
from sync import commands
from sync.commands import Options
from sync.demo import lay_out
from sync.store.journal import Journal
from sync.store.mirror import Mirror
from tests.test_cdnow import CONFIG

_MOVED, _RETURNED, _RAW = 0.03, 0.05, 0.25
_KINDS = [kind for kind in ("rfm", "value", "lifecycle", "potential") if kind in KINDS]
_SEGMENTATION = '[[segmentations]]\nname = "{0}"\nkind = "{0}"\nfield = "seg_{0}"\n\n'


def main() -> int:
    """Label week by week, print; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.weekly", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/weekly"))
    folder: Path = parser.parse_args().folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':17} {'':10} labellings  moved a week  returned in 12 weeks")
    missed = 0
    for name, config, first, last in (
        ("Complete Journey", _journey(folder / "journey"), date(2017, 6, 4), date(2017, 12, 31)),
        ("CDNOW", _cdnow(folder / "cdnow"), date(1997, 9, 30), date(1998, 6, 30)),
    ):
        missed += _measure(name, config, [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)])
    print(f"bars: lifecycle moves {_MOVED:.0%} and returns {_RETURNED:.0%} at most, RFM groups move {_RAW:.0%} of raw ones at most")
    return 1 if missed else 0


def _measure(name: str, config: Path, weeks: list[date]) -> int:
    """Bars missed."""
    raw: dict[str, list[dict[int, str]]] = {"frozen": [], "refitted": []}
    for week in weeks:
        commands.label(config, Options(as_of=week))
        for cuts, labels in _raw(config, week).items():
            raw[cuts].append(labels)
    figures: dict[str, Any] = commands.report(config, Options(as_of=weeks[-1]))["figures"]
    for kind, one in figures.items():
        print(
            f"{name:17} {kind:10} {one['labellings']:10} {one['moved_per_week']:13.4f} {one['returned_within_12_weeks']:21.4f}", flush=True
        )
    without = {cuts: sum(_shares(labels)) / (len(weeks) - 1) for cuts, labels in raw.items()}
    for cuts, share in without.items():
        print(f"{name:17} {'raw, ' + cuts:13} {len(weeks):7} {share:13.4f}", flush=True)
    missed = figures["rfm"]["moved_per_week"] > _RAW * max(without.values())
    if "lifecycle" in figures:
        stage = figures["lifecycle"]
        missed |= stage["moved_per_week"] > _MOVED or stage["returned_within_12_weeks"] > _RETURNED
    return int(missed)


def _raw(config: Path, week: date) -> dict[str, dict[int, str]]:
    """RFM groups of a week as if there had been none before, under frozen and under new cut points."""
    mirror, journal = Mirror(config.parent / "state" / "mirror.duckdb"), Journal(config.parent / "state" / "journal.sqlite")
    (account,) = mirror.accounts()
    features = mirror.account(account).run("FROM features").df()
    kept = journal.model(account, "rfm")
    assert kept is not None
    mirror.close()
    journal.close()
    rfm = segmentation("rfm", {}, "USD", 2)
    cuts = {"frozen": models.from_json(kept["content"]), "refitted": rfm.fit(features, week)}
    found = {name: rfm.label(features, model, None, None, week) for name, model in cuts.items()}
    return {name: dict(zip(labels["record"], labels["segment"], strict=True)) for name, labels in found.items()}


def _shares(weeks: list[dict[int, str]]) -> Iterator[float]:
    for before, after in pairwise(weeks):
        yield sum(before.get(record, segment) != segment for record, segment in after.items()) / len(after)


def _journey(folder: Path) -> Path:
    config = lay_out(folder, date(2017, 12, 31))
    text = config.read_text(encoding="utf-8")
    return _segmented(config, text[: text.index("[[segmentations]]")])


def _cdnow(folder: Path) -> Path:
    spec = find_spec("lifetimes")
    assert spec is not None and spec.origin is not None, "python3 -m pip install --no-deps lifetimes"
    (folder / "crm").mkdir(parents=True)
    purchases = folder / "crm" / "CDNOW_master.txt"
    shutil.copy(Path(spec.origin).parent / "datasets" / "CDNOW_master.txt", purchases)
    customers = sorted({line.split()[0] for line in purchases.read_text().splitlines()[1:]})
    (folder / "crm" / "contacts.csv").write_text("id\n" + "\n".join(customers) + "\n")
    return _segmented(folder / "config.toml", CONFIG[: CONFIG.index("[[segmentations]]")])


def _segmented(config: Path, text: str) -> Path:
    config.write_text(text + "".join(_SEGMENTATION.format(kind) for kind in _KINDS), encoding="utf-8")
    return config


if __name__ == "__main__":
    sys.exit(main())
