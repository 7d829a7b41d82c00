"""What may the account of a corner shop say in the config?"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Customers, and what each bought: day and amount."""

    model_config = ConfigDict(extra="forbid")

    customers: dict[str, str] = {}  # id → e-mail address
    purchases: list[tuple[str, str, float]] = []  # id of the customer, day, amount
