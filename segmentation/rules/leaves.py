"""What do the leaves of a rule mean, and what is wrong with one?

Each method reads one predicate of ``segmentation.rules.parser``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from segmentation.rules import feature_names
from segmentation.rules.comparison import AttributeType, Comparison, Subject, read_value
from segmentation.rules.distance import Near
from segmentation.rules.logic import All, Leaf, Rule
from segmentation.rules.operators import OPERATORS, OPERATORS_OF_SEGMENTS

# where in the tree (``all[0].not.attribute``; empty: the whole), and what is wrong there
Fault = tuple[str, str]
_PLACES = ("latitude", "longitude")


@dataclass
class Leaves:
    """Reads leaves and collects what is wrong with them."""

    known: Mapping[str, Subject]  # by the attribute's name
    segmentations: Mapping[str, Callable[[], Sequence[str]]]  # name → keys of its segments
    exponent: int
    answer_form: Callable[[str], str] | None = None  # in which answers to surveys compare
    faults: list[Fault] = field(default_factory=list)

    def fault(self, where: str, what: str) -> Rule | None:
        """Note a fault. Returns None: there is no rule."""
        self.faults.append((where, what))
        return None

    def _bad(self, where: str, what: str) -> bool:
        """Note a fault. Returns False: it is not well."""
        self.faults.append((where, what))
        return False

    def attribute(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        name = tree["attribute"]
        if not isinstance(name, str) or name not in self.known:
            return self.fault(
                step(where, "attribute"), f"there is no attribute {name!r}; {choices(str(name), self.known)}"
            )
        return self._compared(self.known[name], _rest(tree, "attribute"), where)

    def feature(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        name, path = tree["feature"], step(where, "feature")
        subject = feature_names.feature(name, self.exponent) if isinstance(name, str) else None
        if subject is None:
            return self.fault(
                path, f"there is no feature {name!r}; {choices(str(name), feature_names.FORMS)}"
            )
        kind = feature_names.kind_in(name)
        if kind is not None and not self._kind(kind, path):
            return None
        return self._compared(subject, _rest(tree, "feature"), where)

    def did(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        times, most = tree.get("times", 1), tree.get("at_most")
        well = self._only("did", tree, where, ("times", "at_most", "within_days")) & self._kind(
            tree["did"], step(where, "did")
        )
        well &= self._whole("times", times, where) & self._days(tree, where)
        well &= most is None or self._whole("at_most", most, where)
        if well and most is not None and most < times:
            what = f"{most} is less than times = {times}: nobody can do so; for none say did_not"
            well = self._bad(step(where, "at_most"), what)
        if not well:
            return None
        subject = feature_names.times_done(tree["did"], tree.get("within_days"))
        limits = {"at_least": times} if most is None else {"at_least": times, "at_most": most}
        return self._compared(subject, limits, where)

    def did_not(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        well = self._only("did_not", tree, where, ("within_days",)) & self._kind(
            tree["did_not"], step(where, "did_not")
        )
        if not (well & self._days(tree, where)):
            return None
        return self._compared(
            feature_names.times_done(tree["did_not"], tree.get("within_days")), {"is": 0}, where
        )

    def first(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        return self._ago("first", tree, where)

    def last(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        return self._ago("last", tree, where)

    def _ago(self, end: str, tree: Mapping[str, Any], where: str) -> Rule | None:
        spans = {"at_least_days_ago": "at_least", "at_most_days_ago": "at_most"}
        well = self._only(end, tree, where, spans) & self._kind(tree[end], step(where, end))
        given = {name: tree[name] for name in spans if name in tree}
        if not given:
            return self.fault(where, f"does not say when; add one of {', '.join(spans)}")
        for name, days in given.items():
            well &= self._whole(name, days, where, least=0)
        if well and len(given) == 2 and given["at_least_days_ago"] > given["at_most_days_ago"]:
            return self.fault(
                step(where, "at_most_days_ago"),
                "is less than at_least_days_ago, so no day fits; exchange the two",
            )
        limits = {spans[name]: days for name, days in given.items()}
        return self._compared(feature_names.days_since(end, tree[end]), limits, where) if well else None

    def share_of(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        well = self._text("share_of", tree, where, "a category") & self._days(tree, where)
        comparisons = {
            name: value for name, value in _rest(tree, "share_of").items() if name != "within_days"
        }
        for name, value in comparisons.items():
            for share in value if isinstance(value, list) else [value]:
                if isinstance(share, int | float) and not isinstance(share, bool) and not 0 <= share <= 1:
                    well = self._bad(
                        step(where, name), f"{share} is not a share; give a part of 1, such as 0.3 for 30%"
                    )
        return (
            self._compared(
                feature_names.share_of(tree["share_of"], tree.get("within_days")), comparisons, where
            )
            if well
            else None
        )

    def answered(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        if not self._text("answered", tree, where, "a survey, as its campaign is called"):
            return None
        comparisons = _rest(tree, "answered")
        if not comparisons:
            return self.fault(
                where,
                f"does not say which answer; add one of {', '.join(_fitting(AttributeType()))}, or at_least and its like",
            )
        read = []
        for operator, value in comparisons.items():
            first = value[0] if isinstance(value, list) and value else value
            number = _number(first) or operator in ("at_least", "at_most", "above", "below", "between")
            read.append(
                self._compared(
                    feature_names.answer_to(tree["answered"], number, self.answer_form),
                    {operator: value},
                    where,
                )
            )
        parts = tuple(part for part in read if part is not None)
        return None if len(parts) < len(read) else parts[0] if len(parts) == 1 else All(parts)

    def segment(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        name = tree["segment"]
        if not isinstance(name, str) or name not in self.segmentations:
            return self.fault(
                step(where, "segment"),
                f"there is no segmentation {name!r}; {choices(str(name), self.segmentations)}",
            )
        subject = feature_names.segment_of(name, self.segmentations[name]())
        return self._compared(subject, _rest(tree, "segment"), where, OPERATORS_OF_SEGMENTS)

    def within_km(self, tree: Mapping[str, Any], where: str) -> Rule | None:
        well = self._only("within_km", tree, where, ("of", *_PLACES))
        if not _number(tree["within_km"]) or tree["within_km"] <= 0:
            well = self._bad(step(where, "within_km"), f"takes kilometres above 0, not {tree['within_km']!r}")
        centre = tree.get("of")
        if (
            not isinstance(centre, list)
            or [_number(part) for part in centre] != [True, True]
            or abs(centre[0]) > 90
            or abs(centre[1]) > 180
        ):
            well = self._bad(step(where, "of"), f"takes [latitude, longitude] in degrees, not {centre!r}")
        names = [str(tree.get(part, part)) for part in _PLACES]
        for part, name in zip(_PLACES, names, strict=True):
            at = step(where, part) if part in tree else where
            if name not in self.known:
                what = f"there is no attribute {name!r} with a {part}; configure it, or say {part} = NAME: {choices(name, self.known)}"
                well = self._bad(at, what)
            elif self.known[name].kind.type != "number":
                well = self._bad(
                    at, f"attribute {name!r} is a {self.known[name].kind.type}; a {part} is a number"
                )
        return (
            Leaf(Near(float(tree["within_km"]), float(centre[0]), float(centre[1]), (names[0], names[1])))
            if well and centre
            else None
        )

    # -- what predicates have in common ----------------------------------------------------------------------

    def _compared(
        self, subject: Subject, given: Mapping[str, Any], where: str, operators: Sequence[str] = ()
    ) -> Rule | None:
        """Every operator that is given, on one subject."""
        fitting = operators or _fitting(subject.kind)
        if not given:
            return self.fault(where, f"has no condition on {subject.name!r}; add one of {', '.join(fitting)}")
        leaves: list[Rule] = []
        for operator, value in given.items():
            if operator not in fitting:
                what = f"is not an operator for {subject.name!r}, a {subject.kind.type}; {choices(operator, fitting)}"
                self.fault(step(where, operator), what)
                continue
            try:
                leaves.append(
                    Leaf(
                        Comparison(
                            subject, operator, read_value(subject.kind, operator, value, subject.folded)
                        )
                    )
                )
            except ValueError as error:
                self.fault(step(where, operator), f"of {subject.name!r}: {error}")
        if len(leaves) < len(given):
            return None
        return All(tuple(leaves)) if len(leaves) > 1 else leaves[0]

    def _only(self, head: str, tree: Mapping[str, Any], where: str, others: Collection[str]) -> bool:
        strange = [name for name in tree if name != head and name not in others]
        for name in strange:
            self.fault(step(where, name), f"cannot be combined with {head!r}; {choices(name, others)}")
        return not strange

    def _kind(self, kind: Any, where: str) -> bool:
        """A kind of activity: one of the contract, or another that cannot be a slip of the pen."""
        if not isinstance(kind, str) or not kind.strip():
            self.fault(
                where,
                f"takes a kind of activity, not {kind!r}; known: {', '.join(feature_names.ACTIVITY_KINDS)}",
            )
            return False
        if kind in feature_names.ACTIVITY_KINDS or not get_close_matches(
            kind.lower(), feature_names.ACTIVITY_KINDS, 1, 0.8
        ):
            return True
        self.fault(
            where, f"there is no kind of activity {kind!r}; {choices(kind, feature_names.ACTIVITY_KINDS)}"
        )
        return False

    def _whole(self, name: str, value: Any, where: str, least: int = 1) -> bool:
        well = isinstance(value, int) and not isinstance(value, bool) and least <= value < 100_000
        if not well:
            self.fault(step(where, name), f"takes a whole number of {least} or more, not {value!r}")
        return well

    def _days(self, tree: Mapping[str, Any], where: str) -> bool:
        return "within_days" not in tree or self._whole("within_days", tree["within_days"], where)

    def _text(self, name: str, tree: Mapping[str, Any], where: str, what: str) -> bool:
        well = isinstance(tree[name], str) and bool(tree[name])
        if not well:
            self.fault(step(where, name), f"takes {what}, not {tree[name]!r}")
        return well


def step(where: str, name: str) -> str:
    """The place of a key below ``where``."""
    return f"{where}.{name}" if where else name


def choices(given: str, known_names: Collection[str]) -> str:
    """The end of a sentence about a name that is not known."""
    near = get_close_matches(given, known_names, 1)
    return (
        f"did you mean {near[0]!r}? " if near else ""
    ) + f"choose one of {', '.join(sorted(known_names)) or 'none'}"


def _rest(tree: Mapping[str, Any], head: str) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name != head}


def _fitting(kind: AttributeType) -> list[str]:
    return [name for name, operator in OPERATORS.items() if kind.type in operator.types]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
