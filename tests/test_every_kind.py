"""Do promises hold for every kind at once, in the whole loop: objectors teach nothing, companies add up,
files know no later day?
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sync.account.session import Session, locked
from sync.context import Context
from tests.world import World

KINDS = """
[[segmentations]]
name = "stage"
kind = "lifecycle"
field = "seg_stage"

[[segmentations]]
name = "potential"
kind = "potential"
field = "seg_potential"
horizon_days = 30

[[segmentations]]
name = "groups"
kind = "clusters"
field = "seg_groups"
k = 3

[[segmentations]]
name = "buyers"
kind = "response"
field = "seg_buyers"
within_days = 30

[[segmentations]]
name = "next"
kind = "offers"
field = "seg_next"
categories = ["Wine", "Beer"]
segment_by = "rfm"

[[segmentations]]
name = "asked"
kind = "rules"
field = "seg_asked"
[[segmentations.segments]]
key = "buyer"
when = { did = "purchase" }
[[segmentations.segments]]
key = "other"
when = { attribute = "id", is_set = true }
"""
EVERY = {"rfm", "value", "stage", "potential", "groups", "buyers", "next", "asked"}


def shop(folder: Path, objectors: int) -> World:
    """210 customers with habits; the objectors, had they a say, would change every figure."""
    made, chance = World(folder, more=KINDS), random.Random(7)
    for number in range(210):
        id = str(number + 1)
        made.store.put(id, email=f"customer{id}@example.org")
        for days_ago in range(100 if number % 3 == 2 else 0, 300, (7, 30, 45)[number % 3]):
            if chance.random() < 0.8:
                made.buys(
                    id,
                    min(299, days_ago + chance.randint(0, 6)),
                    1000 + number,
                    category=("Wine", "Beer")[number % 2],
                )
    for number in range(objectors):
        id = str(1000 + number)
        made.store.put(id, objects_to_profiling=True)
        for days_ago in range(0, 300, 20):
            made.buys(id, days_ago, 9_000_000, category="Beer")
    made.first_run()
    return made


def with_session(world: World, use: Callable[[Session], Any]) -> Any:
    with locked(world.config()) as journal:
        session = Session.begin(
            Context(world.config(), "portal", clock=lambda: world.now), journal, world._open
        )
        try:
            return use(session)
        finally:
            session.close()


def models(world: World) -> dict[str, Any]:
    def read(session: Session) -> dict[str, Any]:
        return {
            row["segmentation"]: json.loads(row["content"])
            for row in session.journal.rows("SELECT segmentation, content FROM models")
        }

    return dict(with_session(world, read))


def test_who_objects_is_in_no_training_set_model_or_label_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    asked, spared = shop(tmp_path / "with", 20), shop(tmp_path / "without", 0)
    assert set(models(asked)) == EVERY and models(asked) == models(spared)
    for name in EVERY:
        labels = asked.held(f"seg_{name}")
        assert labels == spared.held(f"seg_{name}") and len(labels) == 210


# -- companies
# ---------------------------------------------------------------------------------------------------

FIRMS = "\n".join(
    f"""[[segmentations]]
name = "{name}"
kind = "{kind}"
field = "seg_{name}"
population = {{ attribute = "record_type", is = "company" }}
{more}
"""
    for name, kind, more in (
        ("value", "abc", ""),
        ("stage", "lifecycle", ""),
        ("potential", "potential", ""),
        ("again", "response", "within_days = 180"),
        ("groups", "clusters", ""),
    )
)


def firms(folder: Path) -> World:
    """40 firms with two contacts each, who sign one to three contracts in three years together; a fourth
    contact is nobody's.
    """
    made, chance = World(folder, value=FIRMS, account='deal_share = "split"\n\n'), random.Random(3)
    made.store.put("0", email="nobody@example.org")
    made.buys("0", 40, 70_000)
    for number in range(1, 41):
        made.store.put(f"f{number}", "company")
        for contact in (2 * number - 1, 2 * number):
            made.store.put(str(contact), company_id=f"f{number}")
        for _ in range(1 + number % 3):
            deal, days_ago = f"deal{made.store.clock}", chance.randint(0, 1000)
            whole = chance.randint(1, 50) * 100_000
            for contact, share in ((2 * number - 1, 0.3), (2 * number, 0.7)):
                made.buys(str(contact), days_ago, round(whole * share), order_id=deal)
    made.first_run()
    return made


def test_companies_hold_all_revenue_that_was_won_and_models_of_few_contracts_say_no(tmp_path: Path) -> None:
    world = firms(tmp_path)

    def revenue(session: Session) -> dict[str, float]:
        rows = session.mirror().rows(
            "SELECT record_type, sum(net_revenue) FROM features JOIN ids USING (record) GROUP BY record_type"
        )
        return {str(type): float(total) for type, total in rows}

    won, alone = with_session(world, revenue), 70_000
    assert won["company"] == won["contact"] - alone > 0, "each deal once, all shares together the whole"
    tiers = world.held("seg_value")
    assert set(tiers) == {f"f{number}" for number in range(1, 41)} and set(tiers.values()) <= {"a", "b", "c"}
    learned = models(world)
    assert "40 customers" in learned["potential"]["figures"]["refused"]
    assert learned["potential"]["figures"]["winner"] in ("rfm", "spend", "frequency", "recency")
    assert learned["stage"]["figures"]["driver"] == "silence"
    assert set(world.held("seg_again").values()) == set(world.held("seg_groups").values()) == {"unscored"}
    story = world.do("show", id="f3")["segmentations"]
    assert (
        "too little data for a forecast" in story["potential"]["reason"]
        and "by silence alone" in story["stage"]["reason"]
    )
    assert "100" in story["again"]["reason"] and "100" in story["groups"]["reason"]


# -- files of an earlier day
# -------------------------------------------------------------------------------------


def test_a_file_of_an_earlier_day_knows_nothing_of_later_ones(tmp_path: Path) -> None:
    """A shop that is trained today tells of May what a shop would have told that was first opened then."""
    (tmp_path / "late").mkdir()
    (tmp_path / "early").mkdir()
    day, files = date(2024, 3, 31), []
    for name in ("late", "early"):
        world = World(tmp_path / name, more=KINDS[: KINDS.index('[[segmentations]]\nname = "potential"')])
        world.customers(90)
        if name == "late":
            world.do("label")
        out = world.folder / "labels.csv"
        world.do("label", as_of=day, out=out)
        files.append(list(csv.DictReader(out.open())))
    late, early = files
    assert len(late) == 90 and list(late[0]) == list(early[0])
    for column in late[0]:
        assert [row[column] for row in late] == [row[column] for row in early], column


def test_the_same_file_asked_for_again_is_the_same_and_nothing_is_learned_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segmentation.models import model_selection

    world, inner = World(tmp_path), model_selection.fit
    times: list[int] = []
    world.customers(60)

    def counted(*given: Any) -> Any:
        times.append(1)
        return inner(*given)

    monkeypatch.setattr(model_selection, "fit", counted)
    texts = []
    for name in ("one.csv", "two.csv"):
        world.do("label", out=tmp_path / name, horizon=60)
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] and len(times) == 1
    world.buys("7", 1)
    world.do("label", out=tmp_path / "three.csv", horizon=60)
    assert len(times) == 2
