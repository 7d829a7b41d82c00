"""Which names of fields does a database take? They name views of ours, whose names no server may cut off."""

from __future__ import annotations

from connectors.contract import Limits

# the view of a field "segments" would have the name of the view that shows all segmentations
LIMITS = Limits(
    "(?!(?i:segments)$)[A-Za-z][A-Za-z0-9_]{0,49}",
    "at most 50 letters (A-Z), digits and _, starting with a letter, and not just segments",
)
