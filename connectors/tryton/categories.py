"""Where do segments stand in Tryton? In categories of parties, or in fields of the party.

A field of ours is a category with one child for each segment; a note on each says whose it is, so that a category
of the same name that a person made is never taken for ours, and that people may rename ours. Where the party
itself has a field of that name (the module in the documentation adds it), the value stands there: texts, numbers
and days need one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.contract import FieldSpec, Option
from connectors.errors import RequestError
from connectors.search_read.server import Row
from connectors.tryton.server import Tryton, plain

_KEEPS = "crm-segments keeps this category:"
_MARK = re.compile(rf"{_KEEPS} (\w+)(?: = (.+))?")
_TRUTH = (Option("true", "Yes"), Option("false", "No"))
_TYPES: Mapping[str, Literal["number", "date", "bool", "text"]] = {
    "float": "number", "numeric": "number", "integer": "number", "date": "date", "boolean": "bool"
}  # fmt: skip
_ODD = re.compile(r"[\t\n\r\x0b\x0c]+")  # characters that a text of one line does not take


@dataclass
class Tree:
    """A category of ours and what stands below it, by id."""

    id: int
    label: str
    active: bool
    keys: dict[str, int] = field(default_factory=dict)  # value → child that we made
    names: dict[int, str] = field(default_factory=dict)  # every child that is in use → what people read

    def text(self, categories: Sequence[int]) -> str | None:
        """What a party holds: the value of our child, the name of another one; several in one text."""
        ours = {id: key for key, id in self.keys.items()}
        held = sorted(ours.get(id, self.names[id]) for id in categories if id in self.names)
        return "; ".join(held) or None


class Categories:
    """Fields of ours (``connectors.rest.connector.Fields``, ``connectors.search_read.writing.Columns``)."""

    model = "party.party"

    def __init__(self, server: Tryton) -> None:
        self._server = server
        self._trees: dict[str, Tree] | None = None

    @property
    def trees(self) -> dict[str, Tree]:
        """Our categories by the name of the field, read once."""
        if self._trees is None:
            self._trees = self._read()
        return self._trees

    @property
    def direct(self) -> dict[str, dict[str, Any]]:
        """Fields of the party."""
        return self._server.fields_of(self.model)

    @property
    def names(self) -> set[str]:
        """Fields of ours that can be read."""
        return {*self.direct, *(name for name, tree in self.trees.items() if tree.active)}

    def _read(self) -> dict[str, Tree]:
        domain = [
            ["resource", "like", "party.category,%"],
            ["message", "like", f"{_KEEPS}%"],
        ]
        notes = self._server.search_read("ir.note", domain, ["resource", "message"])
        rows = {
            row["id"]: row
            for row in self._server.search_read("party.category", [], ["name", "parent", "active"])
        }
        trees: dict[str, Tree] = {}
        marks: list[tuple[str, str, int]] = []
        for note in notes:
            mark, id = _MARK.fullmatch(note["message"].strip()), int(note["resource"].partition(",")[2])
            if mark and id in rows and mark[2]:
                marks.append((mark[1], mark[2], id))
            elif mark and id in rows:
                trees[mark[1]] = Tree(id, rows[id]["name"], bool(rows[id]["active"]))
        for name, tree in trees.items():
            below = {id: row for id, row in rows.items() if row["parent"] == tree.id}
            tree.names = {id: row["name"] for id, row in below.items() if row["active"]}
            tree.keys = {key: id for of, key, id in marks if of == name and id in below}
        return trees

    # Fields

    def all(self) -> dict[tuple[str, str], FieldSpec]:
        """Fields of the party, and categories of ours as fields of options."""
        self._trees = None
        self._server.forget(self.model)
        specs = {
            ("contact", name): FieldSpec(
                name, type=_TYPES.get(about["type"], "text"), label=str(about.get("string") or "")
            )
            for name, about in self.direct.items()
        }
        for name, tree in self.trees.items():
            if tree.active:
                options = tuple(
                    Option(key, tree.names[id]) for key, id in tree.keys.items() if id in tree.names
                )
                specs["contact", name] = FieldSpec(name, type="enum", label=tree.label, options=options)
        labels = {
            row["name"]
            for row in self._server.search_read("party.category", [["parent", "=", None]], ["name"])
        }
        for spec in self._server.account.fields:  # a category of a person has the name that ours would get
            if ("contact", spec.name) not in specs and spec.name not in self.trees and spec.label in labels:
                specs["contact", spec.name] = FieldSpec(spec.name, type="enum", label=spec.label)
        return specs

    def ensure(self, spec: FieldSpec) -> bool:
        """Make the category and the children that it lacks, and give ours their present names."""
        if spec.name in self.direct:
            return False
        if spec.record_type != "contact" or spec.type not in ("enum", "bool"):
            raise RequestError(
                f"Tryton keeps {spec.name} ({spec.type}) only in a field of the party: install the module that `crm-segments "
                "export` writes, or leave the field out of extra_fields"
            )
        self._trees = None
        tree, label = self.trees.get(spec.name), spec.label or spec.name
        options = spec.options or (_TRUTH if spec.type == "bool" else ())
        new = tree is None
        parent = tree.id if tree else self._made(spec, {"": label}, None)[0]
        tree = tree or Tree(parent, label, True)
        self._made(spec, {o.key: o.label or o.key for o in options if o.key not in tree.keys}, parent)
        if not spec.adopted:
            names = {tree.keys[o.key]: o.label or o.key for o in options if o.key in tree.keys}
            changed = {id: name for id, name in names.items() if tree.names.get(id) != name}
            self._rename(changed | ({} if (tree.label, tree.active) == (label, True) else {parent: label}))
        self._trees = None
        return new

    def _made(self, spec: FieldSpec, names: Mapping[str, str], parent: int | None) -> list[int]:
        """Categories (by value: "" is the field itself) with our mark; that of a person where it is to be taken over.

        One is called by its mark until it has it: a set-up that is cut off goes on with it.
        """
        marks = {key: f"{_KEEPS} {spec.name}" + (f" = {key}" if key else "") for key in names}
        domain = [["parent", "=", parent], ["name", "in", [*names.values(), *marks.values()]]]
        there = {
            row["name"]: row["id"] for row in self._server.search_read("party.category", domain, ["name"])
        }
        theirs = [name for name in names.values() if name in there]
        if theirs and not spec.adopted:
            raise RequestError(
                f'There is a category "{theirs[0]}" that crm-segments did not create ({spec.name} would get this name): rename '
                f"one of them, or take it over with `crm-segments setup --adopt {spec.name}`"
            )
        found = {key: there.get(name) or there.get(marks[key]) for key, name in names.items()}
        missing = [key for key, id in found.items() if not id]
        if missing:
            values = [{"name": marks[key], "parent": parent} for key in missing]
            found |= zip(missing, self._server.create("party.category", values), strict=True)
        ids = {key: int(id or 0) for key, id in found.items()}
        if ids:
            notes = [{"resource": f"party.category,{id}", "message": marks[key]} for key, id in ids.items()]
            self._server.create("ir.note", notes)
        self._rename({id: names[key] for key, id in ids.items()})
        return list(ids.values())

    def _rename(self, names: Mapping[int, str]) -> None:
        """The names of categories that are in use (again)."""
        if names:
            groups = [([id], {"name": name}) for id, name in names.items()]
            self._server.write("party.category", [([*names], {"active": True}), *groups])

    def archive(self, spec: FieldSpec) -> None:
        """Archive our categories; a child that a person made stays, and our category with it."""
        self._trees = None
        tree = self.trees.get(spec.name)
        if tree is None:
            return
        theirs = tree.names.keys() - set(tree.keys.values())
        if theirs:
            name = tree.names[min(theirs)]
            raise RequestError(f'The category "{tree.label}" stays: "{name}" below it is not ours')
        self._server.write("party.category", [([tree.id, *tree.keys.values()], {"active": False})])
        self._trees = None

    # Values

    def kept_in(self, names: Sequence[str]) -> list[str]:
        return sorted({name if name in self.direct else "categories" for name in names})

    def held(self, row: Row, name: str) -> str | None:
        if name in self.direct:
            type = _TYPES.get(self.direct[name]["type"], "text")
            return self.normal(FieldSpec(name, type=type), plain(row.get(name)))
        return self.trees[name].text(row.get("categories") or ()) if name in self.trees else None

    def fault(self, name: str, value: str | None) -> tuple[str, str] | None:
        if name in self.direct:
            return None
        if name not in self.trees:
            return "permission", f"there is no field or category for {name}: run `crm-segments setup`"
        if value and value not in self.trees[name].keys:
            return "data", f"there is no category for {value!r} of {name}: run `crm-segments setup`"
        return None

    def values(self, wanted: Mapping[str, str | None]) -> dict[str, Any]:
        fields = {name: self._encoded(name, value) for name, value in wanted.items() if name in self.direct}
        added, removed = [], []
        for name, value in wanted.items():
            if name not in self.direct:
                tree = self.trees[name]
                target = tree.keys[value] if value else None
                added += [target] if target else []
                removed += [id for id in {**tree.names, **dict.fromkeys(tree.keys.values())} if id != target]
        orders = [[verb, ids] for verb, ids in (("remove", removed), ("add", added)) if ids]
        return fields | ({"categories": orders} if orders else {})

    def _encoded(self, name: str, value: str | None) -> Any:
        if not value:
            return None
        match self.direct[name]["type"]:
            case "date":
                year, month, day = map(int, value.split("-"))
                return {"__class__": "date", "year": year, "month": month, "day": day}
            case "numeric":
                return {"__class__": "Decimal", "decimal": value}
            case "float":
                return float(value)
            case "integer":
                return int(float(value))
            case "boolean":
                return value == "true"
        return value

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """Without blanks around, on one line; a number without zeros behind its point."""
        text = _ODD.sub(" ", value or "").strip()
        if spec.type == "number" and "." in text:
            text = text.rstrip("0").rstrip(".")
        return text or None
