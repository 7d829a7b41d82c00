"""A shop's folder of files: rules, a campaign with a control group, consent, people who edit our columns, a
backfill, a retired field, an open plan, a guard that stops a run.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.oracle.normal import Tree
from tests.oracle.player import Player

_DAY = date(2026, 3, 8)
_CITIES = ("Ulm", "Bonn", "Köln", "Kiel", "")
_CONFIG = """\
state_dir = "state"

[accounts.shop]
crm = "files"
path = "crm"
time_zone = "Europe/Berlin"
currency = "EUR"

[accounts.shop.attributes]
city = "city"

[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "static"
extra_fields = ["reason", "since", "previous", "score"]

[[segmentations]]
name = "value"
title = "Customer value"
kind = "abc"
field = "seg_value"
extra_fields = ["reason", "since"]

[[segmentations]]
name = "lifecycle"
title = "Life cycle"
kind = "lifecycle"
field = "seg_lifecycle"
extra_fields = ["reason", "since"]

[[segmentations]]
name = "mailing"
title = "Mailing"
kind = "rules"
field = "seg_mailing"
lists = "static"
reachable_only = true
unknown_reachable = true
control = 0.25
extra_fields = ["reason", "since"]

[[segmentations.segments]]
key = "south"
title = "South"
when = { attribute = "city", in = ["Ulm", "Bonn"] }

[[segmentations.segments]]
key = "big"
title = "Big baskets"
when = { all = [ { feature = "net_revenue", at_least = 500 }, { did = "purchase", within_days = 365 } ] }
"""


def play(folder: Path, small: bool) -> dict[str, Tree]:
    shop = folder / "shop"
    (shop / "crm").mkdir(parents=True)
    player = Player(shop, shop / "config.toml")
    player.config.write_text(_CONFIG, encoding="utf-8")
    dice = random.Random(7)
    _people(shop / "crm", 120 if small else 2_000, dice)
    _purchases(shop / "crm" / "activities-1.csv", 120 if small else 2_000, date(2024, 6, 1), _DAY, dice)
    _first_weeks(player)
    _purchases(
        shop / "crm" / "activities-2.csv", 120 if small else 2_000, _DAY, _DAY + timedelta(days=60), dice
    )
    _later(player)
    for path in sorted((shop / "crm" / "lists").glob("*.csv")):
        player.file(f"list {path.name}", path)
    player.file("segments.csv", shop / "crm" / "segments.csv")
    return player.end()


def _first_weeks(player: Player) -> None:
    player.on(_DAY)
    player.do("check", "check", as_of=_DAY)
    player.do("run before setup", "run", as_of=_DAY)
    player.do("setup", "setup", as_of=_DAY)
    player.do("run that a guard stops", "run", as_of=_DAY, allow={})
    planned = player.do("first plan", "plan", as_of=_DAY)["plan"]["plan"]
    player.do("its changes", "show_plan", number=planned)
    player.do("canary", "apply", number=planned, first=10)
    player.do("first apply", "apply", number=planned)
    player.do("quiet run", "run", as_of=_DAY)
    file = player.folder / "crm" / "segments.csv"
    head, *rows = file.read_text(encoding="utf-8").splitlines()
    column = head.split(",").index("seg_value")
    for number in (3, 4, 5):  # somebody edits our column by hand
        cells = rows[number].split(",")
        rows[number] = ",".join([*cells[:column], "a" if number == 3 else "", *cells[column + 1 :]])
    file.write_text("\n".join([head, *rows, ""]), encoding="utf-8")


def _later(player: Player) -> None:
    day = _DAY + timedelta(days=60)
    player.on(day)
    player.do("refits that are proposed", "train", as_of=day, propose=True)
    run = player.do("run after two months", "run", as_of=day)
    player.do("evaluation", "evaluate", as_of=day, composition=("city",))
    player.do("someone", "show", id="7")
    player.do("history", "history")
    player.do("undo", "undo", number=run.get("run", 0), as_of=day)
    player.do("run under holds", "run", as_of=day)
    player.do("train", "train", as_of=day)
    day += timedelta(days=14)
    player.on(day)
    player.do("backfill", "backfill", as_of=day, ids=["7", "8", "9"])
    text = player.config.read_text(encoding="utf-8")
    start, end = (
        text.index('[[segmentations]]\nname = "value"'),
        text.index('[[segmentations]]\nname = "lifecycle"'),
    )
    player.config.write_text(text[:start] + text[end:], encoding="utf-8")
    player.do("retire", "retire", as_of=day, target="seg_value")
    player.do("forget", "forget", as_of=day, id="11")
    player.do("an open plan", "plan", as_of=day + timedelta(days=-7))
    player.do("status", "status")


def _people(crm: Path, count: int, dice: random.Random) -> None:
    lines = ["id,email,city,email_consent"]
    for number in range(1, count + 1):
        consent = dice.choice(("yes", "yes", "no", ""))
        lines.append(f"{number},person{number}@example.org,{dice.choice(_CITIES)},{consent}")
    (crm / "contacts.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _purchases(file: Path, people: int, since: date, until: date, dice: random.Random) -> None:
    """Each buys at a rhythm of their own; every twentieth purchase is taken back."""
    lines = ["contact_id,occurred_at,kind,amount,order_id"]
    for number in range(1, people + 1):
        rhythm, size = 5 + number * 7 % 90, 10 + number * 13 % 90
        moment = datetime.combine(since, datetime.min.time()) + timedelta(
            days=dice.random() * rhythm, hours=10
        )
        while number % 9 and moment.date() <= until and dice.random() > 0.03:
            order, amount = f"{since:%y%m}-{number}-{len(lines)}", round(dice.uniform(0.5, 1.5) * size, 2)
            lines.append(f"{number},{moment:%Y-%m-%dT%H:%M:%S},purchase,{amount},{order}")
            if dice.random() < 0.05:
                lines.append(
                    f"{number},{moment + timedelta(days=3):%Y-%m-%dT%H:%M:%S},refund,{-amount},{order}"
                )
            moment += timedelta(days=dice.uniform(0.5, 1.5) * rhythm)
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
