"""Which fields are there, how are ours made and shown, and in which form does Salesforce give values back?

A custom field that is made by the Tooling API is seen by nobody until a permission set says so: one
permission set of ours holds the rights to all our fields, and administrators assign it to whom they like
("Tooling API Reference", CustomField; "Object Reference", FieldPermissions). Picklists of ours are made
unrestricted, so that a new segment is never refused; one that an administrator restricted since stays so, and
gets the values that it lacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from connectors.contract import FieldSpec, Option
from connectors.errors import AccessError, RequestError, UnsupportedError
from connectors.salesforce import shapes, soql
from connectors.salesforce.api_errors import Denied, Refusal, Refused
from connectors.salesforce.limits import LIMITS
from connectors.salesforce.names import OBJECTS, api_name, short_label
from connectors.salesforce.session import Org

PERMISSION_SET = "CRM_Segments"
PERMISSION_SET_LABEL = "CRM Segments"
_LENGTH = 255  # characters of a text field of ours
_DECIMALS = 4
_TYPES = {
    "picklist": "enum",
    "double": "number",
    "int": "number",
    "currency": "number",
    "percent": "number",
    "date": "date",
    "boolean": "bool",
}
_THERE = frozenset({"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE", "FIELD_INTEGRITY_EXCEPTION"})
_VISIBLE_SECONDS = 60.0  # so long a new field may take to be seen


class Fields:
    """Custom fields of contacts, leads and accounts."""

    def __init__(self, org: Org, sleep: Callable[[float], object] = time.sleep) -> None:
        self._org = org
        self._sleep = sleep
        self._made = ""  # id of the permission set, where it was made just now

    def all(self) -> dict[tuple[str, str], FieldSpec]:
        """All fields that this user sees, by (record type, name); ours under the names of the config, which
        lack the ending.
        """
        ours = {(field.record_type, api_name(field.name)): field.name for field in self._org.account.fields}
        fields_by_key = {}
        for record_type, table in OBJECTS.items():
            self._org.forget(table)
            for name, about in self._org.fields(table).items():
                own_name = ours.get((record_type, name)) or (name[:-3] if name.endswith("__c") else name)
                fields_by_key[(record_type, own_name)] = _spec(record_type, own_name, about)
        return fields_by_key

    def ensure(self, spec: FieldSpec) -> bool:
        """Create the field, or add the values that its picklist lacks; grant it to the permission set.
        Removes none.

        Whether it was created: one that was only hidden from this user was there, with its values.
        """
        self._org.may_write()
        table = _table(spec)
        self._org.forget(table)
        present = self._org.fields(table).get(api_name(spec.name))
        made = present is None and self._create(spec)
        if present is not None:
            self._extend(spec, present)
        if not (present and present.get("updateable")):
            try:
                self._grant(spec)
            except (Refused, Denied) as error:
                raise AccessError(
                    f"field {api_name(spec.name)} of {table} is there, but this user may not grant access to it ({error.refusal.code}): "
                    "let an administrator deploy the files of `crm-segments setup --export DIR`, or run setup as one"
                ) from error
            self._await(spec)
        if present is None and not made:  # now that it is seen: what its picklist lacks
            self._extend(spec, self._org.fields(table)[api_name(spec.name)])
        return made

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """The form in which Salesforce gives a value back: one line, trimmed, cut at the field's length; empty is
        null.
        """
        if value is None:
            return None
        text = " ".join(value.replace("\0", "").encode("utf-8", "replace").decode().splitlines()).strip()
        if spec.type == "bool":
            return "true" if text.lower() in ("true", "1", "yes") else "false"
        if spec.type == "number":
            try:
                return as_text(round(float(text), _DECIMALS)) if text else None
            except ValueError:
                return text or None
        return text[:_LENGTH].strip() or None

    def _create(self, spec: FieldSpec) -> bool:
        """Whether it was created; False: it is there, and hidden from this user."""
        body = {"FullName": f"{_table(spec)}.{api_name(spec.name)}", "Metadata": metadata(spec)}
        try:
            self._write(spec, "POST", "", body)
        except Refused as error:
            if error.refusal.code not in _THERE or "mismatch" in error.refusal.text.lower():
                if error.refusal.kind == "permission":
                    raise _may_not(spec, error.refusal) from error
                raise
            return False
        return True

    def _write(self, spec: FieldSpec, method: str, path: str, body: dict[str, Any]) -> None:
        try:
            self._org.ask(method, f"tooling/sobjects/CustomField{path}", body=body, writes=True)
        except Denied as error:
            raise _may_not(spec, error.refusal) from error
        self._org.forget(_table(spec))

    def _extend(self, spec: FieldSpec, present: dict[str, Any]) -> None:
        """Add the values that a picklist lacks; of a field that is ours, bring what people read up to date."""
        if spec.type != "enum" or present["type"] != "picklist":
            self._describe(spec, present)
            return
        there = {option.key: option.label for option in _options(present)}
        lacking = [option for option in spec.options if option.key not in there]
        renamed = [option for option in spec.options if there.get(option.key, option.label) != option.label]
        if spec.adopted and lacking:
            self._add_values(spec, lacking)
        if spec.adopted or not (lacking or renamed):
            self._describe(spec, present)
            return
        labels = {**there, **{option.key: option.label for option in spec.options}}
        options = tuple(Option(key, label) for key, label in labels.items())
        described = metadata(replace(spec, options=options), bool(present.get("restrictedPicklist")))
        self._write(spec, "PATCH", f"/{self._id_of(spec)}", {"Metadata": described})

    def _describe(self, spec: FieldSpec, present: dict[str, Any]) -> None:
        """Give a field of ours its present help text; all else of it stays as it is."""
        text = metadata(spec)["inlineHelpText"]
        if spec.adopted or not text or text == present.get("inlineHelpText"):
            return
        id = self._id_of(spec)
        described = self._org.ask("GET", f"tooling/sobjects/CustomField/{id}")["Metadata"]
        self._write(spec, "PATCH", f"/{id}", {"Metadata": {**described, "inlineHelpText": text}})

    def _add_values(self, spec: FieldSpec, lacking: Sequence[Option]) -> None:
        """Add values to the picklist of a person: its words, its other values and their order stay."""
        id = self._id_of(spec)
        described = self._org.ask("GET", f"tooling/sobjects/CustomField/{id}")["Metadata"]
        values = described.get("valueSet")
        defined = values.get("valueSetDefinition") if isinstance(values, dict) else None
        if not isinstance(defined, dict):
            raise RequestError(
                f"picklist {api_name(spec.name)} of {_table(spec)} has no values of its own (a global value set?): add "
                f"{', '.join(option.key for option in lacking)} to its value set in Salesforce, or choose another name"
            )
        added = {option.key: option for option in lacking}
        kept = [
            # one that is there and was switched off is switched on, under the words that it has
            {**value, "isActive": True}
            if added.pop(str(value.get("valueName") or value.get("fullName")), None)
            else value
            for value in defined.get("value") or ()
        ]
        defined = {**defined, "value": [*kept, *_values(added.values())]}
        described = {**described, "valueSet": {**values, "valueSetDefinition": defined}}
        self._write(spec, "PATCH", f"/{id}", {"Metadata": described})

    def _id_of(self, spec: FieldSpec) -> str:
        where = [
            f"DeveloperName = {soql.quoted(api_name(spec.name).removesuffix('__c'))}",
            f"TableEnumOrId = {soql.quoted(_table(spec))}",
        ]
        params = {"q": str(soql.Select(["Id"], "CustomField", where))}
        rows = self._org.ask("GET", "tooling/query/", params=params)["records"]
        if not shapes.rows(["Id"], rows):
            raise shapes.foreign("GET", "tooling/query/")
        if not rows:
            raise RequestError(
                f"field {api_name(spec.name)} of {_table(spec)} is not a custom field: choose another name in the config"
            )
        return str(rows[0]["Id"])

    # Rights

    def _grant(self, spec: FieldSpec) -> None:
        """Let the permission set see and edit the field, and this user have the permission set."""
        parent = self._permission_set()
        field = f"{_table(spec)}.{api_name(spec.name)}"
        where = [f"ParentId = {soql.quoted(parent)}", f"Field = {soql.quoted(field)}"]
        rows = self._org.rows(["Id", "PermissionsEdit"], "FieldPermissions", *where)
        rights = {"PermissionsRead": True, "PermissionsEdit": True}
        if not rows:
            body = {"ParentId": parent, "SobjectType": _table(spec), "Field": field, **rights}
            self._org.ask("POST", "sobjects/FieldPermissions", body=body, writes=True)
        elif not rows[0]["PermissionsEdit"]:
            self._org.ask("PATCH", f"sobjects/FieldPermissions/{rows[0]['Id']}", body=rights, writes=True)
        self._assign(parent)
        self._org.forget(_table(spec))

    def _permission_set(self) -> str:
        rows = self._org.rows(["Id"], "PermissionSet", f"Name = {soql.quoted(PERMISSION_SET)}")
        if rows:
            return str(rows[0]["Id"])
        body = {
            "Name": PERMISSION_SET,
            "Label": PERMISSION_SET_LABEL,
            "Description": "Sees and edits the fields of crm-segments.",
        }
        self._made = str(self._org.ask("POST", "sobjects/PermissionSet", body=body, writes=True)["id"])
        return self._made

    def _assign(self, parent: str) -> None:
        user = self.user()
        if not user:
            return
        where = [f"PermissionSetId = {soql.quoted(parent)}", f"AssigneeId = {soql.quoted(user)}"]
        if not self._org.rows(["Id"], "PermissionSetAssignment", *where):
            body = {"AssigneeId": user, "PermissionSetId": parent}
            self._org.ask("POST", "sobjects/PermissionSetAssignment", body=body, writes=True)

    def user(self) -> str:
        """The id of the user that we are logged in as; "" where Salesforce does not tell.

        The log-in tells it, else userinfo (which wants a scope of its own), else who made the permission set
        that we just made.
        """
        if self._org.log_in.user:
            return self._org.log_in.user
        ways = {"/services/oauth2/userinfo": "user_id"}
        if self._made:
            ways[f"sobjects/PermissionSet/{self._made}"] = "CreatedById"
        for path, key in ways.items():
            with suppress(Refused, Denied):
                answer = self._org.ask("GET", path)
                if isinstance(answer, dict) and answer.get(key):
                    return str(answer[key])
        return ""

    def _await(self, spec: FieldSpec) -> None:
        """A new field is seen some seconds after the right to see it."""
        waited = 0.0
        while api_name(spec.name) not in self._org.fields(_table(spec)):
            if waited >= _VISIBLE_SECONDS:
                raise AccessError(
                    f"field {api_name(spec.name)} was created, but this user does not see it: assign the permission "
                    f"set {PERMISSION_SET} to it"
                )
            self._sleep(2.0)
            waited += 2.0
            self._org.forget(_table(spec))


def metadata(spec: FieldSpec, restricted: bool = False) -> dict[str, Any]:
    """A field as the Metadata API describes it; ``restricted``: the picklist takes no value that it does not
    list.
    """
    definition: dict[str, Any] = {
        "label": short_label(spec.label or spec.name),
        "inlineHelpText": spec.description[:510] or None,
    }
    if spec.type == "bool":
        return {**definition, "type": "Checkbox", "defaultValue": "false"}
    listed = {"sorted": False, "value": _values(spec.options)}
    of_type: dict[str, dict[str, Any]] = {
        "enum": {"type": "Picklist", "valueSet": {"restricted": restricted, "valueSetDefinition": listed}},
        "number": _number_format(spec.unit),
        "date": {"type": "Date"},
        "text": {"type": "Text", "length": _LENGTH, "externalId": False, "unique": False},
    }
    return {**definition, "required": False, **of_type[spec.type]}


def _number_format(unit: str) -> dict[str, Any]:
    """How a number of ours is shown. Amounts are plain numbers, whose title says the currency: a field of type
    Currency is shown in the record's own, whatever the amount was counted in.
    """
    if unit == "%":
        return {"type": "Percent", "precision": 18, "scale": 0}
    return {"type": "Number", "precision": 18, "scale": 2 if unit else _DECIMALS}


def _values(options: Iterable[Option]) -> list[dict[str, Any]]:
    return [{"valueName": option.key, "label": option.label[:255], "default": False} for option in options]


def _spec(record_type: str, name: str, about: dict[str, Any]) -> FieldSpec:
    kind: Any = _TYPES.get(about["type"], "text")
    label, description = (str(about.get(key) or "") for key in ("label", "inlineHelpText"))
    return FieldSpec(name, record_type, kind, label, description, _options(about))


def _options(about: dict[str, Any]) -> tuple[Option, ...]:
    """The values of a picklist that can be chosen."""
    values = (option for option in about.get("picklistValues") or () if option.get("active", True))
    return tuple(Option(str(value["value"]), str(value.get("label") or value["value"])) for value in values)


def _table(spec: FieldSpec) -> str:
    if spec.record_type not in OBJECTS:
        raise UnsupportedError(f"Salesforce has no record type {spec.record_type}")
    if not LIMITS.takes(spec.name):
        raise RequestError(
            f"field {spec.name!r} cannot be created: names in Salesforce have {LIMITS.field_rule}"
        )
    return OBJECTS[spec.record_type]


def _may_not(spec: FieldSpec, refusal: Refusal) -> AccessError:
    return AccessError(
        f"this user may not create field {api_name(spec.name)} ({refusal.code}): let an administrator deploy the files of "
        "`crm-segments setup --export DIR`, or run setup as one"
    )


def as_text(value: Any) -> str | None:
    """A value of Salesforce's JSON as text in its normal form."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))
    return str(value)
