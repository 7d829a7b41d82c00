"""Is what an administrator of Salesforce deploys from ``setup --export`` ours, without a word more?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.org_shop import Shop, hasten, shop_of
from tests.servers.salesforce import custom_fields
from tests.servers.salesforce.org import Org

_COLUMNS = {
    "FULL_NAME": "Name",
    "CONTACT.EMAIL": "Email",
    "LEAD.EMAIL": "Email",
    "ACCOUNT.NAME": "Account.Name",
}


def read(path: Path) -> Any:
    """A file of Salesforce source, as the Metadata API reads it: an element that comes again is a list."""

    def value(element: ElementTree.Element) -> Any:
        if not len(element):
            return {"true": True, "false": False}.get(element.text or "", element.text)
        told: dict[str, list[Any]] = {}
        for child in element:
            told.setdefault(child.tag.partition("}")[2], []).append(value(child))
        return told

    return value(ElementTree.parse(path).getroot())


def deploy(org: Org, files: list[Path]) -> None:
    """What `sf project deploy start` and the assignment of the permission set make of exactly these files."""
    kinds = ("field", "permissionset", "listView")
    for kind in kinds:
        for path in (path for path in files if path.name.endswith(f".{kind}-meta.xml")):
            {"field": _field, "listView": _view, "permissionset": _permission_set}[kind](
                org, path.parent.parent.name, path.name.partition(".")[0], read(path)
            )


def _field(org: Org, entity: str, name: str, told: dict[str, list[Any]]) -> None:
    metadata = {key: values[0] for key, values in told.items() if key != "valueSet"}
    metadata |= {key: int(metadata[key]) for key in ("length", "precision", "scale") if key in metadata}
    if "valueSet" in told:
        [given] = told["valueSet"]
        options = [
            {"valueName": one["fullName"][0], "label": one["label"][0]}
            for one in given["valueSetDefinition"][0]["value"]
        ]
        metadata["valueSet"] = {
            "restricted": given["restricted"][0],
            "valueSetDefinition": {"value": options},
        }
    custom_fields.create(org, {"FullName": f"{entity}.{name}", "Metadata": metadata}, org.admin)


def _view(org: Org, entity: str, name: str, told: dict[str, list[Any]]) -> None:
    table = org.schema[entity]
    [filtered] = told["filters"]
    field = table.field(filtered["field"][0])
    assert field is not None
    value = filtered["value"][0]
    view = {
        "listViewApiName": name,
        "label": told["label"][0],
        "visibility": "Public",
        "scope": {"apiName": told["filterScope"][0].lower()},
        "displayColumns": [_COLUMNS.get(column, column) for column in told["columns"]],
        "filteredByInfo": [
            {
                "fieldApiName": field.name,
                "operator": "Equals",
                "operandLabels": [field.labels.get(value, value)],
            }
        ],
    }
    org.list_views.add(table, view, org.admin)


def _permission_set(org: Org, _entity: str, name: str, told: dict[str, list[Any]]) -> None:
    row = {"Name": name, "Label": told["label"][0]}
    made = org.add("PermissionSet", row, user=org.admin)
    for right in told["fieldPermissions"]:
        seen = {"PermissionsRead": int(right["readable"][0]), "PermissionsEdit": int(right["editable"][0])}
        field = right["field"][0]
        org.add(
            "FieldPermissions",
            {"ParentId": made, "SobjectType": field.partition(".")[0], "Field": field, **seen},
            user=org.admin,
        )
    for user in (org.admin, org.user):
        org.add("PermissionSetAssignment", {"AssigneeId": user, "PermissionSetId": made}, user=org.admin)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    hasten(monkeypatch, tmp_path)
    with shop_of(tmp_path / "shop", 60, set_up=False, settings={"lists": "dynamic"}) as made:
        yield made


def test_each_field_list_view_and_permission_set_that_was_exported_is_ours_without_adopt(shop: Shop) -> None:
    files = [Path(name) for name in shop.do("setup", export=shop.folder / "export")["files"]]
    assert not any("--adopt" in path.read_text(encoding="utf-8") for path in files)
    deploy(shop.org, files)
    shop.org.revoke("CustomizeApplication", "ManageUsers", "ManagePublicListViews")
    before = made(shop.org)
    assert before["CustomField"] == 3 and before["PermissionSet"] == 1 and before["ListView"] > 5
    assert shop.do("setup")["setup"]["refused"] == []
    assert shop.do("setup")["setup"]["steps"] == []
    assert made(shop.org) == before
    run = shop.do("run")
    assert run["applied"]["done"] > 0 and run["exit_code"] == 0
    assert all(row["seg_rfm__c"] for row in shop.fields().values())
    assert not [note for note in run["notes"] if "shows" in note]


def made(org: Org) -> dict[str, int]:
    """How many of each are in the org."""
    with org.store.lock:
        return {
            name: len(org.store.select(org.schema[name], where))
            for name, where in (
                ("CustomField", "1"),
                ("PermissionSet", "IsOwnedByProfile = 0"),
                ("ListView", "1"),
            )
        }
