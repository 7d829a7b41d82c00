"""The same company with its customers in HubSpot, in Salesforce and in a folder of files, for what must hold
in every CRM.

The stand-in servers are real processes' worth of HTTP; the folder is real files.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import org_shop, portal_shop
from tests.servers.hubspot import TOKEN
from tests.world import ALLOWED, World

CRMS = ("hubspot", "salesforce", "files")
SECOND = """
[[segmentations]]
name = "second"
title = "Second look"
kind = "abc"
field = "seg_second"
extra_fields = ["since"]
lists = "static"
"""


class Company(ABC):
    """Its config has a further segmentation, ``SECOND``, while ``second`` is true."""

    on_conflict = "keep"
    second = True

    @abstractmethod
    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Run a command as the library does, some time after what people did before."""

    @abstractmethod
    def fields(self) -> dict[str, dict[str, str]]:
        """Record → what it holds in SECOND's fields, where it holds something."""

    @abstractmethod
    def people(self) -> list[str]:
        """Ids of all contacts."""

    @abstractmethod
    def lists(self) -> dict[str, list[str]]:
        """Members of SECOND's lists, by the list's name."""

    @abstractmethod
    def type_in(self, id: str, value: str) -> None:
        """A person writes into SECOND's field."""

    @abstractmethod
    def put_in_list(self, name: str, id: str) -> None:
        """A person adds a record to a list."""

    @abstractmethod
    def delete_list(self, name: str) -> None:
        """A person deletes a list."""

    @abstractmethod
    def object_to_profiling(self, id: str) -> None:
        """A person objects."""

    @property
    def more(self) -> str:
        return SECOND if self.second else ""

    def first_run(self) -> dict[str, Any]:
        self.do("setup")
        return self.do("run")

    def members(self) -> list[str]:
        return [id for ids in self.lists().values() for id in ids]


class HubspotCompany(Company):
    def __init__(self, shop: portal_shop.Shop) -> None:
        self.shop, shop.lists = shop, "none"
        body = {"name": "objects", "label": "Objects", "type": "bool", "fieldType": "booleancheckbox", "groupName": "contactinformation",
                "options": [{"label": v, "value": v, "displayOrder": -1, "hidden": False} for v in ("true", "false")]}  # fmt: skip
        head = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.post(
            f"{shop.server.url}/crm/v3/properties/contacts", json=body, headers=head, timeout=20
        )
        assert answer.ok, answer.text

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.shop.portal.settle(1800)
        self.shop.account = f'profiling_opt_out_property = "objects"\non_conflict = "{self.on_conflict}"'
        self.shop.more = self.more
        return self.shop.do(command, **arguments)

    def fields(self) -> dict[str, dict[str, str]]:
        return dict(_filled(self.shop.fields("seg_second", "seg_second_since")))

    def people(self) -> list[str]:
        return sorted(self.shop.portal.dump())

    def lists(self) -> dict[str, list[str]]:
        return {
            name: [str(id) for id in ids]
            for name, ids in self.shop.lists_by_name().items()
            if name.startswith("Second look")
        }

    def type_in(self, id: str, value: str) -> None:
        self.shop.portal.put("contacts", {"seg_second": value}, int(id))

    def _listed(self, name: str) -> Any:
        return next(
            listed
            for listed in self.shop.portal.lists.all.values()
            if listed.name == name and not listed.deleted
        )

    def put_in_list(self, name: str, id: str) -> None:
        with self.shop.portal.lock:
            self.shop.portal.lists.edit(self._listed(name), [id], [])
        self.shop.portal.settle(60)

    def delete_list(self, name: str) -> None:
        self.shop.portal.lists.delete(self._listed(name))

    def object_to_profiling(self, id: str) -> None:
        self.shop.portal.put("contacts", {"objects": "true"}, int(id))


class SalesforceCompany(Company):
    def __init__(self, shop: org_shop.Shop) -> None:
        self.shop, shop.lists = shop, "none"

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.shop.org.clock.advance(3600)
        self.shop.account = f'on_conflict = "{self.on_conflict}"'
        self.shop.more = self.more
        return self.shop.do(command, **arguments)

    def fields(self) -> dict[str, dict[str, str]]:
        names = ("seg_second", "seg_second_since")
        rows = {
            row["Id"]: {name: row.get(f"{name}__c") for name in names}
            for row in self.shop.org.rows("Contact")
        }
        return dict(_filled(rows))

    def people(self) -> list[str]:
        return sorted(row["Id"] for row in self.shop.org.rows("Contact"))

    def lists(self) -> dict[str, list[str]]:
        names = [
            row["Name"] for row in self.shop.org.rows("Campaign") if row["Name"].startswith("Second look")
        ]
        return {name: self.shop.members().get(name, []) for name in names}

    def type_in(self, id: str, value: str) -> None:
        self.shop.org.edit("Contact", id, seg_second__c=value)

    def _campaign(self, name: str) -> str:
        return next(str(row["Id"]) for row in self.shop.org.rows("Campaign") if row["Name"] == name)

    def put_in_list(self, name: str, id: str) -> None:
        self.shop.org.create("CampaignMember", CampaignId=self._campaign(name), ContactId=id)

    def delete_list(self, name: str) -> None:
        self.shop.org.delete("Campaign", self._campaign(name))

    def object_to_profiling(self, id: str) -> None:
        individual = self.shop.org.create("Individual", LastName="Ada", HasOptedOutProfiling=True)
        self.shop.org.edit("Contact", id, IndividualId=individual)


class FilesCompany(Company):
    def __init__(self, world: World) -> None:
        self.world = world
        world.lists = "none"
        world.customers(60)

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        self.world.on_conflict = self.on_conflict
        self.world.more = self.more
        arguments.setdefault("allow", ALLOWED)
        return self.world.do(command, **arguments)

    def fields(self) -> dict[str, dict[str, str]]:
        with (self.world.folder / "crm" / "segments.csv").open(newline="", encoding="utf-8") as source:
            rows = {
                row["id"]: {name: row.get(name, "") for name in ("seg_second", "seg_second_since")}
                for row in csv.DictReader(source)
            }
        return dict(_filled(rows))

    def people(self) -> list[str]:
        return sorted(id for _type, id in self.world.store.records)

    def lists(self) -> dict[str, list[str]]:
        ids_by_list = {}
        for path in sorted((self.world.folder / "crm" / "lists").glob("second.*.csv")):
            with path.open(newline="", encoding="utf-8") as source:
                ids_by_list[path.stem] = [row["id"] for row in csv.DictReader(source)]
        return ids_by_list

    def type_in(self, id: str, value: str) -> None:
        self.world.store.set_field(id, "seg_second", value)

    def put_in_list(self, name: str, id: str) -> None:
        self.world.store.set_member(name, id, True)

    def delete_list(self, name: str) -> None:
        (self.world.folder / "crm" / "lists" / f"{name}.csv").unlink()
        self.world.store.delete_list(name)

    def object_to_profiling(self, id: str) -> None:
        self.world.store.put(id, objects_to_profiling="true")


def _filled(rows: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for id, row in rows.items():
        kept = {name: value for name, value in row.items() if value}
        if kept:
            yield id, kept


@contextmanager
def company_of(crm: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company whose customers are in that CRM; nothing is set up."""
    if crm == "hubspot":
        portal_shop.hasten(patch, folder)
        (folder / "shop").mkdir()
        with portal_shop.portal_of() as server:
            yield HubspotCompany(portal_shop.Shop(folder / "shop", server))
    elif crm == "salesforce":
        org_shop.hasten(patch, folder)
        with org_shop.shop_of(folder / "shop", 60, set_up=False) as shop:
            yield SalesforceCompany(shop)
    else:
        yield FilesCompany(World.of_files(folder))
