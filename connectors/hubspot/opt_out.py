"""Who may be reached by e-mail, and who objects to profiling?

Not opted out is not opted in. What HubSpot's own contact properties say, as far as the portal has them and at
no further call:

    no       no address; opted out of all e-mail (``hs_email_optout``) or of the subscription type that the
             settings name (``hs_email_optout_NUMBER``); an address that is bad, bounced or in quarantine; a
             double opt-in that is not confirmed; a contact that is no marketing contact
             (``hs_marketable_status``)
    yes      a double opt-in that is confirmed (``hs_emailconfirmationstatus``), or freely given consent as
             the legal basis (``hs_legal_basis``)
    unknown  everybody else, where ``consent_basis = "opt_in"``; where it is "not_opted_out" they may be
             reached, if the portal tells of opt-outs

``rules`` says this once, for the reading of records and for the filter of a dynamic campaign list alike.
Where the portal has no property for the named subscription type, the opt-out of all e-mail rules alone, and
``notes`` says so: HubSpot's subscription API would cost a call for every 100 contacts at each reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.api_columns import numbers, truths

ALL, EMAIL = "hs_email_optout", "email"
_OF_TYPE = re.compile(r"hs_email_optout_([0-9]+)")
_TICKED = ("hs_email_bad_address", "hs_email_quarantined")
_FILLED = (
    "hs_email_hard_bounce_reason",
    "hs_email_hard_bounce_reason_enum",
    "hs_email_customer_quarantined_reason",
)
_BOUNCES, _MARKETABLE = "hs_email_bounce", "hs_marketable_status"
_CONFIRMATION, _BASIS = "hs_emailconfirmationstatus", "hs_legal_basis"
_PENDING = ("Confirmation Pending", "Confirmation Email Sent")
_CONFIRMED = (
    *("Confirmed", "User clicked confirmation", "HubSpot Rep. marked confirmed", "Customer marked confirmed"),
    *("Confirmed from previous behavior", "Confirmed due to form"),
)
_FREELY_GIVEN = ("Freely given consent from contact",)
Column = Callable[[str], pa.Array]
Definitions = Mapping[str, Mapping[str, Any]]
ConsentBasis = Literal["opt_in", "not_opted_out"]


@dataclass(frozen=True)
class Rule:
    """A property, and what it must hold for the rule to apply."""

    property: str
    type: str  # as HubSpot defines the property
    test: Literal["true", "filled", "positive", "among"]
    values: tuple[str, ...] = ()  # of ``among``: as HubSpot stores them

    def applies(self, column: pa.Array) -> pa.Array:
        """To which records it applies."""
        if self.test == "true":
            return pc.fill_null(truths(column), False)
        if self.test == "positive":
            return pc.fill_null(pc.greater(numbers(column), 0.0), False)
        if self.test == "filled":
            return column.is_valid()
        parts = pc.split_pattern(pc.fill_null(column, ""), ";")
        hits = pc.is_in(pc.utf8_trim_whitespace(pc.list_flatten(parts)), pa.array(self.values, pa.string()))
        rows = pc.list_parent_indices(parts).filter(hits)
        return pc.is_in(pa.array(range(len(column)), pa.int64()), value_set=rows.cast(pa.int64()))


@dataclass(frozen=True)
class Consent:
    """The properties of a portal's contacts that tell."""

    opt_outs: tuple[Rule, ...]
    dead: tuple[Rule, ...]  # why nobody may or can write to the address, beside an opt-out
    agreed: tuple[Rule, ...]
    basis: ConsentBasis
    objection: str = ""  # "" where none is named, or the portal has none of that name
    note: str = ""  # what a person should know about it

    @staticmethod
    def of(
        properties: Definitions, subscription: str, objection: str = "", basis: ConsentBasis = "opt_in"
    ) -> Consent:
        """From the definitions of the contacts' properties and the settings."""
        opt_outs, note = [ALL] if ALL in properties else [], ""
        if subscription:
            own = _opt_out_of(properties, subscription)
            if own:
                opt_outs.append(own)
            else:
                note = (
                    f"the portal has no property for the opt-out of subscription type {subscription!r}: "
                    f"only {ALL} (the opt-out of all e-mail) says who opted out"
                )
        return Consent(
            tuple(Rule(name, _type(properties, name), "true") for name in opt_outs),
            tuple(_dead(properties)),
            tuple(_among(properties, _CONFIRMATION, _CONFIRMED) + _among(properties, _BASIS, _FREELY_GIVEN)),
            basis,
            objection if objection in properties else "",
            note,
        )

    @property
    def properties(self) -> tuple[str, ...]:
        """What must be read."""
        rules = (rule.property for rule in (*self.opt_outs, *self.dead, *self.agreed))
        return tuple(dict.fromkeys((*rules, *((self.objection,) if self.objection else ()))))

    @property
    def reaches_unknown(self) -> bool:
        """Whether a person may be reached of whom HubSpot tells neither a yes nor a no."""
        return self.basis == "not_opted_out" and bool(self.opt_outs)

    def reachable(self, emails: pa.Array, column: Column) -> pa.Array:
        """May each be mailed? null: nobody knows."""
        closed, agreed = emails.is_null(), self._agreed(len(emails), column)
        for rule in (*self.opt_outs, *self.dead):
            closed = pc.or_(closed, rule.applies(column(rule.property)))
        unknown = pa.scalar(True if self.reaches_unknown else None, pa.bool_())
        return pc.if_else(closed, False, pc.if_else(agreed, True, unknown))

    def source(self, count: int, column: Column) -> pa.Array | None:
        """What the yes of each record rests on, in HubSpot's own word; None: the portal has no property that
        tells.
        """
        if not self.agreed:
            return None
        sources = pa.nulls(count, pa.string())
        for rule in self.agreed:
            word = (
                column(rule.property) if len(rule.values) > 1 else pa.repeat(pa.scalar(rule.values[0]), count)
            )
            sources = pc.coalesce(
                sources, pc.if_else(rule.applies(column(rule.property)), word, pa.scalar(None, pa.string()))
            )
        return sources

    def objects(self, column: Column) -> pa.Array | None:
        """Who objects to profiling, by the property that the settings name: true where it says yes."""
        return truths(column(self.objection)) if self.objection else None

    def _agreed(self, count: int, column: Column) -> pa.Array:
        agreed = pa.repeat(pa.scalar(False), count)
        for rule in self.agreed:
            agreed = pc.or_(agreed, rule.applies(column(rule.property)))
        return agreed


def _dead(properties: Definitions) -> list[Rule]:
    """Why nobody may or can write to an address, as far as the portal tells."""
    rules = [Rule(name, _type(properties, name), "true") for name in _TICKED if name in properties]
    rules += [Rule(name, _type(properties, name), "filled") for name in _FILLED if name in properties]
    rules += [Rule(_BOUNCES, _type(properties, _BOUNCES), "positive")] if _BOUNCES in properties else []
    return rules + _among(properties, _MARKETABLE, ("false",)) + _among(properties, _CONFIRMATION, _PENDING)


def _among(properties: Definitions, name: str, words: Sequence[str]) -> list[Rule]:
    """The rule that a property holds one of the words, in the form in which the portal stores them; none: it
    has no such property.
    """
    if name not in properties:
        return []
    wanted = {word.lower() for word in words}
    options = [option for option in properties[name].get("options") or () if option.get("value")]
    named = [
        str(option["value"])
        for option in options
        if {str(option["value"]).lower(), str(option.get("label")).lower()} & wanted
    ]
    return [Rule(name, _type(properties, name), "among", tuple(named or words))]


def _type(properties: Definitions, name: str) -> str:
    return str(properties[name].get("type") or "string")


def _opt_out_of(properties: Definitions, subscription: str) -> str | None:
    """The property of a subscription type, given by its number or by the name that ends the property's label."""
    if subscription.isdigit():
        name = f"{ALL}_{subscription}"
        return name if name in properties else None
    wanted = subscription.strip().lower()
    for name, definition in properties.items():
        label = str(definition.get("label") or "").lower()
        if _OF_TYPE.fullmatch(name) and (label == wanted or label.endswith(f": {wanted}")):
            return name
    return None
