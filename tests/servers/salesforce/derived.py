"""What does the org itself fill in when a record is saved, and which records hang on which?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.schema import Entity
from tests.servers.salesforce.store import Row

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

# Object → what goes into the bin with it.
DEPENDANTS = {
    "Contact": (("CampaignMember", "ContactId"), ("OpportunityContactRole", "ContactId")),
    "Lead": (("CampaignMember", "LeadId"),),
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Order", "AccountId")),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"),),
    "Campaign": (("CampaignMember", "CampaignId"), ("CampaignMemberStatus", "CampaignId")),
    "Order": (("OrderItem", "OrderId"),),
}


def required(entity: Entity, values: Row) -> None:
    """Refuse a new record that lacks what it must have."""
    missing = [field.name for field in entity if field.required and values.get(field.name) is None]
    if entity.name == "Account" and values.get("LastName"):
        missing = [name for name in missing if name != "Name"]
    if missing:
        raise Refusal(
            400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing
        )


def before_save(org: Org, entity: Entity, new: Row, old: Row | None, moment: str) -> None:
    """Fill in what follows from the rest of a record."""
    fill = _FILL.get(entity.name)
    if fill:
        fill(org, new, old, moment)


def _person(org: Org, new: Row, old: Row | None, moment: str) -> None:
    if not new.get("LastName"):
        raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"])
    new["Name"] = " ".join(filter(None, (new.get("FirstName"), new["LastName"])))


def _lead(org: Org, new: Row, old: Row | None, moment: str) -> None:
    _person(org, new, old, moment)
    if old and old.get("IsConverted"):
        raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [])


def _account(org: Org, new: Row, old: Row | None, moment: str) -> None:
    if new.get("LastName") and (old is None or old.get("IsPersonAccount")):
        if not org.knobs.person_accounts:
            raise Refusal(
                400,
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "Unable to create/update fields: LastName",
                ["LastName"],
            )
        new["Name"] = " ".join(filter(None, (new.get("FirstName"), new["LastName"])))
        new["IsPersonAccount"] = 1
    if not new.get("Name"):
        raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"])


def _opportunity(org: Org, new: Row, old: Row | None, moment: str) -> None:
    if old is None or old.get("StageName") != new.get("StageName"):
        stages = org.store.select(org.schema["OpportunityStage"], "ApiName = ?", new.get("StageName"))
        stage = stages[0] if stages else {"IsWon": 0, "IsClosed": 0, "DefaultProbability": 10.0}
        new.update(IsWon=stage["IsWon"], IsClosed=stage["IsClosed"], Probability=stage["DefaultProbability"])


def _order(org: Org, new: Row, old: Row | None, moment: str) -> None:
    new["StatusCode"] = "Activated" if str(new.get("Status") or "").startswith("Activ") else "Draft"
    new["OrderNumber"] = new.get("OrderNumber") or f"{int(org.ids.last.get('801', 0)):08d}"
    new["TotalAmount"] = new.get("TotalAmount") or 0.0


def _order_item(org: Org, new: Row, old: Row | None, moment: str) -> None:
    new["TotalPrice"] = round((new.get("Quantity") or 0) * (new.get("UnitPrice") or 0), 2)


def _activity(org: Org, new: Row, old: Row | None, moment: str) -> None:
    who = str(new.get("WhoId") or "")
    rows = (
        org.store.run("SELECT AccountId FROM Contact WHERE Id = ?", (who,)) if who.startswith("003") else []
    )
    what = str(new.get("WhatId") or "")
    new["AccountId"] = what if what.startswith("001") else rows[0][0] if rows else None
    if "IsClosed" in new:
        new["IsClosed"] = int(new.get("Status") == "Completed")


def _member(org: Org, new: Row, old: Row | None, moment: str) -> None:
    if bool(new.get("ContactId")) == bool(new.get("LeadId")) and old is None:
        message = (
            "Required fields are missing: [ContactId, LeadId]"
            if not new.get("LeadId")
            else "Only one of ContactId and LeadId may be given"
        )
        raise Refusal(
            400,
            "REQUIRED_FIELD_MISSING" if not new.get("LeadId") else "FIELD_INTEGRITY_EXCEPTION",
            message,
            ["ContactId"],
        )
    if old is None:
        column = "ContactId" if new.get("ContactId") else "LeadId"
        test = f"CampaignId = ? AND {column} = ? AND IsDeleted = 0"
        if org.store.run(f"SELECT 1 FROM CampaignMember WHERE {test}", (new["CampaignId"], new[column])):
            raise Refusal(400, "DUPLICATE_VALUE", "Already a campaign member.", [])
    statuses = org.store.select(
        org.schema["CampaignMemberStatus"], "CampaignId = ? AND IsDeleted = 0", new["CampaignId"]
    )
    match = next(
        (
            status
            for status in statuses
            if (status["Label"] or "").lower() == (new.get("Status") or "").lower()
        ),
        None,
    )
    match = match or next((status for status in statuses if status["IsDefault"]), None)
    if match:
        new["Status"], responded = match["Label"], match["HasResponded"]
        new["HasResponded"] = responded
        if responded and not new.get("FirstRespondedDate"):
            new["FirstRespondedDate"] = moment[:10]


def _unique(org: Org, name: str, new: Row, old: Row | None, *columns: str) -> None:
    test = " AND ".join(f'"{column}" = ?' for column in columns)
    if old is None and org.store.select(org.schema[name], test, *(new.get(column) for column in columns)):
        raise Refusal(400, "DUPLICATE_VALUE", f"duplicate value found: {', '.join(columns)}", list(columns))


def _field_permission(org: Org, new: Row, old: Row | None, moment: str) -> None:
    name, _, column = str(new.get("Field")).partition(".")
    entity = org.schema.get(str(new.get("SobjectType")))
    field = entity.field(column) if entity else None
    if field is None or name.lower() != str(new.get("SobjectType")).lower():
        raise Refusal(
            400,
            "FIELD_INTEGRITY_EXCEPTION",
            f"Field Name: bad value for restricted picklist field: {new.get('Field')}",
            ["Field"],
        )
    if field.required or not (field.createable or field.formula):
        raise Refusal(
            400,
            "FIELD_INTEGRITY_EXCEPTION",
            f"You cannot deploy to a required field: {new['Field']}",
            ["Field"],
        )
    if new.get("PermissionsEdit") and not new.get("PermissionsRead"):
        raise Refusal(
            400, "FIELD_INTEGRITY_EXCEPTION", "Read access is needed for edit access", ["PermissionsRead"]
        )
    _unique(org, "FieldPermissions", new, old, "ParentId", "Field")


def _assignment(org: Org, new: Row, old: Row | None, moment: str) -> None:
    _unique(org, "PermissionSetAssignment", new, old, "AssigneeId", "PermissionSetId")


def _permission_set(org: Org, new: Row, old: Row | None, moment: str) -> None:
    _unique(org, "PermissionSet", new, old, "Name")


_FILL = {
    "FieldPermissions": _field_permission, "PermissionSetAssignment": _assignment, "PermissionSet": _permission_set,
    "Contact": _person, "Lead": _lead, "Individual": _person, "Account": _account, "Opportunity": _opportunity, "Order": _order,
    "OrderItem": _order_item, "Task": _activity, "Event": _activity, "CampaignMember": _member,
}  # fmt: skip


def after_save(org: Org, entity: Entity, new: Row, old: Row | None, moment: str, user: str) -> None:
    """Make the records that come with this one, and move what is summed up elsewhere."""
    if entity.name == "Campaign" and old is None:
        for order, (label, responded) in enumerate((("Sent", 0), ("Responded", 1)), 1):
            row = {
                "CampaignId": new["Id"],
                "Label": label,
                "SortOrder": order,
                "HasResponded": responded,
                "IsDefault": 1 - responded,
            }
            org.add("CampaignMemberStatus", row, user=user, moment=moment)
    if entity.name == "CampaignMemberStatus" and new.get("IsDefault"):
        org.store.run(
            "UPDATE CampaignMemberStatus SET IsDefault = 0 WHERE CampaignId = ? AND Id <> ?",
            (new["CampaignId"], new["Id"]),
        )
    if entity.name == "Account" and new.get("IsPersonAccount") and old is None:
        row = {
            "AccountId": new["Id"],
            "FirstName": new.get("FirstName"),
            "LastName": new["LastName"],
            "IsPersonAccount": 1,
        }
        contact = org.add("Contact", row, user=user, moment=moment)
        org.store.change(entity, new["Id"], {"PersonContactId": contact})
        new["PersonContactId"] = contact
    if entity.name == "Opportunity" and old is None and new.get("ContactId"):
        row = {"OpportunityId": new["Id"], "ContactId": new["ContactId"], "IsPrimary": 1}
        org.add("OpportunityContactRole", row, user=user, moment=moment)
    if entity.name == "OrderItem":
        sums = org.store.run(
            "SELECT sum(TotalPrice) FROM OrderItem WHERE OrderId = ? AND IsDeleted = 0", (new["OrderId"],)
        )
        org.store.change(
            org.schema["Order"], new["OrderId"], {"TotalAmount": sums[0][0], "SystemModstamp": moment}
        )
    if entity.plain:
        org.access.changed()


def before_delete(org: Org, entity: Entity, old: Row) -> None:
    """Refuse the deletion of what may not go by itself."""
    if entity.name == "Contact" and old.get("IsPersonAccount"):
        raise Refusal(400, "DELETE_FAILED", "a person contact is deleted with its account", [])


def after_delete(org: Org, entity: Entity, old: Row) -> None:
    """Nothing more than the bin, except for set-up records."""
    if entity.plain:
        org.access.changed()
