"""Which object types and properties does the portal have?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.servers.hubspot.errors import Refused, invalid, missing


class Kind(NamedTuple):
    """An object type by its three names."""

    name: str
    singular: str
    id: str

    @property
    def stamp(self) -> str:
        return "lastmodifieddate" if self.name == "contacts" else "hs_lastmodifieddate"


KINDS = [
    Kind("contacts", "contact", "0-1"),
    Kind("companies", "company", "0-2"),
    Kind("deals", "deal", "0-3"),
    Kind("tickets", "ticket", "0-5"),
    Kind("products", "product", "0-7"),
    Kind("line_items", "line_item", "0-8"),
    Kind("tasks", "task", "0-27"),
    Kind("notes", "note", "0-46"),
    Kind("meetings", "meeting", "0-47"),
    Kind("calls", "call", "0-48"),
    Kind("emails", "email", "0-49"),
    Kind("communications", "communication", "0-18"),
    Kind("orders", "order", "0-123"),
    Kind("carts", "cart", "0-142"),
]
_BY_NAME = {name: kind for kind in KINDS for name in (*kind, kind.singular.upper())}


def kind_of(text: str) -> Kind:
    """The object type that a path names, by name or by id."""
    kind = _BY_NAME.get(text) or _BY_NAME.get(text.lower())
    if kind is None:
        raise invalid(f"Unable to infer object type from: {text}")
    return kind


@dataclass
class Property:
    """A property definition."""

    name: str
    type: str = "string"
    field_type: str = "text"
    label: str = ""
    group: str = "contactinformation"
    options: list[dict[str, Any]] = field(default_factory=list)
    defined: bool = True  # by HubSpot itself
    read_only: bool = False
    unique: bool = False
    description: str = ""
    created: str = ""
    updated: str = ""
    archived: bool = False
    # option → instant since when values may use it
    accepted_from: dict[str, int] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": self.description,
            "options": self.options,
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": False,
            "archived": self.archived,
            "hasUniqueValue": self.unique,
            "hidden": False,
            "formField": not self.read_only,
            "hubspotDefined": self.defined,
            "modificationMetadata": {
                "archivable": not self.defined,
                "readOnlyDefinition": self.defined,
                "readOnlyOptions": self.defined,
                "readOnlyValue": self.read_only,
            },
            **self.more,
        }
        if self.created:
            answer |= {"createdAt": self.created, "updatedAt": self.updated}
        return answer


_PAIRS = {
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"},
    "number": {"number", "calculation_equation"},
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "datetime": {"date"},
    "date": {"date"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "phone_number": {"phonenumber"},
}


class Schema:
    """Property definitions and groups of each object type."""

    def __init__(self) -> None:
        from tests.servers.hubspot.standard import standard

        self.properties: dict[str, dict[str, Property]] = {}
        self.groups: dict[str, dict[str, dict[str, Any]]] = {}
        for kind in KINDS:
            self.properties[kind.name] = {definition.name: definition for definition in standard(kind)}
            first = f"{kind.singular}information"
            self.groups[kind.name] = {first: _group(first, first.capitalize())}

    def get(self, kind: Kind, name: str) -> Property:
        definition = self.properties[kind.name].get(name)
        if definition is None:
            raise missing(f"Property {name} does not exist", subCategory="PropertyError.PROPERTY_NOT_FOUND")
        return definition

    def add(
        self, kind: Kind, body: dict[str, Any], now: str, duplicate: int, room: int, from_instant: int
    ) -> Property:
        """A new property of the account. Refuses what HubSpot refuses."""
        name = body.get("name", "")
        properties = self.properties[kind.name]
        if name in properties:
            raise Refused(
                duplicate,
                "OBJECT_ALREADY_EXISTS" if duplicate == 409 else "VALIDATION_ERROR",
                f"A property named '{name}' already exists.",
                subCategory="Properties.PROPERTY_EXISTS",
            )
        _check_name(name)
        for required in ("label", "type", "fieldType", "groupName"):
            if not body.get(required):
                raise invalid(f"Invalid input JSON: some required fields were not set: [{required}]")
        if body["fieldType"] not in _PAIRS.get(body["type"], set()):
            raise invalid(f"Property type {body['type']} and field type {body['fieldType']} do not match")
        if body["groupName"] not in self.groups[kind.name]:
            raise invalid(f"Property group {body['groupName']} does not exist")
        if sum(not other.defined for other in properties.values()) >= room:
            raise invalid(
                "The limit of custom properties is reached", subCategory="Properties.LIMIT_EXCEEDED"
            )
        made = Property(
            name, body["type"], body["fieldType"], defined=False, unique=bool(body.get("hasUniqueValue"))
        )
        made.created = made.updated = now
        properties[name] = made
        try:
            self.change(made, body, now, from_instant, kind)
        except Refused:
            del properties[name]
            raise
        return made

    def change(self, made: Property, body: dict[str, Any], now: str, from_instant: int, kind: Kind) -> None:
        """Overwrite what ``body`` names; ``options`` replaces the whole list."""
        if made.defined and set(body) - {"options"}:
            raise invalid(f"Property {made.name} is read only")
        if "options" in body:
            _check_options(made, body["options"])
            for option in body["options"]:
                made.accepted_from.setdefault(option["value"], from_instant)
            made.options = [
                {"displayOrder": position, "hidden": False, "description": "", **option}
                for position, option in enumerate(body["options"])
            ]
        if "groupName" in body and body["groupName"] not in self.groups[kind.name]:
            raise invalid(f"Property group {body['groupName']} does not exist")
        made.label = body.get("label", made.label)
        made.group = body.get("groupName", made.group)
        made.description = body.get("description", made.description)
        made.more |= {key: body[key] for key in ("displayOrder", "hidden", "formField") if key in body}
        made.updated = now

    def add_group(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("name", "")
        if not name or not body.get("label"):
            raise invalid("Invalid input JSON: some required fields were not set: [name, label]")
        if name in self.groups[kind.name]:
            raise Refused(409, "OBJECT_ALREADY_EXISTS", f"A property group named '{name}' already exists.")
        self.groups[kind.name][name] = _group(name, body["label"], body.get("displayOrder", -1))
        return self.groups[kind.name][name]


def _group(name: str, label: str, order: int = -1) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": order, "archived": False}


def _check_name(name: str) -> None:
    plain = name.replace("_", "a")
    if not name or not (plain.isascii() and plain.isalnum() and plain == plain.lower() and name[0].isalpha()):
        raise invalid(
            f"Property name '{name}' is not valid: lower-case letters, digits and underscores, beginning with a letter"
        )
    prefix = name.split("_")[0]
    if prefix == "hs" or (prefix[0] == "a" and prefix[1:].isdigit()):
        raise invalid(f"Property name '{name}' has a reserved prefix")


def _check_options(made: Property, options: list[dict[str, Any]]) -> None:
    if made.type not in ("enumeration", "bool"):
        if options:
            raise invalid(f"Property {made.name} of type {made.type} cannot have options")
        return
    for key in ("label", "value"):
        texts = [option.get(key) for option in options]
        if any(not isinstance(text, str) or text == "" for text in texts):
            raise invalid(f"Property option {key} is required")
        if len(set(texts)) < len(texts):
            raise invalid(
                f"Property option {key}s must be unique", subCategory="Properties.DUPLICATE_OPTIONS"
            )
    if any("hidden" not in option for option in options):
        raise invalid("Invalid input JSON: some required fields were not set: [hidden]")
    if made.type == "bool" and {option["value"] for option in options} != {"true", "false"}:
        raise invalid("A bool property has exactly the options true and false")
