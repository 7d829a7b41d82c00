"""What did contacting people change? Only a control group can tell: people who were meant to be contacted,
and were not.

The effect is the difference of the two rates, with a 95% interval (Newcombe 1998, by Wilson's score
intervals). Qini says how well a score finds those whom a contact persuades: the area of
``measures.qini_curve`` above the line of chance. Whoever responds without being contacted is no success.
Without a control nobody is persuadable, only a likely responder.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from segmentation.ecdf import Flags
from segmentation.evaluation import metrics
from segmentation.evaluation.metrics import Numbers

FEWEST = 50  # records in each group; with fewer, chance speaks
_Z = 1.959964


def effect(score: Numbers, outcome: Numbers, treated: Flags) -> dict[str, Any]:
    """treated and control (records), both rates, uplift with its interval, incremental outcomes, Qini; or why
    there is none.

    ``outcome``: 0 or 1 per record that was meant to be contacted; ``treated``: who was.
    """
    groups = {"treated": int(treated.sum()), "control": int((~treated).sum())}
    small = [name for name, count in groups.items() if count < FEWEST]
    if small:
        return {
            **groups,
            "note": f"too few records in {' and '.join(small)} (at least {FEWEST} are needed) to tell an effect from chance",
        }
    hit = outcome > 0
    counts = {"treated": int((hit & treated).sum()), "control": int((hit & ~treated).sum())}
    rates = {name: counts[name] / groups[name] for name in groups}
    low_t, high_t = _wilson(counts["treated"], groups["treated"])
    low_c, high_c = _wilson(counts["control"], groups["control"])
    uplift = rates["treated"] - rates["control"]
    below = sqrt((rates["treated"] - low_t) ** 2 + (high_c - rates["control"]) ** 2)
    above = sqrt((high_t - rates["treated"]) ** 2 + (rates["control"] - low_c) ** 2)
    return {
        **groups,
        **{f"rate_{name}": round(rate, 5) for name, rate in rates.items()},
        "uplift": round(uplift, 5),
        "interval": [round(uplift - below, 5), round(uplift + above, 5)],
        "incremental": round(uplift * groups["treated"], 1),
        "qini": round(metrics.qini(score, outcome, treated), 6),
        "note": ""
        if uplift - below > 0 or uplift + above < 0
        else "the interval holds zero: the contact may have changed nothing",
    }


def _wilson(count: int, of: int) -> tuple[float, float]:
    rate = count / of
    middle = rate + _Z**2 / (2 * of)
    half = _Z * sqrt(rate * (1 - rate) / of + _Z**2 / (4 * of**2))
    return (middle - half) / (1 + _Z**2 / of), (middle + half) / (1 + _Z**2 / of)
