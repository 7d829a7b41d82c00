"""What does a pull from PostgreSQL cost, against the bare driver?

    python -m tests.benchmarks.database --contacts 100000 --orders 1000000

A server of its own is started on loopback and filled with made-up rows: a few customers have most orders. Then
everything is read by ADBC into a file of DuckDB, and by ``crm-segments pull``: for the first time, of an unchanged
world, and after 500 edits. Each runs in processes of its own, whose CPU is added up (the server's is not); beside it
stands how many rows the server read for it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.benchmarks.process import Cost, measure, ours
from tests.servers.databases import PostgresServer

READ_BAR, EDITS_BAR, MEMORY_BAR = 1.4, 1 / 50, 2_000_000_000
EDITS = 500
_CONFIG = """\
[accounts.warehouse]
crm = "sql"
engine = "postgres"
host = "127.0.0.1"
port = {port}
user = "admin"
database = "shop"
segments_schema = "crm_segments"
time_zone = "Europe/Berlin"
[accounts.warehouse.contacts]
table = "public.customers"
changed_at = "updated_at"
deleted = "deleted_at"
columns = {{ id = "customer_id", email = "email", country = "country", created_at = "created_at" }}
[accounts.warehouse.activities]
table = "public.orders"
changed_at = "updated_at"
columns = {{ id = "order_id", contact_id = "customer_id", occurred_at = "ordered_at", amount = "total" }}
status = {{ state = {{ counted = ["paid"], left_out = ["*"] }} }}
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""
# The last change lies days after the others: an unchanged world has few rows in its look-back.
_MADE = (
    "SET max_parallel_workers_per_gather = 0",
    """CREATE UNLOGGED TABLE customers (customer_id bigint, email text, first_name text, last_name text, country text,
       created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)""",
    """CREATE UNLOGGED TABLE orders (order_id bigint, customer_id bigint, ordered_at timestamptz, total numeric(12,2),
       state text, updated_at timestamptz)""",
    """INSERT INTO customers SELECT i, 'customer' || i || '@example.org', 'First' || i % 1000, 'Last' || i % 9973,
       (ARRAY['DE','FR','IT','NL'])[1 + i % 4], made, made + interval '1 hour' * (i % 500), NULL
       FROM (SELECT i, timestamptz '2020-01-01' + interval '90 seconds' * i AS made FROM generate_series(1, {contacts}) AS i) AS each""",
    """INSERT INTO orders SELECT i, 1 + floor({contacts} * power(random(), 3))::bigint, bought,
       round((5 + 200 * power(random(), 4))::numeric, 2),
       CASE WHEN random() < 0.95 THEN 'paid' ELSE 'cancelled' END, bought + interval '1 day' * random()
       FROM (SELECT i, timestamptz '2021-01-01' + interval '1 day' * (1700.0 * i / {orders}) AS bought
             FROM generate_series(1, {orders}) AS i) AS each""",
    "CREATE INDEX ON customers (updated_at)",
    "CREATE INDEX ON orders (updated_at)",
    "ALTER TABLE customers ADD PRIMARY KEY (customer_id)",
    "ALTER TABLE orders ADD PRIMARY KEY (order_id)",
    "ANALYZE",
)
_EDITED = (
    "UPDATE customers SET country = 'AT', updated_at = now() WHERE customer_id % ({contacts} / 100) = 1",
    "UPDATE orders SET total = total + 1, updated_at = now() WHERE order_id % ({orders} / 400) = 1",
)
_READ_ROWS = """SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
    WHERE relname IN ('customers', 'orders')"""


def main() -> int:
    """Make, read, edit, read, write, print; exit code 1 where a bar is missed."""
    options = _options()
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = PostgresServer()
    server.start()
    try:
        shop = _Shop(server, options.contacts, options.orders, folder)
        misses = _reading(shop)
    finally:
        server.stop()
    for miss in misses:
        print("MISSED:", miss)
    return int(bool(misses))


class _Shop:
    """The database that is measured, and the config that names it."""

    def __init__(self, server: PostgresServer, contacts: int, orders: int, folder: Path) -> None:
        self.server, self.contacts, self.orders, self.folder = server, contacts, orders, folder
        server.run("CREATE DATABASE shop")
        server.run("SELECT setseed(0.5)", *self._filled(_MADE), database="shop")
        self.config = folder / "config.toml"
        self.config.write_text(_CONFIG.format(port=server.port), encoding="utf-8")

    def edit(self) -> None:
        """Change some customers and some orders."""
        self.server.run(*self._filled(_EDITED), database="shop")

    def _filled(self, statements: tuple[str, ...]) -> list[str]:
        return [text.format(contacts=self.contacts, orders=self.orders) for text in statements]

    def measured(self, what: str, command: list[str]) -> Cost:
        """Run a command, and print what it cost."""
        before = self._rows_read()
        cost = measure(command)
        print(f"{what:34} {cost}  {self._rows_read() - before:>12,} rows read by the server", flush=True)
        if cost.code:
            raise SystemExit(cost.output)
        return cost

    @property
    def address(self) -> str:
        """The database, as the driver is told of it."""
        return f"host=127.0.0.1 port={self.server.port} user=admin dbname=shop"

    def _rows_read(self) -> int:
        import adbc_driver_postgresql.dbapi as dbapi

        with dbapi.connect(self.address) as connection, connection.cursor() as cursor:
            cursor.execute(_READ_ROWS)
            row = cursor.fetchone()
        assert row is not None
        return int(row[0])


def _reading(shop: _Shop) -> list[str]:
    pull = ours("pull", "--config", str(shop.config))
    bare = shop.measured(
        "bare ADBC into DuckDB",
        [sys.executable, "-m", "tests.benchmarks.database", "bare_read", shop.address, str(shop.folder)],
    )
    first = shop.measured("first pull", pull)
    shop.measured("unchanged", pull)
    shop.edit()
    edited = shop.measured(f"after {EDITS} edits", pull)
    same = shop.measured("unchanged", pull)
    print(
        f"first pull: {first.cpu / bare.cpu:.2f}x the bare read; after edits: 1/{first.cpu / edited.cpu:.0f} of it;"
        f" unchanged: 1/{first.cpu / same.cpu:.0f}"
    )
    return (
        _missed(first.cpu / bare.cpu, READ_BAR, "first pull against the bare read")
        + _missed(edited.cpu / first.cpu, EDITS_BAR, "pull after edits against the first")
        + _missed(max(first.peak, edited.peak), MEMORY_BAR, "peak of memory in bytes")
    )


def _missed(figure: float, bar: float, what: str) -> list[str]:
    return [f"{what}: {figure:,.3f}, and {bar:,.3f} is the bar"] if figure > bar else []


# -- what is measured against ---------------------------------------------------------------------------------


def bare_read(where: str, folder: Path) -> None:
    """All rows, by ADBC into DuckDB."""
    import adbc_driver_postgresql.dbapi as dbapi
    import duckdb

    with duckdb.connect(str(folder / "bare.duckdb")) as target, dbapi.connect(where) as connection:
        for table in ("customers", "orders"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {table}")
                rows = cursor.fetch_record_batch()
                target.execute(f"CREATE TABLE {table} AS SELECT * FROM rows")
                del rows


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.database", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/database"))
    return parser.parse_args()


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "bare_read":
        bare_read(sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(main())
