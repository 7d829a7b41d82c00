"""Does a database take segments into tables of ours alone: whole batches, whatever the names, texts, rights and kills?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import open_connector, open_source, settings_model
from connectors.contract import Account, Connector, Destination, FieldSpec, ListSpec, Option
from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.schemas import FIELD, MEMBER
from connectors.sql.limits import LIMITS
from tests.contract_suite import LIST, ODD_TEXTS, REASON, SEGMENT, Paper, changes, noon, statuses
from tests.database_shops import KINDS, rows_of, text
from tests.segment_databases import SegmentDatabase, database_of

HOSTILE = [
    "Robert'); DROP TABLE customers; --",
    'a"b',
    "a`b",
    "back\\slash'",
    "%s %(x)s {y}",
    "\\",
    "''",
    "☃ Zoë",
]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SegmentDatabase]:
    opened = database_of(request.param, tmp_path)
    opened.put("1", city="Ulm")
    opened.buy("1", noon(1, 5), "12.50", "order-1")
    yield opened
    opened.close()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[SegmentDatabase]:
    opened = database_of("postgres", tmp_path)
    opened.put("1", city="Ulm")
    yield opened
    opened.close()


def ready(database: SegmentDatabase) -> Connector:
    connector = database.connect()
    for spec in (SEGMENT, REASON):
        connector.ensure_field(spec)
    connector.ensure_list(LIST)
    return connector


def asked(database: SegmentDatabase, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as our role reads them."""
    database.shop.contacts, usual = {"query": query}, database.shop.contacts
    try:
        engine: Any = database.connect()._opened()  # type: ignore[attr-defined]
        return [
            row
            for batch in engine.batches(query)
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]
    finally:
        database.shop.contacts = usual
        database.close()


# -- what stands there ---------------------------------------------------------------------------------------


def test_a_view_of_each_segmentation_shows_title_and_further_fields(database: SegmentDatabase) -> None:
    connector = ready(database)
    connector.write_fields(
        changes(("1", SEGMENT.name, None, "loyal"), ("1", REASON.name, None, "bought often")), Paper()
    )
    connector.ensure_field(FieldSpec("seg_rfm_score", type="number", label="Score"))
    connector.ensure_field(FieldSpec("seg_rfm_title", type="text", label="Their title"))
    connector.ensure_field(replace(SEGMENT, options=(Option("loyal", "Very loyal"),)))
    connector.write_fields(changes(("1", "seg_rfm_score", None, "7.25")), Paper())
    view = database.table("contact_seg_rfm")
    rows = asked(database, f"SELECT id, segment, title, reason, score, seg_rfm_title FROM {view}")
    assert rows == [("1", "loyal", "Very loyal", "bought often", "7.25", None)]


def test_one_view_shows_every_segmentation_of_a_record_type(database: SegmentDatabase) -> None:
    connector = ready(database)
    for name, type_ in (("seg_rfm_score", "number"), ("seg_abc_since", "date"), ("seg_abc", "enum")):
        options = (Option("a", "A"),) if type_ == "enum" else ()
        connector.ensure_field(FieldSpec(name, type=type_, options=options))  # type: ignore[arg-type]
    values = {
        SEGMENT.name: "loyal", REASON.name: "bought often", "seg_rfm_score": "7.25", "seg_abc": "a", "seg_abc_since": "2026-11-01",
    }  # fmt: skip
    connector.write_fields(changes(*(("1", name, None, value) for name, value in values.items())), Paper())
    connector.write_fields(changes(("2", "seg_abc", None, "a")), Paper())
    query = f"SELECT record_id, segmentation, segment, title, reason, since, score FROM {database.table('contact_segments')}"
    loyal = next(option.label for option in SEGMENT.options if option.key == "loyal")
    assert sorted(asked(database, query)) == [
        ("1", "seg_abc", "a", "A", None, "2026-11-01", None),
        ("1", "seg_rfm", "loyal", loyal, "bought often", None, "7.25"),
        ("2", "seg_abc", "a", "A", None, None, None),
    ]
    connector.write_fields(changes(("1", "seg_abc", "a", None), ("2", "seg_abc", "a", None)), Paper())
    assert [row[1] for row in asked(database, query)] == ["seg_rfm"], "a segmentation that is cleared is gone"


def test_many_values_come_in_pages_and_not_at_all_where_none_changed(
    database: SegmentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sql.reading.PAGE_ROWS", 10)
    for engine in ("base", "mysql", "sqlite", "duckdb"):
        monkeypatch.setattr(f"connectors.sql.engines.{engine}.ROWS", 10)
    monkeypatch.setattr("connectors.sql.engines.postgres._BATCH", 200)
    connector = ready(database)
    ids = [str(id) for id in range(5_000)]
    connector.write_fields(changes(*((id, SEGMENT.name, None, "loyal") for id in ids)), Paper())
    pages = list(connector.read("value", None))
    assert len(pages) > 2
    assert [page.first for page in pages] == [True, *[False] * (len(pages) - 1)]
    assert [page.last for page in pages] == [*[False] * (len(pages) - 1), True]
    assert sorted(id for page in pages for id in page.records["id"].to_pylist()) == sorted(ids)
    assert list(connector.read("value", pages[-1].position)) == []
    broken_off = list(connector.read("value", pages[0].position))
    assert sum(page.records.num_rows for page in broken_off) == 5_000, "it begins again"


def test_no_field_takes_the_name_of_the_view_of_all_segmentations() -> None:
    assert [LIMITS.takes(name) for name in ("segments", "Segments", "segments_2")] == [False, False, True]


def test_only_tables_of_ours_are_touched(database: SegmentDatabase) -> None:
    before = [asked(database, f"SELECT * FROM {table}") for table in ("customers", "orders")]
    connector = ready(database)
    connector.write_fields(changes(("1", SEGMENT.name, None, "loyal")), Paper())
    connector.write_members(connector.lists()[0], changes(("1", LIST.key, None, MEMBER)), Paper())
    assert [asked(database, f"SELECT * FROM {table}") for table in ("customers", "orders")] == before


def test_a_table_of_that_name_that_we_did_not_make_is_left_alone(database: SegmentDatabase) -> None:
    ready(database)
    table = database.table("segment_lists")
    database.run(f"DROP TABLE {table}", f"CREATE TABLE {table} (theirs int)")
    with pytest.raises(
        RequestError, match="crm-segments did not create: name another schema as segments_schema"
    ):
        database.connect().ensure_list(LIST)
    (problem,) = database.connect().check()
    assert "segment_lists" in problem.what and "segments_schema" in problem.remedy


def test_nothing_is_there_before_the_setup_and_after_the_tables_are_gone(database: SegmentDatabase) -> None:
    connector = database.connect()
    assert (connector.fields(), connector.lists(), list(connector.read("value", None))) == ({}, [], [])
    change = changes(("1", SEGMENT.name, None, "loyal"))
    assert connector.current_values(change).to_pylist() == [None]
    with pytest.raises(RequestError, match="run `crm-segments setup`"):
        connector.write_fields(change, Paper())
    connector = ready(database)
    connector.write_fields(change, Paper())
    position = list(connector.read("value", None))[-1].position
    connector.end_reading()
    views = [database.table(name) for name in ("contact_seg_rfm", "contact_segments")]
    database.run(*(f"DROP VIEW {view}" for view in views), f"DROP TABLE {database.table('segment_values')}")
    (page,) = database.connect().read("value", position)
    assert page.whole and page.records.num_rows == 0
    assert list(database.connect().read("value", page.position)) == []


def test_what_cannot_be_a_key_or_text_is_refused_and_the_rest_is_written(database: SegmentDatabase) -> None:
    connector = ready(database)
    batch = changes(
        ("1", REASON.name, None, "fine"),
        ("x" * 256, REASON.name, None, "a"),
        ("blank ", REASON.name, None, "a"),
        ("n\0l", REASON.name, None, "a"),
        ("2", REASON.name, None, "x" * 10_001),
        ("3", REASON.name, None, "n\0l"),
        ("4", REASON.name, None, "x" * 10_000),
        ("5", REASON.name, None, "first"),
        ("5", REASON.name, None, "last"),
    )
    outcomes = connector.write_fields(batch, Paper())
    assert statuses(outcomes) == ["done", *["rejected"] * 5, *["done"] * 3]
    assert outcomes["kind"].to_pylist()[1:6] == ["data"] * 5
    assert connector.current_values(batch).to_pylist() == [
        "fine", None, None, None, None, None, "x" * 10_000, "last", "last"
    ]  # fmt: skip


def test_an_id_is_compared_letter_by_letter(database: SegmentDatabase) -> None:
    connector = ready(database)
    ids = ["a", "A", "ä", "0012", "12", " 12"]
    connector.write_fields(changes(*((id, REASON.name, None, f"of {id}") for id in ids)), Paper())
    now = connector.current_values(changes(*((id, REASON.name, None, None) for id in [*ids, "Ä"])))
    assert now.to_pylist() == [*(f"of {id}" for id in ids), None]


# -- hostile names and texts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ['we"ird; DROP TABLE customers; --', "b`ack\\tick' %s"])
@pytest.mark.parametrize("kind", ["postgres", "sqlite", "duckdb"])
def test_any_name_of_a_schema_is_only_a_name(kind: str, schema: str, tmp_path: Path) -> None:
    database = database_of(kind, tmp_path, schema=schema)
    database.put("1")
    connector = ready(database)
    assert statuses(connector.write_fields(changes(("1", SEGMENT.name, None, "loyal")), Paper())) == ["done"]
    assert database.connect().check() == []
    assert [remote.key for remote in database.connect().lists()] == [LIST.key]
    assert asked(database, "SELECT id FROM customers") == [("1",)]
    database.close()


def test_texts_of_any_kind_come_back_as_they_are(database: SegmentDatabase) -> None:
    connector = ready(database)
    texts = [*HOSTILE, *ODD_TEXTS]
    batch = changes(*((f"id {text}".strip(), REASON.name, None, text) for text in texts))
    assert set(statuses(connector.write_fields(batch, Paper()))) == {"done"}
    assert connector.current_values(batch).to_pylist() == texts
    (page,) = connector.read("value", None)
    texts_by_id = dict(
        zip(page.records["id"].to_pylist(), page.records[FIELD + REASON.name].to_pylist(), strict=True)
    )
    assert texts_by_id == {f"id {text}".strip(): text for text in texts}
    assert asked(database, "SELECT id FROM customers") == [("1",)]


def test_titles_keys_and_lists_of_any_text_are_kept_as_they_are(database: SegmentDatabase) -> None:
    connector = ready(database)
    options = tuple(Option(f"key {number}", title) for number, title in enumerate(HOSTILE))
    connector.ensure_field(FieldSpec("seg_odd", label=HOSTILE[0], description=HOSTILE[3], options=options))
    spec = database.connect().fields()["contact", "seg_odd"]
    assert (spec.label, spec.description, spec.options) == (HOSTILE[0], HOSTILE[3], options)
    for key in HOSTILE:
        remote = connector.ensure_list(ListSpec(key, key))
        assert statuses(connector.write_members(remote, changes(("1", key, None, MEMBER)), Paper())) == [
            "done"
        ]
    remotes = {remote.key: remote for remote in database.connect().lists() if remote.key != LIST.key}
    assert {key: remote.label for key, remote in remotes.items()} == {key: key for key in HOSTILE}
    for remote in remotes.values():
        assert [row["id"] for row in rows_of(list(connector.members(remote, None)))] == ["1"]


def test_a_name_that_a_person_wrote_into_our_tables_is_only_a_name(database: SegmentDatabase) -> None:
    connector = ready(database)
    name = "seg_rfm_x FROM customers; DROP TABLE customers"
    database.run(
        f"INSERT INTO {database.table('segment_fields')} VALUES ('contact', {text(name)}, 'text', '', '')"
    )
    connector = database.connect()
    connector.ensure_field(FieldSpec("seg_rfm_score", type="number"))
    assert ("contact", name) in connector.fields()
    assert asked(database, "SELECT id FROM customers") == [("1",)]


# -- rights --------------------------------------------------------------------------------------------------


def test_a_role_that_may_not_create_is_told_the_grant_and_still_reads(postgres: SegmentDatabase) -> None:
    postgres.run(f"REVOKE CREATE ON DATABASE {postgres.shop.database} FROM reader")  # type: ignore[attr-defined]
    connector = postgres.connect()
    (problem,) = connector.check()
    assert "may not create the schema crm_segments" in problem.what
    assert 'GRANT CREATE, USAGE ON SCHEMA "crm_segments" TO "reader"' in problem.remedy
    assert connector.check_writing() == [problem] and connector.check_reading() == []
    assert rows_of(list(connector.read("contact", None)))
    with pytest.raises(AccessError, match="GRANT CREATE"):
        connector.ensure_field(SEGMENT)


def test_what_an_administrator_made_from_the_export_is_enough(postgres: SegmentDatabase) -> None:
    postgres.run(f"REVOKE CREATE ON DATABASE {postgres.shop.database} FROM reader")  # type: ignore[attr-defined]
    files = postgres.connect().export([SEGMENT, REASON], [LIST])
    postgres.run(*filter(str.strip, files["segments.sql"].split(";\n")))
    assert postgres.connect().check() == []
    connector = ready(postgres)
    assert statuses(connector.write_fields(changes(("1", SEGMENT.name, None, "loyal")), Paper())) == ["done"]
    assert asked(postgres, "SELECT id, segment, title FROM crm_segments.contact_seg_rfm") == [
        ("1", "loyal", "Loyal")
    ]
    assert asked(postgres, "SELECT segmentation, segment FROM crm_segments.contact_segments") == [
        ("seg_rfm", "loyal")
    ]
    with pytest.raises(AccessError, match="GRANT CREATE"):
        connector.ensure_field(FieldSpec("seg_new", options=SEGMENT.options))


@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE"])
def test_a_right_that_was_revoked_is_told_with_its_grant(postgres: SegmentDatabase, right: str) -> None:
    ready(postgres)
    postgres.run(
        "ALTER TABLE crm_segments.segment_values OWNER TO admin",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON crm_segments.segment_values TO reader",
        f"REVOKE {right} ON crm_segments.segment_values FROM reader",
    )
    (problem,) = postgres.connect().check_writing()
    assert (
        'GRANT SELECT, INSERT, UPDATE, DELETE ON "crm_segments"."segment_values" TO "reader"'
        in problem.remedy
    )
    assert postgres.connect().check_reading() == []


def test_a_mysql_user_who_may_not_create_is_told_the_grant(tmp_path: Path) -> None:
    database: Any = database_of("mariadb", tmp_path)
    database.shop.server.run(f"REVOKE ALL ON `{database.schema}`.* FROM 'reader'@'%'")
    (problem,) = database.connect().check()
    assert (
        "GRANT CREATE, CREATE VIEW" in problem.remedy
        and f"`{database.schema}`.* TO `reader`" in problem.remedy
    )
    assert rows_of(list(database.connect().read("contact", None))) == []
    with pytest.raises(AccessError, match="GRANT CREATE"):
        database.connect().ensure_field(SEGMENT)
    database.close()


# -- one transaction -----------------------------------------------------------------------------------------


def test_who_changes_a_value_at_the_same_moment_is_waited_for_and_wins(postgres: SegmentDatabase) -> None:
    connector = ready(postgres)
    connector.write_fields(changes(("1", SEGMENT.name, None, "loyal")), Paper())
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
    server: Any = postgres.shop.server  # type: ignore[attr-defined]
    where = f"host=127.0.0.1 port={server.port} user=admin dbname={postgres.shop.database}"  # type: ignore[attr-defined]
    answers: list[str] = []
    with dbapi.connect(where) as person, person.cursor() as cursor:
        cursor.execute("UPDATE crm_segments.segment_values SET value = 'vip'")
        change = changes(("1", SEGMENT.name, "loyal", "lost"))
        writer = threading.Thread(
            target=lambda: answers.extend(statuses(connector.write_fields(change, Paper())))
        )
        writer.start()
        time.sleep(0.3)
        assert answers == []
        person.commit()
        writer.join(30)
    assert answers == ["skipped"]
    assert connector.current_values(change).to_pylist() == ["vip"]


_WRITER = """
import json, sys
from pathlib import Path
from connectors import open_connector, settings_model
from connectors.contract import Account
from tests.contract_suite import REASON, Paper, changes
settings = settings_model("sql").model_validate(json.loads(sys.argv[1]))
connector = open_connector(Account("shop", "sql", settings, fields=(REASON,)))
for batch in range(200):
    print("begun", batch, flush=True)
    connector.write_fields(changes(*((f"{batch}-{n}", REASON.name, None, f"text {n}") for n in range(2000))), Paper())
    print("done", batch, flush=True)
"""


def test_a_writer_killed_anywhere_leaves_whole_batches_and_settling_tells_which(
    database: SegmentDatabase,
) -> None:
    ready(database)
    settings = {**database.shop.where, **database.shop.settings, "contacts": database.shop.contacts}
    folder = Path(__file__).parent.parent
    values, seen = database.table("segment_values"), set()
    for delay in (0.0, 0.013, 0.031, 0.047, 0.071, 0.09):
        database.run(f"DELETE FROM {values}")
        command = [sys.executable, "-c", _WRITER, json.dumps(settings)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        lines_of_it = [line.split() for line in lines if line.endswith("\n")]
        last = max(int(number) for _, number in lines_of_it)
        for batch in range(last + 1):
            rows = changes(*((f"{batch}-{n}", REASON.name, None, f"text {n}") for n in range(2000)))
            (status,) = set(statuses(database.connect().settle_fields(rows, Paper())))
            assert status == "done" or ["done", str(batch)] not in lines_of_it
            if batch == last:
                seen.add(status)
                again = statuses(database.connect().write_fields(rows, Paper()))
                assert set(again) == {"done"}
        (count,) = asked(database, f"SELECT count(*) FROM {values}")[0]
        assert int(count) == (last + 1) * 2000
    assert "rejected" in seen, "some kill came in the middle of a batch"


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_killed_in_mid_write_is_tried_again_later_and_settled(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database: Any = database_of(kind, tmp_path)
    server = database.shop.server
    if kind == "mariadb":  # the tests' server forgets the last second in a crash; a real one does not
        server.run("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    database.put("1")
    ready(database)
    batch = changes(*((str(number), REASON.name, None, "x") for number in range(3000)))
    commit = f"connectors.sql.writers.{'postgres' if kind == 'postgres' else 'mysql'}.WRITER.commit"
    with monkeypatch.context() as broken:
        broken.setattr(commit, lambda writer: (server.kill(), writer.run("SELECT 1")))
        with pytest.raises(TemporaryError):
            database.connect().write_fields(batch, Paper())
    server.start()
    assert set(statuses(database.connect().settle_fields(batch, Paper()))) == {"rejected"}
    assert set(statuses(database.connect().write_fields(batch, Paper()))) == {"done"}
    assert set(statuses(database.connect().settle_fields(batch, Paper()))) == {"done"}
    database.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_two_runs_at_once_leave_one_value_and_tell_the_other(kind: str, tmp_path: Path) -> None:
    database = database_of(kind, tmp_path)
    database.put("1")
    ready(database)
    connectors = [open_connector(database.shop.account(fields=database.fields)) for _ in range(4)]
    answers: dict[int, list[str]] = {}

    def write(number: int) -> None:
        batch = changes(*((str(id), REASON.name, None, f"of {number}") for id in range(500)))
        while number not in answers:
            with suppress(TemporaryError):  # a deadlock: the server takes one of them back
                answers[number] = statuses(connectors[number].write_fields(batch, Paper()))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (winner,) = [number for number, outcomes in answers.items() if set(outcomes) == {"done"}]
    assert [set(outcomes) for number, outcomes in answers.items() if number != winner] == [{"skipped"}] * 3
    rows = asked(database, f"SELECT DISTINCT value FROM {database.table('segment_values')}")
    assert rows == [(f"of {winner}",)]
    database.close()


def test_a_failure_in_mid_batch_leaves_nothing_of_it(postgres: SegmentDatabase) -> None:
    connector = ready(postgres)
    postgres.run("ALTER TABLE crm_segments.segment_values ADD CHECK (record_id <> '3')")
    batch = changes(*((str(number), REASON.name, None, "x") for number in range(5)))
    with pytest.raises(RequestError, match="refuses what is written"):
        connector.write_fields(batch, Paper())
    assert statuses(connector.settle_fields(batch, Paper())) == ["rejected"] * 5


# -- the config ----------------------------------------------------------------------------------------------


def _account(**settings: Any) -> Account:
    settings = {"contacts": {"table": "customers"}} | settings
    return Account("shop", "sql", settings_model("sql").model_validate(settings))


def test_without_a_schema_of_ours_the_database_is_a_source_and_says_so() -> None:
    source = open_source(_account(url="postgresql://u:p@127.0.0.1/x"))
    assert not isinstance(source, Destination)
    assert any("only read" in note and "segments_schema" in note for note in source.diagnostics())


@pytest.mark.parametrize("url", ["snowflake://u:p@acme/shop/public", "bigquery://project/data"])
def test_databases_that_nobody_has_run_stay_sources_and_say_so(url: str) -> None:
    source = open_source(_account(url=url, segments_schema="crm_segments"))
    assert not isinstance(source, Destination)
    assert "segments are not written to" in source.check()[0].what
    assert any("not written to this kind of database yet" in note for note in source.diagnostics())


@pytest.mark.parametrize("schema", ["", "x" * 49, "a\0b", "a\nb", "blank "])
def test_a_name_that_no_schema_can_have_is_refused(schema: str) -> None:
    with pytest.raises(ValidationError):
        _account(url="sqlite:///x.db", segments_schema=schema)
