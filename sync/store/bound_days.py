"""How is SQL asked of many days and yet written once? Its days are variables of the connection.

DuckDB takes the value of a variable for a constant when it plans a query, so a bound day costs what a written one
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sync.store.mirror import AccountMirror, literal

if TYPE_CHECKING:
    from ibis.expr.types import DateScalar


@dataclass(frozen=True)
class BoundDay:
    """A day that SQL names, and that is bound before the SQL is asked."""

    name: str

    def bind(self, mirror: AccountMirror, day: date) -> None:
        """Let it be this day until it is bound again."""
        mirror.run(f"SET VARIABLE {self.name} = {literal(day.isoformat())}::DATE")

    @property
    def sql(self) -> str:
        """The day in SQL."""
        return f"getvariable({literal(self.name)})"

    @property
    def expression(self) -> DateScalar:
        """The day in an Ibis expression."""
        import ibis

        getvariable = ibis.udf.scalar.builtin(_variable, name="getvariable")
        day: DateScalar = getvariable(self.name).name(self.name)
        return day


def _variable(name: str) -> date:  # type: ignore[empty-body]
    """The signature of DuckDB's function."""


def written(day: date) -> str:
    """A day in SQL that is asked of this day only."""
    return f"{literal(day.isoformat())}::DATE"
