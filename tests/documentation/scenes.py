"""In which folders, and beside which CRM, are the commands of a page run?

A page names its scene in a comment, ``<!-- scene: shop -->``. It is always the same first of February.
"""

from __future__ import annotations

import csv
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sync import commands
from sync.commands import Options
from tests.org_store import RIGHTS
from tests.servers import hubspot, salesforce
from tests.servers.salesforce.clock import Clock as OrgClock

NOW = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
_FIRST = (
    "Anna Ben Carla David Emma Felix Greta Hugo Ida Jonas Klara Leon Mia Noah Olga Paul Rosa Simon Tina Vera"
)
_LAST = (
    "Becker Braun Fischer Fuchs Hahn Keller Koch Lang Maier Neumann Otto Peters Roth Schulz Vogel Weber Wolf"
)
_CITIES = ("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig")
_DEPARTMENTS = ("Wine", "Cheese", "Bread", "Coffee")


@dataclass(frozen=True)
class Scene:
    """Where commands run. ``further``: words that a verb gets there, which a page does not show. ``secrets``:
    environment variable → its value. ``shown``: what stands in an output → what a page shows in its place.
    ``stands``: what a block of the page puts into a file → what is put there.
    """

    folder: Path
    further: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    stands: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Customer:
    """A made-up person of a made-up shop, and the orders: day, amount, department, whether it was paid."""

    number: int
    name: str
    email: str
    city: str
    newsletter: str
    orders: tuple[tuple[date, float, str, bool], ...]


@cache
def customers(count: int = 400) -> tuple[Customer, ...]:
    """Always the same people."""
    dice = random.Random(7)
    return tuple(_customer(1001 + place, dice) for place in range(count))


def _customer(number: int, dice: random.Random) -> Customer:
    first, last = dice.choice(_FIRST.split()), dice.choice(_LAST.split())
    orders, day = [], TODAY - timedelta(days=dice.randrange(20, 720))
    rate, usual = dice.gammavariate(0.9, 5 / 365), dice.uniform(15, 90)
    while day < TODAY and dice.random() > 0.06:
        amount = round(usual * dice.uniform(0.5, 1.7), 2)
        orders.append((day, amount, dice.choice(_DEPARTMENTS), dice.random() > 0.04))
        day += timedelta(days=max(1, int(dice.expovariate(max(rate, 0.0008)))))
    email = f"{first}.{last}.{number}@example.org".lower()
    newsletter = dice.choice(("yes", "yes", "no", ""))
    return Customer(number, f"{first} {last}", email, dice.choice(_CITIES), newsletter, tuple(orders))


def lay_out(folder: Path) -> None:
    """The exports of the shop: contacts.csv and activities.csv."""
    folder.mkdir(parents=True)
    people = [(each.number, each.name, each.email, each.city, each.newsletter) for each in customers()]
    _write(folder / "contacts.csv", ("customer_no", "name", "email", "city", "newsletter"), people)
    orders = sorted((*order, each.number) for each in customers() for order in each.orders)
    rows = [
        (
            f"A{place:05}",
            number,
            day.isoformat(),
            f"{amount:.2f}",
            "paid" if paid else "cancelled",
            department,
        )
        for place, (day, amount, department, paid, number) in enumerate(orders, 1)
    ]
    _write(
        folder / "activities.csv", ("order_no", "customer_no", "date", "total", "state", "department"), rows
    )


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)


def options() -> Options:
    """What commands get in every scene: the day."""
    return Options(clock=lambda: NOW)


@contextmanager
def shop() -> Iterator[Scene]:
    """Two CSV files in ``exports``, and nothing else."""
    with _temporary() as folder:
        lay_out(folder / "exports")
        yield Scene(folder)


@contextmanager
def labelled() -> Iterator[Scene]:
    """The same shop with a config, set up, and a first labelling that was applied."""
    with _temporary() as folder:
        shutil.copytree(_labelled(), folder, dirs_exist_ok=True)
        yield Scene(folder)


@cache
def _labelled() -> Path:
    """Made once: the other scenes copy it."""
    folder = Path(tempfile.mkdtemp(prefix="documentation-"))
    lay_out(folder / "exports")
    config = folder / "config.toml"
    home = {"time_zone": "Europe/Berlin", "currency": "EUR"}
    commands.init(config, path=folder / "exports", described=home, clock=lambda: NOW)
    config.write_text(config.read_text(encoding="utf-8").replace(f"{folder}/", ""), encoding="utf-8")
    commands.setup(config, options())
    made = commands.plan(config, options())
    commands.apply(config, options(), number=made["plan"]["plan"])
    return folder


# what was written is seen at once: how long HubSpot takes differs from minute to minute
_AT_ONCE: Mapping[str, Any] = {"index_lag": 0.0, "list_lag": 0.0, "list_build": 0.0, "member_lag": 0.0}


@contextmanager
def portal() -> Iterator[Scene]:
    """A HubSpot portal with 240 contacts and 900 deals: the stand-in that the tests use."""
    filled = hubspot.Portal(hubspot.Knobs(**_AT_ONCE), hubspot.Clock(50.0, NOW))
    hubspot.seed(filled, contacts=240, deals=900)
    with hubspot.serving(filled) as server, _temporary() as folder:
        yield Scene(
            folder,
            {"init": ("--api-url", server.url)},
            {"HUBSPOT_TOKEN": hubspot.TOKEN},
            {server.url: "https://api.hubapi.com"},
        )


@contextmanager
def org() -> Iterator[Scene]:
    """A Salesforce sandbox with 240 contacts: the stand-in that the tests use."""
    filled = salesforce.Org(7, rights=RIGHTS, clock=OrgClock(NOW), sandbox=True)
    salesforce.seed(filled, contacts=240, opportunities=900)
    with salesforce.serving(filled) as server, _temporary() as folder:
        key, address = str(filled.login.client_id), "https://acme--uat.sandbox.my.salesforce.com"
        yield Scene(
            folder,
            {"init": ("--api-url", server.url, "--client-id", key)},
            {"SALESFORCE_SECRET": str(filled.login.client_secret)},
            {server.url: address, key: "3MVG9..."},
        )


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shop"
        folder.mkdir()
        yield folder


@contextmanager
def warehouse() -> Iterator[Scene]:
    """The shop's customers and orders in a DuckDB file, as a loader would put them."""
    import duckdb

    with _temporary() as folder:
        lay_out(folder / "raw")
        with duckdb.connect(str(folder / "warehouse.duckdb")) as engine:
            for table, file in (("customers", "contacts"), ("orders", "activities")):
                engine.execute(f"CREATE TABLE {table} AS FROM '{folder}/raw/{file}.csv'")
        shutil.rmtree(folder / "raw")
        yield Scene(folder)


@contextmanager
def shopify() -> Iterator[Scene]:
    """The shop's orders as Shopify exports them, in ``exports``, and a HubSpot portal that has most of the customers."""
    filled = hubspot.Portal(hubspot.Knobs(**_AT_ONCE), hubspot.Clock(50.0, NOW))
    for each in customers()[:360]:
        first, last = each.name.split()
        filled.put("contacts", {"email": each.email, "firstname": first, "lastname": last, "city": each.city})
    filled.settle()
    with hubspot.serving(filled) as server, _temporary() as folder:
        _lay_out_shopify(folder / "exports")
        yield Scene(
            folder,
            {"init": ("--api-url", server.url)},
            {"HUBSPOT_TOKEN": hubspot.TOKEN},
            {server.url: "https://api.hubapi.com"},
        )


_ORDERS = (
    "Name,Email,Financial Status,Currency,Total,Created at,Cancelled at,Refunded Amount,Outstanding Balance,"
    "Lineitem quantity,Lineitem name"
)


def _lay_out_shopify(folder: Path) -> None:
    folder.mkdir()
    orders = sorted((*order, each.email) for each in customers() for order in each.orders)
    rows = [
        (
            f"#{1000 + place}",
            email,
            "paid" if paid else "voided",
            "EUR",
            f"{amount:.2f}",
            f"{day} 10:15:00 +0100",
        )
        for place, (day, amount, _department, paid, email) in enumerate(orders, 1)
    ]
    further = [("", "0.00", "0.00", 1, department) for _day, _amount, department, _paid, _email in orders]
    lines = [(*row, *more) for row, more in zip(rows, further, strict=True)]
    _write(folder / "orders_export_1.csv", _ORDERS.split(","), lines)


SCENES: Mapping[str, Callable[[], AbstractContextManager[Scene]]] = {
    "shop": shop,
    "labelled": labelled,
    "portal": portal,
    "org": org,
    "shopify": shopify,
    "warehouse": warehouse,
}
