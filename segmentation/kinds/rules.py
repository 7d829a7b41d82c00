"""Which of the user's own segments does each record belong to? (kind ``rules``)

Every segment has a rule (``segmentation.rules.parser``). Segments exclude each other: the first in the order of the
config whose rule holds wins. A record that no rule holds has no segment, and no label. There is nothing to
configure beside the segments.
"""

from __future__ import annotations

from segmentation.evaluation.judgement import Judgement
from segmentation.kinds.base import Kind, Suggestion


class Rules(Kind):
    """None: the config's segments say all."""

    name = "rules"
    segmentation_class = "segmentation.kinds.rules_segmentation:RulesSegmentation"
    suggestion = Suggestion(
        "Audience",
        "rules of your own, the first that fits wins",
        lines=(
            "",
            "[[segmentations.segments]]",
            'key = "recent"',
            'title = "Bought recently"',
            'when = { did = "purchase", within_days = 90 }',
        ),
    )
    learns = False
    segments_by_rules = True
    judgement = Judgement(shown=("separation", "bought again"), judged=())
    panels = "priority"

    @property
    def activity_types_used(self) -> frozenset[str] | None:
        return frozenset()
