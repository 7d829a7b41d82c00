"""How are records given to the user's own segments? (kind ``rules``)

Rules are exact: there is no dead band, and a record moves when its facts do. Only when a segment changes do
since, previous and the reason; the reason names the segment's key and the values that its rule looked at.
There is no score.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from segmentation import frames, model_file
from segmentation.feature_request import Needs
from segmentation.kinds.base import Account
from segmentation.kinds.labelling import Given, LabellingKind, Start
from segmentation.kinds.rules import Rules

if TYPE_CHECKING:
    import ibis

    from segmentation.point_in_time import Past

FIRED = "fired"  # place of the first rule that holds, from 0; null: none
REASON = "reason"


class RulesSegmentation(LabellingKind[Rules, pd.DataFrame]):
    """Segments by rules, in the order of their priority."""

    def __init__(self, kind: Rules, account: Account) -> None:
        super().__init__(kind, account)
        self.rules = tuple(account.rules)
        self.needs = reduce(or_, (rule.needs() for _, rule in self.rules), Needs())

    @property
    def segments(self) -> list[frames.Segment]:
        """The segments in the order of their priority."""
        return [segment for segment, _ in self.rules]

    def reads(self, facts: ibis.Table) -> ibis.Table:
        """record, the place of the rule that fires, and the values that made it fire."""
        import ibis

        holds = [rule.expression(facts) for _, rule in self.rules]
        fired = ibis.cases(
            *((condition, ibis.literal(position, "int64")) for position, condition in enumerate(holds))
        )
        reason = ibis.cases(
            *(
                (condition, ibis.literal(f"{segment.key}: ") + rule.words(facts))
                for condition, (segment, rule) in zip(holds, self.rules, strict=True)
            )
        )
        return facts.select("record", **{FIRED: fired, REASON: reason.substr(0, frames.REASON_LENGTH)})

    def fit(self, features: pd.DataFrame, as_of: date, past: Past | None = None) -> model_file.Model:
        """How many records each rule gets; nothing is learned."""
        fired = features[FIRED].dropna().astype(np.int64)
        figures = {
            segment.key: int((fired == position).sum()) for position, (segment, _) in enumerate(self.rules)
        }
        return model_file.model(
            self.kind.name, as_of, {}, {"records": len(features), "segmented": len(fired)}, {}, figures
        )

    def _labelled(self, features: pd.DataFrame) -> pd.DataFrame:
        """Those (of a frame as of ``reads``) that a rule holds."""
        return features[features[FIRED].notna()].reset_index(drop=True)

    @property
    def _frozen(self) -> dict[str, Any]:
        return {}

    def _seen(self, features: pd.DataFrame, as_of: date) -> pd.DataFrame:
        return features

    def _given(self, seen: pd.DataFrame, start: Start) -> Given:
        fired, reasons = seen[FIRED].to_numpy(np.int64), frames.as_texts(seen[REASON])
        keys = [segment.key for segment, _ in self.rules]
        no_score = np.full(len(seen), np.nan)
        return Given(keys, fired, no_score, lambda rows: reasons.take(pa.array(rows)), {})
