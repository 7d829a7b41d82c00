"""Which rules can never get a record, whatever the records are?

Proof by trying: each column that a rule compares is split by the values in the rules, and one point of every
part stands for all of it; what cannot be split so (parts of texts, sets, distances) may be true, false or
unknown. A rule that holds nowhere contradicts itself; one that holds only where an earlier rule does never
fires. Where there are more than ``LIMIT`` points to try, or ``BUDGET`` for all rules together, nothing is
claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise, product
from math import prod
from typing import Any

from segmentation.rules.comparison import AttributeType, Comparison, Logic
from segmentation.rules.logic import Predicate, Rule

LIMIT = 3_000
BUDGET = 60_000  # about a second
_WHOLE = ("is", "is_not", "in", "not_in", "is_set")  # operators that look at a text as a whole
_ELSE = "\0 a text that no rule names"


def unreachable(rules: Sequence[tuple[str, Rule]]) -> Iterator[tuple[int, str]]:
    """Places of rules (key, rule; by priority) that never fire, and why."""
    tries = _Tries()
    for position, (_key, rule) in enumerate(rules):
        if not tries.possible(rule):
            yield position, "can never match: it contradicts itself"
            continue
        for earlier, other in rules[:position]:
            if not tries.possible(rule, but_not=other):
                yield (
                    position,
                    f"never decides: wherever it matches, {earlier!r} matches first; make that narrower or put this one before it",
                )
                break


@dataclass
class _Tries:
    left: int = BUDGET

    def possible(self, rule: Rule, but_not: Rule | None = None) -> bool:
        """Is there a point where ``rule`` holds and the other does not?

        Yes also where there are too many points to try.
        """
        leaves = [*rule.leaves(), *(but_not.leaves() if but_not else ())]
        points = _points(leaves)
        count = prod(len(some) for some in points.values())
        if count > LIMIT or count > self.left:
            return True
        self.left -= count
        for values in product(*points.values()):
            point = dict(zip(points, values, strict=True))
            if _holds(rule, point) and not (but_not and _holds(but_not, point)):
                return True
        return False


def _holds(rule: Rule, point: Mapping[Hashable, Any]) -> bool:
    def answer(leaf: Predicate) -> Logic:
        if leaf in point:
            value: Logic = point[leaf]
            return value
        assert isinstance(leaf, Comparison)
        return leaf.evaluate({leaf.subject.column: point[leaf.subject.column]})

    return rule.judge(answer) is True


def _points(leaves: Collection[Predicate]) -> dict[Hashable, Sequence[Any]]:
    """What to try: by column values, by leaf (of those that cannot be split) outcomes."""
    columns: dict[str, list[Comparison]] = defaultdict(list)
    points: dict[Hashable, Sequence[Any]] = {}
    for leaf in leaves:
        if isinstance(leaf, Comparison):
            columns[leaf.subject.column].append(leaf)
        else:
            points[leaf] = (True, False, None)
    for column, some in columns.items():
        kind = some[0].kind
        if kind.type == "set" or (kind.type == "text" and any(leaf.operator not in _WHOLE for leaf in some)):
            points |= {
                leaf: (True, False) if leaf.operator == "is_set" else (True, False, None) for leaf in some
            }
        else:
            points[column] = [*_values(kind, some), None]
    return points


def _values(kind: AttributeType, leaves: Sequence[Comparison]) -> list[Any]:
    if kind.type == "bool":
        return [True, False]
    if kind.values:
        return list(kind.values)
    named = {value for leaf in leaves if leaf.operator != "is_set" for value in _named(leaf)}
    if kind.type == "text":
        return [*sorted(named), _ELSE]
    borders = sorted(named)
    if not borders:
        return [date(2000, 1, 1) if kind.type == "date" else 0.0]
    if kind.type == "date":
        return [*_near_days(borders)]
    return [borders[0] - 1, *borders, *((low + high) / 2 for low, high in pairwise(borders)), borders[-1] + 1]


def _named(leaf: Comparison) -> Sequence[Any]:
    wanted = leaf.wanted()
    return wanted if isinstance(wanted, tuple | list) else (wanted,)


def _near_days(borders: Sequence[date]) -> list[date]:
    steps = (timedelta(days=-1), timedelta(0), timedelta(days=1))
    return sorted({border + step for border in borders for step in steps if date.min < border < date.max})
