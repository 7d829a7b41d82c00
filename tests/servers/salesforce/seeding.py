"""Who are the customers of a made-up org? As many as wanted, the same for the same seed, made in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from tests.servers.salesforce.org import Org
from tests.servers.salesforce.schema import Entity

_FIRST = (
    "Ada",
    "Bob",
    "Chloé",
    "Dörte",
    "Emre",
    "Fatima",
    "Grace",
    "Hiro",
    "Ines",
    "José",
    "Kofi",
    "Lea",
    "Mara",
    "Nils",
    "Oya",
    "Pia",
)
_LAST = (
    "Abel",
    "Brandt",
    "Çelik",
    "Diaz",
    "Egger",
    "Fuchs",
    "Gómez",
    "Huber",
    "Ito",
    "Jansen",
    "Klein",
    "Lopez",
    "Maier",
    "Novak",
    "Okoye",
)
_ODD = (
    "NA",
    "Null",
    "None",
    "#N/A",
    "=1+1",
    'O"Hara',
    "Line\nBreak",
    "Zoë ☃ 🎈",
    "comma, semicolon;",
    "'quoted'",
    "007",
    "-",
    "true",
)
_CITIES = ("Ulm", "Bonn", "Köln", "Essen", "Jena", "Trier", "Kiel", "Mainz")
_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", None)
_STAGES = (
    ("Closed Won", 1, 1, 100.0),
    ("Closed Won", 1, 1, 100.0),
    ("Closed Lost", 1, 0, 0.0),
    ("Prospecting", 0, 0, 10.0),
)
_OPTED_OUT = 0.08
_CHUNK = 100_000


class _Maker:
    """Columns of made-up records, from one stream of chance."""

    def __init__(self, org: Org, days: int) -> None:
        self.org, self.days = org, days
        self.chance = np.random.default_rng(org.chance.randrange(2**32))
        self.end = np.datetime64(
            (org.clock.now() - timedelta(hours=1)).replace(second=0, microsecond=0, tzinfo=None), "s"
        )
        self.dates = [str(self.end - np.timedelta64(day, "D"))[:10] for day in range(days)]

    def pick(self, values: Sequence[Any], count: int) -> list[Any]:
        return [values[position] for position in self.chance.integers(0, len(values), count).tolist()]

    def flags(self, share: float, count: int) -> list[int]:
        flags: list[int] = (self.chance.random(count) < share).astype(int).tolist()
        return flags

    def numbers(self, low: float, high: float, count: int) -> list[float]:
        numbers: list[float] = np.round(self.chance.uniform(low, high, count), 2).tolist()
        return numbers

    def times(self, count: int) -> tuple[list[str], list[str]]:
        """Created and, later, last changed."""
        made = self.chance.integers(0, self.days * 86_400, count)
        moved = (made * self.chance.random(count)).astype(int)
        return _stamps(self.end - made.astype("timedelta64[s]")), _stamps(
            self.end - moved.astype("timedelta64[s]")
        )

    def put(self, entity: Entity, ids: list[str], columns: dict[str, Sequence[Any]]) -> None:
        """Rows of whole columns, with the system fields."""
        count = len(ids)
        made, moved = self.times(count)
        system: dict[str, Sequence[Any]] = {
            "Id": ids, "CreatedDate": made, "LastModifiedDate": moved, "SystemModstamp": moved,
            "CreatedById": [self.org.admin] * count, "LastModifiedById": [self.org.admin] * count,
        }  # fmt: skip
        flags = {
            field.name: [0] * count for field in entity if field.type == "boolean" and field.formula is None
        }
        owners = {"OwnerId": [self.org.admin] * count} if entity.field("OwnerId") else {}
        whole = {
            name: column
            for name, column in {**flags, **owners, **system, **columns}.items()
            if entity.field(name)
        }
        with self.org.store.lock:
            self.org.store.insert(entity, zip(*whole.values(), strict=True), list(whole))


def _stamps(moments: np.ndarray[Any, Any]) -> list[str]:
    return [text + ".000Z" for text in np.datetime_as_string(moments).tolist()]


def seed(
    org: Org, contacts: int = 100, *, accounts: int | None = None, leads: int | None = None, opportunities: int | None = None,
    orders: int = 0, tasks: int | None = None, campaigns: int = 0, members: int | None = None, days: int = 720, odd: bool = True,
) -> dict[str, int]:  # fmt: skip
    """Add made-up records; how many of each object. What is not given follows from the number of contacts."""
    maker = _Maker(org, days)
    wanted = {
        "Account": max(1, contacts // 4) if accounts is None else accounts,
        "Contact": contacts,
        "Lead": contacts // 20 if leads is None else leads,
        "Opportunity": contacts // 2 if opportunities is None else opportunities,
        "Order": orders if org.knobs.orders else 0,
        "Task": contacts // 4 if tasks is None else tasks,
        "Campaign": campaigns if org.knobs.marketing else 0,
    }
    ids = {
        name: org.ids.many(org.schema.entities[name.lower()].prefix, count) for name, count in wanted.items()
    }
    _accounts(maker, ids["Account"])
    for chunk in _chunks(ids["Contact"]):
        _people(maker, "Contact", chunk, ids["Account"], odd)
    for chunk in _chunks(ids["Lead"]):
        _people(maker, "Lead", chunk, ids["Account"], odd)
    if ids["Contact"]:
        for chunk in _chunks(ids["Opportunity"]):
            _opportunities(maker, chunk, ids["Contact"])
        for chunk in _chunks(ids["Order"]):
            _orders(maker, chunk, ids["Contact"])
        for chunk in _chunks(ids["Task"]):
            _tasks(maker, chunk, ids["Contact"])
    _campaigns(maker, ids["Campaign"], ids["Contact"], members)
    return wanted


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _accounts(maker: _Maker, ids: list[str]) -> None:
    names = [f"Company {number}" for number in range(1, len(ids) + 1)]
    columns = {
        "Name": names,
        "BillingCity": maker.pick(_CITIES, len(ids)),
        "AnnualRevenue": maker.numbers(1e4, 1e7, len(ids)),
    }
    maker.put(
        maker.org.schema["Account"],
        ids,
        columns | {"Type": maker.pick(("Prospect", "Customer", None), len(ids))},
    )


def _people(maker: _Maker, name: str, ids: list[str], accounts: list[str], odd: bool) -> None:
    count = len(ids)
    last = maker.pick(_LAST, count)
    if odd:
        for position in range(0, count, 37):
            last[position] = _ODD[position // 37 % len(_ODD)]
    first = maker.pick(_FIRST, count)
    columns: dict[str, Sequence[Any]] = {
        "FirstName": first,
        "LastName": last,
        "Name": [f"{a} {b}" for a, b in zip(first, last, strict=True)],
        "Email": [f"{name.lower()}.{id[8:15]}@example.org" for id in ids],
        "Phone": [f"+49 30 {number}" for number in maker.chance.integers(10**5, 10**7, count).tolist()],
        "LeadSource": maker.pick(_SOURCES, count),
        "Title": maker.pick(("Buyer", "Head of Sales", None), count),
        "HasOptedOutOfEmail": maker.flags(_OPTED_OUT, count),
        "DoNotCall": maker.flags(0.02, count),
    }
    if name == "Contact":
        cities = {"MailingCity": maker.pick(_CITIES, count), "MailingCountry": ["Germany"] * count}
        columns |= cities | {"AccountId": maker.pick(accounts, count) if accounts else [None] * count}
        columns |= {
            "Birthdate": [f"{year}-0{month}-15" for year, month in zip(*_born(maker, count), strict=True)]
        }
    else:
        columns |= {
            "City": maker.pick(_CITIES, count),
            "Country": ["Germany"] * count,
            "Company": ["Self"] * count,
        }
        columns |= {"Status": maker.pick(("Open - Not Contacted", "Working - Contacted"), count)}
    maker.put(maker.org.schema[name], ids, columns)


def _born(maker: _Maker, count: int) -> tuple[list[int], list[int]]:
    return maker.chance.integers(1940, 2005, count).tolist(), maker.chance.integers(1, 10, count).tolist()


def _opportunities(maker: _Maker, ids: list[str], contacts: list[str]) -> None:
    org, count = maker.org, len(ids)
    who = maker.pick(contacts, count)
    accounts = dict(org.store.run("SELECT Id, AccountId FROM Contact"))
    stages = maker.pick(_STAGES, count)
    columns: dict[str, Sequence[Any]] = {
        "Name": [f"Deal {id[10:15]}" for id in ids],
        "AccountId": [accounts.get(contact) for contact in who],
        "Amount": maker.numbers(5, 5000, count),
        "StageName": [stage[0] for stage in stages],
        "IsClosed": [stage[1] for stage in stages],
        "IsWon": [stage[2] for stage in stages],
        "Probability": [stage[3] for stage in stages],
        "CloseDate": maker.pick(maker.dates, count),
    }
    if org.knobs.multi_currency:
        columns["CurrencyIsoCode"] = maker.pick(("EUR", "USD", "GBP"), count)
    maker.put(org.schema["Opportunity"], ids, columns)
    roles = org.ids.many("00K", count)
    maker.put(
        org.schema["OpportunityContactRole"],
        roles,
        {"OpportunityId": ids, "ContactId": who, "IsPrimary": [1] * count},
    )


def _orders(maker: _Maker, ids: list[str], contacts: list[str]) -> None:
    count = len(ids)
    who = maker.pick(contacts, count)
    accounts = dict(maker.org.store.run("SELECT Id, AccountId FROM Contact"))
    columns: dict[str, Sequence[Any]] = {
        "AccountId": [accounts.get(contact) for contact in who], "BillToContactId": who, "EffectiveDate": maker.pick(maker.dates, count),
        "Status": ["Activated"] * count, "StatusCode": ["Activated"] * count, "TotalAmount": maker.numbers(5, 500, count),
        "OrderNumber": [f"{number:08d}" for number in range(count)],
    }  # fmt: skip
    maker.put(maker.org.schema["Order"], ids, columns)


def _tasks(maker: _Maker, ids: list[str], contacts: list[str]) -> None:
    count = len(ids)
    kinds = maker.pick(("Call", "Email", "Task"), count)
    columns: dict[str, Sequence[Any]] = {
        "WhoId": maker.pick(contacts, count), "Subject": kinds, "TaskSubtype": kinds, "ActivityDate": maker.pick(maker.dates, count),
        "Status": ["Completed"] * count, "IsClosed": [1] * count,
    }  # fmt: skip
    maker.put(maker.org.schema["Task"], ids, columns)


def _campaigns(maker: _Maker, ids: list[str], contacts: list[str], members: int | None) -> None:
    org = maker.org
    if not ids:
        return
    names = [f"Mailing {number}" for number in range(1, len(ids) + 1)]
    maker.put(
        org.schema["Campaign"],
        ids,
        {"Name": names, "IsActive": [1] * len(ids), "Status": ["Completed"] * len(ids)},
    )
    for campaign in ids:
        for order, label in enumerate(("Sent", "Responded")):
            row = {
                "CampaignId": campaign,
                "Label": label,
                "SortOrder": order + 1,
                "HasResponded": order,
                "IsDefault": 1 - order,
            }
            org.add("CampaignMemberStatus", row, user=org.admin)
    count = min(len(contacts) * len(ids), len(contacts) if members is None else members)
    places = maker.chance.choice(len(contacts) * len(ids), count, replace=False).tolist() if count else []
    responded = maker.flags(0.2, count)
    columns: dict[str, Sequence[Any]] = {
        "CampaignId": [ids[position % len(ids)] for position in places],
        "ContactId": [contacts[position // len(ids)] for position in places],
        "Status": ["Responded" if flag else "Sent" for flag in responded],
        "HasResponded": responded,
        "FirstRespondedDate": [maker.dates[0] if flag else None for flag in responded],
    }
    maker.put(org.schema["CampaignMember"], org.ids.many("00v", count), columns)
