"""Which figures does the story of the demo tell? Added up from the files that the demo laid out and wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

_PURCHASES = "SELECT * FROM read_parquet('{crm}/activities-*.parquet') WHERE kind = 'purchase'"
_HELD = "SELECT * FROM read_csv('{crm}/segments.csv', all_varchar = true)"


@dataclass(frozen=True)
class Shop:
    """What the shop had: rows of receipts, orders, and net revenue in units of its currency."""

    customers: int
    lines: int
    orders: int
    revenue: float


@dataclass(frozen=True)
class Segment:
    """Customers of a segment, their share of all, what they bought so far, and its share of all revenue."""

    customers: int = 0
    share: float = 0.0
    revenue: float = 0.0
    revenue_share: float = 0.0


@dataclass
class Figures:
    """Of a demo's folder. ``held`` is looked at once before a run and once after it."""

    crm: Path
    _engine: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def shop(self) -> Shop:
        """What the exports hold."""
        row = self._one(
            f"""SELECT (SELECT count(*) FROM read_csv('{self._at}/contacts.csv')), count(*), count(DISTINCT order_id), sum(amount)
                FROM ({self._purchases})"""
        )
        return Shop(*row)

    def look(self, name: str) -> None:
        """Remember what the CRM holds now, with what each customer bought so far, as the table ``name``."""
        self._engine.execute(
            f"""CREATE TABLE {name} AS SELECT held.*, coalesce(revenue, 0) AS revenue FROM ({_HELD.format(crm=self._at)}) AS held
                LEFT JOIN (SELECT contact_id AS id, sum(amount) AS revenue FROM ({self._purchases}) GROUP BY ALL) USING (id)"""
        )

    def segment(self, name: str, column: str, key: str) -> Segment:
        """One segment in what was remembered."""
        row = self._one(
            f"""SELECT count(*), count(*) / any_value(customers), coalesce(sum(revenue), 0), coalesce(sum(revenue), 0) / any_value(whole)
                FROM (SELECT *, count(*) OVER () AS customers, sum(revenue) OVER () AS whole FROM {name}) WHERE {column} = ?""",
            key,
        )
        return Segment(*row) if row[0] else Segment()

    def moved(self, column: str) -> int:
        """How many customers have another segment in ``later`` than in ``earlier``."""
        return int(self._one(f"SELECT count(*) FROM ({self._both(column)}) WHERE was <> now")[0])

    def came(self, column: str, key: str) -> Segment:
        """Those who are in a segment now and were not; shares are of nobody."""
        row = self._one(
            f"SELECT count(*), coalesce(sum(revenue), 0) FROM ({self._both(column)}) WHERE now = ? AND was <> now",
            key,
        )
        return Segment(customers=row[0], revenue=row[1])

    def left(self, column: str, key: str) -> int:
        """How many are in a segment no longer."""
        return int(
            self._one(f"SELECT count(*) FROM ({self._both(column)}) WHERE was = ? AND was <> now", key)[0]
        )

    def example(self) -> tuple[str, str, str]:
        """(id, segment before, segment now) of a customer who stopped being a champion, or of any who moved."""
        row: tuple[str, str, str] = self._one(
            f"""SELECT id, was, now FROM ({self._both("seg_rfm")}) WHERE was <> now
                ORDER BY was <> 'champions', revenue DESC, id LIMIT 1"""
        )
        return row

    def close(self) -> None:
        """Let go of the files."""
        self._engine.close()

    @property
    def _at(self) -> str:
        return str(self.crm).replace("'", "''")

    @property
    def _purchases(self) -> str:
        return _PURCHASES.format(crm=self._at)

    def _both(self, column: str) -> str:
        """id, the segment before and after, and what the customer bought until the end."""
        return f"""SELECT later.id, coalesce(earlier.{column}, '') AS was, coalesce(later.{column}, '') AS now, later.revenue
                   FROM later JOIN earlier ON later.id = earlier.id"""

    def _one(self, query: str, *parameters: str) -> Any:
        return self._engine.execute(query, list(parameters)).fetchone()
