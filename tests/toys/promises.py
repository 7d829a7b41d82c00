"""A kind that gives further values whatever little is known: three fields per record. (kind ``promises``)"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from segmentation.kinds.labelling import Given, Start
from segmentation.value_fields import ValueField
from tests.toys.regulars import Days, Regulars, RegularsSegmentation

DUE = "2031-01-06"


class Promises(Regulars):
    """Regulars, with an amount, a share and a date."""

    name = "promises"
    segmentation_class = "tests.toys.promises:PromisesSegmentation"

    @property
    def value_fields(self) -> tuple[ValueField, ...]:
        """One of each sort."""
        return (
            ValueField("worth", "number", "Worth", "What it may bring.", "money"),
            ValueField("chance", "number", "Chance", "How likely it is.", "percent"),
            ValueField("due", "date", "Due", "When it comes."),
        )


class PromisesSegmentation(RegularsSegmentation):
    """An amount for each purchase day; who has none is promised nothing."""

    def _given(self, seen: Days, start: Start) -> Given:
        bought = pa.array(seen > 0)
        texts = {
            "worth": pa.array([f"{120 * days + 0.5:g}" for days in seen.tolist()]),
            "chance": pa.array(np.minimum(10 * seen, 90)).cast(pa.string()),
            "due": pa.array([DUE] * len(seen)),
        }
        values = {name: pa.compute.if_else(bought, column, None) for name, column in texts.items()}
        return replace(super()._given(seen, start), values=values)
