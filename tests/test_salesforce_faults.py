"""Whatever Salesforce does wrong: is nothing lost, nothing doubled, nothing foreign touched, and does the
exit code say what to do?

Each case plays its faults on an org of its own, runs until nothing waits any more, and compares every record
and member with an org of the same customers on which nothing went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import Shop, hasten, shop_of
from tests.servers.salesforce.admin import edit
from tests.servers.salesforce.rules import Automation, Duplicates, Validation

Opened = Callable[..., AbstractContextManager[Shop]]
Rule = dict[str, Any]
WRITE, MEMBERS, READ, JOB = (
    "PATCH composite/sobjects$",
    "POST composite/sobjects$",
    "GET query(All)?/",
    "PATCH jobs/ingest",
)
PAGES, RESULTS, POLL, UPLOAD = (
    "GET jobs/query/\\w+/results",
    "GET jobs/ingest/\\w+/\\w+Results",
    "GET jobs/ingest/\\w+$",
    "PUT batches",
)
BULK = {"reads": 2_000, "writes": 200, "lists": "none"}
SMALL, LARGE = 220, 2_100


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens a shop whose set-up is done; equal arguments give equal customers."""
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(
        name: str = "shop",
        contacts: int = SMALL,
        set_up: bool = True,
        settings: Rule | None = None,
        **knobs: Any,
    ) -> Iterator[Shop]:
        with shop_of(tmp_path / name, contacts, set_up, settings, **knobs) as made:
            yield made

    return shop


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """The end states of orgs on which nothing goes wrong, by their size."""
    ends = {}
    with pytest.MonkeyPatch.context() as patch:
        for size in (SMALL, LARGE):
            folder = tmp_path_factory.mktemp("quiet")
            hasten(patch, folder)
            with shop_of(folder / "shop", size, settings=BULK if size == LARGE else None) as shop:
                assert shop.code() == 0, shop.said
                ends[size] = shop.end()
    return ends


def on(call: str, do: str, **more: Any) -> Rule:
    """A fault of a call: ``METHOD path``."""
    method, _, path = call.partition(" ")
    return {
        "match": {"method": method, "path": path},
        "do": do,
        **({"nth": 1} if not set(more) & WHEN else {}),
        **more,
    }


WHEN = {"nth", "every", "probability", "times"}


# What passes by itself: the run goes on, and ends with 0.

PASSING: dict[str, list[Rule]] = {
    "session expired": [on(READ, "expire", nth=4), on(WRITE, "expire"), on(MEMBERS, "unauthorized", nth=2)],
    "too busy": [
        on(READ, "concurrent", nth=[2, 3]),
        on(WRITE, "concurrent"),
        on("GET queryAll/", "error", status=400, code="QUERY_TIMEOUT"),
    ],
    "500, 502, 503 with HTML": [
        on(WRITE, "error", times=2),
        on(READ, "html", status=502, nth=2),
        on(MEMBERS, "html"),
    ],
    "cut before the reply": [on(READ, "reset", nth=3), on(WRITE, "lost"), on(MEMBERS, "lost", nth=2)],
    "cut in the reply": [
        on(READ, "reset", bytes=400, nth=4),
        on(WRITE, "reset", bytes=200),
        on(MEMBERS, "reset", bytes=100),
    ],
    "half a reply": [
        on(READ, "truncate", nth=4),
        on(WRITE, "truncate"),
        on(MEMBERS, "truncate", framed=False),
    ],
    "locked and slow": [
        on(WRITE, "item", ids=0.3, times=2),
        on(READ, "slow", seconds=0.3, nth=2),
        on(MEMBERS, "slow", seconds=0.3),
    ],
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_leaves_no_trace(case: str, opened: Opened, quiet: dict[int, Any]) -> None:
    with opened() as shop:
        shop.strikes(*PASSING[case])
        assert shop.code() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[SMALL])


def _ended_as_a_quiet_one(shop: Shop, wanted: Any) -> None:
    """The end is the same, nobody is a member twice, automation ran once a record, and the next run writes
    nothing.
    """
    assert shop.end() == wanted
    assert all(len(ids) == len(set(ids)) for ids in shop.members().values())
    shop.org.faults.clear()
    before = shop.written()
    assert shop.code() == 0, shop.said
    assert shop.written() == before


PASSING_IN_BULK: dict[str, list[Rule]] = {
    "session expired": [
        on(PAGES, "expire", nth=2),
        on(UPLOAD, "expire"),
        on(POLL, "expire"),
        on(RESULTS, "expire"),
    ],
    "pages cut": [
        on(PAGES, "reset", bytes=9_000),
        on(PAGES, "truncate", nth=3),
        on(PAGES, "html", nth=5),
        on(RESULTS, "truncate"),
    ],
    "replies lost": [
        on(UPLOAD, "lost"),
        on(JOB, "lost"),
        on(POLL, "html", status=502),
        on(RESULTS, "reset", bytes=500),
    ],
    "failed with unprocessed rows": [
        on(JOB, "job", state="Failed"),
        on("POST jobs/query", "job", state="Failed"),
    ],
    "aborted by an administrator": [
        on(JOB, "job", state="Aborted", rows=400),
        on("GET jobs/query/\\w+$", "job", state="Aborted"),
    ],
    "failed before any row": [on(JOB, "job", state="Failed", rows=0), on(JOB, "item", ids=0.2, nth=2)],
}


@pytest.mark.parametrize("case", PASSING_IN_BULK)
def test_what_passes_in_bulk_leaves_no_trace(case: str, opened: Opened, quiet: dict[int, Any]) -> None:
    with opened(contacts=LARGE, settings=BULK, page_rows=400) as shop:
        shop.strikes(*PASSING_IN_BULK[case])
        code = shop.code()
        assert code in (0, 4, 75), shop.said
        if code:
            shop.rests()
            assert shop.finish() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[LARGE])


def test_pages_with_nul_bytes_odd_names_and_late_states_are_read_whole(
    opened: Opened, quiet: dict[int, Any]
) -> None:
    with opened(
        contacts=LARGE,
        settings=BULK,
        page_rows=400,
        nul_bytes=True,
        bulk_datetime="+0000",
        next_records_key="nextRecordUrl",
    ) as shop:
        shop.org.knobs.job_seconds = 1.0
        assert shop.code() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[LARGE])


# What lasts: the run saves, says when or what, and the next one finishes.

LASTING: dict[str, tuple[list[Rule], int, str]] = {
    "day used up while writing": ([on(WRITE, "daily", times=10**6)], 75, "24 hours"),
    "day used up while reading": ([on(READ, "daily", after=3, times=10**6)], 75, "24 hours"),
    "Salesforce is down": ([on(".* /services/data/v", "html", times=10**6)], 75, "503"),
    "writes fail all the time": ([on(WRITE, "error", status=500, times=10**6)], 75, "500"),
    "no reply to any write": ([on(WRITE, "lost", times=10**6)], 75, ""),
    "every call is refused as expired": ([on(".* /services/data/v", "unauthorized", times=10**6)], 1, ""),
    "writing is denied": (
        [on(WRITE, "error", status=403, code="INSUFFICIENT_ACCESS_OR_READONLY", times=10**6)],
        1,
        "",
    ),
    "API switched off": ([on(READ, "error", status=403, code="API_DISABLED_FOR_ORG", times=10**6)], 1, "API"),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_lasts_is_told_and_the_next_run_finishes(
    case: str, opened: Opened, quiet: dict[int, Any]
) -> None:
    faults, code, word = LASTING[case]
    with opened() as shop:
        shop.strikes(*faults)
        assert shop.code() == code, shop.said
        assert word.lower() in str(shop.said).lower()
        shop.rests()
        assert shop.finish() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[SMALL])


@pytest.mark.parametrize("blocked", ["invalid_grant", "invalid_client", "invalid_app_access"])
def test_a_refused_log_in_asks_once_and_says_who_must_act(blocked: str, opened: Opened) -> None:
    with opened() as shop:
        shop.org.login.blocked = blocked
        assert shop.code() == 1
        assert shop.org.login.refused == 1
        assert "client" in str(shop.said) or blocked in str(shop.said)


def test_a_session_that_expires_under_many_threads_is_renewed_once(
    opened: Opened, quiet: dict[int, Any]
) -> None:
    with opened(settings={"account": "threads = 16"}) as shop:
        before = len(shop.org.login.logins)
        shop.strikes(on(READ, "expire", nth=6))
        assert shop.code() == 0, shop.said
        assert len(shop.org.login.logins) - before == 2
        assert shop.end() == quiet[SMALL]


# Records that Salesforce refuses: the others are written, and these are named with the reason.


def _rejected(shop: Shop) -> dict[str, str]:
    return {row["record_id"]: row["reason"] for row in shop.do("rejects")["rejects"]}


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (
            Validation("Contact", "MailingCity = 'Ulm' AND seg_rfm__c != null", "Not in Ulm."),
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ),
        (Duplicates("Contact", ("seg_rfm__c", "MailingCity", "LastName"), block=True), "DUPLICATES_DETECTED"),
    ],
    ids=["validation", "duplicates"],
)
def test_refused_records_are_named_and_cost_the_others_nothing(
    size: int, rule: Any, code: str, opened: Opened, quiet: dict[int, Any]
) -> None:
    with opened(contacts=size, settings=BULK if size == LARGE else None) as shop:
        rules = shop.org.rules.validations if isinstance(rule, Validation) else shop.org.rules.duplicates
        rules.append(rule)
        assert shop.code() == 4, shop.said
        bad = {id for id, values in shop.fields().items() if values != quiet[size][0][id]}
        assert bad
        reasons_by_id = _rejected(shop)
        assert set(reasons_by_id) == bad
        assert all(code in reason for reason in reasons_by_id.values())
        assert not any("@" in reason for reason in reasons_by_id.values())
        rules.clear()
        shop.rests()
        shop.org.clock.advance(86_400 * 3)
        assert shop.finish() == 0, shop.said
        assert shop.fields() == quiet[size][0]


def test_a_flow_that_fails_is_named_with_what_it_said(opened: Opened) -> None:
    with opened() as shop:
        shop.org.rules.automations.append(
            Automation("Contact", "Broken", column="seg_rfm__c", fails="the flow failed")
        )
        assert shop.code() == 4, shop.said
        assert all("CANNOT_EXECUTE_FLOW_TRIGGER" in reason for reason in _rejected(shop).values())


def test_rows_locked_by_their_account_are_written_in_the_end(opened: Opened, quiet: dict[int, Any]) -> None:
    with opened(lock_fraction=0.3, lock_times=2) as shop:
        code = shop.code()
        assert code in (0, 4, 75), shop.said
        if code:
            shop.rests()
            assert shop.finish() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[SMALL])


def test_a_field_hidden_between_two_runs_is_told_and_nothing_else_is_touched(
    opened: Opened, quiet: dict[int, Any]
) -> None:
    with opened() as shop:
        assert shop.code() == 0
        shop.org.access.hide("Contact.seg_value__c")
        code = shop.code()
        assert code == 2, shop.said
        assert "seg_value" in str(shop.said)
        assert shop.end() == quiet[SMALL]
        assert "seg_value" in str((shop.code("check"), shop.said))


def test_a_field_hidden_in_mid_run_ends_without_a_traceback(opened: Opened, quiet: dict[int, Any]) -> None:
    with opened() as shop:
        hide = {"do": "hide", "fields": ["Contact.MailingCity"]}
        shop.strikes(on("GET queryAll", "admin", action=hide))
        assert shop.code() in (0, 1, 4, 5, 75), shop.said
        shop.org.access.show("Contact.MailingCity")
        shop.rests()
        assert shop.finish() == 0, shop.said
        assert shop.end() == quiet[SMALL]


# Records that change, merge and vanish meanwhile.


@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "written"])
def test_records_that_move_under_a_run_end_as_if_they_had_moved_before(call: str, opened: Opened) -> None:
    ends = []
    for name in ("meanwhile", "before"):
        with opened(name) as shop:
            # cut points are those of the same customers
            assert (shop.code("pull"), shop.code("train")) == (0, 0)
            ids = [row["Id"] for row in shop.org.rows("Contact")]
            events = _moves(ids)
            if name == "before":
                for event in events:
                    edit(shop.org, event)
            shop.strikes(
                *([on(call, "admin", action=event) for event in events] if name == "meanwhile" else [])
            )
            assert shop.code() in (0, 4), shop.said
            shop.rests()
            shop.org.clock.advance(86_400 * 8)
            assert shop.finish() == 0, shop.said
            ends.append(shop.end())
    assert ends[0] == ends[1]


def _moves(ids: list[str]) -> list[Rule]:
    """One record of each fate."""
    return [
        {"do": "edit", "object": "Contact", "id": ids[10], "values": {"MailingCity": "Elsewhere"}},
        {"do": "delete", "object": "Contact", "id": ids[20]},
        {"do": "purge", "object": "Contact", "id": ids[30]},
        {"do": "merge", "object": "Contact", "id": ids[40], "losers": [ids[45]]},
    ]


def test_stamps_that_move_without_a_change_cause_no_write(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0
        shop.org.clock.advance(86_400)
        shop.org.touch("Contact")
        before = shop.written()
        assert shop.code() == 0, shop.said
        assert shop.written() == before


def test_a_late_commit_is_found(opened: Opened) -> None:
    with opened() as shop:
        assert shop.code() == 0
        late = shop.org.late(600, "Contact", LastName="Late", Email="late@example.org")
        shop.org.clock.advance(300)
        assert shop.code() == 0, shop.said
        shop.org.clock.advance(400)
        assert shop.code() == 0, shop.said
        assert shop.fields()[late]["seg_rfm__c"]


@pytest.mark.parametrize("seconds", [240.0, 9000.0, -9000.0])
def test_the_clocks_of_the_header_and_of_the_records_may_differ(
    opened: Opened, quiet: dict[int, Any], seconds: float
) -> None:
    with opened(date_skew_seconds=seconds, short_pages=True) as shop:
        assert shop.code() == 0, shop.said
        shop.org.edit("Contact", next(iter(shop.fields())), MailingCity="Elsewhere")
        shop.org.clock.advance(400)
        assert shop.code() == 0, shop.said
        assert shop.fields() == quiet[SMALL][0]
        assert shop.code() == 0, shop.said


# Everything at once


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_soak_of_random_faults_ends_like_a_quiet_run(
    size: int, opened: Opened, quiet: dict[int, Any]
) -> None:
    with opened(contacts=size, settings=BULK if size == LARGE else None, page_rows=400) as shop:
        anything = ".* /services/data/v"
        shop.strikes(
            on(MEMBERS, "lost", probability=0.06),
            on(WRITE, "lost", probability=0.1),
            on(anything, "reset", probability=0.02),
            on(anything, "html", probability=0.02),
            on(anything, "error", status=500, probability=0.02),
            on(anything, "expire", probability=0.01),
            on(anything, "concurrent", probability=0.02),
            on("GET .", "truncate", probability=0.02),
            on(WRITE, "item", ids=0.1, probability=0.3),
            on(JOB, "job", state="Failed", probability=0.3),
            on(JOB, "job", state="Aborted", probability=0.2),
        )
        codes = {shop.code() for _ in range(4)}
        assert codes <= {0, 4, 75}, shop.said
        shop.rests()
        assert shop.finish() == 0, shop.said
        _ended_as_a_quiet_one(shop, quiet[size])
