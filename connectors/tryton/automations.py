"""What in Tryton starts when our categories, fields or lists change (triggers), and what names them (saved searches, and
messages to a list)?
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Automation, Automations, FieldSpec, ListSpec, Reference, References
from connectors.search_read.server import Denied, Refused
from connectors.tryton.categories import Categories
from connectors.tryton.server import Tryton

_MOMENTS = ("on_create_", "on_write_", "on_delete_")


def reacting(server: Tryton, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
    """The triggers on what we write: parties for fields, their entries for lists."""
    targets = {"party.party": [spec.name for spec in fields], "marketing.email": [spec.key for spec in lists]}
    try:
        rows = server.search_read("ir.trigger", [["active", "=", True]], ["name", "model", *_MOMENTS])
        models = {
            row["id"]: row["name"]
            for row in server.search_read("ir.model", [["name", "in", [*targets]]], ["name"])
        }
    except (Denied, Refused):
        return Automations(
            unknown="which triggers start is unknown: give the user the right to read triggers"
        )
    found = [
        Automation(f"trigger {row['name']}", target)
        for row in rows
        if any(
            row.get(moment)
            for moment in (_MOMENTS if models.get(row["model"]) != "party.party" else ("on_write_",))
        )
        for target in targets.get(models.get(row["model"], ""), ())
    ]
    return Automations(tuple(found))


def referring(
    server: Tryton, categories: Categories, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]
) -> References:
    """Saved searches over parties that name a field or category of ours, and messages to lists of ours."""
    names = {spec.name: {spec.name} for spec in fields}
    for name in names.keys() & categories.trees.keys():
        names[name] |= {categories.trees[name].label, *categories.trees[name].names.values()}
    keys = {spec.id: spec.key for spec in lists if spec.id}
    domain = [["list_", "in", [int(id) for id in keys if id.isdigit()]], ["state", "!=", "sent"]]
    try:
        searches = server.search_read(
            "ir.ui.view_search", [["model", "=", "party.party"]], ["name", "domain"]
        )
        messages = server.search_read("marketing.email.message", domain, ["title", "list_"]) if keys else []
    except (Denied, Refused):
        return References(
            unknown="saved searches and messages cannot be read: give the user the right to them"
        )
    found = [
        Reference(f'saved search "{row["name"]}"', target)
        for row in searches
        for target, words in names.items()
        if any(word in str(row["domain"]) for word in words)
    ]
    found += [Reference(f'message "{row["title"]}"', keys[str(row["list_"])]) for row in messages]
    return References(tuple(found), unseen="Tryton does not show the saved searches of other users")
