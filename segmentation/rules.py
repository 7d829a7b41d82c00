"""Which records does a rule hold?

A rule is a tree, as TOML gives it:
    { all = [RULE, ...] }   { any = [RULE, ...] }   { not = RULE }
    { attribute = "NAME", OPERATOR = VALUE, ... }        several operators must all hold
        is, is_not                                       text, number, date, bool, ordered
        in, not_in                                       text, number, date, ordered
        at_least, at_most, above, below, between         number, date, ordered; between holds both ends
        contains, starts_with, ends_with                 text, letter by letter; contains also: a set has the element
        is_set = true or false                           every type

Logic is three-valued: a missing value makes a comparison unknown, and ``not`` leaves unknown as it is, so that
``not (age > 30)`` takes nobody whose age is not known. Only ``is_set`` sees missing. An ordered value outside of its
order is missing to comparisons. A further predicate is a further entry in ``PREDICATES``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from itertools import product
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from segmentation.comparison import ATTRIBUTE, OPERATORS, Comparison, Kind, Logic, read_value

if TYPE_CHECKING:
    import ibis
    from ibis.expr.types import BooleanValue

RECORD_TYPES = ("contact", "lead", "company")
CHANNELS = ("email", "phone", "sms", "post")

COLUMNS: Mapping[str, Kind] = {
    "record_type": Kind("text", RECORD_TYPES),
    "id": Kind(),
    "email": Kind(),
    "company_id": Kind(),
    "created_at": Kind("date"),
    "objects_to_profiling": Kind("bool"),
    **{f"reachable.{channel}": Kind("bool") for channel in CHANNELS},
}

Fault = tuple[str, str]  # where in the tree (``all[0].not.attribute``; empty: the whole), and what is wrong there


class RuleError(ValueError):
    """A rule that cannot be read; ``faults`` holds all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{where}: {what}" if where else what for where, what in faults))
        self.faults = tuple(faults)


class Rule(ABC):
    """A predicate over records. Leaves are comparisons, branches combine them."""

    @abstractmethod
    def expression(self, records: ibis.Table) -> BooleanValue:
        """The rule over a records frame: true, false, or null where it is unknown."""

    @abstractmethod
    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        """The rule over one row of a records frame (column → value)."""

    @abstractmethod
    def leaves(self) -> Iterator[Comparison]:
        """All comparisons."""

    @abstractmethod
    def outcomes(self, record_type: str) -> frozenset[Logic]:
        """What the rule can come to for records of a type."""

    def attributes(self) -> frozenset[str]:
        """Names of the attributes that the rule looks at."""
        return frozenset(leaf.attribute for leaf in self.leaves())


@dataclass(frozen=True)
class Leaf(Rule):
    comparison: Comparison

    def expression(self, records: ibis.Table) -> BooleanValue:
        return self.comparison.expression(records)

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        return self.comparison.evaluate(row)

    def leaves(self) -> Iterator[Comparison]:
        yield self.comparison

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        if self.comparison.column == "record_type":
            return frozenset({self.comparison.evaluate({"record_type": record_type})})
        return frozenset({True, False}) if self.comparison.operator == "is_set" else frozenset({True, False, None})


@dataclass(frozen=True)
class Not(Rule):
    part: Rule

    def expression(self, records: ibis.Table) -> BooleanValue:
        return ~self.part.expression(records)

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        return _negated(self.part.evaluate(row))

    def leaves(self) -> Iterator[Comparison]:
        return self.part.leaves()

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return frozenset(map(_negated, self.part.outcomes(record_type)))


@dataclass(frozen=True)
class All(Rule):
    parts: tuple[Rule, ...]

    def expression(self, records: ibis.Table) -> BooleanValue:
        return reduce(and_, (part.expression(records) for part in self.parts))

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        return _least([part.evaluate(row) for part in self.parts])

    def leaves(self) -> Iterator[Comparison]:
        for part in self.parts:
            yield from part.leaves()

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return reduce(lambda a, b: frozenset(map(_least, product(a, b))), (part.outcomes(record_type) for part in self.parts))


@dataclass(frozen=True)
class Some(All):
    """One of the parts holds: not all of them fail."""

    def expression(self, records: ibis.Table) -> BooleanValue:
        return reduce(or_, (part.expression(records) for part in self.parts))

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        return _greatest([part.evaluate(row) for part in self.parts])

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return reduce(lambda a, b: frozenset(map(_greatest, product(a, b))), (part.outcomes(record_type) for part in self.parts))


def _negated(logic: Logic) -> Logic:
    return None if logic is None else not logic


def _least(logics: Collection[Logic]) -> Logic:
    return False if False in logics else None if None in logics else True


def _greatest(logics: Collection[Logic]) -> Logic:
    return True if True in logics else None if None in logics else False


def parse(tree: Mapping[str, Any], attributes: Mapping[str, tuple[str, Sequence[str]]]) -> Rule:
    """The rule of a tree. ``attributes``: the configured ones, name → (type, order). RuleError tells every fault at once."""
    kinds = {name: (ATTRIBUTE + name, Kind(type_, tuple(order))) for name, (type_, order) in attributes.items()}
    reader = _Reader({**kinds, **{name: (name, kind) for name, kind in COLUMNS.items()}})
    rule = reader.rule(tree, "")
    if reader.faults or rule is None:
        raise RuleError(reader.faults)
    return rule


def record_types(rule: Rule) -> tuple[str, ...]:
    """The record types that the rule can hold. One that never mentions the record type is about contacts."""
    if "record_type" not in rule.attributes():
        return ("contact",)
    return tuple(record_type for record_type in RECORD_TYPES if True in rule.outcomes(record_type))


@dataclass
class _Reader:
    """Reads a tree and collects what is wrong with it."""

    known: Mapping[str, tuple[str, Kind]]  # attribute → column of the records frame, kind
    faults: list[Fault] = field(default_factory=list)

    def fault(self, where: str, what: str) -> Rule | None:
        """Note a fault. Returns None: there is no rule."""
        self.faults.append((where, what))
        return None

    def rule(self, tree: Any, where: str) -> Rule | None:
        if not isinstance(tree, Mapping):
            return self.fault(where, f"expected a rule such as {{ attribute = ..., is = ... }}, found {tree!r}")
        heads = [name for name in PREDICATES if name in tree]
        if len(heads) != 1:
            what = f"not {' and '.join(heads)} at once" if heads else f"found {', '.join(tree) or 'nothing'}"
            return self.fault(where, f"a rule has one of {', '.join(PREDICATES)}; {what}")
        return PREDICATES[heads[0]](self, tree, where)

    def branch(self, head: str, tree: Mapping[str, Any], where: str, combine: Callable[[tuple[Rule, ...]], Rule]) -> Rule | None:
        self.alone(head, tree, where)
        parts, path = tree[head], _step(where, head)
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            return self.fault(path, f"takes a list of rules, not {parts!r}")
        read = [self.rule(part, f"{path}[{place}]") for place, part in enumerate(parts)]
        return combine(tuple(part for part in read if part is not None)) if None not in read else None

    def negation(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        self.alone("not", tree, where)
        part = self.rule(tree["not"], _step(where, "not"))
        return None if part is None else Not(part)

    def alone(self, head: str, tree: Mapping[str, Any], where: str) -> None:
        for name in tree:
            if name != head:
                self.fault(_step(where, name), f"has no place beside {head!r}; join the two in {{ all = [...] }}")

    def comparisons(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        name = tree["attribute"]
        if not isinstance(name, str) or name not in self.known:
            return self.fault(_step(where, "attribute"), f"there is no attribute {name!r}; {_choices(str(name), self.known)}")
        column, kind = self.known[name]
        given = {operator: value for operator, value in tree.items() if operator != "attribute"}
        if not given:
            return self.fault(where, f"says nothing of {name!r}; add one of {', '.join(_fitting(kind))}")
        leaves: list[Rule] = []
        for operator, value in given.items():
            if operator not in _fitting(kind):
                self.fault(_step(where, operator), f"is no operator of {name!r}, a {kind.type}; {_choices(operator, _fitting(kind))}")
                continue
            try:
                leaves.append(Leaf(Comparison(name, column, kind, operator, read_value(kind, operator, value))))
            except ValueError as error:
                self.fault(_step(where, operator), f"of {name!r}: {error}")
        return All(tuple(leaves)) if len(leaves) > 1 else leaves[0] if leaves else None


PREDICATES: Mapping[str, Callable[[_Reader, Mapping[str, Any], str], Rule | None]] = {
    "all": lambda reader, tree, where: reader.branch("all", tree, where, All),
    "any": lambda reader, tree, where: reader.branch("any", tree, where, Some),
    "not": _Reader.negation,
    "attribute": _Reader.comparisons,
}


def _step(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _fitting(kind: Kind) -> list[str]:
    return [name for name, operator in OPERATORS.items() if kind.type in operator.types]


def _choices(given: str, known: Collection[str]) -> str:
    near = get_close_matches(given, known, 1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"choose one of {', '.join(sorted(known))}"
