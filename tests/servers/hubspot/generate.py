"""What does a portal of a given size look like? The same records under the same seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.schema import kind_of
from tests.servers.hubspot.standard import LIFECYCLE, STAGES
from tests.servers.hubspot.store import Record

if TYPE_CHECKING:
    from tests.servers.hubspot.portal import Portal

Spread = Literal["dense", "gaps", "two_ages"]
DAY = 86_400_000
CITIES = ("Ulm", "Bonn", "Köln", "Kiel", "Graz", "Bern", "Wien", "Jena", "Trier", "Zürich")
FIRST = ("Ada", "Bob", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ines", "Jan")
LAST = ("Abel", "Braun", "Cohn", "Diaz", "Ernst", "Faber", "Groß", "Huber", "Ivan", "Jung")


def ids(count: int, spread: Spread, dice: random.Random) -> list[int]:
    """Ascending record ids: without gaps, with gaps, or as in an old portal (small ids, then such of eleven
    digits).
    """
    if spread == "dense":
        return list(range(101, 101 + count))
    record_ids, id = [], 100
    for number in range(count):
        if spread == "two_ages" and number == count // 3:
            id = 24_000_000_000
        id += dice.randrange(1, 60 if spread == "gaps" or number < count // 3 else 2_000_000)
        record_ids.append(id)
    return record_ids


def seed(
    portal: Portal,
    contacts: int,
    deals: int = 0,
    companies: int = 0,
    spread: Spread = "gaps",
    number: int = 7,
) -> None:
    """Fill an empty portal. Everything was made within the last three years, and search knows it all."""
    dice = random.Random(number)
    now = portal.began
    observers, portal.store.observers = portal.store.observers, []
    try:
        people = ids(contacts, spread, dice)
        firms = ids(companies, spread, dice)
        _contacts(portal, people, now, dice)
        _companies(portal, firms, now, dice)
        _deals(portal, ids(deals, spread, dice), people, now, dice)
        if firms:
            _belong(portal, people, firms, dice)
    finally:
        portal.store.observers = observers
    for name, shelf in portal.store.shelves.items():
        portal.index.seen.setdefault(name, {}).update(
            {id: record.values for id, record in shelf.records.items()}
        )
    portal.index.version += 1


def _put(portal: Portal, name: str, id: int, values: dict[str, str], made: int, changed: int) -> None:
    """A record as the store would make it, at a tenth of the cost; ids have to ascend."""
    kind = kind_of(name)
    shelf = portal.store.shelves[name]
    values["createdate"] = iso(made)
    values[kind.stamp] = iso(changed)
    values["hs_object_id"] = str(id)
    shelf.records[id] = Record(id, values, changed)
    shelf.live.append(id)
    shelf.next_id = id + 1
    if name == "contacts" and "email" in values:
        shelf.emails[values["email"]] = id


def _contacts(portal: Portal, people: list[int], now: int, dice: random.Random) -> None:
    random_ = dice.random
    for number, id in enumerate(people):
        chance = random_()
        values = {
            "email": f"person{number}@example.org",
            "firstname": FIRST[number % 10],
            "lastname": LAST[number // 10 % 10],
            "city": CITIES[int(chance * 10)],
            "lifecyclestage": LIFECYCLE[int(random_() * 8)],
        }
        if chance < 0.05:
            values["hs_email_optout"] = "true"
        made = now - DAY - int(random_() * 1000 * DAY)
        _put(portal, "contacts", id, values, made, made + int(random_() * (now - DAY - made)))


def _companies(portal: Portal, firms: list[int], now: int, dice: random.Random) -> None:
    for number, id in enumerate(firms):
        values = {
            "name": f"Firm {number}",
            "domain": f"firm{number}.example.org",
            "city": CITIES[number % 10],
        }
        made = now - DAY - int(dice.random() * 1000 * DAY)
        _put(portal, "companies", id, values, made, made)


def _deals(portal: Portal, deal_ids: list[int], people: list[int], now: int, dice: random.Random) -> None:
    """Deals of one contact each, a tenth of them of two; most are won."""
    random_ = dice.random
    there = portal.links.links.setdefault(("deals", "contacts"), {})
    back = portal.links.links.setdefault(("contacts", "deals"), {})
    for number, id in enumerate(deal_ids):
        chance = random_()
        won = chance < 0.7
        made = now - DAY - int(random_() * 900 * DAY)
        closed = made + int(random_() * (now - DAY - made))
        amount = str(round(10 + chance * 990, 2))
        values = {
            "dealname": f"Deal {number}",
            "amount": amount,
            "amount_in_home_currency": amount,
            "deal_currency_code": "EUR",
            "pipeline": "default",
            "dealstage": STAGES[3] if won else STAGES[number % 3],
            "closedate": iso(closed),
            "hs_is_closed_won": "true" if won else "false",
            "hs_is_closed": "true" if won else "false",
        }
        _put(portal, "deals", id, values, made, closed)
        if people:
            owners = {people[int(random_() * len(people))] for _ in range(2 if number % 10 == 0 else 1)}
            there[id] = list(owners)
            values["num_associated_contacts"] = str(len(owners))
            for owner in owners:
                back.setdefault(owner, []).append(id)


def _belong(portal: Portal, people: list[int], firms: list[int], dice: random.Random) -> None:
    contact, company = kind_of("contacts"), kind_of("companies")
    for id in people:
        firm = firms[int(dice.random() * len(firms))]
        portal.links.link(contact, id, company, firm, portal.links.primary(contact, company))
        portal.store.shelves["contacts"].records[id].values["associatedcompanyid"] = str(firm)
