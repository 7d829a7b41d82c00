"""Businesses of every sort, labelled week after week. The small size has two for two weeks, 150 customers each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.benchmarks.businesses import CONFIG
from tests.benchmarks.trades import Business
from tests.benchmarks.weekly import WATCHED
from tests.oracle.normal import Tree
from tests.oracle.player import Player

# name → kind
_KINDS = {"lifecycle": "lifecycle", "value": "abc", "potential": "potential", "clusters": "clusters"}
_SMALL, _CUSTOMERS, _WEEKS = ("cdnow", "returners"), 150, 12


def play(folder: Path, small: bool) -> dict[str, Tree]:
    names = _SMALL if small else tuple(WATCHED)
    return {name: _part(folder / name, WATCHED[name](), small) for name in names}


def _part(folder: Path, business: Business, small: bool) -> dict[str, Tree]:
    (folder / "crm").mkdir(parents=True)
    rows = business.rows
    if small:
        chosen = sorted(rows["customer"].unique())
        rows = rows[rows["customer"].isin(chosen[:: max(1, len(chosen) // _CUSTOMERS)])]
    rows.to_csv(folder / "crm" / "activities.csv", index=False, date_format="%Y-%m-%d")
    people = rows[["customer"]].drop_duplicates().rename(columns={"customer": "id"})
    people.to_csv(folder / "crm" / "contacts.csv", index=False)
    player = Player(folder, folder / "config.toml")
    tables = "".join(
        f'\n[[segmentations]]\nname = "{name}"\nkind = "{kind}"\nfield = "seg_{name}"\n'
        for name, kind in _KINDS.items()
    )
    player.config.write_text(CONFIG.format(day=business.day) + tables + "k = 5\n", encoding="utf-8")
    weeks = (0, 6) if small else range(_WEEKS + 1)
    for week in weeks:
        day, out = business.day + timedelta(weeks=week), folder / "labels.csv"
        player.on(day)
        player.do(f"week {week}", "label", as_of=day, out=out, horizon=90)
        player.file(f"week {week}: labels.csv", out)
    player.do("evaluation", "evaluate", as_of=day)
    return player.end()
