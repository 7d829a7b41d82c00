"""Whatever HubSpot does wrong: is nothing lost, nothing doubled, nothing foreign touched, and does the exit
code say what to do?

Each case plays its faults on a portal of its own, runs until nothing waits any more, and compares every
record and list with a portal of the same customers on which nothing went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.portal_shop import Shop, hasten, portal_of
from tests.portal_store import OTHERWISE
from tests.servers.hubspot import ALL_SCOPES, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, Fault, Knobs

START = datetime.now(UTC)
WRITE, PAGE, SEARCH, MEMBERS = (
    "contacts/batch/update",
    "/objects/(contacts|deals)$",
    "/search$",
    "memberships/add-and-remove",
)
Opened = Callable[..., AbstractContextManager[Shop]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens a shop whose set-up is done; equal arguments give equal customers."""
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(
        name: str = "shop",
        knobs: Knobs | None = None,
        set_up: bool = True,
        contacts: int = 60,
        **settings: Any,
    ) -> Iterator[Shop]:
        (tmp_path / name).mkdir()
        with portal_of(knobs, contacts, contacts * 5 // 2, START) as server:
            made = Shop(
                tmp_path / name,
                server,
                day=START.date() - timedelta(days=2),
                **{"lists": "static", **settings},
            )
            if set_up:
                assert made.code("setup") == 0
            yield made

    return shop


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Any]]:
    """The end state of a portal on which nothing goes wrong."""
    folder = tmp_path_factory.mktemp("quiet")
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch, folder)
        with portal_of(None, 60, 150, START) as server:
            shop = Shop(folder, server, lists="static", day=START.date() - timedelta(days=2))
            assert (shop.code("setup"), shop.code()) == (0, 0)
            yield shop.end()


def once(path: str, status: int, times: int = 1, **more: Any) -> Fault:
    return Fault("status", path=path, nth=1, times=times, status=status, **more)


# What passes by itself: the run goes on, and ends with 0.

PASSING = {
    "burst limit": [once(WRITE, 429), once(PAGE, 429)],
    "burst limit with Retry-After": [once(WRITE, 429, retry_after=3), once(PAGE, 429, retry_after=1)],
    "burst limit again and again": [once(WRITE, 429, times=3)],
    "search limit": [once(SEARCH, 429, policy="SECONDLY", times=2)],
    "locked": [once(WRITE, 423, times=2), once(MEMBERS, 423)],
    "account on the move": [once(WRITE, 477, retry_after=5)],
    "status 500 and 502": [once(WRITE, 500, times=2), once(PAGE, 502)],
    "status 503 and 504": [once(WRITE, 504, times=2), once(PAGE, 503)],
    "status 520 to 524": [*(once(WRITE, status) for status in range(520, 524)), once(PAGE, 524)],
    "503 with an empty body": [once(WRITE, 503, body="empty"), once(PAGE, 503, body="html")],
    "cut before the write": [Fault("reset", path=WRITE, nth=1), Fault("reset", path=MEMBERS, nth=1)],
    "written, reply lost": [Fault("lost", path=WRITE, nth=1), Fault("lost", path=MEMBERS, nth=2)],
    "no reply to any write": [Fault("lost", path=WRITE)],
    "written, then 502": [
        Fault("status_after", path=WRITE, nth=1, status=502),
        Fault("status_after", path=MEMBERS, nth=1, status=504),
    ],
    "cut while reading": [Fault("reset", path=PAGE, nth=1), Fault("lost", path=SEARCH, nth=2)],
    "half a body": [Fault("truncated", path=PAGE, nth=1), Fault("truncated", path=WRITE, nth=1)],
    "broken JSON": [
        Fault("truncated", path=PAGE, nth=1, honest=True),
        Fault("truncated", path=WRITE, nth=1, honest=True),
    ],
    "a gateway's page": [Fault("html", path=PAGE, nth=1), Fault("html", path=WRITE, nth=1)],
    "slow body": [
        Fault("slow", path=PAGE, nth=1, seconds=0.5),
        Fault("slow", path=WRITE, nth=1, seconds=0.5),
    ],
    "packed body": [Fault("gzip", path="/crm/")],
    "a row twice": [Fault("duplicate", path="/objects/|memberships$", method="GET")],
    "another good status": [
        Fault("answer_as", path=WRITE, status=202),
        Fault("answer_as", path=PAGE, status=201),
    ],
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_leaves_no_trace(case: str, opened: Opened, quiet: Any) -> None:
    with opened() as shop:
        shop.strikes(*PASSING[case])
        assert shop.code() == 0, shop.said
        assert any(rule.done for rule in shop.portal.script.rules)
        assert shop.end() == quiet
        assert set(shop.times_changed().values()) == {1}
        shop.strikes()
        written = len(shop.portal.written)
        assert (shop.code(), len(shop.portal.written)) == (0, written)


# What lasts: the run saves, says when or what, and the next one finishes.

LASTING: dict[str, tuple[list[Fault], int, str]] = {
    "day used up while writing": ([Fault("status", path=WRITE, status=429, policy="DAILY")], 75, "day"),
    "day used up while reading": ([Fault("status", path=PAGE, status=429, policy="DAILY")], 75, "day"),
    "long move of the account": ([Fault("status", path=WRITE, status=477, retry_after=86_400)], 75, ""),
    "HubSpot is down": ([Fault("status", path="/crm/", status=503)], 75, "503"),
    "writes fail all the time": ([Fault("status", path=WRITE, status=500)], 75, "500"),
    "a wrong host": ([Fault("status", path=PAGE, status=530)], 1, "api_url"),
    "a certificate at fault": ([Fault("status", path=PAGE, status=526)], 1, "api_url"),
    "a right is missing": ([Fault("status", path=PAGE, status=403)], 1, "scope"),
    "the token is void": ([Fault("status", path=PAGE, status=401)], 1, "token"),
    "a refusal without reason": ([Fault("status", path=PAGE, status=400)], 1, "400"),
    "an address too long": ([Fault("status", path=PAGE, status=414)], 1, "too long"),
    "writing is denied": ([Fault("status", path=WRITE, status=403)], 1, "scope"),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_lasts_is_told_and_the_next_run_finishes(case: str, opened: Opened, quiet: Any) -> None:
    faults, code, word = LASTING[case]
    with opened() as shop:
        shop.strikes(*faults)
        assert shop.code() == code, shop.said
        assert word in str(shop.said)
        shop.strikes()
        shop.portal.clock.advance(86_400)
        fresh_budget(shop)
        assert shop.finish() == 0, shop.said
        assert shop.end() == quiet
        assert set(shop.times_changed().values()) == {1}


def fresh_budget(shop: Shop) -> None:
    """What this machine remembers of the account's limits is forgotten, as it is on the next day."""
    for file in (shop.folder.parent / "cache").rglob("*"):
        if file.is_file():
            file.unlink()


# Records that HubSpot refuses: the others are written, and these are named with the reason.


@pytest.mark.parametrize("refusal", ["each", "whole"])
def test_a_refused_record_is_named_and_costs_the_others_nothing(
    refusal: str, opened: Opened, quiet: Any
) -> None:
    with opened() as shop:
        ids = shop.portal.store.shelves["contacts"].live
        bad = [str(ids[7]), str(ids[41])]
        shop.portal.knobs.poison = dict.fromkeys(bad, "INVALID_EMAIL")
        shop.portal.knobs.poison_refusal = refusal  # type: ignore[assignment]
        assert shop.code() == 4, shop.said
        fields, wanted = shop.fields(), quiet[0]
        assert {id for id in wanted if fields[id] != wanted[id]} == set(bad)
        assert all(not fields[id] for id in bad)
        calls = [each for each in shop.portal.log if each.path.endswith("batch/update") and each.records]
        assert len(calls) <= 1 + 2 * 8
        listed = shop.do("rejects")["rejects"]
        assert {row["record_id"] for row in listed} == set(bad)
        assert all("INVALID_EMAIL" in row["reason"] for row in listed)
        shop.portal.knobs.poison = {}
        shop.portal.clock.advance(86_400 * 2)
        fresh_budget(shop)
        assert shop.finish() == 0, shop.said
        assert shop.fields() == wanted


def test_an_option_that_is_accepted_late_is_tried_again(opened: Opened, quiet: Any) -> None:
    with opened(knobs=Knobs(option_lag=30), set_up=False) as shop:
        assert shop.code("setup") == 0
        assert shop.finish() == 0, shop.said
        assert shop.end() == quiet


def test_an_option_that_a_person_removed_is_told(opened: Opened) -> None:
    with opened() as shop:
        definition = shop.portal.schema.properties["contacts"]["seg_value"]
        definition.options = [option for option in definition.options if option["value"] != "a"]
        code = shop.code()
        assert code in (2, 4), shop.said
        fields = shop.fields("seg_value")
        assert not any(values.get("seg_value") == "a" for values in fields.values())


# Records that change, merge and vanish meanwhile.


@pytest.mark.parametrize(
    ("path", "through"),
    [(PAGE, True), (PAGE, False), (WRITE, False), (WRITE, True)],
    ids=["read", "read strictly", "written strictly", "written through"],
)
@pytest.mark.parametrize("mode", ["new", "keep"])
def test_records_that_move_under_a_run_end_as_if_they_had_moved_between_two_runs(
    path: str, through: bool, mode: str, opened: Opened
) -> None:
    """As if before the run, or, where they move once the labels are known, between two runs.

    ``through``: HubSpot takes the id of a merged record for its survivor's.
    """
    ends = []
    for name in ("meanwhile", "between"):
        with opened(name, Knobs(merge_id=mode, reads_merged=through)) as shop:  # type: ignore[arg-type]
            events = moves(shop.portal.store.shelves["contacts"].live, path)
            codes = [shop.code()] if name == "between" and path == WRITE else []
            shop.strikes(*(events if name == "meanwhile" else ()))
            for event in events if name == "between" else ():
                shop.portal.happen(event)
            codes += [shop.finish() for _ in range(3)]
            assert set(codes) <= {0, 4}, shop.said
            ends.append(shop.end())
    assert ends[0] == ends[1]


def moves(ids: list[int], path: str) -> list[Fault]:
    """One record of each fate, at the first call of a path."""
    made = {"email": "newcomer@example.org", "createdate": "2024-05-01T00:00:00.000Z"}
    fates: list[tuple[str, list[int], dict[str, str]]] = [
        ("edit", [ids[10]], {"city": "Elsewhere"}),
        ("archive", [ids[20]], {}),
        ("erase", [ids[30]], {}),
        ("merge", [ids[40], ids[45]], {}),
        ("create", [ids[-1] + 5], made),
    ]
    return [
        Fault("meanwhile", path=path, nth=1, event=event, ids=which, values=values)
        for event, which, values in fates
    ]


@pytest.mark.parametrize("setting", [{"association_ids": "number"}, {"lonely": "omit"}, {"lonely": "empty"}])
def test_deals_of_many_contacts_are_read_to_the_end(
    setting: dict[str, Any], opened: Opened, quiet: Any
) -> None:
    with opened(knobs=Knobs(association_page=1, **setting)) as shop:
        assert shop.code() == 0, shop.said
        assert any("associations" in each.path for each in shop.portal.log)
        assert shop.end() == quiet


# Access


def test_an_oauth_token_that_expires_in_mid_run_is_renewed_once(
    opened: Opened, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSPOT_REFRESH", REFRESH_TOKEN)
    monkeypatch.setenv("HUBSPOT_SECRET", CLIENT_SECRET)
    login = f'client_id = "{CLIENT_ID}"\nclient_secret = "env:HUBSPOT_SECRET"\nrefresh_token = "env:HUBSPOT_REFRESH"'
    with opened(login=login) as shop:
        before = shop.portal.access.refreshed
        shop.strikes(
            Fault("status", path=WRITE, nth=1, status=401), Fault("status", path=PAGE, nth=1, status=401)
        )
        assert shop.code() == 0, shop.said
        assert shop.end() == quiet
        assert 1 <= shop.portal.access.refreshed - before <= 3


@pytest.mark.parametrize(
    "scope", [f"crm.{area}" for area in ("objects.contacts.write", "objects.contacts.read", "lists.write")]
)
def test_check_names_the_scope_that_is_missing(
    scope: str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(set_up=False) as shop:
        shop.portal.grant("narrow", ALL_SCOPES - {scope})
        monkeypatch.setenv("HUBSPOT_NARROW", "narrow")
        shop.login = 'token = "env:HUBSPOT_NARROW"'
        assert shop.code("check") == 1
        assert any(scope in problem["what"] for problem in shop.said["problems"])


# Lists


def test_without_room_for_active_lists_static_ones_take_their_place(opened: Opened, quiet: Any) -> None:
    with opened(knobs=Knobs(active_lists=0), lists="dynamic") as shop:
        assert shop.code() == 0, shop.said
        assert shop.fields() == quiet[0]
        assert shop.lists_by_name() == quiet[2]


def test_lists_and_values_of_others_are_never_touched(opened: Opened, quiet: Any) -> None:
    with opened(set_up=False) as shop:
        ids = shop.portal.store.shelves["contacts"].live
        theirs = shop.portal.lists.create(
            {"name": "Newsletter", "objectTypeId": "0-1", "processingType": "MANUAL"}, by_app=False
        )
        shop.portal.lists.edit(theirs, [str(id) for id in ids[:5]], [])
        assert (shop.code("setup"), shop.code()) == (0, 0)
        assert sorted(theirs.members) == ids[:5]
        assert shop.foreign() == quiet[1]
        assert {each.name for each in shop.portal.written} == {"seg_rfm", "seg_rfm_since", "seg_value"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("lost", path="/properties/contacts$", method="POST", nth=1),
        Fault("lost", path="/properties/contacts/groups$", method="POST", nth=1),
        Fault("lost", path="/crm/v3/lists$", method="POST", nth=1),
        Fault("lost", path="/folders$", method="POST", nth=1),
        Fault("status", path="/crm/v3/lists$", method="POST", nth=3, status=503),
        Fault("reset", path="/properties/contacts$", method="POST", nth=2),
    ],
    ids=["property", "group", "list", "folder", "list unavailable", "property cut"],
)
def test_a_setup_whose_replies_are_lost_makes_everything_once(
    fault: Fault, opened: Opened, quiet: Any
) -> None:
    with opened(set_up=False) as shop:
        shop.strikes(Fault(**{**vars(fault), "seen": 0, "done": 0}))
        assert shop.code("setup") in (0, 75), shop.said
        shop.strikes()
        assert shop.code("setup") == 0, shop.said
        assert shop.code() == 0, shop.said
        assert shop.end() == quiet
        names = [each.name for each in shop.portal.lists.all.values() if not each.deleted]
        assert len(names) == len(set(names))


# Everything at once


@pytest.mark.parametrize("version", ["legacy", "2026-03"])
def test_every_open_question_may_be_answered_otherwise(version: str, opened: Opened, quiet: Any) -> None:
    with opened(knobs=Knobs(limit=60, **OTHERWISE), version=version) as shop:
        assert shop.finish() == 0, shop.said
        assert shop.end() == quiet
        assert shop.do("plan")["plan"]["changes"] == 0


def test_a_soak_of_random_faults_ends_like_a_quiet_run(opened: Opened, quiet: Any) -> None:
    with opened(knobs=Knobs(limit=60, member_lag=0.5, index_lag=20)) as shop:
        shop.strikes(
            Fault("lost", path="update|memberships", probability=0.06),
            Fault("reset", probability=0.03),
            Fault("status", probability=0.03, status=503),
            Fault("status", probability=0.02, status=429),
            Fault("status", path=SEARCH, probability=0.03, status=429, policy="SECONDLY"),
            Fault("status", path=WRITE, probability=0.1, status=423),
            Fault("truncated", probability=0.02),
            Fault("status_after", probability=0.02, status=502),
            Fault("duplicate", method="GET", probability=0.05),
        )
        codes = [shop.code() for _ in range(4)]
        assert set(codes) <= {0, 75}, shop.said
        shop.strikes()
        assert shop.finish() == 0, shop.said
        assert shop.end() == quiet
        assert set(shop.times_changed().values()) == {1}
