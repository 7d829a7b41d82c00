"""Which names and texts of ours does a CRM take?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """Data of a connector (``LIMITS`` in its module ``limits``), known without asking the CRM."""

    field_name: str = ".+"  # regular expression that the whole name of a field matches
    field_rule: str = ""  # the same in words
    option_label: int | None = None  # characters of what people read of a segment
    list_name: Mapping[str, int] = field(
        default_factory=dict
    )  # characters, by kind of list (static, dynamic)
    description: int = 1000  # characters of what people read beside a field

    def takes(self, name: str) -> bool:
        """Whether a field may have this name."""
        return re.fullmatch(self.field_name, name) is not None
