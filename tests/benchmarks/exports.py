"""Generated exports of a shop: deterministic Parquet, skewed as real customers are."""

from __future__ import annotations

from pathlib import Path

import duckdb

AS_OF = "2024-06-30"
_CONFIG = f"""\
as_of = {AS_OF}
[accounts.shop]
crm = "files"
path = "crm"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
{{extra}}
[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
{{extra}}
"""
_CONTACTS = """
    SELECT printf('C%08d', i) AS id, 'c' || i || '@example.org' AS email, TIMESTAMP '2020-01-01' + to_seconds(i) AS created_at,
           ['Ulm', 'Bonn', 'Kiel', 'Jena'][i % 4 + 1] AS city
    FROM range({contacts}) AS numbers(i)
"""
# Three years up to as_of, ascending in time; a contact's number of purchases falls off steeply; {lines} lines
# an order.
_ACTIVITIES = """
    SELECT printf('A%09d', i) AS id, printf('C%08d', floor({contacts} * pow((hash(o) % 1000003) / 1000003.0, 2))::BIGINT) AS contact_id,
           TIMESTAMP '2021-07-01' + to_seconds((o * (1095 * 86400.0 * {lines} / {activities}))::BIGINT) AS occurred_at,
           round(exp(1 + 3 * ((hash(i, 1) % 10007) / 10007.0)), 2) AS amount, 'purchase' AS kind,
           'category ' || hash(i, 2) % 20 AS category, printf('O%09d', o) AS order_id
    FROM (SELECT i, i // {lines} AS o FROM range({first}, {last}) AS numbers(i))
"""


def lay_out(
    folder: Path, contacts: int, activities: int, lines: int = 1, files: int = 4, extra: str = ""
) -> Path:
    """Write crm/contacts.parquet, crm/activities-N.parquet and config.toml; the path of the config.

    Kept files are not made anew.
    """
    (folder / "crm").mkdir(parents=True, exist_ok=True)
    engine = duckdb.connect()
    engine.execute("SET memory_limit = '2GB'")
    _copy(engine, folder / "crm" / "contacts.parquet", _CONTACTS.format(contacts=contacts))
    for number in range(files):
        span = {"first": activities * number // files, "last": activities * (number + 1) // files}
        query = _ACTIVITIES.format(contacts=contacts, activities=activities, lines=lines, **span)
        _copy(engine, folder / "crm" / f"activities-{number}.parquet", query)
    engine.close()
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(extra=extra), encoding="utf-8")
    return config


def _copy(engine: duckdb.DuckDBPyConnection, file: Path, query: str) -> None:
    if not file.exists():
        engine.execute(f"COPY ({query}) TO '{file}.part' (FORMAT parquet)")
        Path(f"{file}.part").rename(file)
