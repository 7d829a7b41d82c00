"""Does what people forbid vanish at the next run, whatever else is going on, and does nothing bring it back?"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.schemas import FIELD, REACHABLE
from sync import commands
from sync.commands import Options
from sync.config.config import ConfigError
from sync.exit_codes import CommandError, GuardTripped
from tests.world import ALLOWED, World

EXTRA_FIELDS = '["reason", "since", "previous", "score"]'
CAMPAIGN = "reachable_only = true\n"
NEXT = date(2024, 7, 7)
FILES = """
as_of = 2024-06-30
[accounts.shop]
crm = "files"
path = "crm"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
lists = "static"
reachable_only = true
extra_fields = ["since", "previous"]
"""


def started(folder: Path, customers: int = 30, reachable: bool | None = True, **settings: Any) -> World:
    """A business whose customers hold labels, extra fields and memberships; all may be reached by e-mail."""
    world = World(folder, **{"extra_fields": EXTRA_FIELDS, **settings})
    world.customers(customers)
    for number in range(1, customers + 1):
        reach(world, str(number), email=reachable)
    world.first_run()
    return world


def reach(world: World, id: str, **channels: bool | None) -> None:
    """A person says by which channels they may be reached."""
    columns: dict[str, Any] = {REACHABLE + channel: may for channel, may in channels.items()}
    world.store.put(id, **columns)


def traces(world: World, id: str) -> set[str]:
    """Every field and list of ours in which a record stands."""
    state, members = world.state()
    return {name for name, values in state.items() if id in values} | {
        key for key, ids in members.items() if id in ids
    }


def campaign(world: World) -> set[str]:
    """Everyone in a list of the segmentation rfm."""
    return {id for key, ids in world.members().items() if key.startswith("rfm.") for id in ids}


def test_an_objector_loses_fields_extra_fields_and_memberships_at_the_next_run(tmp_path: Path) -> None:
    world = started(tmp_path)
    assert {"seg_rfm", "seg_rfm_reason", "seg_rfm_since", "seg_rfm_score", "seg_value"} <= traces(world, "4")
    world.store.put("4", objects_to_profiling=True)
    answer = world.do("run")
    assert traces(world, "4") == set()
    assert (answer["exit_code"], answer["withdrawn"]["done"], answer["plan"]["changes"]) == (0, 6, 0)
    assert (
        "4" not in world.labels("rfm")
        and world.do("show", id="4")["objects"]
        and not world.do("show", id="5")["objects"]
    )
    assert world.do("run")["calls"]["write"] == 0


def test_no_guard_stops_an_objection_not_even_one_that_stops_the_rest(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.more = (
        "[guards]\nmax_cleared = { count = 0 }\nmax_leave = { count = 0 }\nmax_writes = 1\nmax_calls = 0\n"
    )
    objectors = {str(number) for number in range(1, 16)}
    for id in objectors:
        world.store.put(id, objects_to_profiling=True)
    for number in range(16, 31):
        world.buys(str(number), 1, 100_000 * number)
    with pytest.raises(GuardTripped):
        world.do("run", as_of=NEXT)
    assert not any(traces(world, id) for id in objectors)


def test_a_hold_after_an_undo_does_not_hold_an_objection_back(tmp_path: Path) -> None:
    world = started(tmp_path)
    for number in range(1, 31):
        world.buys(str(number), number % 3, 100_000 * number)
    world.do("undo", number=world.do("run", allow=ALLOWED)["run"])
    assert traces(world, "7")
    world.store.put("7", objects_to_profiling=True)
    answer = world.do("run")
    assert (answer["exit_code"], answer["plan"]["held"]) == (5, ["rfm", "value"]), "the rest stays on hold"
    assert traces(world, "7") == set()


def test_a_plan_shows_what_consent_takes_away_and_no_guard_minds(tmp_path: Path) -> None:
    world = started(tmp_path, more="[guards]\nmax_cleared = { count = 0 }\nmax_leave = { count = 0 }\n")
    world.store.put("4", objects_to_profiling=True)
    planned = world.do("plan")["plan"]
    assert planned["by_target"]["seg_rfm"] == {"withdraw": 1} and planned["trips"] == []
    world.do("apply", number=planned["plan"])
    assert traces(world, "4") == set()


def test_an_objection_before_a_plan_is_applied_stops_its_part_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(10)
    world.do("setup")
    planned = world.do("plan")["plan"]
    world.store.put("4", objects_to_profiling=True)
    world.do("pull")
    answer = world.do("apply", number=planned["plan"])
    assert answer["applied"]["skipped"] > 0 and any(
        "consent" in reason for reason in answer["applied"]["reasons"]
    )
    assert traces(world, "4") == set() and traces(world, "5")


def test_undo_gives_no_label_back_to_an_objector(tmp_path: Path) -> None:
    world = started(tmp_path)
    leaving = 'population = { not = { attribute = "id", is = "4" } }\n'
    world.label, world.value = leaving, world.value + leaving
    run = world.do("run", allow=ALLOWED)["run"]
    world.store.put("4", objects_to_profiling=True)
    world.do("undo", number=run)
    assert traces(world, "4") == set()


def test_undo_of_the_run_that_took_it_away_is_refused(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.store.put("4", objects_to_profiling=True)
    run = world.do("run")["run"]
    with pytest.raises(CommandError, match="consent"):
        world.do("undo", number=run)
    assert traces(world, "4") == set() and world.do("run")["exit_code"] == 0


def test_what_a_person_wrote_about_an_objector_stays(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.store.set_field(
        "4", "seg_rfm", "champions" if world.held("seg_rfm")["4"] != "champions" else "lost"
    )
    world.store.put("4", objects_to_profiling=True)
    world.do("run")
    assert traces(world, "4") == {"seg_rfm"}, "extra fields go, although the segment is somebody else's"


def test_a_field_that_has_left_the_config_is_cleared_of_an_objector_too(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.value = ""
    world.store.put("4", objects_to_profiling=True)
    world.do("run")
    assert traces(world, "4") == set() and "5" in world.held("seg_value")


def test_a_new_segmentation_without_set_up_keeps_no_objection_waiting(tmp_path: Path) -> None:
    world = started(tmp_path, value="")
    world.value = World.value
    world.store.put("4", objects_to_profiling=True)
    with pytest.raises(CommandError, match="setup"):
        world.do("run")
    assert traces(world, "4") == set()


def test_who_objects_in_the_shop_objects_in_the_crm_that_uses_its_receipts(tmp_path: Path) -> None:
    world = World(tmp_path, account='activity_from = ["shop"]\n[accounts.shop]\ncrm = "files"\npath = "x"\n')
    world.customers(10)
    world.shop.put("s4", email="CUSTOMER4@example.org")
    world.first_run()
    world.shop.put("s4", objects_to_profiling=True)
    world.do("run")
    assert traces(world, "4") == set() and traces(world, "5")


def test_a_withdrawn_objection_brings_labels_back(tmp_path: Path) -> None:
    world = started(tmp_path)
    before = traces(world, "4")
    for objects in (True, False):
        world.store.put("4", objects_to_profiling=objects)
        world.do("run", allow=ALLOWED)
    assert traces(world, "4") == before


def test_a_killed_withdrawal_goes_on_at_the_next_run(tmp_path: Path) -> None:
    world = started(tmp_path, batch_size=2)
    for number in range(1, 9):
        world.store.put(str(number), objects_to_profiling=True)
    world.faults.fail_after = 1
    with pytest.raises(CommandError):
        world.do("run")
    world.do("run")
    assert not any(traces(world, str(number)) for number in range(1, 9))


# Campaign lists


@pytest.mark.parametrize(
    ("reachable", "unknown_too", "inside"),
    [(True, False, True), (False, False, False), (None, False, False), (None, True, True)],
)
def test_a_campaign_list_holds_those_who_may_be_reached(
    tmp_path: Path, reachable: bool | None, unknown_too: bool, inside: bool
) -> None:
    world = started(
        tmp_path, 10, reachable, label=CAMPAIGN + f"unknown_reachable = {str(unknown_too).lower()}\n"
    )
    assert campaign(world) == ({str(number) for number in range(1, 11)} if inside else set())
    assert len(world.held("seg_rfm")) == 10, "the field is for everyone"
    assert world.do("plan")["plan"]["withheld"] == ({} if inside else {"rfm": 10})


def test_the_channel_of_a_campaign_is_the_one_that_counts(tmp_path: Path) -> None:
    world = World(tmp_path, label=CAMPAIGN + 'channel = "post"\n')
    world.customers(6)
    reach(world, "1", email=True, post=False)
    reach(world, "2", email=False, post=True)
    world.first_run()
    assert campaign(world) == {"2"}


def test_who_cannot_be_reached_any_more_leaves_under_any_guard_and_hold_and_returns_later(
    tmp_path: Path,
) -> None:
    world = started(tmp_path, label=CAMPAIGN, more="[guards]\nmax_writes = 1\n")
    reach(world, "3", email=False)
    reach(world, "4", email=None)
    assert world.do("run")["withdrawn"]["done"] == 2
    assert campaign(world) == {str(number) for number in range(1, 31)} - {"3", "4"}
    reach(world, "3", email=True)
    world.do("run", allow=ALLOWED)
    assert "3" in campaign(world) and "4" not in campaign(world)


def test_an_unreachable_member_whom_a_person_added_leaves_a_campaign_list_of_our_making(
    tmp_path: Path,
) -> None:
    world = started(tmp_path, label=CAMPAIGN)
    key = next(
        key for key, ids in sorted(world.members().items()) if key.startswith("rfm.") and "3" not in ids
    )
    reach(world, "3", email=False)
    world.store.set_member(key, "3", True)
    run = world.do("run")["run"]
    assert "3" not in campaign(world)
    with pytest.raises(CommandError):
        world.do("undo", number=run)
    assert "3" not in campaign(world)


def test_lists_that_are_no_campaign_hold_everyone(tmp_path: Path) -> None:
    assert len(campaign(started(tmp_path, 10, False))) == 10


def test_the_unreachable_one_of_a_merge_makes_the_survivor_unreachable(tmp_path: Path) -> None:
    world = started(tmp_path, label=CAMPAIGN)
    reach(world, "3", email=False)
    world.do("run", allow=ALLOWED)
    world.store.merge("3", "4")
    world.do("run", allow=ALLOWED)
    assert "4" not in campaign(world)


def test_files_lose_every_trace_of_an_objector_and_of_whom_was_merged_into_one(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    contacts, header = (
        tmp_path / "crm" / "contacts.csv",
        "id,email,merged_into,objects_to_profiling,reachable_email\n",
    )
    contacts.write_text(header + "".join(f"{id},{id}@example.org,,,yes\n" for id in "1234567"))
    purchases = "".join(f"{id},2024-06-{10 + int(id)},{id}0.00\n" for id in "1234567")
    (tmp_path / "crm" / "activities.csv").write_text("contact_id,occurred_at,amount\n" + purchases)
    (tmp_path / "config.toml").write_text(FILES)
    config, everything = tmp_path / "config.toml", Options(allow=ALLOWED)
    commands.setup(config)
    commands.run(config, everything)
    rows = [
        "1,1@example.org,2,,yes",
        "2,2@example.org,,true,yes",
        "3,3@example.org,,,no",
        *(f"{id},,,,yes" for id in "4567"),
    ]
    contacts.write_text(header + "\n".join(rows) + "\n")
    assert commands.run(config, everything)["exit_code"] == 0
    rows_by_id = {row["id"]: row for row in csv.DictReader((tmp_path / "crm" / "segments.csv").open())}
    members = [
        id for path in (tmp_path / "crm" / "lists").glob("*.csv") for id in path.read_text().split()[1:]
    ]
    assert not any(
        rows_by_id.get(id, {}).get(name)
        for id in "12"
        for name in ("seg_rfm", "seg_rfm_since", "seg_rfm_previous")
    )
    assert rows_by_id["3"]["seg_rfm"] and sorted(members) == list("4567")
    assert commands.run(config, everything)["calls"]["write"] == 0


@pytest.mark.parametrize(
    ("lines", "key", "remedy"),
    [
        ('lists = "none"\nreachable_only = true', "segmentations[0].reachable_only", 'lists = "dynamic"'),
        ("reachable_only = true", "segmentations[0].reachable_only", 'lists = "static"'),
        ('lists = "static"\nchannel = "post"', "segmentations[0].channel", "reachable_only = true"),
        ('lists = "static"\nreachable_only = true\nchannel = "emial"', "segmentations[0].channel", "email"),
        ("unknown_reachable = true", "segmentations[0].unknown_reachable", "reachable_only = true"),
    ],
)
def test_a_campaign_that_could_not_keep_its_promise_is_refused(
    tmp_path: Path, lines: str, key: str, remedy: str
) -> None:
    from sync.config.config import load

    text = f'[accounts.shop]\ncrm = "files"\npath = "x"\n[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "f"\n{lines}\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.toml")
    assert key in str(caught.value) and remedy in str(caught.value)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["reachable", "objects", "buys", "run", "undo", "member"]),
        st.integers(1, 6),
        st.sampled_from([True, False, None]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_after_any_run_nobody_is_where_consent_forbids(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int, bool | None]]
) -> None:
    world = started(tmp_path_factory.mktemp("law"), 6, label=CAMPAIGN)
    runs: list[int] = []
    for event, number, value in [*events, ("run", 1, None)]:
        id = str(number)
        match event:
            case "reachable":
                reach(world, id, email=value)
            case "objects":
                world.store.put(id, objects_to_profiling=value)
            case "buys":
                world.buys(id, number, 5_000 * number)
            case "member":
                world.store.set_member(
                    sorted(key for key in world.members() if key.startswith("rfm."))[number], id, True
                )
            case "undo" if runs:
                world.do("undo", allow=ALLOWED, number=runs[-1])
            case "run":
                answer = world.do("run", allow=ALLOWED)
                runs += [answer["run"]] if answer["applied"]["done"] else []
                for key in map(str, range(1, 7)):
                    row = world.store.records["contact", key]
                    assert row.get("reachable.email") is True or key not in campaign(world)
                    assert not row.get("objects_to_profiling") or not row.get(FIELD + "seg_value")


# Extra fields


def test_extra_fields_are_written_with_a_change_of_segment_and_only_then(tmp_path: Path) -> None:
    world = started(tmp_path)
    before = world.state()
    answer = world.do("run", as_of=NEXT)
    moved = {id for id in before[0]["seg_rfm"] if before[0]["seg_rfm"][id] != world.held("seg_rfm")[id]}
    for name in ("reason", "since", "previous", "score"):
        field = f"seg_rfm_{name}"
        now = world.held(field)
        assert {id for id in now | before[0][field] if now.get(id) != before[0][field].get(id)} <= moved, name
    assert answer["exit_code"] == 0


def test_a_move_writes_why_since_when_and_from_where(tmp_path: Path) -> None:
    world = started(tmp_path)
    old = world.held("seg_rfm")["5"]
    for day in (1, 2, 3, 4, 5):
        world.buys("5", -day, 500_000)
    world.do("run", as_of=NEXT, allow=ALLOWED)
    new = world.held("seg_rfm")["5"]
    assert new != old
    assert (world.held("seg_rfm_previous")["5"], world.held("seg_rfm_since")["5"]) == (old, NEXT.isoformat())
    assert 0 < len(world.held("seg_rfm_reason")["5"]) <= 255
    assert int(world.held("seg_rfm_score")["5"]) % 5 == 0


def test_who_leaves_the_population_leaves_the_extra_fields_too(tmp_path: Path) -> None:
    world = started(tmp_path)
    world.label = 'population = { not = { attribute = "id", is = "4" } }\n'
    world.do("run", allow=ALLOWED)
    assert not {name for name in traces(world, "4") if "rfm" in name}
