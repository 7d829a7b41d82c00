"""The demo: real households, eight segmentations, two exports. The small size has every twelfth household."""

from __future__ import annotations

from pathlib import Path

import duckdb

from sync.demo import shop
from tests.oracle.normal import Tree
from tests.oracle.player import Player

_SHARE = 12


def play(folder: Path, small: bool) -> dict[str, Tree]:
    config = shop.lay_out(folder / "demo", full=True)
    player = Player(folder / "demo", config)
    _thin_out(folder / "demo" / "crm", small)
    player.on(shop.FIRST_CUT)
    player.do("setup", "setup")
    planned = player.do("first plan", "plan")["plan"]["plan"]
    player.do("first apply", "apply", number=planned)
    shop.add(folder / "demo", shop.FIRST_CUT, shop.SECOND_CUT)
    _thin_out(folder / "demo" / "crm", small)
    player.on(shop.SECOND_CUT)
    second = player.do("second run", "run")
    player.do("quiet run", "run")
    player.do("evaluation", "evaluate")
    out = folder / "demo" / "labels.csv"
    player.do("labels", "label", out=out, explain=True, horizon=30)
    player.file("labels.csv", out)
    for household in ("12", "72", "1200", "2400"):
        player.do(f"household {household}", "show", id=household)
    player.do("undo", "undo", number=second.get("run", 0))
    player.do("run under holds", "run")
    player.do("status", "status")
    return player.end()


def _thin_out(crm: Path, small: bool) -> None:
    """Keep the households whose numbers can be divided by twelve."""
    if not small:
        return
    for file, column, form in (
        ("contacts.csv", "id", "FORMAT csv, HEADER"),
        *((path.name, "contact_id", "FORMAT parquet") for path in sorted(crm.glob("*.parquet"))),
    ):
        path, thin = crm / file, crm / f"{file}.new"
        with duckdb.connect() as engine:
            kept = f"SELECT * FROM '{path}' WHERE {column}::INTEGER % {_SHARE} = 0"
            engine.execute(f"COPY ({kept}) TO '{thin}' ({form})")
        thin.replace(path)
