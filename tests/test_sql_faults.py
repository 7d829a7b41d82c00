"""What does a database's fault end in? Nothing in silence and nothing half-written; what passes by itself is tried
again at once; and when it is over, all ends as if it had never been.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import FieldSpec, Option
from connectors.errors import AccessError, ConnectorError, TemporaryError
from connectors.sql.engines import base
from connectors.sql.failures import ATTEMPTS, TransientError
from tests.contract_suite import REASON, Paper, Reader, changes, noon, statuses
from tests.database_shops import PostgresShop, rows_of, shop_of
from tests.segment_databases import SegmentDatabase, database_of
from tests.servers.databases import PASSWORD

BATCH = changes(*((str(number), REASON.name, None, "x") for number in range(50)))
DONE, NOTHING = ["done"] * 50, [None] * 50


@pytest.fixture(params=["postgres", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened = shop_of(request.param, tmp_path)
    opened.put("1", city="Ulm")
    opened.buy("1", noon(1, 5), "5", "a")
    yield opened
    opened.close()


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened: Any = database_of(request.param, tmp_path)
    opened.put("1", city="Ulm")
    opened.connect().ensure_field(REASON)
    yield opened
    opened.close()


def is_postgres(shop: Any) -> bool:
    return isinstance(getattr(shop, "shop", shop), PostgresShop)


def refused(ask: Callable[[], Any]) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        ask()
    assert PASSWORD not in str(caught.value)
    return caught.value


def read(shop: Any, stream: str = "contact") -> list[Any]:
    return rows_of(list(shop.connect().read(stream, None)))


def write(database: SegmentDatabase) -> list[str]:
    return statuses(database.connect().write_fields(BATCH, Paper()))


def standing(database: SegmentDatabase) -> list[str | None]:
    """What stands in the database of BATCH."""
    values: list[str | None] = database.connect().current_values(BATCH).to_pylist()
    return values


@contextmanager
def person(shop: Any, database: str) -> Iterator[Callable[[str], Any]]:
    """An administrator's statements, in one transaction that is rolled back at its end."""
    connection: Any
    if is_postgres(shop):
        dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
        connection = dbapi.connect(f"host=127.0.0.1 port={shop.server.port} user=admin dbname={database}")
    else:
        pymysql = pytest.importorskip("pymysql")
        socket = str(shop.server.folder / "socket")
        connection = pymysql.connect(unix_socket=socket, user="root", database=database)
    cursor = connection.cursor()
    yield cursor.execute
    cursor.close()
    connection.rollback()
    connection.close()


def end_connections(shop: Any) -> None:
    """The server ends every connection of our role, as an administrator or a time-out would."""
    if is_postgres(shop):
        shop.server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")
    else:
        shop.server.run("KILL CONNECTION USER reader")


# -- what a server says --------------------------------------------------------------------------------------

# what happens, its code in PostgreSQL and in MariaDB, the error that it is, words of the message
SAID = [
    ("disk full", "53100", 1114, TemporaryError, "no room left.* make room"),
    ("memory used up", "53200", 1041, TemporaryError, "no room left.* make room"),
    ("deadlock", "40P01", 1213, TransientError, "others at the same moment.* try again later"),
    ("serialization failure", "40001", 1020, TransientError, "others at the same moment.* try again"),
    ("locked", "55P03", 1205, TemporaryError, "in use.* try again later"),
    ("cancelled", "57014", 1317, TemporaryError, "statement_timeout_minutes"),
    ("damaged", "XX001", 1034, TemporaryError, "tell its administrator"),
    ("shut down", "57P01", 1053, TransientError, "does not answer.* try again later"),
    ("no right", "42501", 1142, AccessError, "ask an administrator for"),
]
EVERY = pytest.mark.parametrize(
    ("postgres", "mariadb", "kind", "words"), [row[1:] for row in SAID], ids=[row[0] for row in SAID]
)


@EVERY
def test_what_a_server_says_while_it_is_read_is_told_with_table_and_remedy(
    shop: Any, postgres: str, mariadb: int, kind: type[Exception], words: str
) -> None:
    if is_postgres(shop):
        body = f"plpgsql AS $$ BEGIN RAISE EXCEPTION 'it happened' USING ERRCODE = '{postgres}'; END $$"
        shop.run(f"CREATE FUNCTION fails() RETURNS text LANGUAGE {body}")
    else:
        body = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {mariadb}, MESSAGE_TEXT = 'it happened'"
        shop.run(f"CREATE FUNCTION fails() RETURNS text BEGIN {body}; RETURN ''; END")
        shop.server.run(f"GRANT EXECUTE ON {shop.database}.* TO 'reader'@'%'")
    shop.contacts = {"query": "SELECT fails() AS id"}
    error = refused(lambda: read(shop))
    assert isinstance(error, kind) and re.search(words, str(error)) and "it happened" in str(error)
    assert "query of [accounts.shop.contacts]" in str(error) or "does not answer" in str(error)
    assert len(read(shop, "activity")) == 1, "the other tables are read"


def fail_inserts(database: Any, postgres: str, mariadb: int, times: int) -> None:
    """The first so many statements that insert into our values fail; the server counts them."""
    values, shop = database.table("segment_values"), database.shop
    if is_postgres(database):
        shop.run(
            "CREATE SEQUENCE failures",
            f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                IF nextval('public.failures') <= {times} THEN RAISE EXCEPTION 'it happened' USING ERRCODE = '{postgres}'; END IF;
                RETURN NEW; END $$""",
            f"CREATE TRIGGER fail BEFORE INSERT ON {values} FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        return
    failures = f"`{shop.database}`.failures"
    signal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {mariadb}, MESSAGE_TEXT = 'it happened'"
    shop.server.run(
        f"CREATE TABLE {failures} (n int) ENGINE=MyISAM",
        f"""CREATE TRIGGER fail BEFORE INSERT ON {values} FOR EACH ROW BEGIN
            INSERT INTO {failures} VALUES (1); IF (SELECT count(*) FROM {failures}) <= {times} THEN {signal}; END IF; END""",
        database=database.schema,
    )


def heal(database: Any) -> None:
    values = database.table("segment_values")
    if is_postgres(database):
        database.run(f"DROP TRIGGER fail ON {values}")
    else:
        database.shop.server.run("DROP TRIGGER fail", database=database.schema)


@EVERY
def test_what_a_server_says_while_it_is_written_leaves_nothing_and_the_next_run_does_it(
    database: Any, postgres: str, mariadb: int, kind: type[Exception], words: str
) -> None:
    fail_inserts(database, postgres, mariadb, times=1000)
    error = refused(lambda: write(database))
    assert isinstance(error, kind) and re.search(words, str(error)) and "it happened" in str(error)
    assert standing(database) == NOTHING
    heal(database)
    assert write(database) == DONE and standing(database) == ["x"] * 50


@pytest.mark.parametrize(("postgres", "mariadb"), [("40P01", 1213), ("40001", 1020), ("57P01", 1053)])
def test_what_passes_by_itself_is_tried_again_at_once(database: Any, postgres: str, mariadb: int) -> None:
    fail_inserts(database, postgres, mariadb, times=ATTEMPTS - 1)
    assert write(database) == DONE and standing(database) == ["x"] * 50


def test_what_does_not_pass_by_itself_is_not_tried_again(database: Any) -> None:
    fail_inserts(database, "53100", 1114, times=1)
    assert "no room left" in str(refused(lambda: write(database)))
    assert write(database) == DONE


def test_room_for_sorting_that_is_used_up_is_told(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.run(
        f"ALTER ROLE reader IN DATABASE {shop.database} SET temp_file_limit = '64kB'",
        f"ALTER ROLE reader IN DATABASE {shop.database} SET work_mem = '64kB'",
    )
    shop.contacts = {
        "query": "SELECT i AS id, repeat('x', 500) AS city FROM generate_series(1, 20000) AS i ORDER BY 2, 1"
    }
    error = refused(lambda: read(shop))
    assert isinstance(error, TemporaryError) and "temp_file_limit" in str(error) and "make room" in str(error)
    shop.close()


# -- real locks and limits -----------------------------------------------------------------------------------


def deadlocks(shop: Any) -> int:
    """How many the server has broken."""
    if is_postgres(shop):
        dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
        where = f"host=127.0.0.1 port={shop.server.port} user=admin dbname={shop.database}"
        with dbapi.connect(where) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            return int(cursor.fetchone()[0])
    pymysql = pytest.importorskip("pymysql")
    with pymysql.connect(unix_socket=str(shop.server.folder / "socket"), user="root") as connection:
        cursor = connection.cursor()
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        return int(cursor.fetchone()[1])


def test_a_deadlock_with_another_program_is_broken_and_all_is_written(database: Any) -> None:
    spec = FieldSpec("seg_x", label="First", options=(Option("a", "A"),))
    connector, shop = database.connect(), database.shop
    connector.ensure_field(spec)
    new = replace(spec, label="Second", options=(Option("a", "B"),))
    answers: list[Any] = []
    before = deadlocks(shop)
    with person(shop, shop.database) as run:
        if is_postgres(database):
            run("SET deadlock_timeout = '1min'")  # the other one is broken off
        else:
            run("START TRANSACTION")
            run(f"UPDATE {shop.database}.customers SET city = 'Bonn'")  # who changed more goes on
            run(f"INSERT INTO {shop.database}.customers (id) SELECT seq FROM seq_100_to_400")
        run(f"UPDATE {database.table('segment_options')} SET title = title || 'x'" if is_postgres(database) else
            f"UPDATE {database.table('segment_options')} SET title = concat(title, 'x')")  # fmt: skip
        writer = threading.Thread(target=lambda: answers.append(connector.ensure_field(new)))
        writer.start()
        time.sleep(0.4)  # it has changed the field, and waits for the options
        assert not answers
        run(f"UPDATE {database.table('segment_fields')} SET description = 'theirs'")
    writer.join(30)
    assert answers and deadlocks(shop) == before + 1
    found = database.connect().fields()["contact", "seg_x"]
    assert (found.label, found.options, found.description) == ("Second", new.options, "")


def test_a_table_that_somebody_locks_for_long_is_told_and_not_waited_for_for_ever(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LOCK_SECONDS", 1)
    shop = database.shop
    values = database.table("segment_values")
    lock = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE" if is_postgres(shop) else "LOCK TABLES {} WRITE"
    for table, ask in (("customers", lambda: read(shop)), (values, lambda: write(database))):
        with person(shop, shop.database) as run:
            run(lock.format(table))
            began = time.monotonic()
            error = refused(ask)
            assert time.monotonic() - began < 20
        assert isinstance(error, TemporaryError) and "is in use" in str(error)
    assert write(database) == DONE and len(read(shop)) == 1


def test_a_query_that_takes_too_long_is_ended_by_the_server(shop: Any) -> None:
    sleep = "pg_sleep(20)" if is_postgres(shop) else "sleep(20)"
    shop.contacts = {"query": f"SELECT id, {sleep} AS city FROM customers"}
    source = shop.connect()
    source._settings = source._settings.model_copy(update={"statement_timeout_minutes": 1 / 60})
    began = time.monotonic()
    error = refused(lambda: list(source.read("contact", None)))
    assert time.monotonic() - began < 15 and "statement_timeout_minutes" in str(error)
    assert isinstance(error, TemporaryError) and "changed_at" in str(error)


def test_a_server_without_a_free_connection_is_asked_later(shop: Any) -> None:
    limit = (
        "ALTER ROLE reader CONNECTION LIMIT {}"
        if is_postgres(shop)
        else "ALTER USER reader WITH MAX_USER_CONNECTIONS {}"
    )
    shop.server.run(limit.format(1))
    try:
        holding = shop.connect()
        list(holding.read("contact", None))
        shop.sources.clear()
        error = refused(lambda: read(shop))
    finally:
        shop.server.run(limit.format(-1 if is_postgres(shop) else 0))
    holding.close()
    assert isinstance(error, TemporaryError) and "no connection left" in str(error)
    assert len(read(shop)) == 1


# -- connections that end ------------------------------------------------------------------------------------


def test_a_connection_that_ends_before_the_commit_is_opened_again_at_once(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"connectors.sql.writers.{'postgres' if is_postgres(database) else 'mysql'}.WRITER.commit"
    commits: list[int] = []
    connector = database.connect()
    usual = import_module(name.removesuffix(".WRITER.commit")).WRITER.commit

    def commit(writer: Any) -> None:
        commits.append(1)
        if len(commits) == 1:
            end_connections(database.shop)
        usual(writer)

    monkeypatch.setattr(name, commit)
    assert statuses(connector.write_fields(BATCH, Paper())) == DONE
    assert len(commits) == 2 and standing(database) == ["x"] * 50


def test_a_connection_that_ends_behind_the_commit_is_no_conflict_with_ourselves(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"connectors.sql.writers.{'postgres' if is_postgres(database) else 'mysql'}.WRITER.commit"
    connector = database.connect()
    usual = import_module(name.removesuffix(".WRITER.commit")).WRITER.commit

    def commit(writer: Any) -> None:
        usual(writer)
        end_connections(database.shop)
        writer.run("SELECT 1")

    monkeypatch.setattr(name, commit)
    assert statuses(connector.write_fields(BATCH, Paper())) == DONE
    assert standing(database) == ["x"] * 50


def test_a_connection_that_ends_between_two_streams_leaves_no_half_of_a_snapshot(shop: Any) -> None:
    source = shop.connect()
    assert len(list(source.read("contact", None))) == 1
    end_connections(shop)
    error = refused(lambda: list(source.read("activity", None)))
    assert isinstance(error, TemporaryError) and "try again later" in str(error)
    assert len(read(shop, "activity")) == 1


def test_a_database_that_is_dropped_is_told(shop: Any) -> None:
    source = shop.connect()
    list(source.read("contact", None))
    end_connections(shop)
    shop.server.run(f"DROP DATABASE {shop.database}{' WITH (FORCE)' if is_postgres(shop) else ''}")
    assert isinstance(refused(lambda: list(source.read("activity", None))), ConnectorError)
    error = refused(lambda: read(shop))
    assert isinstance(error, AccessError) and "[accounts.shop]" in str(error)


# -- rights that are taken -----------------------------------------------------------------------------------


def test_a_right_that_is_revoked_in_mid_run_is_told_with_its_grant(tmp_path: Path) -> None:
    shop = shop_of("postgres", tmp_path)
    shop.put("1")
    shop.buy("1", noon(1, 5), "5", "a")
    source, reader = shop.connect(), Reader(shop, "activity")
    assert len(rows_of(list(source.read("contact", None)))) == 1
    shop.run("REVOKE SELECT ON orders FROM reader")
    error = refused(lambda: list(source.read("activity", None)))
    assert isinstance(error, AccessError) and 'GRANT SELECT ON "orders" TO "reader"' in str(error)
    shop.run("GRANT SELECT ON orders TO reader")
    assert reader.pull() == 1
    shop.close()


def test_a_right_to_write_that_is_revoked_between_two_batches_keeps_the_first(database: Any) -> None:
    connector, values = database.connect(), database.table("segment_values")
    assert statuses(connector.write_fields(BATCH, Paper())) == DONE
    if is_postgres(database):
        database.run(f"ALTER TABLE {values} OWNER TO admin", f"GRANT SELECT ON {values} TO reader")
    else:
        database.shop.server.run(f"REVOKE INSERT, UPDATE, DELETE ON `{database.schema}`.* FROM 'reader'@'%'")
    second = changes(*((str(number), REASON.name, "x", "y") for number in range(50)))
    error = refused(lambda: connector.write_fields(second, Paper()))
    assert isinstance(error, AccessError) and "GRANT" in str(error)
    rows = f"SELECT count(*) AS id FROM {values} WHERE value = 'x'"
    database.shop.contacts = {"query": rows}
    assert [row["id"] for row in read(database.shop)] == ["50"]


def test_a_password_that_was_changed_is_told_at_the_next_connection(shop: Any) -> None:
    source = shop.connect()
    list(source.read("contact", None))
    change = (
        "ALTER ROLE reader PASSWORD '{}'" if is_postgres(shop) else "ALTER USER reader IDENTIFIED BY '{}'"
    )
    shop.server.run(change.format("rotated"))
    try:
        assert len(rows_of(list(source.read("activity", None)))) == 1, "who is logged in goes on"
        error = refused(lambda: read(shop))
    finally:
        shop.server.run(change.format(PASSWORD.replace("'", "''")))
    assert isinstance(error, AccessError) and "correct user and password in [accounts.shop]" in str(error)
    assert len(read(shop)) == 1


# -- databases that take no changes --------------------------------------------------------------------------


def test_a_database_that_takes_no_changes_is_read_and_not_written(database: Any) -> None:
    shop = database.shop
    on, off = (
        [
            f"ALTER DATABASE {shop.database} SET default_transaction_read_only = {state}"
            for state in ("on", "off")
        ]
        if is_postgres(database)
        else [f"SET GLOBAL read_only = {state}" for state in (1, 0)]
    )
    shop.server.run(on)
    try:
        assert len(rows_of(list(database.connect().read("contact", None)))) == 1
        error = refused(lambda: write(database))
        assert isinstance(error, AccessError) and "accepts no changes now" in str(error)
        assert "read-only" in str(error)
        assert any("accepts no changes" in problem.what for problem in database.connect().check_writing())
    finally:
        shop.server.run(off)
    assert standing(database) == NOTHING and write(database) == DONE


def test_a_replica_is_read_and_not_written(tmp_path: Path) -> None:
    database: Any = database_of("postgres", tmp_path)
    database.put("1", city="Ulm")
    database.connect().ensure_field(REASON)
    server = database.shop.server
    server.run("CHECKPOINT")
    signal = server.folder / "data" / "standby.signal"
    signal.touch()
    try:
        server.restart()
        assert len(rows_of(list(database.connect().read("contact", None)))) == 1
        error = refused(lambda: write(database))
        assert isinstance(error, AccessError) and "a replica is read-only" in str(error)
    finally:
        signal.unlink()
        server.restart()
    assert write(database) == DONE
    database.close()
