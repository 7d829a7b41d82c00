"""What must a person fix in the org or in the config before a run?

Everything at once, without changing anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from connectors.contract import Problem
from connectors.errors import AccessError, RequestError, TemporaryError
from connectors.rest.api_errors import UnknownVersion
from connectors.rest.diagnostics import no_way_in, rate_missing
from connectors.salesforce import required_access, soql
from connectors.salesforce.api_errors import Denied, Refused
from connectors.salesforce.names import OBJECTS, api_name
from connectors.salesforce.records import sees
from connectors.salesforce.response_policy import SLOW
from connectors.salesforce.session import Org

_SHARE = 0.9  # of the records that the org counts, a user who sees fewer is told
_ACCESS = "give the user read and edit access to {} (profile or permission set)"
SET_UP = "View Setup and Configuration"

Look = Callable[[Org], Iterable[Problem]]


def problems(org: Org) -> list[Problem]:
    """Credentials, API version, objects, fields, rights, records that this user does not see, and calls left."""
    return _looked(org, [_version, _production, _editable, *_READING, _ours, _campaigns, _limits])


def reading_problems(org: Org) -> list[Problem]:
    """What of that stands in the way of reading: a right to write, say, does not."""
    return _looked(org, [_version, *_READING])


def writing_problems(org: Org) -> list[Problem]:
    """What stands in the way of writing and not of reading."""
    return _looked(org, [_production])


def notes(org: Org) -> list[str]:
    """What a person should know that is no problem."""
    if org.account.consent_basis == "not_opted_out":
        return list(org.notes)
    return [
        *org.notes,
        "Salesforce says who opted out but not who opted in, so nobody is known to be reachable for a campaign. "
        f'consent_basis = "not_opted_out" in [accounts.{org.account.name}] takes everybody who did not opt out',
    ]


def _looked(org: Org, looks: Sequence[Look]) -> list[Problem]:
    try:
        _ = org.identity
    except (AccessError, UnknownVersion) as error:
        return [no_way_in(error)]
    return [problem for look in looks for problem in _told(look, org)]


def _told(look: Look, org: Org) -> list[Problem]:
    try:
        return list(look(org))
    except (AccessError, RequestError) as error:
        return [Problem(str(error), "give the user this permission, then run `crm-segments check` again")]


def _version(org: Org) -> Iterator[Problem]:
    try:
        org.check_version()
    except UnknownVersion as error:
        yield no_way_in(error)


def _production(org: Org) -> Iterator[Problem]:
    if org.identity.production and not org.settings.production:
        yield Problem(
            f"{org.identity.name or 'the org'} is a production org, and the config does not allow writing to it",
            f"try it in a sandbox first, then set production = true in [accounts.{org.account.name}]",
        )


def _objects(org: Org) -> Iterator[Problem]:
    for table in required_access.of_records(org).values():
        about = org.describe(table)
        if about is None or not about.get("queryable", True):
            yield Problem(f"this user does not see the object {table}", _ACCESS.format(table))
    if "Lead" not in required_access.of_records(org).values() and not org.fields("Lead"):
        org.note(
            "this user does not see leads: what people did, and whether they objected, before they became contacts is unknown"
        )


def _editable(org: Org) -> Iterator[Problem]:
    for table in required_access.of_records(org).values():
        about = org.describe(table)
        if about is not None and not about.get("updateable", True):
            yield Problem(f"this user may not edit the object {table}", _ACCESS.format(table))


def _activity(org: Org) -> Iterator[Problem]:
    """Hidden objects and fields that activity is read from: they would count as nothing."""
    account = f"[accounts.{org.account.name}]"
    for need in required_access.of_activity(org):
        about = org.describe(need.table)
        if about is None or not about.get("queryable", True):
            yield Problem(
                f"this user does not see the object {need.table}, which holds {need.lost}: everybody would count as having none",
                f"give the user read access to it (profile or permission set), or name what counts: activity = [...] in {account}",
            )
        elif hidden := required_access.lacking(org, need):
            yield Problem(
                f"this user does not see {', '.join(hidden)} of {need.table}, which holds {need.lost}: it would count as empty",
                "show the user the field (field-level security, in a permission set)",
            )


def _attributes(org: Org) -> Iterator[Problem]:
    tables = [table for table in required_access.of_records(org).values() if org.fields(table)]
    for name, attribute in org.account.attributes.items():
        if tables and not any(sees(org, table, attribute.field) for table in tables):
            yield Problem(
                f"attribute {name} needs the field {attribute.field}, which does not exist or is hidden from this user",
                f"correct [accounts.{org.account.name}.attributes], or show the field to the user (field-level security)",
            )


def _ours(org: Org) -> Iterator[Problem]:
    for spec in (field for field in org.account.fields if not field.retired):
        about = org.fields(OBJECTS.get(spec.record_type, "")).get(api_name(spec.name))
        if about is not None and not about.get("updateable", True):
            yield Problem(
                f"this user sees the field {api_name(spec.name)} of {OBJECTS[spec.record_type]} but may not edit it",
                "assign the permission set CRM_Segments to the user",
            )


def _campaigns(org: Org) -> Iterator[Problem]:
    if not org.settings.campaigns:
        return
    for table in ("Campaign", "CampaignMember"):
        about = org.describe(table)
        if about is None or not about.get("createable", True):
            yield Problem(
                f"this user may not create a {table}",
                "tick Marketing User in the user's record, or set campaigns = false",
            )


def _seen(org: Org) -> Iterator[Problem]:
    """Records that are there and that sharing hides from this user."""
    tables = [table for table in required_access.tables(org) if org.fields(table)]
    try:
        counted = org.record_counts(tables)
    except (Refused, Denied):
        org.note(
            "the number of records in the org is unknown, and so is whether this user sees them all: give the user "
            f"the permission {SET_UP!r}"
        )
        return
    for table in tables:
        there = counted.get(table, 0)
        if not there:
            continue
        seen = _counted(org, table)
        if seen is None:
            org.note(
                f"Salesforce took too long to count the records of {table} that this user sees: it is unknown whether it sees them all"
            )
        elif seen < _SHARE * there:
            yield Problem(
                f"the org has {there:,} records of {table}, and this user sees {seen:,} of them ({seen / there:.0%})",
                f"share all of them with the user (View All on {table}): the others would count as missing",
            )


def _counted(org: Org, table: str) -> int | None:
    """How many records this user sees; None where the org is too large, or too busy, to count them."""
    try:
        return org.total(soql.count(table), patient=False)
    except Refused as error:
        if error.refusal.code in SLOW:
            return None
        raise
    except TemporaryError:
        return org.total(soql.count(table))


def _currency(org: Org) -> list[Problem]:
    theirs = org.corporate_currency()
    what = f"the org's corporate currency is {theirs}, the config says {org.account.currency}"
    return rate_missing(org.account, theirs, what)


def _limits(org: Org) -> Iterator[Problem]:
    try:
        daily = org.ask("GET", "limits/").get("DailyApiRequests")
    except (Refused, Denied):
        org.note(
            f"only part of the org's limits is known: give the user the permission {SET_UP!r} to see them"
        )
        return
    if not daily:
        return
    most, left = daily["Max"], daily["Remaining"]
    if left <= org.account.quota_reserve * most:
        yield Problem(
            f"{left:,} of the org's {most:,} API requests of a day are left, {org.account.quota_reserve:.0%} are reserved for other apps",
            f"run later, or lower quota_reserve in [accounts.{org.account.name}]",
        )


_READING: list[Look] = [_objects, _attributes, _activity, _seen, _currency]
