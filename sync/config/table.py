"""What has every table of the config in common?"""

from __future__ import annotations

import re
from datetime import date

from pydantic import BaseModel, ConfigDict

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Table(BaseModel):
    """A table of the config: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def name_of(text: str) -> str:
    """A name as people may choose it."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a name; valid: small letters, digits and _, starting with a letter"
        )
    return text


def date_of(value: object) -> date:
    """A TOML date, or the same in quotes."""
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a date; write it like 2024-01-31") from None
