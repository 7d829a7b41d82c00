"""Which names and texts does HubSpot take? ("Properties", developer documentation)"""

from __future__ import annotations

from connectors.contract import Limits

LIMITS = Limits(
    r"(?!hs_|a\d+_)[a-z][a-z0-9_]{0,99}",
    "at most 100 small letters, digits and _, starting with a letter, and not with hs_ or a123_, which HubSpot reserves",
)
