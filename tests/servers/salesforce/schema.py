"""What is an object, what is a field, and how does describe tell of them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.servers.salesforce.catalogue import SET_UP, STANDARD, TOOLING

TEXTS = {"string", "textarea", "email", "phone", "url", "picklist", "multipicklist"}
NUMBERS = {"double", "currency", "percent"}
_SYSTEM = """
-Id id 18
-IsDeleted boolean
-CreatedDate datetime
-CreatedById reference User
-LastModifiedDate datetime
-LastModifiedById reference User
-SystemModstamp datetime
"""
_PLAIN_SYSTEM = "\n-Id id 18\n-CreatedDate datetime\n-LastModifiedDate datetime\n-SystemModstamp datetime\n"
_SOAP = {
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "reference": "tns:ID",
}
_SQL = {"boolean": "INTEGER", "int": "INTEGER", "double": "REAL", "currency": "REAL", "percent": "REAL"}


@dataclass
class Field:
    """One column of an object."""

    name: str
    type: str
    length: int = 0
    targets: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)  # value of a picklist → what people see
    relationship: str | None = None
    required: bool = False  # on create
    createable: bool = True
    updateable: bool = True
    custom: bool = False
    external_id: bool = False
    unique: bool = False
    restricted: bool = False
    label: str = ""
    help: str = ""
    precision: int = 18
    scale: int = 2
    # SQL over {t}, the record: computed when read, and the record's stamp does not move
    formula: str | None = None

    @property
    def sql(self) -> str:
        """How the column is declared."""
        nocase = " COLLATE NOCASE" if self.type in TEXTS else ""
        return f'"{self.name}" {_SQL.get(self.type, "TEXT")}{nocase}'

    def describe(self, updateable: bool) -> dict[str, Any]:
        """The field as describe tells of it."""
        description: dict[str, Any] = dict.fromkeys(_FALSE, False) | dict.fromkeys(_NULL)
        number = self.type in NUMBERS
        enum = self.type in ("picklist", "multipicklist")
        description.update(
            byteLength=self.length * 3,
            createable=self.createable and updateable,
            updateable=self.updateable and updateable,
            custom=self.custom,
            calculated=self.formula is not None,
            defaultedOnCreate=self.type == "boolean" or not self.createable,
            digits=9 if self.type == "int" else 0,
            externalId=self.external_id,
            idLookup=self.type in ("id", "email") or self.external_id,
            unique=self.unique,
            filterable=self.type not in ("textarea", "address", "json"),
            sortable=self.type not in ("textarea", "address", "json"),
            groupable=self.type not in ("textarea", "address", "json", "datetime") and not number,
            aggregatable=self.type not in ("address", "json", "boolean"),
            label=self.label or self.name,
            length=self.length,
            name=self.name,
            nameField=self.name == "Name",
            namePointing=len(self.targets) > 1,
            nillable=not self.required and self.type != "boolean" and self.createable,
            permissionable=self.createable and self.updateable and not self.required,
            picklistValues=[
                {
                    "active": True,
                    "defaultValue": False,
                    "label": self.labels.get(value, value),
                    "validFor": None,
                    "value": value,
                }
                for value in self.values
            ],
            polymorphicForeignKey=len(self.targets) > 1,
            precision=self.precision if number else 0,
            scale=self.scale if number else 0,
            referenceTo=list(self.targets),
            relationshipName=self.relationship,
            restrictedPicklist=self.restricted and enum,
            soapType=_SOAP.get(
                self.type,
                "xsd:double" if number else "urn:address" if self.type == "address" else "xsd:string",
            ),
            type=self.type,
            inlineHelpText=self.help or None,
            defaultValue=False if self.type == "boolean" else None,
        )
        return description


_FALSE = (
    "aggregatable", "aiPredictionField", "autoNumber", "calculated", "cascadeDelete", "caseSensitive", "createable", "custom",
    "defaultedOnCreate", "dependentPicklist", "deprecatedAndHidden", "displayLocationInDecimal", "encrypted", "externalId",
    "filterable", "formulaTreatNullNumberAsZero", "groupable", "highScaleNumber", "htmlFormatted", "idLookup", "nameField",
    "namePointing", "nillable", "permissionable", "polymorphicForeignKey", "queryByDistance", "restrictedDelete",
    "restrictedPicklist", "searchPrefilterable", "sortable", "unique", "updateable", "writeRequiresMasterRead",
)  # fmt: skip
_NULL = (
    "calculatedFormula", "compoundFieldName", "controllerName", "defaultValue", "defaultValueFormula", "extraTypeInfo",
    "filteredLookupInfo", "inlineHelpText", "mask", "maskType", "referenceTargetField", "relationshipName", "relationshipOrder",
)  # fmt: skip


@dataclass
class Entity:
    """One object of the org."""

    name: str
    prefix: str
    plural: str
    fields: dict[str, Field] = field(default_factory=dict)  # by name in lower case
    readonly: bool = False
    plain: bool = False  # set-up: no owner, no recycle bin
    tooling: bool = False
    enabled: bool = True

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields.values())

    def field(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def add(self, new: Field) -> None:
        self.fields[new.name.lower()] = new

    def relation(self, name: str) -> Field | None:
        """The reference whose relationship is so called."""
        return next((field for field in self if (field.relationship or "").lower() == name.lower()), None)

    def summary(self, version: str) -> dict[str, Any]:
        """The object as the global describe tells of it."""
        root = f"/services/data/v{version}/sobjects/{self.name}"
        writes = not self.readonly
        return {
            "name": self.name, "label": self.name, "labelPlural": self.plural, "keyPrefix": self.prefix, "custom": False,
            "createable": writes, "updateable": writes, "deletable": writes, "undeletable": writes and not self.plain,
            "queryable": True, "retrieveable": True, "replicateable": not self.plain, "searchable": not self.plain,
            "layoutable": not self.plain, "triggerable": not self.plain, "mergeable": self.name in ("Contact", "Lead", "Account"),
            "activateable": False, "customSetting": False, "deprecatedAndHidden": False, "feedEnabled": False,
            "hasSubtypes": False, "isSubtype": False, "mruEnabled": not self.plain,
            "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": root + "/{ID}"},
        }  # fmt: skip


class Schema:
    """All objects, by name in lower case."""

    def __init__(self) -> None:
        self.entities = {entity.name.lower(): entity for entity in _parsed(STANDARD + SET_UP + TOOLING)}
        for entity in self.entities.values():
            for entity_field in entity:
                entity_field.formula = (
                    _FORMULAS.get(entity_field.name)
                    if entity.name == "Account" and entity_field.name.startswith("Person")
                    else entity_field.formula
                )
                if entity_field.type == "address":
                    entity_field.formula = _address(entity_field.name.removesuffix("Address"))
        self.version = 1  # moves with every change, so that what was derived is derived anew

    def __iter__(self) -> Iterator[Entity]:
        return (entity for entity in self.entities.values() if entity.enabled)

    def get(self, name: str) -> Entity | None:
        entity = self.entities.get(name.lower())
        return entity if entity and entity.enabled else None

    def __getitem__(self, name: str) -> Entity:
        return self.entities[name.lower()]

    def of_id(self, id: str) -> Entity | None:
        return next((entity for entity in self if entity.prefix == id[:3]), None)

    def switch_off(self, *names: str) -> None:
        """Objects (``Order``) or fields (``Contact.IndividualId``) that this org does not have."""
        for name in names:
            entity, _, column = name.partition(".")
            if column:
                self[entity].fields.pop(column.lower(), None)
            else:
                self[entity].enabled = False
                self._drop_references(entity)
        self.version += 1

    def _drop_references(self, target: str) -> None:
        for entity in self.entities.values():
            for entity_field in [
                entity_field
                for entity_field in entity
                if entity_field.targets == (target,) and entity_field.name != "MasterRecordId"
            ]:
                del entity.fields[entity_field.name.lower()]


# What an account shows of its person, and which field of the contact that is.
PERSON_FIELDS = {
    "PersonEmail": "Email",
    "PersonMailingCity": "MailingCity",
    "PersonHasOptedOutOfEmail": "HasOptedOutOfEmail",
}
_OF_PERSON = '(SELECT person."{0}" FROM "Contact" person WHERE person."Id" = {{t}}."PersonContactId")'
_FORMULAS = {name: _OF_PERSON.format(column) for name, column in PERSON_FIELDS.items()}


def person_copy(field: Field) -> Field:
    """The field of accounts that shows a custom field of their person."""
    name = field.name.removesuffix("__c") + "__pc"
    return replace(field, name=name, formula=_OF_PERSON.format(field.name))


def _address(prefix: str) -> str:
    parts = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude")
    return (
        "json_object("
        + ", ".join(f"'{part[0].lower()}{part[1:]}', {{t}}.\"{prefix}{part}\"" for part in parts)
        + ")"
    )


def _parsed(text: str) -> Iterator[Entity]:
    for block in text.split("# ")[1:]:
        head, *lines = block.strip().splitlines()
        name, prefix, plural, *marks = head.split()
        entity = Entity(
            name,
            prefix,
            plural,
            readonly="readonly" in marks,
            plain="plain" in marks,
            tooling="tooling" in marks,
        )
        system = _PLAIN_SYSTEM if entity.plain else _SYSTEM
        ids, trailing = system.strip().splitlines()[:1], system.strip().splitlines()[1:]
        for line in [*ids, *lines, *trailing]:
            if line.strip():
                entity.add(_field(line))
        yield entity


def _field(line: str) -> Field:
    marks = line[: len(line) - len(line.lstrip("!-+"))]
    name, type, *more = line.lstrip("!-+").split(None, 2)
    detail = more[0] if more else ""
    field = Field(
        name, type, required="!" in marks, createable="-" not in marks, updateable=not set("-+") & set(marks)
    )
    if type == "reference":
        targets, _, relation = detail.partition(" ")
        field.targets, field.length = tuple(targets.split("|")), 18
        field.relationship = relation or name.removesuffix("Id")
    elif "picklist" in type:
        field.values, field.length = tuple(detail.split("|")), 255
    elif detail:
        field.length = int(detail)
    return field


def custom_field(name: str, type: str, **settings: Any) -> Field:
    """A field that an administrator adds."""
    lengths = {
        "string": 255,
        "picklist": 255,
        "email": 80,
        "phone": 40,
        "url": 255,
        "textarea": 255,
        "multipicklist": 4099,
    }
    settings.setdefault("length", lengths.get(type, 0))
    field = Field(name, type, custom=True, **settings)
    if type == "reference":
        field.relationship = field.relationship or name.removesuffix("__c") + "__r"
    if field.formula:
        field.createable = field.updateable = False
    return field
