"""Does the CRM in memory give a field, a list, a right or a count that a real CRM would not give?

The same small world is put into it, into both stand-ins and into a folder of files, and what comes back
through the contract is compared: it may give the same or less. A test on a kinder CRM proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, Attribute, Connector, FieldSpec, Option
from connectors.errors import ConnectorError, RequestError
from connectors.memory import MemoryConnector
from connectors.memory.store import Store as ProductStore
from connectors.schemas import FIELD, MEMBER
from tests.contract_suite import LIST, ODD_TEXTS, REASON, SEGMENT, Crm, Paper, changes, noon
from tests.memory_crm import MemoryCrm, Store
from tests.org_store import RIGHTS, OrgCrm
from tests.portal_store import PortalCrm
from tests.servers.hubspot import Knobs, Portal
from tests.servers.hubspot import serving as portal_serving
from tests.servers.salesforce import Org
from tests.servers.salesforce import serving as org_serving
from tests.test_contract_files import Folder
from tests.test_contract_memory import MemoryAccount, ProductAccount

DOUBLES, STAND_INS = ("product", "tests"), ("hubspot", "salesforce")
SCORE = FieldSpec("seg_rfm_score", "contact", "number", "Buying habits: score")
Row = dict[str, Any]

# Id and target, before, after: what is written once the world has moved on (see ``_live``).
CASES = {
    "a change that nothing stands against": ("1", SEGMENT.name, "loyal", "lost"),
    "the value that is there": ("2", SEGMENT.name, "lost", "lost"),
    "a record that never was": ("999999", SEGMENT.name, None, "lost"),
    "a record that was merged": ("3", SEGMENT.name, "loyal", "lost"),
    "a record that was deleted": ("4", SEGMENT.name, "lost", "loyal"),
    "a field that was not made": ("1", "seg_never_made", None, "x"),
    "what a person changed since": ("5", SEGMENT.name, "loyal", "lost"),
    "what a person cleared since": ("6", SEGMENT.name, "loyal", "lost"),
}
MEMBERS = {
    "a member more": ("6", LIST.key, None, MEMBER),
    "a member twice": ("1", LIST.key, None, MEMBER),
    "a member less": ("2", LIST.key, MEMBER, None),
    "a merged member": ("3", LIST.key, None, MEMBER),
    "a deleted member": ("4", LIST.key, None, MEMBER),
    "a member that never was": ("999999", LIST.key, None, MEMBER),
}


@dataclass
class Given:
    """All that a CRM gave."""

    connector: Connector
    before_setup: Row = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)  # as they were read last
    purchases: list[Row] = field(default_factory=list)
    fields: dict[tuple[str, str], FieldSpec] = field(default_factory=dict)
    ensured: list[bool | None] = field(default_factory=list)
    lists: list[tuple[str, str, str, str]] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    counts: dict[str, int | None] = field(default_factory=dict)
    current: dict[str, str | None] = field(default_factory=dict)
    outcomes: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def _read(connector: Connector, stream: str, position: str | None) -> tuple[list[Row], str | None]:
    rows: list[Row] = []
    for page in connector.read(stream, position):
        rows += [{name: v for name, v in row.items() if v is not None} for row in page.records.to_pylist()]
        position = page.position
    return rows, position


def _write(connector: Connector, rows: Mapping[str, tuple[str, str, str | None, str | None]]) -> Row:
    table = changes(*rows.values())
    if next(iter(rows.values()))[1] == LIST.key:
        remote = next(remote for remote in connector.lists() if remote.key == LIST.key)
        outcomes = connector.write_members(remote, table, Paper())
    else:
        outcomes = connector.write_fields(table, Paper())
    return dict(
        zip(rows, zip(outcomes["status"].to_pylist(), outcomes["kind"].to_pylist(), strict=True), strict=True)
    )


def _live(crm: Crm) -> Given:
    """Six contacts buy and are labelled; then people change, clear, merge and delete, and we write again."""
    for number in "123456":
        crm.put(number, email=f"person{number}@example.org", city="Ulm" if number != "2" else None)
    crm.buy("1", noon(1, 5), "12.50", "order-1")
    given = Given(crm.connect())
    given.before_setup = _read(given.connector, "contact", None)[0][0]
    given.ensured = [crm.connect().ensure_field(spec).existed for spec in (SEGMENT, REASON, SEGMENT)]
    remote = crm.connect().ensure_list(LIST)
    first = {id: (id, SEGMENT.name, None, "lost" if id in "24" else "loyal") for id in "123456"}
    assert set(_write(crm.connect(), first).values()) == {("done", None)}
    assert set(_write(crm.connect(), {id: (id, LIST.key, None, MEMBER) for id in "12345"}).values()) == {
        ("done", None)
    }
    rows, position = _read(crm.connect(), "contact", None)
    given.contacts = {row["id"]: row for row in rows}
    crm.set_field("5", SEGMENT.name, "lost")
    crm.set_field("6", SEGMENT.name, None)
    crm.set_member(LIST.key, "5", False)
    crm.put("3", merged_into="1")
    crm.delete("4")
    given.contacts |= {row["id"]: row for row in _read(crm.connect(), "contact", position)[0]}
    given.purchases = _read(crm.connect(), "activity", None)[0]
    connector = given.connector = crm.connect()
    given.fields = {key: spec for key, spec in connector.fields().items() if key[1].startswith("seg_")}
    given.lists = [(one.key, one.label, one.kind, one.record_type) for one in connector.lists()]
    given.members = {id for page in connector.members(remote, None) for id in page.records["id"].to_pylist()}
    given.counts = {stream: connector.count(stream) for stream in ("contact", "activity")}
    values = connector.current_values(changes(*CASES.values())).to_pylist()
    members = connector.current_members(remote, changes(*MEMBERS.values())).to_pylist()
    given.current = dict(zip([*CASES, *MEMBERS], [*values, *members], strict=True))
    given.outcomes = {**_write(crm.connect(), CASES), **_write(crm.connect(), MEMBERS)}
    return given


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Given]]:
    """What each CRM gives."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        portal = stack.enter_context(portal_serving(Portal(Knobs(index_lag=0, list_lag=0, list_build=0))))
        org = stack.enter_context(org_serving(Org(7, rights=RIGHTS)))
        crms: dict[str, Crm] = {
            "product": ProductAccount(),
            "tests": MemoryAccount(),
            "hubspot": PortalCrm(portal),
            "salesforce": OrgCrm(org),
            "files": Folder(Path(tmp_path_factory.mktemp("folder"))),
        }
        yield {name: _live(crm) for name, crm in crms.items()}
        for name in STAND_INS:
            crms[name].close()  # type: ignore[attr-defined]


@pytest.fixture(params=DOUBLES)
def double(request: pytest.FixtureRequest, given: dict[str, Given]) -> Given:
    """The CRM in memory of the product, and that of the tests."""
    return given[request.param]


@pytest.fixture(params=STAND_INS)
def real(request: pytest.FixtureRequest, given: dict[str, Given]) -> Given:
    """A CRM over its stand-in."""
    return given[request.param]


def test_it_can_do_nothing_that_a_crm_cannot(double: Given, real: Given) -> None:
    mine, theirs = double.connector.capabilities, real.connector.capabilities
    for name in (
        "deletions",
        "merges",
        "dynamic_lists",
        "counts",
        "compares_before",
        "shared_ids",
    ):
        assert getattr(mine, name) <= getattr(theirs, name), name


def test_it_has_only_streams_that_some_crm_has(double: Given, given: dict[str, Given]) -> None:
    crms = [given[name].connector.capabilities for name in STAND_INS]
    assert set(double.connector.capabilities.streams) <= {stream for crm in crms for stream in crm.streams}


def test_before_set_up_a_record_holds_nothing_of_ours(double: Given) -> None:
    assert not any(name.startswith(FIELD) for name in double.before_setup)


@pytest.mark.parametrize("id", "12356")
def test_a_record_has_no_column_that_the_crm_does_not_give(double: Given, real: Given, id: str) -> None:
    assert double.contacts[id].keys() <= real.contacts[id].keys()


@pytest.mark.parametrize("id", "12356")
def test_a_record_holds_what_it_holds_in_the_crm(double: Given, given: dict[str, Given], id: str) -> None:
    stamps = ("changed_at", "created_at")
    for name in (*STAND_INS, "files"):
        row = given[name].contacts[id]
        both = (double.contacts[id].keys() & row.keys()) - set(stamps)
        assert {n: double.contacts[id][n] for n in both} == {n: row[n] for n in both}, name


def test_of_a_deleted_record_it_tells_no_more_than_that(double: Given, real: Given) -> None:
    assert double.contacts["4"].keys() <= real.contacts["4"].keys()


def test_a_purchase_has_no_column_that_the_crm_does_not_give(double: Given, real: Given) -> None:
    (mine,), (theirs,) = double.purchases, real.purchases
    assert mine.keys() <= theirs.keys()
    same = mine.keys() - {"id", "order_id"}
    assert {name: mine[name] for name in same} == {name: theirs[name] for name in same}


def test_it_has_the_fields_that_were_made_and_tells_no_more_of_them(double: Given, real: Given) -> None:
    assert double.fields.keys() == {(SEGMENT.record_type, SEGMENT.name), (REASON.record_type, REASON.name)}
    for key, spec in double.fields.items():
        theirs = real.fields[key]
        for part in ("type", "label", "description", "options", "retired", "adopted"):
            assert getattr(spec, part) in (
                getattr(theirs, part),
                FieldSpec.__dataclass_fields__[part].default,
            ), part


def test_it_knows_of_no_field_whether_it_was_there_where_a_crm_does_not(double: Given, real: Given) -> None:
    assert all(mine in (theirs, None) for mine, theirs in zip(double.ensured, real.ensured, strict=True))


def test_it_has_the_lists_that_were_made_and_tells_no_more_of_them(double: Given, real: Given) -> None:
    assert set(double.lists) <= set(real.lists)


def test_a_list_has_no_member_that_the_crm_would_not_keep(double: Given, given: dict[str, Given]) -> None:
    for name in (*STAND_INS, "files"):
        assert double.members <= given[name].members, name


def test_it_counts_nothing_that_a_crm_does_not_count(double: Given, real: Given) -> None:
    for stream, number in double.counts.items():
        assert number in (real.counts[stream], None), stream


@pytest.mark.parametrize("case", [*CASES, *MEMBERS])
def test_it_remembers_nothing_that_a_crm_forgets(double: Given, real: Given, case: str) -> None:
    assert double.current[case] in (real.current[case], None)


@pytest.mark.parametrize("case", [*CASES, *MEMBERS])
def test_it_carries_out_nothing_that_a_crm_refuses(double: Given, real: Given, case: str) -> None:
    status, kind = double.outcomes[case]
    their_status, their_kind = real.outcomes[case]
    assert status != "done" or their_status == "done"
    assert status != "rejected" or their_status != "rejected" or kind == their_kind


@pytest.mark.parametrize("text", [*ODD_TEXTS, "", "  ", "\ttab\t"])
def test_it_keeps_no_text_as_it_is_that_no_crm_keeps(
    double: Given, given: dict[str, Given], text: str
) -> None:
    forms = {given[name].connector.normal(REASON, text) for name in STAND_INS}
    mine = double.connector.normal(REASON, text)
    assert mine in forms or len(forms) > 1


@pytest.mark.parametrize("number", ["0.30", "12.0", "12", "0.0", "-1.50", "100"])
def test_it_keeps_no_zeros_behind_a_point(double: Given, real: Given, number: str) -> None:
    assert double.connector.normal(SCORE, number) == real.connector.normal(SCORE, number)


def test_it_has_no_rights_that_must_be_given_in_a_crm(double: Given, real: Given) -> None:
    assert double.connector.check() == real.connector.check() == []
    assert double.connector.check_writing() == []
    assert double.connector.list_sizes([]) == {}
    listeners, theirs = (one.connector.automations([SEGMENT], [LIST]) for one in (double, real))
    assert set(listeners.found) <= set(theirs.found)


def test_only_fields_that_were_asked_for_come_back() -> None:
    for store, open_ in ((ProductStore(), MemoryConnector), (Store(), MemoryCrm)):
        account = Account("memory", "memory", None, attributes={"city": Attribute("town")}, fields=(SEGMENT,))
        connector: Connector = open_(account, store)  # type: ignore[arg-type]
        connector.ensure_field(SEGMENT)
        connector.ensure_field(REASON)
        store.put("1", town="Ulm", street="Main", **{FIELD + SEGMENT.name: "loyal", FIELD + REASON.name: "x"})
        (row,), _ = _read(connector, "contact", None)
        assert set(row) == {
            "record_type", "id", "created_at", "changed_at", "attribute.city", FIELD + SEGMENT.name,
        }  # fmt: skip


@pytest.mark.parametrize("crm", ["product", "tests", "hubspot"])
def test_a_field_is_not_turned_into_one_of_another_type(given: dict[str, Given], crm: str) -> None:
    with pytest.raises(RequestError, match="choose another name"):
        given[crm].connector.ensure_field(replace(REASON, type="number"))


@pytest.mark.parametrize("crm", [*DOUBLES, *STAND_INS])
def test_the_options_of_an_adopted_field_keep_their_owners_words(given: dict[str, Given], crm: str) -> None:
    theirs = FieldSpec("seg_theirs", "contact", "enum", "Theirs", "", (Option("a", "Gold"),))
    given[crm].connector.ensure_field(theirs)
    ours = replace(theirs, label="Ours", options=(Option("a", "Best"), Option("b", "Next")), adopted=True)
    given[crm].connector.ensure_field(ours)
    kept = given[crm].connector.fields()["contact", "seg_theirs"]
    assert (kept.label, kept.options) == ("Theirs", (Option("a", "Gold"), Option("b", "Next")))


@pytest.mark.parametrize("crm", ["tests", *STAND_INS])
def test_nobody_writes_into_a_dynamic_list(given: dict[str, Given], crm: str) -> None:
    spec = replace(
        LIST, key="rfm.lost", label="Buying habits: Lost", kind="dynamic", field=SEGMENT.name, value="lost"
    )
    connector = given[crm].connector
    if crm == "tests":
        assert isinstance(connector, MemoryCrm)
        connector.store.dynamic_lists = True
    remote = connector.ensure_list(spec)
    assert remote.kind == "dynamic"
    with pytest.raises(ConnectorError):
        connector.write_members(remote, changes(("1", "rfm.lost", None, MEMBER)), Paper())
