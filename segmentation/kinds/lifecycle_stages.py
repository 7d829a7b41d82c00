"""Which stages has the life of a customer? (no costly import: the config asks for their keys)"""

from __future__ import annotations

STAGES = ("prospect", "new", "active", "at_risk", "dormant", "lost", "won_back")
PROSPECT, NEW, ACTIVE, AT_RISK, DORMANT, LOST, WON_BACK = range(len(STAGES))
TEXTS = (
    ("Prospect", "No purchase yet"),
    ("New", "A first purchase lately, and none since"),
    ("Active", "Buys in its usual rhythm"),
    ("At risk", "Silent for longer than is usual for it; may well not buy soon"),
    ("Dormant", "Silent for long; unlikely to buy soon"),
    ("Lost", "Silent for so long that hardly any such customer buys soon"),
    ("Won back", "Bought again after having been dormant or lost"),
)
