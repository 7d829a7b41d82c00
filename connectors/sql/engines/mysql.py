"""How are MySQL and MariaDB read? By a cursor that leaves the rows on the server, as the server's own text: exact
numbers stay exact. The types of the columns are given back page by page.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConnectorError
from connectors.sql.engines import base
from connectors.sql.engines.base import NUMERIC, ROWS, Engine

# MySQL's number of a column type → Arrow's; the others are text
_TYPES = {
    **dict.fromkeys((1, 2, 3, 9, 13), pa.int64()),
    **dict.fromkeys((4, 5), pa.float64()),
    10: pa.date32(),
    14: pa.date32(),
    7: pa.timestamp("us", tz="UTC"),  # TIMESTAMP: in the session's zone, which is UTC
    12: pa.timestamp("us"),
}
_NUMBERS = (0, 246, 8)  # DECIMAL, and BIGINT, which may have no sign
_BIT = 16
_NO_DAY = "^0000-00-00"  # how MySQL writes no day
_NO_CALENDAR = -(1 << 62), -(1 << 31)  # a time and a day that no calendar holds: as such they are rejected
_MEANINGS = {
    **dict.fromkeys((1045, 1698, 1251, 1130, 1820, 1862, 3118, 4151), "log-in"),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), "grant"),
    **dict.fromkeys((1049,), "database"),
    **dict.fromkeys((1054, 1146, 1356), "missing"),
    **dict.fromkeys((1020, 1213, 1412), "again"),  # 1412: the table was altered since the snapshot
    **dict.fromkeys((1040, 1203, 1226), "crowded"),
    1205: "busy",
    **dict.fromkeys((1969, 3024, 1317), "slow"),
    **dict.fromkeys((1021, 1037, 1038, 1041, 1114), "full"),
    **dict.fromkeys((126, 145, 1034, 1194, 1195), "fault"),
    **dict.fromkeys((1290, 1792, 1836), "would write"),
    **dict.fromkeys((1053, 1077, 1152, 1159, 1161, 1184, 1927, 2002, 2003, 2006, 2013, 2055, 4031), "lost"),
    2005: "host",
    2026: "tls",
}
_NO_SPACE = r"No space left|(Errcode|error|errno): ?28\b|error 28\b"  # said with many codes


class MySqlEngine(Engine):
    title, dialect, extra = "MySQL", "mysql", "mysql"

    # how a session goes on, once it is connected
    opening: tuple[str, ...] = (
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    )
    _connection: Any = None
    _cursor: Any = None  # of the rows that are on their way

    def begin(self) -> None:
        driver = self.driver("pymysql")
        with self.asking():
            address = self.address
            where = {"unix_socket": address.host} if address.host.startswith("/") else {"host": address.host}
            self._connection = driver.connect(
                **where, port=address.port or 3306, user=address.user, password=address.password,
                database=address.database or None, charset="utf8mb4", conv={}, autocommit=True,
                connect_timeout=self.seconds_to_connect,
                # the server ends what takes too long, and says so; who waits a little longer hears it
                read_timeout=self.timeout_minutes * 60 + 10, cursorclass=driver.cursors.SSCursor,
                ssl=self._tls(), ssl_disabled=address.tls == "disable", program_name="crm-segments",
            )  # fmt: skip
            self.answered()
            maria = "MariaDB" in self._connection.get_server_info()
            limit = "max_statement_time = %d" if maria else "max_execution_time = %d000"
            for statement in (
                "SET SESSION time_zone = '+00:00'",
                "SET SESSION net_write_timeout = 3600",  # we store a page while the server waits
                "SET SESSION " + limit % (self.timeout_minutes * 60),
                f"SET SESSION lock_wait_timeout = {base.LOCK_SECONDS}",
                f"SET SESSION innodb_lock_wait_timeout = {base.LOCK_SECONDS}",
                *self.opening,
            ):
                with self._connection.cursor() as cursor:
                    cursor.execute(statement)

    def schema(self, statement: str) -> pa.Schema:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return pa.schema([_field(column) for column in cursor.description])

    def batches(self, statement: str) -> Iterator[pa.Table]:
        cursor = self._cursor = self._connection.cursor()
        cursor.execute(statement)
        schema = pa.schema([_field(column) for column in cursor.description])
        bits = [column[1] == _BIT for column in cursor.description]
        while rows := cursor.fetchmany(ROWS):
            columns = zip(schema, bits, zip(*rows, strict=True), strict=True)
            yield pa.table(
                [_array(field, bit, cells) for field, bit, cells in columns], names=schema.names
            ).cast(schema)
        cursor.close()

    def end(self) -> None:
        cursor, connection = self._cursor, self._connection
        self._cursor = self._connection = None
        if cursor is not None and cursor._result is not None:
            cursor._result.unbuffered_active = False  # nobody waits for the rows that are left
        if connection is not None and connection.open:
            connection._force_close()

    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        errors = self.driver("pymysql").err
        if isinstance(error, ssl.SSLError):
            return self.failed("tls", getattr(error, "verify_message", "") or error.reason or "TLS failed")
        if isinstance(error, OSError):
            return self.failed("lost", error.strerror or type(error).__name__)
        if not isinstance(error, errors.MySQLError):
            return None
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[1]) if len(error.args) > 1 else str(error)
        meaning = _MEANINGS.get(code, "lost" if not code else "request")
        if code == 2003:
            meaning = self._unreached(said)
        if re.search(_NO_SPACE, said):
            meaning = "full"
        return self.failed(meaning, said, source, grant)

    def _unreached(self, said: str) -> str:
        if "certificate" in said or "SSL" in said or "TLS" in said:
            return "tls"
        return "host" if "Name or service not known" in said or "getaddrinfo" in said else "lost"

    def _tls(self) -> ssl.SSLContext | None:
        mode = self.address.tls
        if mode == "disable":
            return None
        try:
            context = ssl.create_default_context(cafile=self.address.root_certificate or None)
        except OSError as error:  # ssl.SSLError is one: the file holds no certificate
            raise self.failed("tls", f"the file {self.address.root_certificate}: {error.strerror}") from None
        if mode != "verify-full":
            context.check_hostname = False
        if mode == "require":
            context.verify_mode = ssl.CERT_NONE
        return context


def _field(column: Sequence[Any]) -> pa.Field:
    name, code = column[0], column[1]
    return pa.field(name, _TYPES.get(code, pa.string()), metadata=NUMERIC if code in _NUMBERS else None)


def _array(field: pa.Field, bit: bool, cells: Sequence[Any]) -> pa.Array:
    """Cells as the server wrote them, in the type of their column."""
    if bit:
        cells = [None if cell is None else str(int.from_bytes(_bytes(cell), "big")) for cell in cells]
    letters = pa.array([None if cell is None else _bytes(cell) for cell in cells], pa.binary()).view(
        pa.string()
    )
    if pa.types.is_string(field.type):
        return letters
    if pa.types.is_temporal(field.type):
        letters = pc.if_else(
            pc.match_substring_regex(letters, _NO_DAY), pa.scalar(None, pa.string()), letters
        )
        naive = pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type
        return _moments(letters, naive).cast(field.type)
    return letters.cast(field.type)


def _moments(letters: pa.Array, kind: pa.DataType) -> pa.Array:
    """Times or days; those that MySQL keeps although no calendar has them (2024-02-31) lie outside of every one."""
    try:
        return letters.cast(kind)
    except pa.ArrowInvalid:
        pass
    codes = letters.dictionary_encode()
    sound = pa.array([_is_time(text) for text in codes.dictionary.to_pylist()], pa.bool_()).take(
        codes.indices
    )
    moments = pc.if_else(sound, letters, pa.scalar(None, pa.string())).cast(kind)
    count = (
        pa.scalar(_NO_CALENDAR[0], pa.int64())
        if pa.types.is_timestamp(kind)
        else pa.scalar(_NO_CALENDAR[1], pa.int32())
    )
    return pc.if_else(pc.fill_null(sound, True), moments, count.cast(kind))


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _bytes(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogateescape")


ENGINE = MySqlEngine
