"""Which automations, formulas and list views of other people name a field or a campaign of ours?

Who uses a custom field, Salesforce itself tells ("Tooling API Reference", MetadataComponentDependency, the source of
"Where is this used?"); page layouts show a field and do not hang on it. A list view tells its filters and columns.
Which campaign a flow on campaign members waits for, nobody tells. Reports and other apps are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.contract import FieldSpec, ListSpec, Reference, References
from connectors.rest.batch_writer import slices
from connectors.salesforce import soql
from connectors.salesforce.api_errors import Denied, Refused
from connectors.salesforce.automations import RIGHT, on_campaign_members
from connectors.salesforce.list_members import CAMPAIGN
from connectors.salesforce.list_views import VIEW
from connectors.salesforce.names import OBJECTS, api_name
from connectors.salesforce.session import Org

# what shows a field and does not hang on it; list views are looked at by themselves
_SHOWING = frozenset({"Layout", "FlexiPage", "PermissionSet", "Profile", "CompactLayout", "ListView"})
_UNSEEN = "Salesforce does not tell which reports and apps use a field or a campaign: look there"
_MANY = 200  # ids of one question


def referring(org: Org, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
    """Who names these; ``unknown`` says what could not be looked at."""
    found: list[Reference] = []
    unknown: list[str] = []
    try:
        found += _components(org, fields)
    except (Refused, Denied):
        unknown.append(
            f"which flows and formulas use a field is unknown: give the user the permission {RIGHT!r}"
        )
    try:
        found += _views(
            org, fields, {spec.id.rpartition(":")[2] for spec in lists if spec.id.startswith(VIEW)}
        )
    except (Refused, Denied):
        unknown.append("which list views of others use a field is unknown: let the user read list views")
    ids = {spec.id.split(":")[1]: spec.key for spec in lists if spec.id.startswith(CAMPAIGN)}
    if ids:
        found += _below(org, ids)
        names, missing = on_campaign_members(org)
        unknown += [f"{name} starts for members of campaigns, perhaps of this one" for name in names]
        unknown += [missing] if missing else []
    return References(tuple(dict.fromkeys(found)), "; ".join(unknown), _UNSEEN)


def _components(org: Org, fields: Sequence[FieldSpec]) -> Iterator[Reference]:
    """What uses a custom field, by Salesforce's own account."""
    targets = {(OBJECTS[spec.record_type], api_name(spec.name)): spec.name for spec in fields}
    if not targets:
        return
    names = {name.removesuffix("__c") for _, name in targets}
    where = [soql.among("DeveloperName", names), soql.among("TableEnumOrId", {table for table, _ in targets})]
    rows = _tooling(org, soql.Select(["Id", "DeveloperName", "TableEnumOrId"], "CustomField", where))
    ours = {
        str(row["Id"])[:15]: targets[key]
        for row in rows
        if (key := (row["TableEnumOrId"], f"{row['DeveloperName']}__c")) in targets
    }
    columns = ["MetadataComponentName", "MetadataComponentType", "RefMetadataComponentId"]
    for ids in slices(sorted(str(row["Id"]) for row in rows if str(row["Id"])[:15] in ours), _MANY):
        where = [soql.among("RefMetadataComponentId", ids)]
        for row in _tooling(org, soql.Select(columns, "MetadataComponentDependency", where)):
            if row["MetadataComponentType"] not in _SHOWING:
                what = f"{row['MetadataComponentType']} {row['MetadataComponentName']}"
                yield Reference(what, ours[str(row["RefMetadataComponentId"])[:15]])


def _tooling(org: Org, statement: soql.Select) -> list[dict[str, Any]]:
    answer = org.ask("GET", "tooling/query/", params={"q": str(statement)})
    rows: list[dict[str, Any]] = answer["records"]
    return rows


def _views(org: Org, fields: Sequence[FieldSpec], own: set[str]) -> Iterator[Reference]:
    """List views of others that filter by a field of ours, or show it. ``own``: developer names of those that go too."""
    names: dict[str, dict[str, str]] = {}
    for spec in fields:
        names.setdefault(OBJECTS[spec.record_type], {})[api_name(spec.name)] = spec.name
    if not names:
        return
    rows = [
        row
        for row in org.rows(
            ["Id", "Name", "DeveloperName", "SobjectType"], "ListView", soql.among("SobjectType", names)
        )
        if row["DeveloperName"] not in own
    ]

    def described(row: dict[str, Any]) -> Mapping[str, Any]:
        return org.ask_for(f"ui-api/list-info/{row['SobjectType']}/{row['DeveloperName']}") or {}

    for row, view in zip(rows, org.many(described, rows), strict=True):
        shown = [*(view.get("filteredByInfo") or ()), *(view.get("displayColumns") or ())]
        used = {str(part.get("fieldApiName")) for part in shown if isinstance(part, dict)}
        for name in sorted(used & names[row["SobjectType"]].keys()):
            yield Reference(f'list view "{row["Name"]}"', names[row["SobjectType"]][name])


def _below(org: Org, ids: Mapping[str, str]) -> Iterator[Reference]:
    """Campaigns of others that hang below one of ours."""
    if "ParentId" not in org.fields("Campaign"):
        return
    for row in org.rows(["Id", "Name", "ParentId"], "Campaign", soql.among("ParentId", ids)):
        if row["Id"] not in ids:
            yield Reference(f'campaign "{row["Name"]}"', ids[row["ParentId"]])
