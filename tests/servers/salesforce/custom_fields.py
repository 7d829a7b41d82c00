"""How is a custom field made and changed by the Tooling API? Nobody sees it until a permission set shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.refusals import Refusal, not_found
from tests.servers.salesforce.schema import Field

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

_TYPES = {"Text": "string", "TextArea": "textarea", "LongTextArea": "textarea", "Number": "double", "Currency": "currency",
          "Percent": "percent", "Date": "date", "DateTime": "datetime", "Checkbox": "boolean", "Picklist": "picklist",
          "MultiselectPicklist": "multipicklist",
          "Email": "email", "Phone": "phone", "Url": "url"}  # fmt: skip
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c")


def _bad(message: str, column: str = "FullName") -> Refusal:
    return Refusal(400, "FIELD_INTEGRITY_EXCEPTION", message, [column])


def require(org: Org, user: str) -> None:
    """Refusal unless the user may change metadata."""
    if not (
        org.access.may(user, "PermissionsCustomizeApplication")
        or org.access.may(user, "PermissionsModifyMetadata")
    ):
        raise Refusal(
            403,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights on cross-reference id: Customize Application is needed",
        )


def create(org: Org, body: Mapping[str, Any], user: str) -> str:
    """A new field from FullName and Metadata; its id."""
    require(org, user)
    entity_name, _, name = str(body.get("FullName", "")).partition(".")
    entity = org.schema.get(entity_name)
    if entity is None or not _NAME.fullmatch(name) or len(name) > 43:
        raise _bad(f"FullName {body.get('FullName')!r} is not Object.Name__c")
    if entity.field(name):
        message = f"There is already a field named {name.removesuffix('__c')} on {entity.name}."
        raise Refusal(400, "DUPLICATE_DEVELOPER_NAME", message, ["DeveloperName"])
    metadata = body.get("Metadata") or {}
    if metadata.get("type") not in _TYPES:
        raise _bad(f"type {metadata.get('type')!r} is unknown", "Metadata")
    if not metadata.get("label") or len(metadata["label"]) > 40:
        raise _bad("a label of at most 40 characters is needed", "Metadata")
    settings = _settings(metadata)
    org.add_field(entity.name, name, _TYPES[metadata["type"]], hidden=True, **settings)
    row = {
        "DeveloperName": name.removesuffix("__c"),
        "TableEnumOrId": entity.name,
        "EntityDefinitionId": entity.name,
    }
    more = {
        "FullName": f"{entity.name}.{name}",
        "Metadata": json.dumps(dict(metadata)),
        "Description": metadata.get("description"),
    }
    return org.add("CustomField", row | more | {"InlineHelpText": metadata.get("inlineHelpText")}, user=user)


def _settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kind = metadata["type"]
    settings: dict[str, Any] = {
        "label": metadata.get("label", ""),
        "help": metadata.get("inlineHelpText") or "",
        "external_id": bool(metadata.get("externalId")),
    }
    if kind in ("Text", "LongTextArea"):
        if not metadata.get("length"):
            raise _bad(f"Must specify 'length' for a CustomField of type {kind}", "Metadata")
        settings["length"] = int(metadata["length"])
        if kind == "Text" and settings["length"] > 255:
            raise _bad("a text field has at most 255 characters", "Metadata")
    if kind in ("Number", "Currency", "Percent"):
        if metadata.get("precision") is None or metadata.get("scale") is None or metadata["precision"] > 18:
            raise _bad(f"Must specify 'precision' and 'scale' for a CustomField of type {kind}", "Metadata")
        settings |= {"precision": int(metadata["precision"]), "scale": int(metadata["scale"])}
    if kind == "Checkbox" and (metadata.get("required") or metadata.get("defaultValue") is None):
        raise _bad(
            "Must specify 'defaultValue', and not 'required', for a CustomField of type Checkbox", "Metadata"
        )
    if "Picklist" in kind:
        entries = metadata.get("valueSet", {}).get("valueSetDefinition", {}).get("value")
        if not entries:
            raise _bad("Must specify 'valueSet' for a CustomField of type Picklist", "Metadata")
        values = [
            (str(entry.get("valueName") or entry.get("fullName") or ""), str(entry.get("label") or ""))
            for entry in entries
        ]
        if any(not value or len(value) > 255 for value, _ in values) or len(
            {value.lower() for value, _ in values}
        ) < len(values):
            raise Refusal(
                400,
                "DUPLICATE_VALUE",
                "a value of the picklist is empty, too long or there twice",
                ["Metadata"],
            )
        settings |= {
            "values": tuple(value for value, _ in values),
            "labels": dict(values),
            "restricted": bool(metadata["valueSet"].get("restricted")),
        }
    return settings


def change(org: Org, id: str, body: Mapping[str, Any], user: str) -> None:
    """Other Metadata for a field; its type stays."""
    require(org, user)
    row = _row(org, id)
    field = field_of(org, row)
    metadata = body.get("Metadata") or {}
    if _TYPES.get(str(metadata.get("type"))) != field.type:
        raise _bad("the type of a field cannot be changed here", "Metadata")
    for name, value in _settings(metadata).items():
        setattr(field, name, value)
    with org.store.lock:
        moment = org.clock.stamp()
        values = {
            "Metadata": json.dumps(dict(metadata)),
            "SystemModstamp": moment,
            "InlineHelpText": metadata.get("inlineHelpText"),
        }
        org.store.change(org.schema["CustomField"], id, values)
        org.schema.version += 1
        org.schema_moved = org.clock.now()


def remove(org: Org, id: str, user: str) -> None:
    """The field goes, with what it held and with the rights to it."""
    require(org, user)
    row = _row(org, id)
    entity, field = org.schema[row["TableEnumOrId"]], field_of(org, row)
    with org.store.lock:
        org.store.drop_column(entity, field)
        del entity.fields[field.name.lower()]
        org.store.remove(org.schema["CustomField"], id)
        org.store.run("DELETE FROM FieldPermissions WHERE Field = ?", (f"{entity.name}.{field.name}",))
        org.schema.version += 1
        org.access.hidden.discard((entity.name.lower(), field.name.lower()))


def _row(org: Org, id: str) -> dict[str, Any]:
    with org.store.lock:
        row = org.store.get(org.schema["CustomField"], id)
    if row is None:
        raise not_found()
    return row


def field_of(org: Org, row: Mapping[str, Any]) -> Field:
    field = org.schema[row["TableEnumOrId"]].field(row["DeveloperName"] + "__c")
    if field is None:
        raise not_found()
    return field
