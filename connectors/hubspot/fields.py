"""Which properties are there, how are ours made, and in which form does HubSpot give their values back?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import FieldSpec, Option
from connectors.errors import RequestError, UnsupportedError
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.limits import LIMITS
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.session import Portal

# properties that we made stand in a group of our own
GROUP = {"name": "crm_segments", "label": "CRM segments", "displayOrder": -1}
FRESH = 60.0  # seconds for which definitions are not read again, unless we change them
FORMS = {  # our type → HubSpot's type, and the form in which people see it
    "enum": ("enumeration", "select"),
    "number": ("number", "number"),
    "date": ("date", "date"),
    "bool": ("bool", "booleancheckbox"),
    "text": ("string", "textarea"),
}
_TYPES = {"enumeration": "enum", "number": "number", "date": "date", "bool": "bool"}
_TRUTH = (Option("true", "Yes"), Option("false", "No"))
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


class Fields:
    """Properties of contacts and companies."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._grouped: set[str] = set()  # object types of which our group is there
        self._looked_at: set[tuple[str, str]] = set()  # a second look at the same property reads it again

    def all(self) -> dict[tuple[str, str], FieldSpec]:
        """All properties by (record type, name); of a record type that the key may not see, none."""
        fields_by_key = {}
        self._looked_at.clear()
        for record_type, kind in OBJECTS.items():
            self._portal.forget(kind, older_than=FRESH)
            try:
                definitions = self._portal.properties(kind)
            except Denied:
                if record_type == "contact":
                    raise
                continue
            for name, about in definitions.items():
                fields_by_key[record_type, name] = _spec(record_type, about)
        return fields_by_key

    def ensure(self, spec: FieldSpec) -> bool:
        """Create the property, or add the options that it lacks and rename those that are ours. Drops none.

        False: it was there already, and what records hold in it stands.
        """
        kind = _kind(spec)
        if (kind, spec.name) in self._looked_at:
            self._portal.forget(kind)
        self._portal.forget(kind, older_than=FRESH)
        self._looked_at.add((kind, spec.name))
        present = self._portal.properties(kind).get(spec.name)
        if present is None:
            present = self._create(kind, spec)
        if present is not None:
            self._mend(kind, spec, present)
        return present is None

    def archive(self, spec: FieldSpec) -> None:
        """Archive a property of ours; one that is not there any more counts as archived."""
        kind = _kind(spec)
        try:
            self._portal.ask("DELETE", self._portal.path("properties", kind, spec.name), writes=True)
        except Refused as error:
            if error.refusal.status != 404:
                raise RequestError(f"property {spec.name} cannot be archived: {error}") from error
        self._portal.forget(kind)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """The form in which HubSpot gives a value back."""
        return normal(spec.type, value)

    def definitions(self, fields: Iterable[FieldSpec]) -> dict[str, list[dict[str, Any]]]:
        """Bodies that create the fields, by object type."""
        bodies: dict[str, list[dict[str, Any]]] = {}
        for spec in fields:
            bodies.setdefault(_kind(spec), []).append(definition(spec))
        return bodies

    def _create(self, kind: str, spec: FieldSpec) -> dict[str, Any] | None:
        """None: it is made. A definition: somebody made it meanwhile."""
        if not LIMITS.takes(spec.name):
            raise RequestError(f"HubSpot does not allow a property named {spec.name}: {LIMITS.field_rule}")
        if kind not in self._grouped:
            self._ensure_group(kind)
            self._grouped.add(kind)
        body = definition(spec)
        try:
            self._portal.ask("POST", self._portal.path("properties", kind), body=body, writes=True)
            self._portal.properties(kind)[spec.name] = body
            return None
        except Refused as error:
            self._portal.forget(kind)
            present = self._portal.properties(kind).get(spec.name)
            if present is not None:
                return present
            if _exists(error):
                remedy = "restore it in HubSpot (Settings > Properties > Archived), or choose another name"
                raise RequestError(f"property {spec.name} is archived: {remedy}") from error
            raise RequestError(f"property {spec.name} cannot be created: {error}") from error

    def _ensure_group(self, kind: str) -> None:
        path = self._portal.path("properties", kind, "groups")
        if self._portal.ask_for(f"{path}/{GROUP['name']}") is None:
            try:
                self._portal.ask("POST", path, body=GROUP, writes=True)
            except Refused as taken:
                if not _exists(taken):
                    raise

    def _mend(self, kind: str, spec: FieldSpec, present: Mapping[str, Any]) -> None:
        wanted, actual = FORMS[spec.type][0], str(present.get("type"))
        if wanted != actual:
            raise RequestError(
                f"property {spec.name} is of type {actual} in HubSpot, not {wanted}: choose another name in the config"
            )
        changed: dict[str, Any] = {}
        if spec.type == "enum" and _with_options(spec, present) != list(present.get("options") or ()):
            self._portal.forget(kind)  # the call replaces all options: none that came meanwhile may be lost
            present = self._portal.properties(kind).get(spec.name, present)
            changed["options"] = _with_options(spec, present)
        # a property that a person made keeps its words
        if present.get("groupName") == GROUP["name"] and not spec.adopted:
            shown = {"label": spec.label or spec.name, "description": spec.description}
            changed.update({name: text for name, text in shown.items() if text and text != present.get(name)})
        if changed:
            path = self._portal.path("properties", kind, spec.name)
            self._portal.ask("PATCH", path, body=changed, writes=True)
            self._portal.forget(kind)


def _with_options(spec: FieldSpec, present: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options that a property shall have; those of a property that a person made keep their words."""
    there = list(present.get("options") or ())
    values = {option.get("value") for option in there}
    return merged(there, [option for option in spec.options if not (spec.adopted and option.key in values)])


def definition(spec: FieldSpec) -> dict[str, Any]:
    """The body that creates a property."""
    type_, form = FORMS[spec.type]
    options = {"enum": spec.options, "bool": _TRUTH}.get(spec.type)
    body = {
        "groupName": GROUP["name"],
        "name": spec.name,
        "label": spec.label or spec.name,
        "description": spec.description,
        "type": type_,
        "fieldType": form,
    }
    return body if options is None else {**body, "options": merged((), options)}


def merged(present: Sequence[Mapping[str, Any]], wanted: Sequence[Option]) -> list[dict[str, Any]]:
    """All options that are there, ours under their present labels and never hidden, and behind them those
    that lack.
    """
    labels = {option.key: option.label or option.key for option in wanted}
    foreign = {str(choice.get("label")) for choice in present if choice.get("value") not in labels}
    labels = {key: f"{label} ({key})" if label in foreign else label for key, label in labels.items()}
    kept = [
        {**choice, "label": labels[choice["value"]], "hidden": False}
        if choice.get("value") in labels
        else dict(choice)  # as it stands
        for choice in present
    ]
    there = {choice.get("value") for choice in present}
    places = (choice.get("displayOrder") for choice in present)
    last = max((position for position in places if isinstance(position, int)), default=-1)
    missing = [key for key in labels if key not in there]
    return kept + [
        {"label": labels[key], "value": key, "displayOrder": last + position, "hidden": False}
        for position, key in enumerate(missing, 1)
    ]


def normal(type_: str, value: str | None) -> str | None:
    """The form in which HubSpot gives a value back, and in which it is compared: null for nothing and for an
    empty text.
    """
    text = (value or "").replace("\0", "").strip()
    if not text:
        return None
    if type_ == "number":
        return _number(text)
    if type_ == "date":
        return _day(text)
    if type_ == "bool":
        low = text.lower()
        return "true" if low in _TRUE else "false" if low in _FALSE else text
    if type_ == "text":
        return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode() or None
    return text


def normal_column(type_: str, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """As ``normal``, for a column of texts: each different text is looked at once."""
    coded = pa.array(
        values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values, pa.string()
    ).dictionary_encode()
    forms = pa.array([normal(type_, text) for text in coded.dictionary.to_pylist()], pa.string())
    return pc.take(forms, coded.indices)


def _number(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    plain = format(number, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("-0", "") else plain


def _day(text: str) -> str:
    """A date; HubSpot also writes midnight UTC in milliseconds, or as an instant."""
    if re.fullmatch(r"-?\d{9,14}", text):
        return datetime.fromtimestamp(int(text) / 1000, UTC).date().isoformat()
    return text[:10] if re.match(r"\d{4}-\d\d-\d\dT", text) else text


def _spec(record_type: str, about: Mapping[str, Any]) -> FieldSpec:
    type_: Any = (
        "bool" if about.get("fieldType") == "booleancheckbox" else _TYPES.get(str(about.get("type")), "text")
    )
    listed = about.get("options") or () if type_ == "enum" else ()
    options = tuple(Option(str(option.get("value")), str(option.get("label"))) for option in listed)
    label, description = (str(about.get(key) or "") for key in ("label", "description"))
    return FieldSpec(str(about["name"]), record_type, type_, label, description, options)


def _kind(spec: FieldSpec) -> str:
    if spec.record_type not in OBJECTS:
        raise UnsupportedError(
            f"field {spec.name}: HubSpot has no {spec.record_type} here; it has {' and '.join(OBJECTS)}"
        )
    return OBJECTS[spec.record_type]


def _exists(error: Refused) -> bool:
    return error.refusal.status == 409 or "already exists" in error.refusal.text.lower()
