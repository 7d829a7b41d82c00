"""Who may be reached by e-mail, and who objects to profiling?

Reachable by e-mail is who has an address that HubSpot does not know to be dead, and who has opted out neither of all e-mail
(``hs_email_optout``) nor of the subscription type that the settings name. The opt-out of one type is a property of its own
(``hs_email_optout_NUMBER``), so that it costs no call; where the portal has none for that type, the opt-out of all e-mail
rules alone, and ``notes`` says so: HubSpot's subscription API would cost a call for every 100 contacts at each reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.columns import truths

ALL = "hs_email_optout"
_OF_TYPE = re.compile(r"hs_email_optout_([0-9]+)")
_DEAD = ("hs_email_bad_address", "hs_email_hard_bounce_reason", "hs_email_hard_bounce_reason_enum")
_NO = pa.array(["", "false", "no", "0"])
Column = Callable[[str], pa.Array]


@dataclass(frozen=True)
class Consent:
    """The properties of a portal's contacts that tell."""

    opt_outs: tuple[str, ...]
    dead: tuple[str, ...]
    objection: str = ""  # "" where none is named, or the portal has none of that name
    note: str = ""  # what a person should know about it

    @staticmethod
    def of(known: Mapping[str, Mapping[str, Any]], subscription: str, objection: str = "") -> Consent:
        """From the definitions of the contacts' properties and the settings."""
        opt_outs, note = [ALL] if ALL in known else [], ""
        if subscription:
            own = _opt_out_of(known, subscription)
            if own:
                opt_outs.append(own)
            else:
                note = (
                    f"the portal has no property for the opt-out of subscription type {subscription!r}: "
                    f"{ALL} (the opt-out of all e-mail) alone says who can be reached"
                )
        return Consent(tuple(opt_outs), tuple(one for one in _DEAD if one in known), objection if objection in known else "", note)

    @property
    def properties(self) -> tuple[str, ...]:
        """What must be read."""
        return (*self.opt_outs, *self.dead, *((self.objection,) if self.objection else ()))

    def reachable(self, emails: pa.Array, column: Column) -> pa.Array:
        """May each be mailed? null: nobody knows, because the portal does not tell of opt-outs."""
        answer = pa.repeat(pa.scalar(True if self.opt_outs else None, pa.bool_()), len(emails))
        closed = emails.is_null()
        for name in self.opt_outs:
            closed = pc.or_(closed, pc.fill_null(truths(column(name)), False))
        for name in self.dead:
            told = column(name)
            closed = pc.or_(closed, pc.and_(told.is_valid(), pc.invert(pc.is_in(pc.utf8_lower(told), _NO))))
        return pc.if_else(closed, False, answer)

    def objects(self, column: Column) -> pa.Array | None:
        """Who objects to profiling, by the property that the settings name: true where it says yes."""
        return truths(column(self.objection)) if self.objection else None


def _opt_out_of(known: Mapping[str, Mapping[str, Any]], subscription: str) -> str | None:
    """The property of a subscription type, given by its number or by the name that ends the property's label."""
    if subscription.isdigit():
        name = f"{ALL}_{subscription}"
        return name if name in known else None
    wanted = subscription.strip().lower()
    for name, definition in known.items():
        label = str(definition.get("label") or "").lower()
        if _OF_TYPE.fullmatch(name) and (label == wanted or label.endswith(f": {wanted}")):
            return name
    return None
