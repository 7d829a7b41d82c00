"""How does an administrator make our fields and list views without us? As Salesforce source, deployed with
its own tools.

The form is that of the Metadata API ("Metadata API Developer Guide": CustomField, ListView, PermissionSet),
in the folders that `sf project deploy start` expects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from connectors.contract import FieldSpec, ListSpec
from connectors.salesforce.fields import PERMISSION_SET, PERMISSION_SET_LABEL, metadata
from connectors.salesforce.list_views import view_name
from connectors.salesforce.names import OBJECTS, api_name, short_label
from connectors.salesforce.settings import Settings

_ROOT = "force-app/main/default"
_NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_COLUMNS = {
    "contact": ("FULL_NAME", "CONTACT.EMAIL", "ACCOUNT.NAME"),
    "lead": ("FULL_NAME", "LEAD.EMAIL"),
    "company": ("ACCOUNT.NAME",),
}


def files(fields: Sequence[FieldSpec], lists: Sequence[ListSpec], settings: Settings) -> dict[str, str]:
    """Files by their path: fields, list views, the permission set, and how to deploy them.

    Views of campaigns are not among them: how an org calls the fields of their filters is not told anywhere.
    They are named.
    """
    folders = [{"path": "force-app", "default": True}]
    project = {"packageDirectories": folders, "sourceApiVersion": settings.api_version}
    texts = {"sfdx-project.json": json.dumps(project, indent=2)}
    for spec in fields:
        name = api_name(spec.name)
        path = f"{_ROOT}/objects/{OBJECTS[spec.record_type]}/fields/{name}.field-meta.xml"
        texts[path] = _xml("CustomField", [("fullName", name), *_elements(metadata(spec))])
    views = [spec for spec in lists if spec.kind == "dynamic"]
    for view in views:
        if not view.channel:
            name = view_name(view)
            texts[f"{_ROOT}/objects/{OBJECTS[view.record_type]}/listViews/{name}.listView-meta.xml"] = _view(
                view, name, settings
            )
    texts[f"{_ROOT}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"] = _permission_set(fields)
    texts["README.txt"] = _read_me(fields, [view.key for view in views if view.channel])
    return texts


def _view(spec: ListSpec, name: str, settings: Settings) -> str:
    field = api_name(spec.field)
    columns = [("columns", column) for column in (*_COLUMNS[spec.record_type], field)]
    filters = ("filters", [("field", field), ("operation", "equals"), ("value", spec.value)])
    scope = ("filterScope", "Mine" if settings.list_view_scope == "mine" else "Everything")
    groups = [("group", group) for group in settings.list_view_groups]
    shown = [scope, filters, ("label", short_label(spec.label)), *([("sharedTo", groups)] if groups else [])]
    return _xml("ListView", [("fullName", name), *columns, *shown])


def _permission_set(fields: Sequence[FieldSpec]) -> str:
    names = sorted((OBJECTS[spec.record_type], spec.name) for spec in fields)
    paths = [("field", f"{table}.{api_name(name)}") for table, name in names]
    rights = [("fieldPermissions", [("editable", True), field, ("readable", True)]) for field in paths]
    description = ("description", "Sees and edits the fields of crm-segments.")
    further = [("hasActivationRequired", False), ("label", PERMISSION_SET_LABEL)]
    return _xml("PermissionSet", [description, *rights, *further])


def _elements(definition: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """A field of the Tooling API's JSON as elements: its names differ in a picklist's values only."""
    names = {"fullName": "valueName", "default": "default", "label": "label"}
    for key, value in sorted(definition.items()):
        if key == "valueSet":
            options = value["valueSetDefinition"]["value"]
            values = [("value", [(name, option[of]) for name, of in names.items()]) for option in options]
            listed = ("valueSetDefinition", [("sorted", False), *values])
            yield key, [("restricted", value["restricted"]), listed]
        elif value is not None:
            yield key, value


def _xml(kind: str, children: Iterable[tuple[str, Any]]) -> str:
    root = ElementTree.Element(kind, {"xmlns": _NAMESPACE})
    _fill(root, children)
    ElementTree.indent(root, "    ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _fill(parent: ElementTree.Element, children: Iterable[tuple[str, Any]]) -> None:
    for name, value in children:
        element = ElementTree.SubElement(parent, name)
        if isinstance(value, list):
            _fill(element, value)
        else:
            element.text = str(value).lower() if isinstance(value, bool) else str(value)


def _read_me(fields: Sequence[FieldSpec], campaigns: Sequence[str]) -> str:
    listed = "\n".join(f"  {OBJECTS[field.record_type]}.{api_name(field.name)}" for field in fields)
    return (
        "Deploy these files into a sandbox first:\n\n"
        "  sf project deploy start --source-dir force-app --target-org NAME\n\n"
        f"Then assign the permission set {PERMISSION_SET} to the integration user, and to everybody who should see the fields:\n\n"
        f"{listed}\n\n"
        "After that, run `crm-segments setup`: it finds what you deployed and registers it as its own.\n"
        + (
            f"\nThe list views of campaigns are not among these files, setup creates them: {', '.join(campaigns)}\n"
            if campaigns
            else ""
        )
    )
