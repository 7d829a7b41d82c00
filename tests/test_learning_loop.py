"""Do kinds that learn hold in the whole loop: trained on the mirror's past, labelled, written, held out,
judged?
"""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sync.account.segment_catalog import built, named_segments, title_faults
from sync.account.session import Session, locked
from sync.config.config import load
from sync.config.faults import ConfigError
from sync.config.settings import SegmentationSettings
from sync.context import Context
from sync.exit_codes import SetupNeeded
from sync.label.feature_frame import AccountFeatures
from sync.views.campaign_effects import effects
from sync.views.journeys import ways
from sync.views.scorecards import cards, proposals
from tests.world import ALLOWED, World

MORE = """
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
lists = "static"
reachable_only = true
unknown_reachable = true
control = 0.4

[[segmentations]]
name = "next"
kind = "offers"
field = "seg_next"
categories = ["Wine", "Beer"]
segment_by = "rfm"
"""
DAY = date(2024, 6, 30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> World:
    """300 customers: a third buys every week, a third now and then, a third stopped; labelled and written
    once.
    """
    made = World(tmp_path_factory.mktemp("learning"), more=MORE)
    chance = random.Random(7)
    for number in range(300):
        id = str(number + 1)
        made.store.put(id, email=f"customer{id}@example.org")
        every = (7, 30, 45)[number % 3]
        for days_ago in range(100 if number % 3 == 2 else 0, 300, every):
            if chance.random() < 0.8:
                made.buys(
                    id,
                    min(299, days_ago + chance.randint(0, 6)),
                    1000 + number,
                    category=("Wine", "Beer")[number % 2],
                )
    made.first_run()
    return made


def with_session(world: World, use: Any) -> Any:
    config = world.config()
    with locked(config) as journal:
        session = Session.begin(Context(config, "portal", clock=lambda: world.now), journal, world._open)
        try:
            return use(session)
        finally:
            session.close()


def test_every_kind_that_learns_labels_everybody_and_is_written(world: World) -> None:
    for field in ("seg_groups", "seg_buyers", "seg_next"):
        assert len(world.held(field)) == 300
    assert {"likely", "unlikely"} <= set(world.held("seg_buyers").values())
    assert set(world.held("seg_next").values()) <= {"wine", "beer", "no_offer"}


def test_who_buys_every_week_is_likelier_than_who_stopped(world: World) -> None:
    segments = world.held("seg_buyers")
    likely = [int(id) % 3 for id, segment in segments.items() if segment == "likely"]
    unlikely = [int(id) % 3 for id, segment in segments.items() if segment == "unlikely"]
    assert likely.count(1) > len(likely) * 0.8  # record 1, 4, 7, ...
    assert unlikely.count(0) > unlikely.count(1)


def test_a_cluster_is_shown_under_the_name_that_the_model_found_and_the_reason_says_it(world: World) -> None:
    story = world.do("show", id="1")["segmentations"]["groups"]
    assert not story["label"].startswith("Cluster ") and story["reason"].startswith(story["label"] + ": ")


def test_setup_brings_the_names_that_a_model_found_into_the_crm_and_a_plan_says_that_it_would(
    world: World,
) -> None:
    def shown() -> set[str]:
        return {option.label for option in world.store.fields["contact", "seg_groups"].options}

    assert "crm-segments setup" in " ".join(world.do("plan")["notes"])
    story = world.do("show", id="1")["segmentations"]["groups"]
    assert story["label"] not in shown()
    segments = world.held("seg_groups")
    world.do("setup")
    assert story["label"] in shown() and "Cluster 12" in shown()
    answer = world.do("plan")
    assert not answer["notes"] and answer["plan"]["changes"] == 0 and world.held("seg_groups") == segments


def test_a_control_group_is_labelled_and_stands_in_no_campaign_list(world: World) -> None:
    labelled = {id for id, segment in world.held("seg_buyers").items() if segment == "unlikely"}
    members = world.members()["buyers.unlikely"]
    assert members < labelled
    assert 0.25 < 1 - len(members) / len(labelled) < 0.55
    world.do("run", allow=ALLOWED)
    assert world.members()["buyers.unlikely"] == members


def test_the_effect_of_a_campaign_is_told_once_there_is_a_control(world: World) -> None:
    by_segment = with_session(
        world,
        lambda session: effects(
            AccountFeatures(session), session.config, session.journal.labels, session.as_of
        ),
    )
    assert set(by_segment) == {f"buyers.{key}" for key in ("likely", "possible", "unlikely", "unscored")}
    # nobody's 30 days are over yet
    assert by_segment["buyers.likely"]["days"] == 30 and "too few" in by_segment["buyers.likely"]["note"]


def test_the_past_of_the_mirror_holds_what_was_known_then(world: World) -> None:
    def look(session: Session) -> None:
        settings = next(candidate for candidate in session.segmentations if candidate.name == "buyers")
        past = AccountFeatures(session).past(settings, built(session.config, settings, "portal"))
        then = past.features(date(2024, 5, 31))
        assert then["record"].is_monotonic_increasing and (then["last_purchase"] <= "2024-05-31").all()
        came = past.outcomes(date(2024, 5, 31), 30)
        assert came["record"].tolist() == then["record"].tolist() and 0 < (came["orders"] > 0).mean() < 1
        with pytest.raises(ValueError, match="is not known on 2024-06-30"):
            past.outcomes(date(2024, 6, 15), 30)
        with pytest.raises(ValueError, match="is not known on 2024-05-31"):
            past.until(date(2024, 5, 31)).outcomes(date(2024, 5, 15), 30)
        assert past.model is not None and past.until(date(2024, 5, 31)).model is None

    with_session(world, look)


def test_cards_judge_on_days_that_were_not_seen_and_a_refit_is_only_proposed(world: World) -> None:
    def look(session: Session) -> None:
        versions = session.journal.rows(
            "SELECT segmentation, max(version) AS version FROM models GROUP BY 1 ORDER BY 1"
        )
        cards_by_name = cards(AccountFeatures(session), session.config, session.journal, session.as_of)
        lines = {line["measure"]: line for line in cards_by_name["value"]["lines"]}
        assert lines["lift"]["value"] > 1 and lines["lift"]["interval"][0] > 1
        assert lines["coverage"]["value"] == 1
        assert cards_by_name["groups"]["lines"] and cards_by_name["buyers"]["lines"]
        proposal = proposals(
            AccountFeatures(session), session.config, session.journal.models, session.as_of, ["groups"]
        )["groups"]
        assert proposal["moved"] <= 0.2 and "difference" in proposal
        assert (
            session.journal.rows(
                "SELECT segmentation, max(version) AS version FROM models GROUP BY 1 ORDER BY 1"
            )
            == versions
        )

    with_session(world, look)


def test_the_journey_of_each_segment_is_told_from_the_mirror(world: World) -> None:
    ways_by_segment = with_session(
        world, lambda session: ways(AccountFeatures(session), "rfm", session.as_of)
    )
    assert sum(way["first"].records for way in ways_by_segment.values()) == 300
    assert all(way["second"].events <= way["first"].events for way in ways_by_segment.values())


def test_train_fits_anew_and_clusters_keep_their_numbers(world: World) -> None:
    before = world.held("seg_groups")
    world.do("train")
    world.do("run", allow=ALLOWED)
    after = world.held("seg_groups")
    assert sum(before[id] == after[id] for id in before) >= 0.84 * len(before)


def test_a_frozen_membership_stays_whatever_its_records_do(tmp_path: Path) -> None:
    made = World(tmp_path, value='[[segmentations]]\nname = "value"\nkind = "abc"\nfield = "seg_value"\n')
    made.customers(30)
    made.first_run()
    values = made.held("seg_value")
    made.value += "frozen = true\n"
    made.buys("1", 0, 10_000_000)
    made.store.put("99", email="new@example.org")
    made.buys("99", 0, 500)
    made.do("run", allow=ALLOWED)
    made.do("run", allow=ALLOWED, as_of=date(2024, 8, 1))
    assert made.held("seg_value") == values
    made.value = made.value.replace("true", "false")
    made.do("run", allow=ALLOWED, as_of=date(2024, 8, 2))
    assert made.held("seg_value")["99"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('kind = "clusters"\nattributes = ["city"]', "has no attribute 'city'"),
        ('kind = "clusters"\nattributes = ["sex"]', "sensitive"),
        ('kind = "offers"\ncategories = ["a"]\nsegment_by = "nobody"', "there is no segmentation 'nobody'"),
        ('kind = "offers"\ncategories = ["a"]\nsegment_by = "one"', "uses itself"),
        ('kind = "abc"\ncontrol = 0.1', "reachable_only"),
    ],
)
def test_what_cannot_be_learned_from_is_a_fault_of_the_config(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[accounts.shop]\ncrm = "files"\npath = "crm"\n[[segmentations]]\nname = "one"\nfield = "one"\n{line}\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=why):
        load(path)


def test_a_learned_name_that_another_segment_has_too_is_told_before_set_up(
    world: World, tmp_path: Path
) -> None:
    shop = world.copy(tmp_path)
    with locked(shop.config()) as journal:
        names = {
            segment.key: segment.title
            for segment in named_segments(shop.config(), journal, settings_of(shop), "portal")
        }
    label = names["cluster_2"].upper()
    own = f'segments = [ {{ key = "cluster_1", title = "{label}" }} ]'
    shop.more = MORE.replace("k = 3", f"k = 3\n{own}")
    phrase = "has the title"
    assert [problem for problem in shop.do("check")["problems"] if phrase in problem["what"]]
    assert [note for note in shop.do("plan")["notes"] if phrase in note]
    with pytest.raises(SetupNeeded, match=r"cluster_2 of groups has the title .*, as segment cluster_1 has"):
        shop.do("setup")


def settings_of(shop: World) -> SegmentationSettings:
    return next(
        settings for settings in shop.config().segmentations_of("portal") if settings.name == "groups"
    )


def test_names_of_offers_that_are_too_long_or_alike_are_told_before_set_up(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    offers = f'categories = ["Wine", "WINE", "{"x" * 256}"]'
    account = 'crm = "salesforce"\napi_url = "https://a.my.salesforce.com"\nclient_id = "x"\nclient_secret = "env:X"'
    config.write_text(
        f'[accounts.org]\n{account}\n[[segmentations]]\nname = "next"\nkind = "offers"\nfield = "seg_next"\n{offers}\n'
    )
    with locked(load(config)) as journal:
        faults = title_faults(load(config), journal, "org")
    assert (
        len(faults) == 2 and "has the title" in faults[0] and "256 characters, the CRM takes 255" in faults[1]
    )
