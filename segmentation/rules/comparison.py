"""Does one attribute or feature of a record compare as a rule says?

Each operator is given twice: over a column (for a million records) and over one value (to explain one
record); a property test holds both against each other. None and null are *unknown*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from segmentation.feature_request import Needs
from segmentation.rules.operators import OPERATORS

if TYPE_CHECKING:
    import ibis
    from ibis.expr.types import BooleanValue, StringValue, Value

Logic = bool | None

NOTHING = Needs()
ATTRIBUTE = "attribute."  # column prefix in the records frame
# column prefix: a text attribute as people read it, where it is compared in another form
SPELLING = "spelling."
_PARTS = ("contains", "starts_with", "ends_with")
SEPARATOR = ";"  # between the elements of a set


@dataclass(frozen=True)
class AttributeType:
    """Type of an attribute, and its values: of an ordered one from the lowest, of a text one those that are
    allowed (none: all).
    """

    type: str = "text"
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is compared: a column of the facts frame, and how people call it."""

    name: str
    column: str
    kind: AttributeType
    needs: Needs = NOTHING
    # of money: the column is in minor units, rules and reasons speak of major ones
    exponent: int | None = None
    attribute: str = ""  # its name, where it is one
    segmentation: str = ""  # whose segment it is, where it is one
    folded: Callable[[str], str] | None = None  # the form in which its texts are compared; None: as they are

    def shown(self, facts: ibis.Table) -> StringValue:
        """The value as people read it, with its name."""
        import ibis

        value: Any = facts[self.column]
        spelling = SPELLING + (self.attribute or self.column)
        if self.folded and self.kind.type in ("text", "set") and spelling in facts.columns:
            value = facts[spelling].fill_null(value)
        if self.exponent is not None:
            value = _decimal(value, self.exponent)
        elif self.kind.type == "number":
            whole = value.cast("float64").round(0)
            value = ibis.ifelse(
                value == whole,
                whole.cast("int64").cast("string"),
                value.cast("float64").round(2).cast("string"),
            )
        elif self.kind.type == "bool":
            value = ibis.ifelse(value, "yes", "no")
        elif self.kind.type == "date":
            value = value.cast("date").cast("string")
        words: StringValue = ibis.literal(self.name + " ") + value.cast("string").fill_null("not known")
        return words


@dataclass(frozen=True)
class Comparison:
    """``subject`` OPERATOR ``value``."""

    subject: Subject
    operator: str
    value: Any

    @property
    def attributes(self) -> frozenset[str]:
        """Names of the attributes that it looks at."""
        return frozenset({self.subject.attribute} - {""})

    @property
    def needs(self) -> Needs:
        """Features that it looks at."""
        return self.subject.needs

    @property
    def kind(self) -> AttributeType:
        return self.subject.kind

    def words(self, facts: ibis.Table) -> StringValue:
        """What is so: the subject and its value."""
        return self.subject.shown(facts)

    def expression(self, facts: ibis.Table) -> BooleanValue:
        """The comparison over a facts frame; null where it is unknown."""
        operator = OPERATORS[self.operator]
        column = facts[self.subject.column]
        compare = operator.column or operator.holds
        answer: BooleanValue = compare(
            column if operator.takes == "flag" else self._seen(column), _literal(self.wanted())
        )
        return answer

    def evaluate(self, row: Mapping[str, Any]) -> Logic:
        """The comparison over one row of a facts frame."""
        operator = OPERATORS[self.operator]
        value = row.get(self.subject.column)
        if operator.takes == "flag":
            return bool(operator.holds(value, self.value))
        if self.kind.type == "ordered":
            value = self.kind.values.index(value) if value in self.kind.values else None
        if value is None:
            return None
        if self.kind.type == "set":
            value = f"{SEPARATOR}{value}{SEPARATOR}"
        if isinstance(value, datetime):
            value = value.date()
        return bool(operator.holds(value, self.wanted()))

    def _seen(self, column: Value) -> Any:
        """The column in the form that compares: ordered values as ranks, sets fenced, instants as days."""
        if self.kind.type == "ordered":
            import ibis

            ranks = [
                (column == text, ibis.literal(rank, "int64")) for rank, text in enumerate(self.kind.values)
            ]
            return ibis.cases(*ranks)
        if self.kind.type == "set":
            return SEPARATOR + column.cast("string") + SEPARATOR
        return column.cast("date") if self.kind.type == "date" else column

    def wanted(self) -> Any:
        """The value in the form that compares: ranks, minor units, fenced elements."""
        if self.operator == "is_set":
            return self.value
        if self.kind.type == "ordered":
            rank = self.kind.values.index
            return tuple(map(rank, self.value)) if isinstance(self.value, tuple) else rank(self.value)
        if self.kind.type == "set":
            return f"{SEPARATOR}{self.value}{SEPARATOR}"
        if self.subject.exponent is not None:
            return (
                tuple(map(self._minor, self.value))
                if isinstance(self.value, tuple)
                else self._minor(self.value)
            )
        return self.value

    def _minor(self, amount: float) -> float:
        """Minor units of an amount, exact in its decimals."""
        return float(Decimal(str(amount)).scaleb(self.subject.exponent or 0))


def _decimal(minor: Any, exponent: int) -> Any:
    """``-1204.50``: minor units in major ones."""
    import ibis

    if not exponent:
        return minor.cast("string")
    digits = minor.abs().cast("string")
    digits = ibis.ifelse(digits.length() > exponent, digits, digits.lpad(exponent + 1, "0"))
    split = digits.length() - exponent
    return ibis.ifelse(minor < 0, "-", "") + digits.substr(0, split) + "." + digits.substr(split)


def _literal(value: Any) -> Any:
    """Days must be told to be days; everything else Ibis types by itself."""
    if isinstance(value, date):
        import ibis

        return ibis.literal(value, "date")
    return [_literal(element) for element in value] if isinstance(value, tuple) else value


def read_value(
    kind: AttributeType, operator: str, given: Any, folded: Callable[[str], str] | None = None
) -> Any:
    """The value of an operator as it compares. ``folded``: the form of the subject's texts.

    ValueError says what is wrong with it.
    """
    takes = OPERATORS[operator].takes
    if folded is not None and kind.type in ("text", "ordered", "set"):
        blanks = operator in _PARTS and kind.type == "text"  # a blank in a part of a text means one
        given = _folded(kind, given, folded if blanks else lambda text: folded(text).strip())
    if takes == "flag":
        if not isinstance(given, bool):
            raise ValueError(f"takes true or false, not {given!r}")
        return given
    if takes == "one":
        return _one(kind, given)
    if (
        not isinstance(given, Sequence)
        or isinstance(given, str)
        or not given
        or (takes == "two" and len(given) != 2)
    ):
        raise ValueError(
            f"takes a list of {'two values, from and to' if takes == 'two' else 'values'}, not {given!r}"
        )
    values = tuple(_one(kind, element) for element in given)
    if takes == "two":
        low, high = (kind.values.index(v) if kind.type == "ordered" else v for v in values)
        if low > high:
            raise ValueError(f"is empty: {given[0]!r} comes after {given[1]!r}; write the lower one first")
    return values


def _folded(kind: AttributeType, given: Any, form: Callable[[str], str]) -> Any:
    """Texts in the form in which they are compared; those of an order as the order spells them."""
    if isinstance(given, list | tuple):
        return [_folded(kind, element, form) for element in given]
    if not isinstance(given, str):
        return given
    return (
        next((value for value in kind.values if form(value) == form(given)), given)
        if kind.values
        else form(given)
    )


def _one(kind: AttributeType, given: Any) -> Any:
    if (
        kind.type == "number"
        and isinstance(given, int | float)
        and not isinstance(given, bool)
        and given == given
    ):
        return float(given)
    if kind.type == "bool" and isinstance(given, bool):
        return given
    if kind.type == "date":
        return _day(given)
    if kind.type in ("text", "ordered", "set") and isinstance(given, str):
        if kind.values and given not in kind.values:
            raise ValueError(
                f"{given!r} is not one of its values; choose one of {', '.join(map(repr, kind.values))}"
            )
        if kind.type == "set" and SEPARATOR in given:
            raise ValueError(f"{given!r} contains the separator {SEPARATOR!r} of sets; give one element")
        return given
    raise ValueError(f"takes {_TAKES[kind.type]}, not {given!r}")


_TAKES = {
    "number": "a number",
    "bool": "true or false",
    "date": "a date",
    "text": "a text",
    "ordered": "a text",
    "set": "a text",
}


def _day(given: Any) -> date:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    if isinstance(given, str):
        try:
            return date.fromisoformat(given)
        except ValueError:
            pass
    raise ValueError(f"takes a date such as 2025-12-31, not {given!r}")
