"""Which further values does a kind give each record, each in a field of its own?

A kind declares them (``Kind.value_fields``), and its labelling gives them (``segmentation.kinds.labelling.Given.values``):
texts as they are written, null for none. They stand in labels as ``value.NAME``, and the text of the labelling before
is what a dead band starts from (``previous_labels.Before.text``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["", "money", "percent"]


@dataclass(frozen=True)
class ValueField:
    """``name`` ends the name of its field; ``title`` and ``about`` are what people read in the CRM."""

    name: str
    type: Literal["number", "date", "text"]
    title: str
    about: str
    unit: Unit = ""

    def shown(self, currency: str) -> str:
        """The title with the unit of its numbers."""
        unit = self.unit_in(currency)
        return f"{self.title} ({unit})" if unit else self.title

    def unit_in(self, currency: str) -> str:
        """What its numbers count: the currency's code, %, or nothing."""
        return {"": "", "money": currency, "percent": "%"}[self.unit]
