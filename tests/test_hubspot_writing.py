"""Values come onto records, each answered for itself: one that HubSpot refuses holds up no other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.contract import FieldSpec, ListSpec, Option
from connectors.errors import AccessError, QuotaError, TemporaryError
from connectors.schemas import MEMBER
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SCORE, SEGMENT, TIER, Shop, shop
from tests.servers.hubspot import ALL_SCOPES, Fault

Rows = list[tuple[str, str, str | None, str | None]]


@pytest.fixture(autouse=True)
def _own_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def portal() -> Iterator[Shop]:
    with shop(250) as opened:
        yield opened


def loyal(ids: list[str]) -> Rows:
    return [(id, SEGMENT.name, None, "loyal") for id in ids]


def write(portal: Shop, rows: Rows, **settings: Any) -> tuple[list[dict[str, Any]], int]:
    """The answers to a table of changes, and the calls that it took."""
    connector = portal.connect(**settings)
    return connector.write_fields(changes(*rows), Paper()).to_pylist(), connector.calls.write


def rejected(rows: Rows, answers: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """(record, target) → kind of the rejection."""
    return {
        (row[0], row[1]): answer["kind"]
        for row, answer in zip(rows, answers, strict=True)
        if answer["status"] != "done"
    }


def test_a_batch_goes_out_in_calls_of_a_hundred_records_with_all_their_values(portal: Shop) -> None:
    rows = [*loyal(portal.ids), *[(id, SCORE.name, None, "87.5") for id in portal.ids]]
    answers, calls = write(portal, rows)
    assert answers == [{"status": "done", "kind": None, "reason": None}] * 500
    assert calls == 3
    assert len(portal.held(SEGMENT.name)) == len(portal.held(SCORE.name)) == 250


def test_only_what_is_named_is_written(portal: Shop) -> None:
    before = portal.portal.dump()[portal.ids[0]]
    write(portal, loyal(portal.ids[:1]))
    after = portal.portal.dump()[portal.ids[0]]
    moved = {name for name in after if after[name] != before.get(name)}
    assert moved - {"lastmodifieddate", "hs_lastmodifieddate"} == {SEGMENT.name}


def test_null_clears(portal: Shop) -> None:
    write(portal, loyal(portal.ids[:2]))
    write(portal, [(portal.ids[0], SEGMENT.name, "loyal", None)])
    assert portal.held(SEGMENT.name) == {portal.ids[1]: "loyal"}


def test_contacts_and_companies_go_in_one_batch() -> None:
    with shop(1) as opened:
        opened.connect().ensure_field(TIER)
        company = str(opened.portal.put("companies", {"name": "Smith"}))
        connector = opened.connect({"fields": (SEGMENT, TIER)})
        table = changes(*loyal(opened.ids))
        other = changes((company, TIER.name, None, "a")).set_column(
            0, table.schema.field("record_type"), pa.array(["company"])
        )
        both = pa.concat_tables([table, other])
        assert connector.write_fields(both, Paper())["status"].to_pylist() == ["done", "done"]
        assert connector.current_values(both).to_pylist() == ["loyal", "a"]


def test_the_life_cycle_stage_is_never_written(portal: Shop) -> None:
    rows: Rows = [(portal.ids[0], "lifecyclestage", None, "customer"), *loyal(portal.ids[:1])]
    answers, _ = write(portal, rows)
    assert rejected(rows, answers) == {(portal.ids[0], "lifecyclestage"): "permission"}
    assert "lifecyclestage" not in portal.portal.dump()[portal.ids[0]]


@pytest.mark.parametrize("refusal", ["whole", "each"])
@pytest.mark.parametrize("number", [0, 37, 99])
def test_one_poisoned_record_in_a_hundred_stands_alone_after_few_calls(
    portal: Shop, refusal: Any, number: int
) -> None:
    portal.portal.knobs.poison, portal.portal.knobs.poison_refusal = {portal.ids[number]: "RULE"}, refusal
    rows = loyal(portal.ids[:100])
    answers, calls = write(portal, rows)
    assert rejected(rows, answers) == {(portal.ids[number], SEGMENT.name): "data"}
    assert calls <= 1 + 8
    assert len(portal.held(SEGMENT.name)) == 99
    assert "@" not in answers[number]["reason"]


@pytest.mark.parametrize("count", [2, 5, 20, 60, 100])
def test_many_poisoned_records_cost_few_calls_each(portal: Shop, count: int) -> None:
    bad = random.Random(count).sample(portal.ids[:100], count)
    portal.portal.knobs.poison = dict.fromkeys(bad, "RULE")
    rows = loyal(portal.ids[:100])
    answers, calls = write(portal, rows)
    assert {id for id, _ in rejected(rows, answers)} == set(bad)
    assert portal.held(SEGMENT.name).keys() == set(portal.ids[:100]) - set(bad)
    assert calls <= 1 + 8 * count


@pytest.mark.parametrize("refusal", ["whole", "each"])
def test_what_the_error_names_is_not_searched_for(portal: Shop, refusal: Any) -> None:
    portal.portal.knobs.batch_refusal = refusal
    rows: Rows = [
        (id, SEGMENT.name, None, "no option" if id in portal.ids[3:6] else "loyal") for id in portal.ids[:100]
    ]
    answers, calls = write(portal, rows)
    assert rejected(rows, answers) == {(id, SEGMENT.name): "data" for id in portal.ids[3:6]}
    assert calls == (2 if refusal == "whole" else 1)
    assert "setup" in answers[3]["reason"]


def test_an_unknown_property_takes_only_its_own_changes_with_it(portal: Shop) -> None:
    rows = [*loyal(portal.ids), *[(id, "seg_gone", None, "x") for id in portal.ids]]
    answers, calls = write(portal, rows)
    assert rejected(rows, answers) == {(id, "seg_gone"): "permission" for id in portal.ids}
    assert "run `crm-segments setup`" in answers[-1]["reason"]
    assert len(portal.held(SEGMENT.name)) == 250
    assert calls <= 6


def test_two_bad_values_of_one_record_leave_its_third(portal: Shop) -> None:
    id = portal.ids[0]
    rows: Rows = [
        (id, SEGMENT.name, None, "no option"),
        (id, SCORE.name, None, "no number"),
        (id, "jobtitle", None, "Baker"),
    ]
    answers, _ = write(portal, rows)
    assert rejected(rows, answers) == {(id, SEGMENT.name): "data", (id, SCORE.name): "data"}


def test_records_that_are_gone_are_told_from_those_that_are_there(portal: Shop) -> None:
    portal.portal.archive("contacts", int(portal.ids[0]))
    portal.portal.erase("contacts", int(portal.ids[1]))
    rows = loyal([*portal.ids[:4], "nobody", "99999999"])
    answers, _ = write(portal, rows)
    assert {id for id, _ in rejected(rows, answers)} == {portal.ids[0], portal.ids[1], "nobody", "99999999"}
    assert set(rejected(rows, answers).values()) == {"gone"}


@pytest.mark.parametrize("reads_merged", [True, False])
def test_a_record_that_was_merged_is_gone(portal: Shop, reads_merged: bool) -> None:
    portal.portal.knobs.reads_merged = reads_merged
    portal.portal.join("contacts", int(portal.ids[0]), int(portal.ids[1]))
    rows = loyal(portal.ids[1:3])
    answers, _ = write(portal, rows)
    assert rejected(rows, answers) == {(portal.ids[1], SEGMENT.name): "gone"}


def test_an_option_that_hubspot_takes_late_is_waited_for() -> None:
    with shop(150) as opened:
        opened.portal.knobs.option_lag = 1.5
        connector = opened.connect()
        connector.ensure_field(FieldSpec(SEGMENT.name, options=(Option("new", "New"),)))
        answers = connector.write_fields(
            changes(*[(id, SEGMENT.name, None, "new") for id in opened.ids]), Paper()
        )
        assert set(answers["status"].to_pylist()) == {"done"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("lost", "POST", "batch/update", nth=1),
        Fault("reset", "POST", "batch/update", nth=1),
        Fault("truncated", "POST", "batch/update", nth=1),
        Fault("status", "POST", "batch/update", nth=1, status=500),
        Fault("status_after", "POST", "batch/update", nth=1, status=502),
        Fault("status", "POST", "batch/update", nth=1, status=423),
        Fault(
            "status", "POST", "batch/update", nth=1, status=429, policy="TEN_SECONDLY_ROLLING", retry_after=1
        ),
        Fault("answer_as", "POST", "batch/update", nth=1, status=207),
        Fault("duplicate", "POST", "batch/update", nth=1),
    ],
    ids=lambda fault: f"{fault.do}-{fault.status}",
)
def test_a_fault_on_the_way_loses_and_doubles_nothing(portal: Shop, fault: Fault) -> None:
    portal.fail(fault)
    answers, calls = write(portal, loyal(portal.ids))
    assert {answer["status"] for answer in answers} == {"done"}
    assert portal.held(SEGMENT.name) == dict.fromkeys(portal.ids, "loyal")
    assert calls <= 4


def test_records_that_hubspot_refuses_one_by_one_are_told(portal: Shop) -> None:
    bad = set(portal.ids[:100:3])
    portal.portal.knobs.poison, portal.portal.knobs.poison_refusal = dict.fromkeys(bad, "RULE"), "each"
    rows = loyal(portal.ids[:100])
    answers, calls = write(portal, rows)
    assert {id for id, _ in rejected(rows, answers)} == bad
    assert portal.held(SEGMENT.name).keys() == set(portal.ids[:100]) - bad
    assert calls == 1


def test_a_call_that_never_gets_through_leaves_its_records_for_later(portal: Shop) -> None:
    portal.fail(Fault("status", "POST", "batch/update", nth=1, times=1000, status=477, retry_after=90))
    portal.portal.script.rules[0].nth = 2
    rows = loyal(portal.ids)
    answers, _ = write(portal, rows, threads=1)
    assert set(rejected(rows, answers).values()) == {"transient"}
    assert len(portal.held(SEGMENT.name)) == 100 == sum(answer["status"] == "done" for answer in answers)


def test_a_portal_that_is_away_altogether_stops_the_run(portal: Shop) -> None:
    portal.fail(Fault("status", "POST", "batch/update", status=477, retry_after=90))
    with pytest.raises(TemporaryError):
        write(portal, loyal(portal.ids))


def test_a_key_that_may_not_write_stops_the_run_and_names_the_scope(portal: Shop) -> None:
    portal.portal.grant("pat-reader", ALL_SCOPES - {"crm.objects.contacts.write"})
    with pytest.raises(AccessError, match=r"crm\.objects\.contacts\.write"):
        write(portal, loyal(portal.ids[:1]), token="pat-reader")


def test_a_day_that_ends_in_the_middle_of_a_batch_is_settled_by_reading_back(portal: Shop) -> None:
    portal.fail(Fault("status", "POST", "batch/update", nth=2, times=1000, status=429, policy="DAILY"))
    table = changes(*loyal(portal.ids))
    with pytest.raises(QuotaError):
        portal.connect(threads=1).write_fields(table, Paper())
    portal.fail()
    settled = portal.connect(token=_another(portal)).settle_fields(table, Paper()).to_pylist()
    written = portal.held(SEGMENT.name).keys()
    assert len(written) == 100
    assert {
        id for id, answer in zip(portal.ids, settled, strict=True) if answer["status"] == "done"
    } == written
    assert {answer["kind"] for answer in settled} == {None, "transient"}


def test_reading_back_asks_for_these_records_alone(portal: Shop) -> None:
    write(portal, [*loyal(portal.ids), (portal.ids[0], SCORE.name, None, "5")])
    connector = portal.connect()
    table = changes(
        *loyal(portal.ids),
        (portal.ids[0], SCORE.name, None, None),
        ("1234567", SEGMENT.name, None, None),
        ("x", SEGMENT.name, None, None),
    )
    assert connector.current_values(table).to_pylist() == ["loyal"] * 250 + ["5", None, None]
    assert connector.calls.read == 3


def test_values_and_members_are_read_back_apart(portal: Shop) -> None:
    connector = portal.connect()
    remote = connector.ensure_list(ListSpec("rfm.loyal", "Loyal"))
    connector.write_members(remote, changes((portal.ids[0], "rfm.loyal", None, MEMBER)), Paper())
    write(portal, loyal(portal.ids[:1]))
    asked = [(id, "rfm.loyal", None, None) for id in portal.ids[:2]]
    assert portal.connect().current_members(remote, changes(*asked)).to_pylist() == [MEMBER, None]
    asked = [(id, SEGMENT.name, None, None) for id in portal.ids[:2]]
    assert portal.connect().current_values(changes(*asked)).to_pylist() == ["loyal", None]


def _another(portal: Shop) -> str:
    """A token whose day has not ended: the refusal of the first is remembered."""
    portal.portal.grant("pat-tomorrow", ALL_SCOPES)
    return "pat-tomorrow"


def test_a_record_that_somebody_changed_since_the_pull_is_left_alone_with_all_of_its_fields(
    portal: Shop,
) -> None:
    ids = portal.ids[:150]
    write(portal, [(id, SEGMENT.name, None, "lost") for id in ids])
    portal.portal.put("contacts", {SEGMENT.name: "loyal"}, int(ids[3]))
    portal.portal.put("contacts", {SCORE.name: "7"}, int(ids[4]))
    rows: Rows = [(id, SEGMENT.name, "lost", "loyal") for id in ids] + [
        (id, SCORE.name, None, "5") for id in ids
    ]
    answers, _ = write(portal, rows)
    skipped = [
        (row[0], row[1]) for row, answer in zip(rows, answers, strict=True) if answer["status"] == "skipped"
    ]
    assert skipped == [
        (ids[3], SEGMENT.name),
        (ids[4], SEGMENT.name),
        (ids[3], SCORE.name),
        (ids[4], SCORE.name),
    ]
    assert {answer["kind"] for answer in answers if answer["status"] == "skipped"} == {"conflict"}
    assert portal.held(SCORE.name) == {**{id: "5" for id in ids if id != ids[3]}, ids[4]: "7"}
    assert portal.held(SEGMENT.name)[ids[4]] == "lost"


def test_many_records_are_written_without_a_look_at_each(portal: Shop) -> None:
    portal.portal.log.clear()
    write(portal, loyal(portal.ids), compare_up_to=200)
    assert (portal.calls("POST", "batch/update"), portal.calls("POST", "batch/read")) == (3, 0)
    portal.portal.log.clear()
    write(portal, [(id, SEGMENT.name, "loyal", "lost") for id in portal.ids], compare_up_to=250)
    assert (portal.calls("POST", "batch/update"), portal.calls("POST", "batch/read")) == (3, 3)
