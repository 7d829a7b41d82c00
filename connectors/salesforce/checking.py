"""What must a person mend in the org or in the config before a run? Everything at once, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.contract import Problem
from connectors.errors import AccessError, RequestError
from connectors.salesforce import soql
from connectors.salesforce.holding import api_name
from connectors.salesforce.refusals import Denied, Refused
from connectors.salesforce.rows import OBJECTS
from connectors.salesforce.session import Org

_SHARE = 0.9  # of the records that the org counts, a user who sees fewer is told


def problems(org: Org) -> list[Problem]:
    """Credentials, API version, objects, fields, rights, records that this user does not see, and calls left."""
    try:
        _ = org.identity
    except AccessError as error:
        return [Problem(str(error), "then run `crm-segments check` again")]
    found: list[Problem] = []
    for look in (_version, _production, _objects, _attributes, _ours, _campaigns, _seen, _currency, _limits):
        found += _told(look, org)
    return found


def _told(look: Callable[[Org], Iterator[Problem]], org: Org) -> list[Problem]:
    try:
        return list(look(org))
    except (AccessError, RequestError) as error:
        return [Problem(str(error), "give the user this right, then run `crm-segments check` again")]


def _version(org: Org) -> Iterator[Problem]:
    known = [str(one["version"]) for one in org.ask("GET", "/services/data/") or ()]
    wanted = org.settings.api_version
    if known and wanted not in known:
        newest = max(known, key=float)
        yield Problem(
            f"the org does not speak version {wanted} of the API", f'set api_version = "{newest}" in [accounts.{org.account.name}]'
        )


def _production(org: Org) -> Iterator[Problem]:
    if org.identity.production and not org.settings.production:
        yield Problem(
            f"{org.identity.name or 'the org'} is a production org, and nothing says that it may be written",
            f"try it in a sandbox first, then set production = true in [accounts.{org.account.name}]",
        )


def used(org: Org) -> dict[str, str]:
    """Record type → object, of those that this account's fields stand on; contacts always."""
    types = {"contact", *(one.record_type for one in org.account.fields)}
    return {record_type: table for record_type, table in OBJECTS.items() if record_type in types}


def _objects(org: Org) -> Iterator[Problem]:
    for table in used(org).values():
        told = org.describe(table)
        remedy = f"give the user read and edit access to {table} (profile or permission set)"
        if told is None or not told.get("queryable", True):
            yield Problem(f"this user does not see the object {table}", remedy)
        elif not told.get("updateable", True):
            yield Problem(f"this user may not edit the object {table}", remedy)


def _attributes(org: Org) -> Iterator[Problem]:
    visible = {name for table in used(org).values() for name in org.fields(table)}
    for name, attribute in org.account.attributes.items():
        field = attribute.field.partition(".")[0]
        if visible and field not in visible and attribute.field not in visible:
            yield Problem(
                f"attribute {name} wants the field {attribute.field}, which is not there or hidden from this user",
                f"mend [accounts.{org.account.name}.attributes], or show the field to the user (field-level security)",
            )


def _ours(org: Org) -> Iterator[Problem]:
    for spec in org.account.fields:
        told = org.fields(OBJECTS.get(spec.record_type, "")).get(api_name(spec.name))
        if told is not None and not told.get("updateable", True):
            yield Problem(
                f"this user sees the field {api_name(spec.name)} of {OBJECTS[spec.record_type]} but may not edit it",
                "assign the permission set CRM_Segments to the user",
            )


def _campaigns(org: Org) -> Iterator[Problem]:
    if not org.settings.campaigns:
        return
    for table in ("Campaign", "CampaignMember"):
        told = org.describe(table)
        if told is None or not told.get("createable", True):
            yield Problem(f"this user may not make a {table}", "tick Marketing User in the user's record, or set campaigns = false")


def record_counts(org: Org, tables: list[str]) -> dict[str, int]:
    """How many records the org itself counts, whoever looks; an object without any is left out."""
    told = org.ask("GET", "limits/recordCount", params={"sObjects": ",".join(tables)})
    return {one["name"]: int(one["count"]) for one in told.get("sObjects") or ()}


def _seen(org: Org) -> Iterator[Problem]:
    tables = list(used(org).values())
    try:
        counted = record_counts(org, tables)
    except (Refused, Denied):
        return
    for table in tables:
        there = counted.get(table, 0)
        if not there or not org.fields(table):
            continue
        seen = org.total(soql.count(table))
        if seen < _SHARE * there:
            yield Problem(
                f"the org counts {there:,} records of {table}, and this user sees {seen:,} of them ({seen / there:.0%})",
                f"share all of them with the user (View All on {table}): else the others get no segment",
            )


def _currency(org: Org) -> Iterator[Problem]:
    corporate, mine = org.corporate_currency(), org.account.currency
    if corporate and corporate != mine and corporate not in org.account.rates:
        yield Problem(
            f"the org's corporate currency is {corporate}, the config says {mine}",
            f'set currency = "{corporate}" in [accounts.{org.account.name}], or give its [rates]',
        )


def _limits(org: Org) -> Iterator[Problem]:
    told = org.limits().get("DailyApiRequests")
    if not told:
        return
    most, left = told["Max"], told["Remaining"]
    if left <= org.account.reserve * most:
        yield Problem(
            f"{left:,} of the org's {most:,} API requests of a day are left, {org.account.reserve:.0%} are reserved for others",
            f"run later, or lower reserve in [accounts.{org.account.name}]",
        )
