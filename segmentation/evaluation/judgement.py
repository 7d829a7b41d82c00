"""By which lines of a scorecard is a kind of segmentation judged, and which are shown for information? (imports
nothing costly)

What a kind does not promise is shown where it says something, and never judged: a refit would not fix it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ECE, AUC, KEPT, TOP = 0.06, 0.6, 0.8, 0.2
OFF = 0.2  # of the sum of a forecast
RANKING = ("lift", "against", "separation", "bought again", "efficiency")


@dataclass(frozen=True)
class Line:
    """One line of a scorecard. ``passes`` None: there is nothing to judge."""

    measure: str
    value: float | None
    passes: bool | None
    words: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Judgement:
    """What a kind is judged by."""

    # measures of a back-test on purchases: those that are shown, and those of them that are judged
    shown: tuple[str, ...] = RANKING
    judged: tuple[str, ...] = RANKING
    by_purchases: bool = True  # there is a back-test on the purchases of an earlier day
    steady: bool = False  # few moves and few returns are promised
    by_revenue: bool = True  # its score ranks by revenue; else by who buys again

    def of(self, lines: Sequence[Line]) -> list[Line]:
        """The lines of a back-test as this kind shows them."""
        return [
            line if line.measure in self.judged else replace(line, passes=None)
            for line in lines
            if line.measure in self.shown
        ]


def calibration(figures: Mapping[str, Any]) -> list[Line]:
    """Do the probabilities, or the purchases, that a model predicts come true? Nothing of a model that did not
    measure it.
    """
    if "ece" not in figures:
        return []
    if "forecast_rate" in figures:
        total = f"forecast {figures['forecast_rate']:.1%}, came {figures['base_rate']:.1%}"
    else:
        total = f"purchases predicted: {figures['bias_purchases']:+.1%} of those that came"
    words = f"ECE {figures['ece']:.3f} (up to {ECE}; Brier {figures['brier']:.4f}, {total})"
    return [Line("calibration", figures["ece"], figures["ece"] <= ECE, words)]


def forecast_lines(told: Mapping[str, Any]) -> list[Line]:
    """Are forecasts over a horizon true? ``told`` is what their back-test found
    (``segmentation.models.forecast_error``).
    """
    if told["refused"]:
        return [Line("forecast", None, False, told["words"])]
    lines = []
    if told["ece"] is not None:
        words = f"ECE up to {told['ece']:.3f} in the last spans of {told['judged_days']} days (up to {ECE})"
        lines.append(Line("calibration", told["ece"], told["ece"] <= ECE, words))
    if told["doubt"] > ECE:
        words = (
            f"probabilities over the next {told['horizon']} days are not calibrated: the number of buyers is so unsure that "
            f"they may be {told['doubt']:.3f} off (up to {ECE})"
        )
        lines.append(Line("unsure", told["doubt"], False, words))
    for name in ("purchases", "money"):
        off = told[name]["worst"]
        lines.append(
            Line(f"forecast of {name}", off, None if off is None else off <= OFF, told["says"][name])
        )
    return lines
