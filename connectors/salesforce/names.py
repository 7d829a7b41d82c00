"""What are record types, fields and labels of ours called in Salesforce?"""

from __future__ import annotations

OBJECTS = {"contact": "Contact", "lead": "Lead", "company": "Account"}  # record type → object


def api_name(field: str) -> str:
    """The name of a field of ours in Salesforce, which marks custom fields by their ending."""
    return field if field.endswith("__c") else f"{field}__c"


def short_label(label: str, length: int = 40) -> str:
    """A label that Salesforce takes: of a long one both ends, because labels of one segmentation begin alike."""
    if len(label) <= length:
        return label
    head = (length - 1) // 2
    return f"{label[:head].rstrip()}…{label[head + 1 - length :].lstrip()}"
