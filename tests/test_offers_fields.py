"""Do offers that were found reach the CRM: a segment of few options, and the first three as text, quiet where nobody
buys, undone, cleared and retired like the other fields?
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sync.cli.program import app
from tests import portal_shop
from tests.world import ALLOWED, DAY, VALUE, World

HOSTILE = '=HYPERLINK("http://x")'
FOODS = ("Wine", "Cheese; old", HOSTILE, "Tea", "Bread", "Figs")
NEXT = """[[segmentations]]
name = "next"
title = "Next offer"
kind = "offers"
field = "seg_next"
min_buyers = 10
max_segments = 2
exclude = ["shipping"]
"""
THREE, JOINED = 'offer_fields = "three"\n', 'offer_fields = "joined"\n'
FIELDS = tuple(f"seg_next_offer_{number}" for number in (1, 2, 3))


def shop(folder: Path, value: str = NEXT + THREE, make: Any = World) -> World:
    """60 customers with a favourite, which they buy most, and two others; and one who never bought."""
    world: World = make(folder, value=value, more=VALUE)
    world.store.put("nobody", email="nobody@example.org")
    for number in range(60):
        id = f"c{number}"
        world.store.put(id, email=f"{id}@example.org")
        for place, orders in enumerate((6, 4, 2)):
            for order in range(orders):
                amount = 1000 * (1 + 9 * (number % 5 == 1)) + number
                world.buys(id, 5 + 25 * order, amount, category=FOODS[(number % 5 + place) % 6])
        world.buys(id, 3, 500, category="Shipping")
    return world


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = shop(tmp_path_factory.mktemp("offers"))
    world.first_run()
    return world


@pytest.fixture
def world(started: World, tmp_path: Path) -> World:
    return started.copy(tmp_path / "copy")


def held(world: World) -> dict[str, list[str]]:
    """What stands in the three fields of each contact."""
    fields = [world.held(name) for name in FIELDS]
    return {id: [field.get(id, "") for field in fields] for id in fields[0]}


def test_the_segment_has_few_options_and_the_fields_hold_any_category_as_text(started: World) -> None:
    started.do("setup")  # which brings the names that the model found
    options = {option.key: option.label for option in started.store.fields["contact", "seg_next"].options}
    assert list(options) == [*(f"category_{number}" for number in range(1, 5)), "other_category", "no_offer"]
    assert {options["category_1"], options["category_2"]} <= set(FOODS) and options[
        "category_3"
    ] == "Category 3"
    specs = [started.store.fields["contact", name] for name in FIELDS]
    assert [(spec.type, spec.label) for spec in specs] == [
        ("text", f"Next offer: Offer {n}") for n in (1, 2, 3)
    ]
    assert "second category to offer" in specs[1].description and "do not edit" in specs[1].description
    segments = started.held("seg_next")
    assert segments["nobody"] == "no_offer" and {segments[f"c{n}"] for n in range(5)} == {
        "category_1", "category_2", "other_category",
    }  # fmt: skip


def test_who_buys_has_the_three_that_it_buys_most_and_who_never_bought_has_none(started: World) -> None:
    offers = held(started)
    assert offers["c0"] == ["Wine", "Cheese, old", HOSTILE] and offers["c4"] == ["Bread", "Figs", "Wine"]
    assert len(offers) == 60 and "nobody" not in offers
    assert not any("Shipping" in three for three in offers.values())


def test_an_unchanged_day_and_a_quiet_week_write_nothing(world: World) -> None:
    before = held(world)
    assert world.do("run")["calls"]["write"] == 0
    assert world.do("run", as_of=DAY + timedelta(days=7))["calls"]["write"] == 0
    assert held(world) == before


def test_a_category_comes_in_when_it_is_clearly_ahead_though_the_segment_stays(world: World) -> None:
    segment = world.held("seg_next")["c0"]
    world.buys("c0", -1, 1000, category="Figs")
    world.do("run", allow=ALLOWED, as_of=DAY + timedelta(days=2))
    assert held(world)["c0"] == ["Wine", "Cheese, old", HOSTILE]
    for day in (3, 4, 5):
        world.buys("c0", -day, 1000, category="Figs")
    world.do("run", allow=ALLOWED, as_of=DAY + timedelta(days=5))
    assert held(world)["c0"] == ["Wine", "Cheese, old", "Figs"]
    assert world.held("seg_next")["c0"] == segment


def test_a_refit_with_a_new_and_a_vanished_category_moves_only_their_buyers(world: World) -> None:
    before, later = held(world), DAY + timedelta(days=200)
    for number in range(60):
        day = -150 - number % 30
        world.buys(f"c{number}", day, 900, category="Mate" if number % 5 == 0 else FOODS[number % 5])
    for _ in range(9):
        for number in range(0, 60, 5):
            world.buys(f"c{number}", -190, 900, category="Mate")
    world.do("train", as_of=later, names=("next",))
    world.do("run", allow=ALLOWED, as_of=later)
    after = held(world)
    assert all(after[f"c{number}"][0] == "Mate" for number in range(0, 60, 5))
    untouched = [id for number in range(60) if number % 5 in (1, 4) for id in [f"c{number}"]]
    assert all(after[id][0] == before[id][0] for id in untouched)


def test_the_number_of_an_excluded_category_goes_to_none_and_the_next_one_is_there_already(
    world: World,
) -> None:
    world.value = world.value.replace('"shipping"', '"shipping", "bread"')
    world.do("run", allow=ALLOWED)
    segments = set(world.held("seg_next").values())
    assert "Bread" not in held(world)["c4"] and "category_3" in segments and "category_2" not in segments


def test_undo_takes_offers_back_and_an_objection_clears_them(world: World) -> None:
    world.store.put("c7", objects_to_profiling=True)
    world.do("run")
    assert "c7" not in held(world) and len(held(world)) == 59
    first = world.journal("SELECT min(run) AS run FROM batches")[0]["run"]
    world.do("undo", number=first)
    assert held(world) == {}


def test_a_segmentation_that_left_the_config_is_retired_with_its_offers(world: World) -> None:
    world.value = ""
    world.do("run", allow=ALLOWED)
    retired = world.do("retire", target="next", confirm=lambda *_: True)
    assert set(FIELDS) <= {step["name"] for step in retired["applied"]["retired"]}
    assert held(world) == {} and world.held("seg_next") == {}


@pytest.mark.parametrize("fields", [True, False])
def test_the_report_says_what_a_segment_wants_more_often_than_all_with_counts(
    world: World, fields: bool
) -> None:
    """Who brings most buys old cheese most, and no other category more often than its share of all."""
    if not fields:
        world.value = NEXT.replace("max_segments = 2", "max_segments = 6")
        world.do("setup")
        world.do("run", allow=ALLOWED)
    for audience in ("analyst", "people"):
        world.do("report", out=world.folder / "report.html", reader=audience)
        page = (world.folder / "report.html").read_text(encoding="utf-8")
        assert "wants next: Cheese, old" in page or "Wants next: Cheese, old" in page
        assert HOSTILE not in page
        if audience == "analyst":
            assert re.search(r"Cheese, old: \d\d of \d\d \([\d.]+%, of all [\d.]+%\)", page)


def test_one_joined_field_holds_the_three_and_stays_as_long_as_they_do(tmp_path: Path) -> None:
    world = shop(tmp_path, NEXT + JOINED)
    world.first_run()
    offers = world.held("seg_next_offers")
    assert offers["c0"] == f"Wine; Cheese, old; {HOSTILE}" and len(offers) == 60
    assert world.do("run", as_of=DAY + timedelta(days=7))["calls"]["write"] == 0


def test_named_categories_get_the_fields_without_a_new_training(tmp_path: Path) -> None:
    typed = '[[segmentations]]\nname = "next"\nkind = "offers"\nfield = "seg_next"\ncategories = ["Wine", "Tea", "Bread"]\n'
    world = shop(tmp_path, typed)
    world.first_run()
    segments, digest = world.held("seg_next"), world.config().digest(world.config().segmentations[1])
    world.value = typed + THREE
    assert world.config().digest(world.config().segmentations[1]) == digest
    world.do("setup")
    world.do("apply", number=world.do("plan", allow=ALLOWED)["plan"]["plan"])
    assert world.held("seg_next") == segments and held(world)["c0"][0] == "Wine"
    learned = [
        json.loads(model["content"])["learned"]
        for model in world.journal("SELECT content FROM models WHERE segmentation = 'next' ORDER BY version")
    ]
    assert all(model == learned[0] for model in learned)


def test_files_hold_hostile_categories_as_text(tmp_path: Path) -> None:
    world = shop(tmp_path, make=World.of_files)
    world.first_run()
    with (tmp_path / "crm" / "segments.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["c0"]["seg_next_offer_1"] == "Wine" and rows["c0"]["seg_next_offer_3"].endswith(HOSTILE)


class Products(portal_shop.Shop):
    """A portal whose deals have products."""

    @property
    def config(self) -> Path:
        path = super().config
        path.write_text(path.read_text(encoding="utf-8").replace("products = false", "products = true"))
        return path


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Products]:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        yield Products(tmp_path / "shop", server, lists="none", more=NEXT.replace("10", "5") + THREE)


def test_hubspot_gets_the_fields_by_the_command_line_and_a_second_run_writes_nothing(
    portal: Products,
) -> None:
    kinds = ("inventory", "service", "non_inventory")
    for id in list(portal.portal.store.shelves["deals"].records):
        item = portal.portal.put("line_items", {"name": "x", "amount": "9", "hs_product_type": kinds[id % 3]})
        portal.portal.associate("deals", id, "line_items", item)
    portal.portal.settle(1800)

    def typed(*words: str) -> dict[str, Any]:
        allowing = [part for guard in ALLOWED for part in ("--allow", guard)]
        more = ["--yes"] if "setup" in words else [*allowing, "--reason", "a test"]
        line = [*words, "--json", *more, "--config", str(portal.config)]
        result = CliRunner().invoke(app, line)
        assert result.exit_code == 0, result.output
        portal.portal.settle(1800)
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    typed("setup")
    typed("run")
    written = portal.fields(*FIELDS)
    offers = [values["seg_next_offer_1"] for values in written.values() if values.get("seg_next_offer_1")]
    assert len(offers) > 20 and set(offers) <= set(kinds)
    assert typed("run")["calls"]["write"] == 0 and portal.fields(*FIELDS) == written
    properties = portal.portal.schema.properties["contacts"]
    assert [properties[name].type for name in FIELDS] == ["string"] * 3
    assert len(properties["seg_next"].options) == 6
