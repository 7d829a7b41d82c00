"""Which names and texts does Salesforce take? ("Metadata API Developer Guide", CustomField; "Object
Reference", PicklistValueInfo)
"""

from __future__ import annotations

from connectors.contract import Limits

LIMITS = Limits(
    r"(?=[A-Za-z0-9_]{1,40}(__c)?$)[A-Za-z](?:_?[A-Za-z0-9])*(__c)?",
    "at most 40 letters, digits and single _, starting with a letter and without _ at the end",
    255,
    {"static": 80},  # a campaign's name; a list view's label is shortened in its middle
    510,
)
