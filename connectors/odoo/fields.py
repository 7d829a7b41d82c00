"""How are our fields made and read in Odoo? As manual fields of the partner, each with its type and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from connectors.contract import FieldSpec, Option
from connectors.errors import RequestError, UnsupportedError
from connectors.odoo.server import Odoo
from connectors.search_read.server import Denied, Row

_FORMS = {"enum": "selection", "number": "float", "date": "date", "bool": "selection", "text": "char"}
_TYPES: Mapping[str, Literal["enum", "number", "date", "bool", "text"]] = {
    "selection": "enum", "float": "number", "integer": "number", "monetary": "number", "date": "date", "boolean": "bool"
}  # fmt: skip
_TRUTH = (Option("true", "Yes"), Option("false", "No"))


def column(name: str) -> str:
    """What Odoo calls a field of ours."""
    return name if name.startswith("x_") else f"x_{name}"


class ManualFields:
    """Fields of the partner (``connectors.rest.connector.Fields``, ``connectors.search_read.writing.Columns``)."""

    model = "res.partner"

    def __init__(self, server: Odoo) -> None:
        self._server = server

    @property
    def _there(self) -> dict[str, dict[str, Any]]:
        return self._server.fields_of(self.model)

    # Fields

    def all(self) -> dict[tuple[str, str], FieldSpec]:
        self._server.forget(self.model)
        there = self._there.items()
        ours = {name.removeprefix("x_"): about for name, about in there if name.startswith("x_")}
        return {("contact", name): _spec(name, about) for name, about in (*ours.items(), *there)}

    def ensure(self, spec: FieldSpec) -> bool:
        """Make the field, or add the options that it lacks and rename those of ours."""
        if spec.record_type != "contact":
            raise UnsupportedError(f"Odoo has no {spec.record_type} here: it has contacts")
        self._server.forget(self.model)
        about, form = self._there.get(column(spec.name)), _FORMS[spec.type]
        if about is None:
            self._create(spec, form)
        elif about["type"] != form:
            raise RequestError(f"field {spec.name} is of type {about['type']} in Odoo: choose another name")
        elif form == "selection":
            self._extend(spec, dict(about.get("selection") or ()))
        self._server.forget(self.model)
        return about is None

    def _create(self, spec: FieldSpec, form: str) -> None:
        (model,) = self._server.ids("ir.model", [["model", "=", self.model]])
        values: dict[str, Any] = {
            "name": column(spec.name),
            "model_id": model,
            "ttype": form,
            "state": "manual",
            "field_description": spec.label or spec.name,
            "help": spec.description or False,
        }
        if form == "selection":
            values["selection_ids"] = [[0, 0, option] for option in _options(spec, 0)]
        try:
            self._server.create("ir.model.fields", [values])
        except Denied as error:
            raise Denied(
                f"The user of account {self._server.account.name} may not create field {column(spec.name)}: give it "
                f"Administration: Settings, or let an administrator make it (type {form})",
                error.refusal,
            ) from error

    def _extend(self, spec: FieldSpec, there: Mapping[str, str]) -> None:
        options = _options(spec, len(there))
        wanted = {option["value"]: option["name"] for option in options}
        if not wanted.items() - there.items():
            return
        (field,) = self._server.ids(
            "ir.model.fields", [["name", "=", column(spec.name)], ["model", "=", self.model]]
        )
        missing = [option | {"field_id": field} for option in options if option["value"] not in there]
        if missing:
            self._server.create("ir.model.fields.selection", missing)
        changed = {key: name for key, name in wanted.items() if there.get(key, name) != name}
        for key, name in changed.items() if not spec.adopted else ():
            ids = self._server.ids(
                "ir.model.fields.selection", [["field_id", "=", field], ["value", "=", key]]
            )
            self._server.write("ir.model.fields.selection", [(ids, {"name": name})])

    def archive(self, spec: FieldSpec) -> None:
        """Delete the field, which is empty; Odoo refuses where a view or rule names it."""
        ids = self._server.ids(
            "ir.model.fields",
            [["name", "=", column(spec.name)], ["model", "=", self.model], ["state", "=", "manual"]],
        )
        if ids:
            self._server.call("ir.model.fields", "unlink", ids, writes=True)
        self._server.forget(self.model)

    # Values

    def kept_in(self, names: Sequence[str]) -> list[str]:
        return sorted(column(name) for name in set(names) if column(name) in self._there)

    def held(self, row: Row, name: str) -> str | None:
        value, about = row.get(column(name)), self._there.get(column(name))
        if about is None or value is None or value is False:
            return None
        return self.normal(_spec(name, about), str(value))

    def fault(self, name: str, value: str | None) -> tuple[str, str] | None:
        about = self._there.get(column(name))
        if about is None:
            return "permission", f"field {name} does not exist: run `crm-segments setup`"
        if value and about["type"] == "selection" and value not in dict(about.get("selection") or ()):
            return "data", f"{value!r} is no option of {name}: run `crm-segments setup`"
        return None

    def values(self, wanted: Mapping[str, str | None]) -> dict[str, Any]:
        return {
            column(name): float(value)
            if value and self._there[column(name)]["type"] in ("float", "integer", "monetary")
            else value or False
            for name, value in wanted.items()
        }

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """Without blanks around; a number without zeros behind its point, and 0 is not nothing."""
        text = (value or "").strip()
        if spec.type == "number" and "." in text:
            text = text.rstrip("0").rstrip(".")
        return text or None


def _spec(name: str, about: Mapping[str, Any]) -> FieldSpec:
    options = tuple(Option(str(key), str(label)) for key, label in about.get("selection") or ())
    return FieldSpec(
        name, type=_TYPES.get(about["type"], "text"), label=str(about.get("string") or ""), options=options
    )


def _options(spec: FieldSpec, first: int) -> list[dict[str, Any]]:
    options = _TRUTH if spec.type == "bool" else spec.options
    return [{"value": o.key, "name": o.label or o.key, "sequence": first + n} for n, o in enumerate(options)]
