"""How is a question put to Salesforce? Every SOQL statement of ours is made here, and nowhere else.

Names come from describe and are checked; values are escaped. Limits: a statement has at most 100,000
characters and each string in its WHERE clause 4,000 ("SOQL and SOSL Limits for Search Queries", Salesforce
Developer Limits); sent as a URL it must fit 16,384 bytes, so a long list of fields goes by Bulk or is split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

STATEMENT_LIMIT = 100_000
URL_LIMIT = 16_384

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", '"': '\\"'}
)


def name(text: str) -> str:
    """The name of an object or field, or ValueError: what is no name never reaches a statement."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a valid name of a Salesforce field")
    return text


def quoted(text: str) -> str:
    """A string as SOQL writes it."""
    return "'" + text.translate(_ESCAPES) + "'"


def instant(moment: datetime) -> str:
    """A moment as SOQL writes it: UTC, to the millisecond, without quotes."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def among(field: str, values: Iterable[str]) -> str:
    """``field IN (...)``; ValueError where there is nothing to be among, which SOQL cannot say."""
    listed = ",".join(quoted(value) for value in values)
    if not listed:
        raise ValueError(f"{field} among no values")
    return f"{name(field)} IN ({listed})"


def since(field: str, moment: datetime) -> list[str]:
    """The condition that a time is not before a moment.

    There is no end: what comes while it is read comes again.
    """
    return [f"{name(field)} >= {instant(moment)}"]


@dataclass(frozen=True)
class Select:
    """A statement: fields, object, conditions that all must hold, order, and the greatest number of rows."""

    fields: Sequence[str]
    table: str
    where: Sequence[str] = ()
    order: Sequence[str] = ()
    limit: int | None = None

    def __str__(self) -> str:
        text = f"SELECT {','.join(name(field) for field in self.fields)} FROM {name(self.table)}"
        if self.where:
            text += " WHERE " + " AND ".join(self.where)
        if self.order:
            text += " ORDER BY " + ",".join(name(field) for field in self.order)
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        if len(text) > STATEMENT_LIMIT:
            raise ValueError(
                f"a statement on {self.table} has {len(text):,} characters, {STATEMENT_LIMIT:,} are allowed"
            )
        return text


def count(table: str, where: Sequence[str] = ()) -> str:
    """The statement that counts rows (REST only)."""
    return f"SELECT COUNT() FROM {name(table)}" + (" WHERE " + " AND ".join(where) if where else "")
