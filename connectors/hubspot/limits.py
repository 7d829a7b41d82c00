"""Which names and texts does HubSpot take? ("Properties", developer documentation)"""

from __future__ import annotations

from connectors.contract import Limits

LIMITS = Limits(
    r"(?!hs_|a\d+_)[a-z][a-z0-9_]{0,99}",
    "at most 100 small letters, digits and _, a letter first, and neither hs_ nor a123_ in front, which HubSpot keeps for itself",
)
