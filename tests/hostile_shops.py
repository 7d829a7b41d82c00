"""Businesses out of joint: activity that no shop should have and some have, with records whose attributes are
as bad.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa

DAY = date(2024, 6, 30)
MANY = 210  # records; a purchase model wants 200 customers

Deed = tuple[int, int | None, str, date, int | None, str | None, str | None]
_TYPES = {
    "record": pa.int64(),
    "order": pa.int64(),
    "kind": pa.string(),
    "day": pa.date32(),
    "amount": pa.int64(),
}
_TYPES |= {"category": pa.string(), "campaign": pa.string()}


def bought(
    record: int, day: date | int, amount: int | None = 1000, kind: str = "purchase", **more: Any
) -> Deed:
    """A deed; days as numbers are so many before ``DAY``."""
    when = day if isinstance(day, date) else DAY - timedelta(days=day)
    return record, more.get("order"), kind, when, amount, more.get("category", "Wine"), more.get("campaign")


def _ordinary(
    amount: Callable[[int], int] = lambda _: 1000, categories: Sequence[str | None] = ("Wine", "Beer")
) -> Iterator[Deed]:
    chance = random.Random(7)
    for record in range(1, MANY + 1):
        step = (7, 30, 45)[record % 3]
        for ago in range(chance.randint(0, 90) if record % 3 == 2 else 0, 400, step):
            if chance.random() < 0.8:
                yield bought(
                    record,
                    ago + chance.randint(0, 6),
                    amount(record),
                    category=categories[record % len(categories)],
                )


def _campaigns() -> Iterator[Deed]:
    chance = random.Random(7)
    for sent in (40, 100, 160, 220):
        for record in range(1, MANY + 1):
            yield bought(record, sent, None, "campaign_sent", campaign=f"Spring {sent}")
            if chance.random() < 0.4:
                yield bought(record, sent - 3, None, "campaign_response", campaign=f"Spring {sent}")


def _each(
    day: Callable[[int], date | int], amount: int | None = 1000, kind: str = "purchase"
) -> Iterator[Deed]:
    return (bought(record, day(record), amount, kind) for record in range(1, MANY + 1))


def _refunded() -> Iterator[Deed]:
    for deed in _ordinary():
        yield from (deed, bought(deed[0], deed[3], -1000, "refund"))


SHOPS: dict[str, Callable[[], Iterator[Deed]]] = {
    "nobody": lambda: iter(()),
    "one row": lambda: iter([bought(1, 3)]),
    "one customer": lambda: (bought(1, ago) for ago in range(0, 400, 10)),
    "ten thousand purchases": lambda: iter(
        [*_ordinary(), *(bought(1, order % 1500, order=order) for order in range(10_000))]
    ),
    "same day": lambda: iter([*_each(lambda _: 5), *_each(lambda _: 5)]),
    "clockwork": lambda: (bought(record, ago) for record in range(1, MANY + 1) for ago in range(0, 400, 40)),
    "zero": lambda: _ordinary(lambda _: 0),
    "negative": lambda: _ordinary(lambda _: -999),
    "refunded": _refunded,
    "huge": lambda: _ordinary(lambda record: (2**62 - 1, 10**17, 10**15, 3, 0)[record % 5]),
    "future": lambda: _each(lambda record: -record * 300),
    "both ends": lambda: iter(
        [*_each(lambda _: date(1900, 1, 1)), *_each(lambda _: 0), *_each(lambda _: date(2200, 1, 1))]
    ),
    "every category": lambda: (bought(1 + n % MANY, n % 399, category=f"c{n}") for n in range(10_000)),
    "long text": lambda: iter(
        [*_ordinary(categories=("Wine", "", None)), bought(1, 3, category="x" * 1_000_000)]
    ),
    "visits only": lambda: _each(lambda record: record % 300, None, "visit"),
    "campaigns": _campaigns,
}


def opened(shop: str) -> Any:
    """A connection with ``records`` and the shop's ``activity``."""
    con, columns = ibis.duckdb.connect(), list(zip(*SHOPS[shop](), strict=True)) or [()] * len(_TYPES)
    deeds = pa.table(
        [pa.array(column, sort) for column, sort in zip(columns, _TYPES.values(), strict=True)],
        names=list(_TYPES),
    )
    deeds = deeds.append_column("occurred_at", deeds["day"].cast(pa.timestamp("us"))).append_column(
        "channel", deeds["kind"]
    )
    con.create_table("activity", deeds)
    records = range(1, MANY + 3)
    wild = (math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, None)
    con.create_table(
        "records",
        pa.table(
            {
                "record": pa.array(records, pa.int64()),
                "attribute.city": pa.array(
                    [("Oslo", "", None, "x" * 1000)[n % 4] for n in records], pa.string()
                ),
                "attribute.kids": pa.array([wild[n % 7] for n in records], pa.float64()),
                "attribute.since": pa.array(
                    [(date(1900, 1, 1), date(2200, 1, 1), None)[n % 3] for n in records], pa.date32()
                ),
                "attribute.each": pa.array([f"value {n}" for n in records], pa.string()),
                "segment.stage": pa.array([("active", None)[n % 2] for n in records], pa.string()),
            }
        ),
    )
    return con


def finite(answer: Any, path: str = "") -> None:
    """Nothing in it is infinite or no number."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            finite(value, f"{path}.{name}")
    elif isinstance(answer, list | tuple):
        for position, value in enumerate(answer):
            finite(value, f"{path}[{position}]")
    else:
        assert not isinstance(answer, float) or math.isfinite(answer), f"{path} is {answer}"
