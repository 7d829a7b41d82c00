"""Which properties does every portal have from the start?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.servers.hubspot.schema import Kind, Property

# name:type, with ! for read-only; enumerations name their options in OPTIONS.
COMMON = "hs_object_id:number! createdate:datetime hs_createdate:datetime! hubspot_owner_id:enumeration hs_merged_object_ids:enumeration!"
NAMES = {
    "contacts": "lastmodifieddate:datetime! email:string firstname:string lastname:string phone:string mobilephone:string company:string"
    " city:string state:string zip:string country:string address:string jobtitle:string website:string"
    " lifecyclestage:enumeration hs_lead_status:enumeration hs_email_optout:bool! hs_email_hard_bounce_reason_enum:enumeration"
    " hs_email_bounce:number! hs_calculated_merged_vids:enumeration! num_associated_deals:number! total_revenue:number!"
    " recent_deal_amount:number! recent_deal_close_date:datetime! hs_email_delivered:number! hs_email_open:number!"
    " hs_email_click:number! hs_email_last_send_date:datetime! hs_email_last_open_date:datetime!"
    " hs_email_last_click_date:datetime! hs_analytics_num_page_views:number! hs_analytics_num_visits:number!"
    " hs_analytics_last_timestamp:datetime! hs_analytics_first_timestamp:datetime! hs_analytics_last_visit_timestamp:datetime!"
    " num_conversion_events:number! recent_conversion_date:datetime! recent_conversion_event_name:string!"
    " first_conversion_date:datetime! notes_last_contacted:datetime! num_contacted_notes:number! num_notes:number!"
    " associatedcompanyid:number hs_marketable_status:enumeration! hs_legal_basis:enumeration"
    " hs_sa_first_engagement_date:datetime! hs_email_first_send_date:datetime! hs_latest_source:enumeration!"
    " hs_email_bad_address:bool! hs_email_quarantined:bool! hs_emailconfirmationstatus:enumeration! hs_country_region_code:string"
    " hs_additional_emails:enumeration! hs_quarantined_emails:string! hs_facebookid:string birthday:date kids:number"
    " newsletter:bool",
    "companies": "hs_lastmodifieddate:datetime! name:string domain:string phone:string city:string state:string country:string"
    " industry:enumeration"
    " numberofemployees:number annualrevenue:number lifecyclestage:enumeration hs_ideal_customer_profile:enumeration"
    " type:enumeration num_associated_contacts:number! num_associated_deals:number! total_revenue:number!"
    " hs_is_target_account:bool",
    "deals": "hs_lastmodifieddate:datetime! dealname:string amount:number amount_in_home_currency:number!"
    " deal_currency_code:enumeration hs_exchange_rate:number! closedate:datetime dealstage:enumeration pipeline:enumeration"
    " dealtype:enumeration hs_is_closed_won:bool! hs_is_closed:bool! hs_closed_won_date:datetime!"
    " num_associated_contacts:number! num_of_associated_line_items:number! hs_primary_associated_company:number",
    "tickets": "hs_lastmodifieddate:datetime! subject:string content:string hs_pipeline:enumeration hs_pipeline_stage:enumeration",
    "products": "hs_lastmodifieddate:datetime! name:string price:number hs_sku:string description:string",
    "line_items": "hs_lastmodifieddate:datetime! name:string quantity:number price:number amount:number hs_sku:string hs_product_id:number"
    " hs_line_item_currency_code:enumeration discount:number hs_total_discount:number! hs_product_type:enumeration",
    "orders": "hs_lastmodifieddate:datetime! hs_order_name:string hs_total_price:number hs_currency_code:enumeration"
    " hs_external_order_status:string hs_fulfillment_status:string"
    " hs_external_created_date:datetime hs_processed_date:datetime hs_refund_amount:number"
    " hs_pipeline:enumeration hs_pipeline_stage:enumeration hs_subtotal_price:number hs_external_order_id:string"
    " hs_home_currency_amount:number! hs_total_price_in_home_currency:number! hs_payment_status:enumeration"
    " hs_cancelled_date:datetime",
    "carts": "hs_lastmodifieddate:datetime! hs_cart_name:string hs_total_price:number hs_currency_code:enumeration",
    "calls": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_call_title:string hs_call_body:string hs_call_duration:number"
    " hs_call_direction:enumeration hs_call_status:enumeration hs_call_disposition:enumeration",
    "meetings": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_meeting_title:string hs_meeting_body:string"
    " hs_meeting_start_time:datetime hs_meeting_end_time:datetime hs_meeting_outcome:enumeration",
    "emails": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_email_subject:string hs_email_text:string"
    " hs_email_direction:enumeration hs_email_status:enumeration",
    "notes": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_note_body:string",
    "tasks": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_task_subject:string hs_task_body:string"
    " hs_task_status:enumeration hs_task_completion_date:datetime! hs_task_type:enumeration",
    "communications": "hs_lastmodifieddate:datetime! hs_timestamp:datetime hs_communication_channel_type:enumeration"
    " hs_communication_body:string",
}
LIFECYCLE = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
STAGES = ("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost")
OPTIONS: dict[str, tuple[str, ...]] = {
    "lifecyclestage": LIFECYCLE,
    "hs_lead_status": ("NEW", "OPEN", "IN_PROGRESS", "CONNECTED", "BAD_TIMING"),
    "hs_marketable_status": ("true", "false"),
    "hs_emailconfirmationstatus": (
        "Confirmed",
        "Confirmation Pending",
        "Confirmation Email Sent",
        "User clicked confirmation",
        "HubSpot Rep. marked confirmed",
        "Customer marked confirmed",
        "Confirmed from previous behavior",
        "Confirmed due to form",
    ),
    "hs_legal_basis": (
        "Legitimate interest - other",
        "Performance of a contract",
        "Freely given consent from contact",
        "Not applicable",
    ),
    "dealstage": STAGES,
    "pipeline": ("default",),
    "dealtype": ("newbusiness", "existingbusiness"),
    "deal_currency_code": ("EUR", "USD", "GBP"),
    "hs_currency_code": ("EUR", "USD", "GBP"),
    "hs_line_item_currency_code": ("EUR", "USD", "GBP"),
    "industry": ("RETAIL", "COMPUTER_SOFTWARE", "BANKING", "CONSTRUCTION"),
    "type": ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"),
    "hs_ideal_customer_profile": ("tier_1", "tier_2", "tier_3"),
    "hs_call_direction": ("INBOUND", "OUTBOUND"),
    "hs_call_status": ("COMPLETED", "NO_ANSWER", "BUSY", "CANCELED", "FAILED", "MISSED"),
    "hs_meeting_outcome": ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
    "hs_email_direction": ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    "hs_email_status": ("SENT", "BOUNCED", "FAILED", "SCHEDULED", "SENDING"),
    "hs_task_status": ("NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"),
}
DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
}
ENGAGEMENT_DEFAULTS = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")


def standard(kind: Kind) -> Iterator[Property]:
    """The definitions that HubSpot itself makes for an object type."""
    for entry in f"{COMMON} {NAMES[kind.name]}".split():
        name, _, type_ = entry.rstrip("!").partition(":")
        yield Property(
            name,
            type_,
            {"enumeration": "select", "bool": "booleancheckbox", "number": "number"}.get(
                type_, "date" if type_.startswith("date") else "text"
            ),
            label=name.replace("_", " ").capitalize(),
            group=f"{kind.singular}information",
            options=_options(name, type_),
            read_only=entry.endswith("!"),
            unique=name == "hs_object_id" or (kind.name == "contacts" and name == "email"),
        )


def _options(name: str, type_: str) -> list[dict[str, Any]]:
    values = ("true", "false") if type_ == "bool" else OPTIONS.get(name, ())
    return [
        {
            "label": value.replace("_", " ").capitalize(),
            "value": value,
            "displayOrder": position,
            "hidden": False,
            "description": "",
        }
        for position, value in enumerate(values)
    ]


def defaults(kind: Kind) -> tuple[str, ...]:
    """The properties that an answer holds when none are asked for."""
    return DEFAULTS.get(kind.name, ENGAGEMENT_DEFAULTS)
