"""What may pass between functions in the place of rows that nobody has asked for yet?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """Rows of the mirror, as SQL that gives them: ``f"SELECT ... FROM ({relation})"`` reads them."""

    sql: str

    def __str__(self) -> str:
        return self.sql
