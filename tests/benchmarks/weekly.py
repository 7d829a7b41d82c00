"""Do labels stand still where nothing happens, week by week, on businesses of every sort?

    python -m tests.benchmarks.weekly [--folder DIR] [--only NAME ...] [--way label|run|file] [--weeks 12]

CDNOW, Complete Journey, those of ``tests.benchmarks.shops`` and some of ``tests.benchmarks.businesses``
through the files CRM: consecutive weekly ``label`` (or ``run``; or ``label`` of a config that has none of the
kinds, way ``file``), each with ``--out``, in one state directory. Printed are the share of records that move
in a week (first purchases enter, and stand apart), that return to a segment they had left within the weeks,
at any distance, whether fewer buy again the further a stage has fallen (stages of 100 records and more,
within the horizon), and how many keep their cluster over a refit a month later (k = 5). Records that are
prospects throughout are left out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd

from segmentation import model_file
from segmentation.evaluation.migration import returns
from sync import commands
from sync.commands import Options
from sync.store.journal import Journal
from sync.store.journal.models import StoredModel
from sync.store.mirror import Mirror
from tests.benchmarks.businesses import CONFIG
from tests.benchmarks.shops import SHOPS
from tests.benchmarks.trades import BUSINESSES, Business, cdnow, journey
from tests.segmentation_frames import segmentation

MOVED, RETURNED, SAME = 0.03, 0.05, 0.84
KINDS = ("lifecycle", "abc", "potential", "clusters")
COLUMNS = {
    "lifecycle": "lifecycle",
    "abc": "value",
    "potential": "value_tier",
    "clusters": "cluster",
    "rfm": "rfm",
}
FALLING = ("active", "at_risk", "dormant", "lost")
MONTH = timedelta(days=30)
GUARDS = (
    "max_change",
    "max_enter",
    "max_leave",
    "min_size",
    "max_cleared",
    "max_overwrite",
    "max_writes",
    "max_calls",
    "max_shrink",
)


def _early(business: Business, days: int) -> Business:
    """With a first day that leaves so many days for what comes after."""
    return Business(
        business.rows, (business.rows["day"].max() - pd.Timedelta(days=days)).date(), business.horizon
    )


WATCHED: dict[str, Callable[[], Business]] = {
    "cdnow": cdnow,
    "journey": lambda: _early(journey(), 130),
    **SHOPS,
    **{
        name: (lambda make=make: _early(make(), 130))  # type: ignore[misc]
        for name, make in BUSINESSES.items()
        if name in ("boxes", "refunds")
    },
}


@dataclass(frozen=True)
class Watched:
    """A business on disk, the days of its labellings, and the files that told of them."""

    config: Path
    rows: pd.DataFrame
    days: list[date]
    files: list[pd.DataFrame]


def main() -> int:
    """Exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.weekly", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/weekly"))
    parser.add_argument("--only", nargs="*", choices=WATCHED, default=list(WATCHED))
    parser.add_argument("--way", choices=("label", "run", "file"), default="label")
    parser.add_argument("--weeks", type=int, default=12)
    chosen = parser.parse_args()
    print(
        f"bars: moved {MOVED:.0%} a week, returned {RETURNED:.0%} in 12 weeks, the same cluster {SAME:.0%} (CDNOW)"
    )
    missed = 0
    for name in chosen.only:
        watched = _watched(WATCHED[name](), chosen.folder.resolve() / name, chosen.way, chosen.weeks)
        missed += sum(
            [
                _motion(name, watched),
                _falling(name, watched),
                chosen.way == "label" and _refitted(name, watched),
            ]
        )
        if chosen.way == "label" and name in ("cdnow", "journey"):
            _against_raw(name, watched)
    return int(missed > 0)


def _watched(business: Business, folder: Path, way: str, weeks: int) -> Watched:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crm").mkdir(parents=True)
    business.rows.to_csv(folder / "crm" / "activities.csv", index=False, date_format="%Y-%m-%d")
    business.rows[["customer"]].drop_duplicates().rename(columns={"customer": "id"}).to_csv(
        folder / "crm" / "contacts.csv", index=False
    )
    config, out = folder / "config.toml", folder / "labels.csv"
    more = "".join(
        f'\n[[segmentations]]\nname = "{kind}"\nkind = "{kind}"\nfield = "seg_{kind}"\n' for kind in KINDS
    )
    config.write_text(CONFIG.format(day=business.day) + ("" if way == "file" else more + "k = 5\n"))
    days, files = [business.day + timedelta(weeks=week) for week in range(weeks + 1)], []
    if way == "run":
        commands.setup(config, Options(as_of=days[0]))
    for day in days:
        if way == "run":
            commands.run(config, Options(as_of=day, allow=dict.fromkeys(GUARDS, "a benchmark")))
        commands.label(config, Options(as_of=day), out=out)
        files.append(pd.read_csv(out, dtype=str).set_index("id"))
    return Watched(config, business.rows, days, files)


def _motion(name: str, watched: Watched) -> int:
    """Bars missed."""
    missed = 0
    for kind, column in COLUMNS.items():
        if column not in watched.files[0]:
            continue
        table = (
            pd.concat([file[column].fillna("") for file in watched.files], axis=1).fillna("").to_numpy(str)
        )
        table = table[(table != "prospect").any(1)]
        changed, entered = table[:, 1:] != table[:, :-1], table[:, :-1] == "prospect"
        moved, new = float((changed & ~entered).mean()), float((changed & entered).mean())
        back = returns([pd.Series(week) for week in table.T])
        bad = moved > MOVED or back > RETURNED
        print(
            f"{name:12} {kind:10} moved {moved:7.2%}  entered {new:7.2%}  returned {back:7.2%}{' !' if bad else ''}",
            flush=True,
        )
        missed += bad
    return missed


def _falling(name: str, watched: Watched) -> int:
    """1 where a stage of 100 records buys again more often than a livelier one, on the first, the middle or
    the last day.
    """
    horizon = timedelta(days=_horizon(watched.config))
    last, worst = watched.rows["day"].max().date(), 0
    for position in (0, len(watched.days) // 2, len(watched.days) - 1):
        day, stage = watched.days[position], watched.files[position]["lifecycle"]
        until = min(day + horizon, last)
        bought = watched.rows[(watched.rows["kind"] == "purchase") & (watched.rows["amount"] >= 0)]
        again = stage.index.isin(
            bought[(bought["day"] > pd.Timestamp(day)) & (bought["day"] <= pd.Timestamp(until))]["customer"]
        )
        rates = [
            (label, float(again[stage == label].mean())) for label in FALLING if (stage == label).sum() >= 100
        ]
        bad = any(after > before for (_, before), (_, after) in pairwise(rates))
        listing = ", ".join(f"{label} {rate:.3f}" for label, rate in rates)
        print(
            f"{name:12} {day} buy again within {(until - day).days} days: {listing}{' !' if bad else ''}",
            flush=True,
        )
        worst |= bad
    return worst


def _horizon(config: Path) -> float:
    """Of the life cycle's model; a quarter where only files have one."""
    kept = _stored(config, "lifecycle")
    return float(model_file.from_json(kept.content)["figures"]["horizon"]) if kept else 91.0


def _stored(config: Path, name: str) -> StoredModel | None:
    journal = Journal(config.parent / "state" / "journal.sqlite")
    try:
        return journal.models.latest("shop", name)
    finally:
        journal.close()


def _refitted(name: str, watched: Watched) -> int:
    """1 where CDNOW's customers do not keep their clusters over a refit a month after the last labelling."""
    later = watched.days[-1] + MONTH
    if pd.Timestamp(later) > watched.rows["day"].max():
        return 0
    out = watched.config.parent / "labels.csv"
    commands.train(watched.config, Options(as_of=later), names=("clusters",))
    commands.label(watched.config, Options(as_of=later), out=out)
    before, after = watched.files[-1]["cluster"], pd.read_csv(out, dtype=str).set_index("id")["cluster"]
    inside = before.str.startswith("cluster_") & after.reindex(before.index).str.startswith(
        "cluster_"
    ).fillna(False)
    same = float((before[inside] == after.reindex(before.index)[inside]).mean())
    bad = name == "cdnow" and same < SAME
    print(
        f"{name:12} clusters   {same:.1%} keep their cluster over a refit a month later{' !' if bad else ''}",
        flush=True,
    )
    return int(bad)


def _against_raw(name: str, watched: Watched) -> None:
    """How often RFM groups move, beside groups without memory, their cut points frozen or fitted anew."""
    raw: dict[str, list[dict[int, str]]] = {"frozen": [], "refitted": []}
    for day in watched.days:
        commands.label(watched.config, Options(as_of=day))
        for cuts, labels in _raw(watched.config, day).items():
            raw[cuts].append(labels)
    without = {cuts: sum(_shares(labels)) / (len(watched.days) - 1) for cuts, labels in raw.items()}
    table = pd.concat([file["rfm"].fillna("") for file in watched.files], axis=1).to_numpy(str)
    moved = float((table[:, 1:] != table[:, :-1]).mean())
    listing = ", ".join(f"{share:.2%} {cuts}" for cuts, share in without.items())
    print(f"{name:12} rfm        moved {moved:7.2%}, raw {listing}", flush=True)


def _raw(config: Path, week: date) -> dict[str, dict[int, str]]:
    """RFM groups of a week as if there had been none before, under frozen and under new cut points."""
    mirror, kept = Mirror(config.parent / "state" / "mirror.duckdb"), _stored(config, "rfm")
    features = mirror.account("shop").run("FROM features").df()
    mirror.close()
    assert kept is not None
    rfm = segmentation("rfm", {}, "USD", 2)
    cuts = {"frozen": model_file.from_json(kept.content), "refitted": rfm.fit(features, week)}
    groups = {name: rfm.label(features, model, None, None, week) for name, model in cuts.items()}
    return {
        name: dict(zip(labels["record"], labels["segment"], strict=True)) for name, labels in groups.items()
    }


def _shares(weeks: list[dict[int, str]]) -> Iterator[float]:
    for before, after in pairwise(weeks):
        yield sum(before.get(record, segment) != segment for record, segment in after.items()) / len(after)


if __name__ == "__main__":
    sys.exit(main())
