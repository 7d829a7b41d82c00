"""What in the org starts when our fields change? Record-triggered flows and Apex triggers, which run on every
update.

Salesforce does not tell which fields a flow waits for: each one on an object that we write is named. Who may
not look into the set-up ("View Setup and Configuration") is told that this is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Automation, Automations, FieldSpec, ListSpec
from connectors.salesforce import soql
from connectors.salesforce.api_errors import Denied, Refused
from connectors.salesforce.list_members import CAMPAIGN
from connectors.salesforce.names import OBJECTS
from connectors.salesforce.session import Org

RIGHT = "View Setup and Configuration"
_ON_UPDATE = frozenset({"Update", "CreateAndUpdate"})
_ON_CREATE = frozenset({"Create", "CreateAndUpdate"})


def reacting(org: Org, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
    """The flows and triggers on the objects that we write, for each of our fields and campaigns."""
    targets: dict[str, list[str]] = {}
    for spec in fields:
        targets.setdefault(OBJECTS[spec.record_type], []).append(spec.name)
    for list_spec in lists:
        if list_spec.kind == "static" or list_spec.id.startswith(CAMPAIGN):
            targets.setdefault("CampaignMember", []).append(list_spec.key)
    if not targets:
        return Automations()
    listening: list[Automation] = []
    unknown = []
    for what, names in (("flows", _flows), ("Apex triggers", _triggers)):
        try:
            for table, name in names(org, list(targets)):
                listening += [Automation(name, target) for target in targets[table]]
        except (Refused, Denied):
            unknown.append(what)
    missing = f"which {' and '.join(unknown)} start is unknown: give the user the permission {RIGHT!r}"
    return Automations(tuple(listening), missing if unknown else "")


def on_campaign_members(org: Org) -> tuple[list[str], str]:
    """The flows and triggers that start for members of any campaign, and what of them is unknown."""
    heard = reacting(org, (), [ListSpec("any", kind="static")])
    return [automation.name for automation in heard.found], heard.unknown


def _flows(org: Org, tables: Sequence[str]) -> list[tuple[str, str]]:
    fields = ["Label", "TriggerObjectOrEventId", "TriggerObjectOrEventLabel", "RecordTriggerType"]
    where = ["IsActive = true", "TriggerType IN ('RecordAfterSave','RecordBeforeSave')"]
    rows = org.rows(fields, "FlowDefinitionView", *where)
    flows = []
    for table in tables:
        label = str((org.describe(table) or {}).get("label") or table)
        moments = _ON_CREATE if table == "CampaignMember" else _ON_UPDATE
        for row in rows:
            about = {row.get("TriggerObjectOrEventId"), row.get("TriggerObjectOrEventLabel")}
            if about & {table, label} and (row.get("RecordTriggerType") or "Update") in moments:
                flows.append((table, f"flow {row['Label']}"))
    return flows


def _triggers(org: Org, tables: Sequence[str]) -> list[tuple[str, str]]:
    updates, inserts = ("UsageAfterUpdate", "UsageBeforeUpdate"), ("UsageAfterInsert", "UsageBeforeInsert")
    where = ["Status = 'Active'", soql.among("TableEnumOrId", tables)]
    statement = soql.Select(["Name", "TableEnumOrId", *updates, *inserts], "ApexTrigger", where)
    rows = org.ask("GET", "tooling/query/", params={"q": str(statement)})["records"]
    return [
        (table, f"Apex trigger {row['Name']}")
        for row in rows
        for table in [row["TableEnumOrId"]]
        if any(row.get(moment) for moment in (inserts if table == "CampaignMember" else updates))
    ]
