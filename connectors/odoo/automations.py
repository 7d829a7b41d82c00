"""What in Odoo starts when our fields change (automation rules), and what names them (saved filters)?"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Automation, Automations, FieldSpec, ListSpec, Reference, References
from connectors.odoo.fields import column
from connectors.odoo.server import Odoo
from connectors.search_read.server import Denied, Refused


def reacting(server: Odoo, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
    """Automation rules on what we write."""
    static = [spec.key for spec in lists if spec.kind == "static"]
    targets = {"res.partner": [spec.name for spec in fields], "mailing.contact": static}
    try:
        rules = server.search_read(
            "base.automation",
            [["model_name", "in", [*targets]], ["active", "=", True]],
            ["name", "model_name"],
        )
    except Refused:  # the module is not installed: there are none
        return Automations()
    except Denied:
        return Automations(
            unknown="which automation rules start is unknown: give the user the right to read them"
        )
    found = [
        Automation(f"automation rule {rule['name']}", target)
        for rule in rules
        for target in targets[rule["model_name"]]
    ]
    return Automations(tuple(found))


def referring(server: Odoo, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
    """Saved filters of others that name a field of ours."""
    ours = {spec.id for spec in lists}
    rows = server.search_read("ir.filters", [["model_id", "=", "res.partner"]], ["name", "domain"])
    found = [
        Reference(f'saved filter "{row["name"]}"', spec.name)
        for spec in fields
        for row in rows
        if column(spec.name) in str(row["domain"]) and f"filter-{row['id']}" not in ours
    ]
    return References(
        tuple(found),
        unseen="Odoo does not show the saved filters of other users, nor what a mailing is sent to",
    )
