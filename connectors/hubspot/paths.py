"""Where does each version of HubSpot's API keep what we use?

HubSpot versions its paths by date since 2026; the older ones (``legacy``) lose their support in 2027 (HubSpot
developer documentation, "API versioning"). Where a dated version has no path of its own, the older one
serves.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

Version = Literal["legacy", "2026-03", "2026-09"]
_OfRecords = Literal["objects", "associations", "properties", "lists", "limits"]
Area = _OfRecords | Literal["token", "details", "usage", "workflows"]

_PATHS: dict[Area, tuple[str, str]] = {  # under ``legacy``, and under a date
    "objects": ("/crm/v3/objects", "/crm/objects/{version}"),
    "associations": ("/crm/v4/associations", "/crm/associations/{version}"),
    "properties": ("/crm/v3/properties", "/crm/properties/{version}"),
    "lists": ("/crm/v3/lists", "/crm/lists/{version}"),
    "limits": ("/crm/v3/limits", "/crm/limits/{version}"),
    "token": ("/oauth/v1/token", "/oauth/{version}/token"),
    "details": ("/account-info/v3/details", "/account-info/{version}/details"),
    "usage": (
        "/account-info/v3/api-usage/daily/private-apps",
        "/account-info/{version}/api-usage/daily/private-apps",
    ),
    # HubSpot publishes workflows under no other date; /v4/ ends in 2027
    "workflows": ("/automation/v4/flows", "/automation/2026-09-beta/flows"),
}

OBJECTS = {"contact": "contacts", "company": "companies"}  # record type → HubSpot's name of the object type
TYPE_IDS = {"contact": "0-1", "company": "0-2"}  # record type → HubSpot's id of the object type


def path(area: Area, version: Version, *steps: str) -> str:
    """The path of an area, and below it the steps (each is quoted, slashes within it separate)."""
    legacy, dated = _PATHS[area]
    root = legacy if version == "legacy" else dated.format(version=version)
    return "/".join((root, *(quote(step, safe="/") for step in steps)))


def older(area: Area, *steps: str) -> str:
    """The path that the area had before the paths were dated."""
    return path(area, "legacy", *steps)
