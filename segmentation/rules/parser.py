"""Which records does a rule hold?

A rule is a tree, as TOML gives it:
    { all = [RULE, ...] }   { any = [RULE, ...] }   { not = RULE }
    { attribute = "NAME", OPERATOR = VALUE, ... }        several operators must all hold
    { feature = "NAME", OPERATOR = VALUE, ... }          ``segmentation.features``; money in major units
        is, is_not                                       text, number, date, bool, ordered
        in, not_in                                       text, number, date, ordered
        at_least, at_most, above, below, between         number, date, ordered; between holds both ends
        contains, starts_with, ends_with                 text; contains also: a set has the element
        is_set = true or false                           every type
    { did = "KIND", times = N, at_most = N, within_days = D }    at least ``times`` (1); purchases are counted
    by order
    { did_not = "KIND", within_days = D }                not once; windows are the days in (as_of - D, as_of]
    { first = "KIND" } or { last = "KIND" } with at_least_days_ago = N, at_most_days_ago = N     as_of is 0
    days ago
    { share_of = "CATEGORY", OPERATOR = 0.3, within_days = D }   of net revenue; missing where that is not
    above zero
    { answered = "SURVEY", OPERATOR = VALUE }            the latest answer to the survey (the activity's
                                                         campaign), text or number
    { within_km = KM, of = [LATITUDE, LONGITUDE] }       of the attributes latitude and longitude, or of
                                                         latitude = "NAME", ...
    { segment = "SEGMENTATION", is = "KEY" }             also is_not, in, not_in, is_set: the segment of the
                                                         same day

Logic is three-valued: a missing value makes a comparison unknown, and ``not`` leaves unknown as it is, so
that ``not (age > 30)`` takes nobody whose age is not known. Only ``is_set`` sees missing. Counts are never
missing: who did nothing did it 0 times. An ordered value outside of its order is missing to comparisons. A
further predicate is a further entry in ``PREDICATES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segmentation.rules.comparison import ATTRIBUTE, AttributeType, Subject
from segmentation.rules.leaves import Fault, Leaves, step
from segmentation.rules.logic import All, Not, Rule, Some

RECORD_TYPES = ("contact", "lead", "company")
CHANNELS = ("email", "phone", "sms", "post", "ads")
DEPTH = 40  # of a tree

COLUMNS: Mapping[str, AttributeType] = {
    "record_type": AttributeType("text", RECORD_TYPES),
    "id": AttributeType(),
    "email": AttributeType(),
    "company_id": AttributeType(),
    "created_at": AttributeType("date"),
    "objects_to_profiling": AttributeType("bool"),
    **{f"reachable.{channel}": AttributeType("bool") for channel in CHANNELS},
}


class RuleError(ValueError):
    """A rule that cannot be read; ``faults`` holds all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{where}: {what}" if where else what for where, what in faults))
        self.faults = tuple(faults)


def parse(
    tree: Any,
    attributes: Mapping[str, tuple[str, Sequence[str]]],
    segmentations: Mapping[str, Callable[[], Sequence[str]]] | None = None,
    exponent: int = 2,
    folded: Mapping[str, Callable[[str], str]] | None = None,
    answer_form: Callable[[str], str] | None = None,
) -> Rule:
    """The rule of a tree. RuleError tells every fault at once.

    ``attributes``: the configured ones, name → (type, order). ``segmentations``: the others, name → keys of
    its segments. ``exponent``: decimals of the currency that amounts in rules are in. ``folded``: attribute →
    the form in which its frame holds texts, without case and blanks around; those of the others are compared
    letter by letter. ``answer_form``: the same of answers to surveys.
    """
    kinds = {
        name: (ATTRIBUTE + name, AttributeType(type_, tuple(order)))
        for name, (type_, order) in attributes.items()
    }
    kinds |= {name: (name, kind) for name, kind in COLUMNS.items()}
    forms = folded or {}
    subjects = {
        name: Subject(name, column, kind, attribute=name, folded=forms.get(name))
        for name, (column, kind) in kinds.items()
    }
    reader = _Reader(subjects, segmentations or {}, exponent, answer_form)
    rule = reader.rule(tree, "")
    if reader.faults or rule is None:
        raise RuleError(reader.faults)
    return rule


def record_types(rule: Rule) -> tuple[str, ...]:
    """The record types that the rule can hold. One that never mentions the record type is about contacts."""
    if "record_type" not in rule.attributes():
        return ("contact",)
    return tuple(record_type for record_type in RECORD_TYPES if True in rule.outcomes(record_type))


class _Reader(Leaves):
    """Reads a whole tree."""

    def rule(self, tree: Any, where: str) -> Rule | None:
        if not isinstance(tree, Mapping):
            return self.fault(
                where, f"expected a rule such as {{ attribute = ..., is = ... }}, found {tree!r}"
            )
        if where.count(".") > DEPTH:
            return self.fault(where, f"is more than {DEPTH} levels deep; make the rule flatter")
        heads = [name for name in PREDICATES if name in tree]
        if len(heads) != 1:
            what = (
                f"not {' and '.join(heads)} at once"
                if heads
                else f"found {', '.join(map(str, tree)) or 'nothing'}"
            )
            return self.fault(where, f"a rule has one of {', '.join(PREDICATES)}; {what}")
        return PREDICATES[heads[0]](self, tree, where)

    def branch(
        self, head: str, tree: Mapping[str, Any], where: str, combine: Callable[[tuple[Rule, ...]], Rule]
    ) -> Rule | None:
        self.alone(head, tree, where)
        parts, path = tree[head], step(where, head)
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            return self.fault(path, f"takes a list of rules, not {parts!r}")
        read = [self.rule(part, f"{path}[{position}]") for position, part in enumerate(parts)]
        return combine(tuple(part for part in read if part is not None)) if None not in read else None

    def negation(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        self.alone("not", tree, where)
        part = self.rule(tree["not"], step(where, "not"))
        return None if part is None else Not(part)

    def alone(self, head: str, tree: Mapping[str, Any], where: str) -> None:
        for name in tree:
            if name != head:
                self.fault(
                    step(where, name), f"cannot be combined with {head!r}; join the two in {{ all = [...] }}"
                )


PREDICATES: Mapping[str, Callable[[_Reader, Mapping[str, Any], str], Rule | None]] = {
    "all": lambda reader, tree, where: reader.branch("all", tree, where, All),
    "any": lambda reader, tree, where: reader.branch("any", tree, where, Some),
    "not": _Reader.negation,
    "attribute": _Reader.attribute,
    "feature": _Reader.feature,
    "did": _Reader.did,
    "did_not": _Reader.did_not,
    "first": _Reader.first,
    "last": _Reader.last,
    "share_of": _Reader.share_of,
    "answered": _Reader.answered,
    "within_km": _Reader.within_km,
    "segment": _Reader.segment,
}
