"""The job that the product is measured against: the same features and fields in plain DuckDB SQL, with
nothing around it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from tests.benchmarks.exports import AS_OF

_LOAD = """
    CREATE TABLE contacts AS SELECT * FROM '{crm}/contacts.parquet';
    CREATE TABLE activity AS
        SELECT contact_id, order_id, kind, occurred_at::DATE AS day, round(amount * 100)::BIGINT AS amount, category
        FROM '{crm}/activities-*.parquet';
"""
_COLUMNS = """
    count(DISTINCT day) AS purchase_days, sum(amount) AS net_revenue, min(day) AS first_purchase, max(day) AS last_purchase,
    count(DISTINCT day) FILTER (day > DATE '{as_of}' - 365) AS purchase_days_365,
    sum(amount) FILTER (day > DATE '{as_of}' - 365) AS net_revenue_365
"""
_BY_ROW = """
    SELECT contact_id, count(*) AS orders, {columns}
    FROM activity WHERE kind = 'purchase' AND day <= DATE '{as_of}' GROUP BY contact_id
"""
_BY_ORDER = """
    SELECT contact_id, count(*) AS orders, {columns} FROM (
        SELECT contact_id, order_id, min(day) AS day, sum(amount) AS amount
        FROM activity WHERE kind = 'purchase' AND day <= DATE '{as_of}' GROUP BY contact_id, order_id
    ) GROUP BY contact_id
"""
_SEGMENTS = """
    COPY (
        WITH scored AS (
            SELECT *, 1 + floor(5 * percent_rank() OVER (ORDER BY last_purchase)) AS r,
                1 + floor(5 * percent_rank() OVER (ORDER BY purchase_days_365)) AS f,
                1 + floor(5 * percent_rank() OVER (ORDER BY net_revenue_365)) AS m,
                (last_purchase - first_purchase) / nullif(purchase_days - 1, 0) AS mean_gap_days,
                sum(net_revenue) OVER (ORDER BY net_revenue DESC) / sum(net_revenue) OVER () AS reached
            FROM features
        )
        SELECT id, CASE WHEN r IS NULL THEN 'prospect' WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'champions' WHEN f >= 4 THEN 'loyal'
                WHEN r >= 4 AND f = 1 THEN 'new' WHEN r >= 3 THEN 'promising' WHEN f >= 3 THEN 'at_risk' ELSE 'lost' END AS seg_rfm,
            CASE WHEN r IS NULL THEN 'prospect' WHEN reached <= 0.8 THEN 'a' WHEN reached <= 0.95 THEN 'b' ELSE 'c' END AS seg_value
        FROM contacts LEFT JOIN scored ON contacts.id = scored.contact_id ORDER BY id
    ) TO '{folder}/bare-segments.csv' (HEADER);
"""


def main(folder: Path, lines: int) -> None:
    """Read the exports of ``folder``, compute, and write bare-segments.csv beside them."""
    database = folder / "bare.duckdb"
    database.unlink(missing_ok=True)
    engine = duckdb.connect(str(database), config={"memory_limit": "2GB"})
    engine.execute(_LOAD.format(crm=folder / "crm"))
    features = (_BY_ORDER if lines > 1 else _BY_ROW).format(columns=_COLUMNS.format(as_of=AS_OF), as_of=AS_OF)
    engine.execute(f"CREATE TABLE features AS {features}")
    engine.execute(_SEGMENTS.format(folder=folder))
    engine.close()
    database.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
