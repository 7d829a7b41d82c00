"""What we wrote and the config no longer names: is it read back, cleared, undone and withdrawn, in every CRM?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.exit_codes import CommandError, GuardTripped
from tests.each_crm import CRMS, Company, company_of
from tests.test_companies import firms
from tests.world import ALLOWED, World


@pytest.fixture(params=CRMS)
def company(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    with company_of(request.param, tmp_path, monkeypatch) as opened:
        yield opened


def test_retire_clears_what_we_wrote_and_leaves_what_a_person_typed(company: Company) -> None:
    company.first_run()
    before = company.fields()
    theirs, *others = sorted(before)
    company.second = False
    assert company.do("run")["exit_code"] == 0
    assert company.fields() == before, "only retire clears"
    typed = "a" if before[theirs]["seg_second"] != "a" else "b"
    company.type_in(theirs, typed)
    answer = company.do("retire", target="seg_second")
    assert answer["applied"]["done"] == len(others) and answer["plan"]["kept"] == 1
    assert {id: row["seg_second"] for id, row in company.fields().items() if "seg_second" in row} == {
        theirs: typed
    }
    company.do("retire", target="seg_second_since")
    assert {name for row in company.fields().values() for name in row} == {"seg_second"}
    for key in [name for name in company.do("plan")["plan"]["retired"] if "." in name]:
        company.do("retire", target=key)
    assert company.members() == []
    assert company.do("retire", target="seg_second")["plan"]["changes"] == 0


def test_retiring_waits_for_a_yes_and_goes_on_by_its_number(company: Company) -> None:
    company.first_run()
    before = company.fields()
    company.second = False
    company.do("run")
    shown: list[Any] = []

    def no(planned: dict[str, Any]) -> bool:
        shown.append(planned)
        return False

    answer = company.do("retire", target="seg_second", confirm=no)
    number = answer["plan"]["plan"]
    assert (answer["exit_code"], answer["applied"]["plan"]) == (1, None)
    assert f"crm-segments apply {number}" in answer["declined"]
    assert shown[0]["by_target"] == {"seg_second": {"clear": len(before)}}
    assert company.fields() == before
    assert company.do("apply", number=number)["applied"]["done"] == len(before)
    assert {name for row in company.fields().values() for name in row} == {"seg_second_since"}


def test_a_retirement_that_was_declined_ends_with_the_next_plan_that_is_applied(company: Company) -> None:
    company.first_run()
    company.second = False
    company.do("run")
    older, newer = (
        company.do("retire", target=target, confirm=lambda _plan: False)["plan"]["plan"]
        for target in ("seg_second", "seg_second_since")
    )
    company.do("apply", number=newer)
    with pytest.raises(GuardTripped, match=f"plan {older} is superseded"):
        company.do("apply", number=older)
    assert {name for row in company.fields().values() for name in row} == {"seg_second"}


def test_what_came_back_into_the_config_is_not_retired_by_an_older_plan(company: Company) -> None:
    company.first_run()
    before = company.fields()
    company.second = False
    number = company.do("retire", target="seg_second", confirm=lambda _plan: False)["plan"]["plan"]
    company.second = True
    with pytest.raises(GuardTripped, match="seg_second is in the config again"):
        company.do("apply", number=number)
    assert company.fields() == before


def test_counts_of_guards_stop_a_retirement(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.customers(30)
    world.first_run()
    world.value, world.more = "", "[guards]\nmax_writes = 10"
    values = world.held("seg_value")
    with pytest.raises(GuardTripped, match="max_writes"):
        world.do("retire", target="seg_value")
    assert world.held("seg_value") == values
    world.more = ""
    assert world.do("retire", target="seg_value")["applied"]["done"] == len(values), (
        "its own size is what goes"
    )


def test_a_run_is_undone_whole_although_its_segmentation_left_the_config(company: Company) -> None:
    run = company.first_run()["run"]
    assert company.fields() and company.members()
    company.second = False
    company.do("run")
    company.do("undo", number=run)
    assert company.fields() == {} and company.members() == []


def test_a_person_who_objects_later_loses_what_the_config_no_longer_names(company: Company) -> None:
    company.first_run()
    company.second = False
    company.do("run")
    id = sorted(company.fields())[0]
    assert id in company.members()
    company.object_to_profiling(id)
    company.do("run")
    assert id not in company.fields() and id not in company.members()
    assert len(company.fields()) > 10


def test_a_lost_mirror_forgets_nothing_of_it(company: Company, tmp_path: Path) -> None:
    company.first_run()
    company.second = False
    for path in tmp_path.rglob("mirror.duckdb*"):
        path.unlink()
    company.do("retire", target="seg_second")
    assert {name for row in company.fields().values() for name in row} == {"seg_second_since"}


def test_retire_names_what_it_does_not_know(company: Company) -> None:
    company.first_run()
    with pytest.raises(CommandError, match="still in the config"):
        company.do("retire", target="seg_second")
    with pytest.raises(CommandError, match="not a field or list of crm-segments"):
        company.do("retire", target="seg_other")


def test_a_record_type_that_no_segmentation_labels_any_more_is_read_until_it_is_cleared(
    tmp_path: Path,
) -> None:
    world = firms(tmp_path)
    world.do("setup")
    world.do("run", allow=ALLOWED)
    assert len(world.held("seg_tier")) == 9
    world.value = ""
    world.lose_mirror()
    world.do("run", allow=ALLOWED)
    for target in ("seg_tier", "seg_tier_reason", "tier.customer", "tier.target", "tier.other"):
        world.do("retire", target=target, allow=ALLOWED)
    assert (
        not world.held("seg_tier") and not world.held("seg_tier_reason") and not any(world.members().values())
    )
    assert "company" not in world.do("run", allow=ALLOWED)["pulled"]["rows"]
