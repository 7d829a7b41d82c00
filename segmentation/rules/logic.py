"""What is a rule, and what can be asked of it? A tree of predicates in three-valued logic.

A row, or a facts frame, holds what is known of a record: its record columns, its features, and its segments
of other segmentations (``segment.NAME``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from segmentation.feature_request import Needs
from segmentation.rules.comparison import Comparison, Logic
from segmentation.rules.distance import Near

if TYPE_CHECKING:
    import ibis
    from ibis.expr.types import BooleanValue, StringValue

Predicate = Comparison | Near
Answers = Callable[[Predicate], Logic]


class Rule(ABC):
    """A predicate over records. Leaves are comparisons, branches combine them."""

    @abstractmethod
    def expression(self, facts: ibis.Table) -> BooleanValue:
        """The rule over a facts frame: true, false, or null where it is unknown."""

    @abstractmethod
    def words(self, facts: ibis.Table, holds: bool = True) -> StringValue:
        """Why it holds (or fails): the values that decide it.

        Says nothing useful of a record for which it does not.
        """

    @abstractmethod
    def judge(self, answers: Answers) -> Logic:
        """What the rule comes to, given what each leaf comes to."""

    @abstractmethod
    def leaves(self) -> Iterator[Predicate]:
        """All comparisons."""

    @abstractmethod
    def outcomes(self, record_type: str) -> frozenset[Logic]:
        """What the rule can come to for records of a type."""

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        """The rule over one row of a facts frame (column → value)."""
        return self.judge(lambda leaf: leaf.evaluate(row))

    def attributes(self) -> frozenset[str]:
        """Names of the attributes that the rule looks at."""
        return frozenset(name for leaf in self.leaves() for name in leaf.attributes)

    def needs(self) -> Needs:
        """The features that the rule looks at."""
        return reduce(or_, (leaf.needs for leaf in self.leaves()), Needs())

    def segmentations(self) -> frozenset[str]:
        """Names of the segmentations whose segments the rule looks at."""
        named = {leaf.subject.segmentation for leaf in self.leaves() if isinstance(leaf, Comparison)}
        return frozenset(named - {""})


@dataclass(frozen=True)
class Leaf(Rule):
    predicate: Predicate

    def expression(self, facts: ibis.Table) -> BooleanValue:
        return self.predicate.expression(facts)

    def words(self, facts: ibis.Table, holds: bool = True) -> StringValue:
        return self.predicate.words(facts)

    def judge(self, answers: Answers) -> Logic:
        return answers(self.predicate)

    def leaves(self) -> Iterator[Predicate]:
        yield self.predicate

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        if isinstance(self.predicate, Comparison):
            if self.predicate.subject.column == "record_type":
                return frozenset({self.predicate.evaluate({"record_type": record_type})})
            if self.predicate.operator == "is_set":
                return frozenset({True, False})
        return frozenset({True, False, None})


@dataclass(frozen=True)
class Not(Rule):
    part: Rule

    def expression(self, facts: ibis.Table) -> BooleanValue:
        return ~self.part.expression(facts)

    def words(self, facts: ibis.Table, holds: bool = True) -> StringValue:
        return self.part.words(facts, not holds)

    def judge(self, answers: Answers) -> Logic:
        return _negated(self.part.judge(answers))

    def leaves(self) -> Iterator[Predicate]:
        return self.part.leaves()

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return frozenset(map(_negated, self.part.outcomes(record_type)))


@dataclass(frozen=True)
class All(Rule):
    parts: tuple[Rule, ...]

    def expression(self, facts: ibis.Table) -> BooleanValue:
        return reduce(and_, (part.expression(facts) for part in self.parts))

    def words(self, facts: ibis.Table, holds: bool = True) -> StringValue:
        return _every(self.parts, facts, True) if holds else _first(self.parts, facts, False)

    def judge(self, answers: Answers) -> Logic:
        return _least([part.judge(answers) for part in self.parts])

    def leaves(self) -> Iterator[Predicate]:
        for part in self.parts:
            yield from part.leaves()

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return reduce(
            lambda a, b: frozenset(map(_least, product(a, b))),
            (part.outcomes(record_type) for part in self.parts),
        )


@dataclass(frozen=True)
class Some(All):
    """One of the parts holds: not all of them fail."""

    def expression(self, facts: ibis.Table) -> BooleanValue:
        return reduce(or_, (part.expression(facts) for part in self.parts))

    def words(self, facts: ibis.Table, holds: bool = True) -> StringValue:
        return _first(self.parts, facts, True) if holds else _every(self.parts, facts, False)

    def judge(self, answers: Answers) -> Logic:
        return _greatest([part.judge(answers) for part in self.parts])

    def outcomes(self, record_type: str) -> frozenset[Logic]:
        return reduce(
            lambda a, b: frozenset(map(_greatest, product(a, b))),
            (part.outcomes(record_type) for part in self.parts),
        )


def _every(parts: Collection[Rule], facts: ibis.Table, holds: bool) -> StringValue:
    """The words of all parts; a subject that several compare is told once."""
    part_by_subject = {_told(part): part for part in parts}
    return reduce(lambda a, b: a + "; " + b, (part.words(facts, holds) for part in part_by_subject.values()))


def _told(part: Rule) -> Hashable:
    return (
        part.predicate.subject
        if isinstance(part, Leaf) and isinstance(part.predicate, Comparison)
        else id(part)
    )


def _first(parts: Collection[Rule], facts: ibis.Table, holds: bool) -> StringValue:
    """The words of the first part that holds (or fails)."""
    import ibis

    choices = [
        (part.expression(facts) if holds else ~part.expression(facts), part.words(facts, holds))
        for part in parts
    ]
    words: StringValue = ibis.cases(*choices, else_="")
    return words


def _negated(logic: Logic) -> Logic:
    return None if logic is None else not logic


def _least(logics: Collection[Logic]) -> Logic:
    return False if False in logics else None if None in logics else True


def _greatest(logics: Collection[Logic]) -> Logic:
    return True if True in logics else None if None in logics else False
