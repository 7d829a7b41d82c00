"""What must this user see, so that nothing that a segmentation feeds on is missing in silence?

Salesforce leaves out what a user may not see: a hidden object is "not there", a hidden field holds nothing,
records that are not shared do not come. Purchases without amounts and customers without purchases look just
like it.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.salesforce.names import OBJECTS
from connectors.salesforce.session import Org

# Sources of activity and the types that come from them. Orders count only where the account names them: in
# most orgs they repeat what opportunities say.
SOURCES = {
    "opportunities": ("purchase", "refund"),
    "tasks": ("task", "call", "email"),
    "events": ("meeting",),
    "campaigns": ("campaign_sent", "campaign_response"),
}


@dataclass(frozen=True)
class Need:
    """An object that is read, its fields ("A|B": one of them is enough), and what is wrong where this user
    does not see it.
    """

    table: str
    fields: tuple[str, ...]
    lost: str


_NEEDS = {
    source: tuple(Need(table, tuple(fields.split()), lost) for table, fields, lost in needs)
    for source, needs in {
        "opportunities": [
            ("Opportunity", "AccountId Amount CloseDate", "purchases"),
            (
                "OpportunityContactRole",
                "OpportunityId ContactId IsPrimary",
                "whose purchase an opportunity is",
            ),
        ],
        "tasks": [("Task", "WhoId IsClosed ActivityDate", "tasks, calls and e-mails")],
        "events": [("Event", "WhoId StartDateTime|ActivityDateTime", "meetings")],
        "campaigns": [
            ("Campaign", "Name", "names of campaigns"),
            ("CampaignMember", "CampaignId ContactId HasResponded", "campaigns and the responses to them"),
        ],
        "orders": [("Order", "AccountId BillToContactId EffectiveDate StatusCode TotalAmount", "orders")],
    }.items()
}


def sources(org: Org) -> list[str]:
    """Sources of activity: those that the account names, else those of the types that some segmentation uses."""
    if org.settings.activity is not None:
        return list(org.settings.activity)
    types = org.account.activity_types
    return [name for name, given in SOURCES.items() if types is None or types & set(given)]


def of_activity(org: Org) -> list[Need]:
    """What the sources of activity are read from."""
    needs = [need for name in sources(org) for need in _NEEDS[name]]
    won = "StageName" if org.settings.won_stages else "IsWon"
    return [
        Need(need.table, (*need.fields, won), need.lost) if need.table == "Opportunity" else need
        for need in needs
    ]


def of_records(org: Org) -> dict[str, str]:
    """Record type → object, of those that this account's fields stand on; contacts always."""
    types = {"contact", *(spec.record_type for spec in org.account.fields if not spec.retired)}
    return {record_type: table for record_type, table in OBJECTS.items() if record_type in types}


def tables(org: Org) -> list[str]:
    """All objects that are read for what some segmentation feeds on, each once."""
    return list(dict.fromkeys([*of_records(org).values(), *(need.table for need in of_activity(org))]))


def lacking(org: Org, need: Need) -> list[str]:
    """Fields of a need that this user does not see."""
    visible = org.fields(need.table)
    return [
        field.replace("|", " or ")
        for field in need.fields
        if not any(name in visible for name in field.split("|"))
    ]
