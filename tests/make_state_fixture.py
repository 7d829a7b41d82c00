"""Makes ``tests/data/state_before.tar.xz``: a state directory as a version left it before a key of the config or
a kind was renamed, with the exports that it labelled.

    python -m tests.make_state_fixture FILE

Run it from a checkout of that version (the first was journal version 4, of November 2026) with the config of
that version. In it: a set-up; three runs of three days (A, B, C); a run D that moved one segmentation, undone,
so that this one is on hold; and an open plan that would undo C. ``before_c`` holds what the CRM was before C.
Nothing in it is of real people.
"""

from __future__ import annotations

import random
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sync import commands

CONFIG = Path(__file__).parent / "data" / "state_before.toml"
DAYS = (date(2026, 3, 1), date(2026, 4, 12), date(2026, 5, 24))
PEOPLE = 90
GUARDS = (
    "max_change", "max_enter", "max_leave", "min_size", "max_cleared", "max_overwrite", "max_writes", "max_calls", "max_shrink",
    "max_rejected", "max_unmatched", "max_stale_days", "max_drop",
)  # fmt: skip
ALLOWED = dict.fromkeys(GUARDS, "a fixture")


def do(
    folder: Path, command: str, day: date, *, allow: Mapping[str, str] = ALLOWED, **arguments: Any
) -> dict[str, Any]:
    """A command on the morning after a day."""
    morning = datetime.combine(day + timedelta(days=1), time(9), UTC)
    options = commands.Options(allow=allow, as_of=day, clock=lambda: morning)
    answer: dict[str, Any] = getattr(commands, command)(folder / "config.toml", options, **arguments)
    return answer


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "company"
        (folder / "crm").mkdir(parents=True)
        shutil.copyfile(CONFIG, folder / "config.toml")
        _played(folder)
        (folder / "config.toml").unlink()  # it stands beside the archive
        with tarfile.open(sys.argv[1], "w:xz") as archive:
            archive.add(folder, "company", filter=_nobodys)


def _played(folder: Path) -> None:
    dice = random.Random(7)
    cities = [dice.choice(("Ulm", "Bonn", "Kiel", "Jena", "")) for _ in range(PEOPLE)]
    _people(folder, cities)
    _activity(folder, "1", date(2024, 9, 1), DAYS[0], dice)
    do(folder, "setup", DAYS[0])
    assert do(folder, "run", DAYS[0])["plan"]["changes"] > 0
    _activity(folder, "2", DAYS[0], DAYS[1], dice)
    assert do(folder, "run", DAYS[1])["plan"]["changes"] > 0
    _keep(folder, "before_c")
    _activity(folder, "3", DAYS[1], DAYS[2], dice)
    third = do(folder, "run", DAYS[2])
    assert third["plan"]["changes"] > 0
    _keep(folder, "after_c")
    _people(folder, ["Ulm" if city == "Kiel" else city for city in cities])
    fourth = do(folder, "run", DAYS[2])
    assert set(fourth["plan"]["by_target"]) <= {
        "seg_mailing",
        "seg_mailing_reason",
        "seg_mailing_since",
        "mailing.south",
        "mailing.good",
    }
    do(folder, "undo", DAYS[2], number=fourth["run"])
    declined: Callable[[Any], bool] = lambda _plan: False  # noqa: E731
    open_plan = do(folder, "undo", DAYS[2], number=third["run"], confirm=declined)
    status = do(folder, "status", DAYS[2])
    print(
        f"runs {third['run']} and {fourth['run']}, open plan {open_plan['plan']['plan']}, holds {status['holds']}"
    )


def _people(folder: Path, cities: list[str]) -> None:
    lines = [
        "id,email,city",
        *(f"{number},person{number}@example.org,{city}" for number, city in enumerate(cities, 1)),
    ]
    (folder / "crm" / "contacts.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _activity(folder: Path, name: str, since: date, until: date, dice: random.Random) -> None:
    """Purchases and visits, each at a rhythm of their own."""
    lines = ["contact_id,occurred_at,kind,amount,order_id,category"]
    for number in range(1, PEOPLE + 1):
        rhythm, size = 8 + number * 7 % 60, 10 + number * 13 % 90
        moment = datetime.combine(since, time(10)) + timedelta(days=1 + dice.random() * rhythm)
        while number % 9 and moment.date() <= until and dice.random() > 0.04:
            order, amount = f"{name}-{number}-{len(lines)}", f"{dice.uniform(0.5, 1.5) * size:.2f}"
            category = ("Wine", "Cheese", "Bread", "Fish")[(number + dice.randrange(2)) % 4]
            lines.append(f"{number},{moment:%Y-%m-%dT%H:%M:%S},purchase,{amount},{order},{category}")
            if number % 3 == 0:
                lines.append(f"{number},{moment - timedelta(hours=5):%Y-%m-%dT%H:%M:%S},visit,,,")
            moment += timedelta(days=dice.uniform(0.5, 1.5) * rhythm)
    (folder / "crm" / f"activities-{name}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _keep(folder: Path, name: str) -> None:
    """What we write in the CRM, as it is now."""
    shutil.copytree(folder / "crm" / "lists", folder / name / "lists")
    shutil.copyfile(folder / "crm" / "segments.csv", folder / name / "segments.csv")


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
