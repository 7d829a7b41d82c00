"""Folders of exports of many platforms: the config that ``init`` writes, what ``check`` says, and how each
customer is labelled. The small size has every tenth folder.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from tests.oracle.normal import Tree
from tests.oracle.player import Player

_TESTS = Path(__file__).parent.parent.parent
_DAY = date(2026, 3, 8)


def play(folder: Path, small: bool) -> dict[str, Tree]:
    cases = sorted(
        path
        for kind in ("real_exports", "more_exports")
        for path in (_TESTS / kind).iterdir()
        if path.is_dir()
    )
    return {
        case.name: _case(folder / case.name, case / "exports") for case in (cases[::10] if small else cases)
    }


def _case(folder: Path, exports: Path) -> dict[str, Tree]:
    shutil.copytree(exports, folder / "exports")
    player = Player(folder, folder / "config.toml")
    stated = {"time_zone": "Europe/Berlin", "currency": "EUR"}
    player.init("init", folder / "exports", described=stated)
    if not player.config.exists():
        stated |= {"decimal": ".", "date_format": "%d/%m/%Y", "line_items": "own"}
        player.init("init with answers", folder / "exports", described=stated)
    if player.config.exists():
        player.do("check", "check", as_of=_DAY)
        out = folder / "labels.csv"
        player.do("labels", "label", as_of=_DAY, out=out, reason="the oracle looks on")
        if out.exists():
            player.file("labels.csv", out)
        player.do("rejects", "rejects", as_of=_DAY)
    return player.end()
