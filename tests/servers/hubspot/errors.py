"""How does HubSpot say no?

Every refusal is an envelope with a status, a message, a category and a correlation id.
"""

from __future__ import annotations

import json
import uuid
from typing import Any


def correlation() -> str:
    return str(uuid.uuid4())


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, status: int, category: str, message: str, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(f"{status} {category}")
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"status": "error", "message": message, "correlationId": correlation()}
        if category:
            self.body["category"] = category
        self.body.update(more)


def invalid(message: str, **more: Any) -> Refused:
    return Refused(400, "VALIDATION_ERROR", message, **more)


def missing(message: str = "resource not found", **more: Any) -> Refused:
    return Refused(404, "OBJECT_NOT_FOUND", message, **more)


class BadValues(Exception):
    """Property values of one record that do not fit: a list of {isValid, message, error, name}."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__("property values were not valid")
        self.faults = faults

    @property
    def message(self) -> str:
        return "Property values were not valid: " + json.dumps(self.faults)

    def envelope(self, **context: list[str]) -> dict[str, Any]:
        """As an entry of ``errors`` of a batch."""
        return {
            "status": "error",
            "category": "VALIDATION_ERROR",
            "message": self.message,
            "context": context,
        }


class Conflict(Exception):
    """An e-mail address that another contact has."""

    def __init__(self, existing: int) -> None:
        super().__init__("conflict")
        self.existing = existing

    @property
    def message(self) -> str:
        return f"Contact already exists. Existing ID: {self.existing}"

    def envelope(self, **context: list[str]) -> dict[str, Any]:
        return {"status": "error", "category": "CONFLICT", "message": self.message, "context": context}
