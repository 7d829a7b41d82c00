"""How often was a CRM asked, and how often may it be?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Calls:
    """How often a connector asked its CRM, log-ins included, since it was opened."""

    read: int = 0
    write: int = 0


@dataclass(frozen=True)
class Quota:
    """The calls of a day that an account allows, and how many of them are left for all programs together."""

    limit: int
    left: int
