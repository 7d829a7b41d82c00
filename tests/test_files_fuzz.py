"""Whatever the bytes of a file are: pages, or an error that says what to do.

Never a traceback, never a lost neighbour.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Attribute
from connectors.errors import ConnectorError
from connectors.schemas import ACTIVITY_SCHEMA, RECORD_SCHEMA
from tests.files_shop import HEAD, Paper, Shop, changes

_SLOW = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_ALPHABET = b"a1,;\"\n\r\t \0\xff\xc3\xa9-.='"
_HEADERS = [
    "",
    "id,age,born\n",
    "contact_id,occurred_at,amount,currency,quantity\n",
    "record_id;record_type;occurred_at;deleted\n",
]
_STREAMS = {
    "contacts.csv": "contact",
    "activities.csv": "activity",
    "segments.csv": "value",
    "contacts.parquet": "contact",
}
_NOISE = st.binary(max_size=80) | st.lists(
    st.sampled_from([bytes([byte]) for byte in _ALPHABET]), max_size=60
).map(b"".join)


def _shop(folder: str) -> Shop:
    attributes = {"age": Attribute("age", "number"), "born": Attribute("born", "date")}
    return Shop(Path(folder), account={"attributes": attributes, "time_zone": "Europe/Berlin"})


@_SLOW
@given(_NOISE, st.sampled_from(_HEADERS))
def test_any_bytes_give_pages_or_an_error_of_ours(noise: bytes, header: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = _shop(folder)
        for name, stream in _STREAMS.items():
            path = shop.put(name, header.encode() + noise)
            try:
                read = shop.read(stream)
                assert read.pages == [] or shop.read(stream, read.position).pages == []
                shop.open().count(stream)
                if stream == "value":
                    shop.open().write_fields(changes([("1", "age", None, "x")]), Paper())
            except ConnectorError as error:
                assert str(error)
            path.unlink()
        shop.open().check()


@_SLOW
@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_a_damaged_line_leaves_all_others_as_they_were(damage: list[bytes], data: st.DataObject) -> None:
    rows = [f"{n},2024-01-{n + 1:02},{n}.5\n".encode() for n in range(20)]
    hurt = data.draw(st.sets(st.integers(0, 19), min_size=1, max_size=3))
    lines = list(rows)
    for number in hurt:
        for piece in damage:
            at = data.draw(st.integers(0, len(lines[number]) - 1))
            lines[number] = lines[number][:at] + piece.replace(b"\n", b"") + lines[number][at:]
    quotes = sum(line.count(b'"') for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        shop = _shop(folder)
        shop.put("activities.csv", HEAD.encode() + b"".join(lines))
        read = shop.read("activity")
    amounts = {(row["record_id"], row["amount_minor"]) for row in read.rows}
    if quotes <= 1:  # two stray quotes may well be a quoted cell of several lines
        assert {(str(number), number * 100 + 50) for number in set(range(20)) - hurt} <= amounts


_VALUES = {
    pa.string(): st.text(max_size=5),
    pa.float64(): st.floats(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.timestamp("ns"): st.integers(-(2**62), 2**62),
    pa.timestamp("s", "UTC"): st.integers(-(2**40), 2**40) | st.integers(-(2**52), 2**52),
    pa.timestamp("ms"): st.integers(-(2**63), 2**63 - 1),
    pa.timestamp("us"): st.integers(-(2**63), 2**63 - 1),
    pa.date32(): st.integers(-(10**5), 10**5) | st.integers(-(2**31), 2**31 - 1),
    pa.date64(): st.integers(-(10**9), 10**9).map(lambda day: day * 86_400_000),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.duration("s"): st.integers(-(10**6), 10**6),
    pa.binary(): st.binary(max_size=4),
    pa.list_(pa.string()): st.lists(st.text(max_size=2), max_size=2),
    pa.decimal128(10, 3): st.decimals(-1000, 1000, places=3),
    pa.null(): st.none(),
    pa.large_string(): st.text(max_size=3),
}


@_SLOW
@given(st.data())
def test_parquet_columns_of_any_type_give_pages_or_an_error_of_ours(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 4))
    columns = {}
    for name in (
        "contact_id",
        "occurred_at",
        "amount",
        "quantity",
        "kind",
        "deleted",
        "currency",
        "id",
        "age",
        "born",
    ):
        kind = data.draw(st.sampled_from(list(_VALUES)))
        values = data.draw(st.lists(st.none() | _VALUES[kind], min_size=count, max_size=count))
        columns[name] = pa.array(values, kind)
    with tempfile.TemporaryDirectory() as folder:
        shop = _shop(folder)
        for name, stream in (("activities.parquet", "activity"), ("contacts.parquet", "contact")):
            pq.write_table(pa.table(columns), shop.folder / name)
            try:
                read = shop.read(stream)
                contract = {
                    column.name: column.type
                    for column in (ACTIVITY_SCHEMA if stream == "activity" else RECORD_SCHEMA)
                }
                for column in (column for page in read.pages for column in page.records.schema):
                    assert contract.get(column.name, column.type) == column.type, column
                assert len(read.rows) + read.rejected + read.ownerless + sum(read.left_out.values()) == count
            except ConnectorError as error:
                assert str(error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp1252", "shift_jis", "utf-7", "utf-32"])
def test_bytes_of_another_encoding_never_end_in_a_traceback(tmp_path: Path, encoding: str) -> None:
    shop = Shop(tmp_path, settings={"encoding": encoding})
    for content in (b"id,name\n1,\xff\xfe\n2,x", "id,näme\n1,ö\n".encode("utf-16"), b"\xff", b"id\n\x81\n"):
        shop.put("contacts.csv", content)
        try:
            shop.read("contact")
        except ConnectorError as error:
            assert str(error)
