"""How does the org say no?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Refusal(Exception):
    """An answer of error: HTTP status, error code, message and the fields at fault."""

    def __init__(self, status: int, code: str, message: str, fields: Iterable[str] = (), **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.fields, self.more = (
            status,
            code,
            message,
            list(fields),
            more,
        )

    def body(self) -> list[dict[str, Any]]:
        """As a call answers it."""
        return [
            {
                "message": self.message,
                "errorCode": self.code,
                **({"fields": self.fields} if self.fields else {}),
                **self.more,
            }
        ]

    def item(self) -> dict[str, Any]:
        """As one record of many answers it."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields, **self.more}

    def cell(self) -> str:
        """As a bulk job answers it: CODE:message:fields--."""
        return f"{self.code}:{self.message}:{', '.join(self.fields)}--"


def not_found(message: str = "The requested resource does not exist") -> Refusal:
    return Refusal(404, "NOT_FOUND", message)


def no_column(field: str, entity: str) -> Refusal:
    """As a query answers it."""
    hint = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name."
    where = f"ERROR at Row:1:Column:8\nNo such column '{field}' on entity '{entity}'. {hint}"
    tail = "Please reference your WSDL or the describe call for the appropriate names."
    return Refusal(400, "INVALID_FIELD", f"\n{field}\n^\n{where} {tail}")


def unknown_id() -> Refusal:
    return Refusal(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
