"""Which models no longer fit what they label? A cheap look after each labelling; nothing is fitted, let alone
applied.

A model is worth fitting again when scores have shifted since the fit (PSI from .25 on, over deciles of then, once it is
``SETTLED`` days old),
when it is ``OLD`` days old, when an earlier version made it and gave nobody the best score
(``segmentation.model_file.topless``), or when its kind scores otherwise now. Compared are the records that bought
within ``RECENT`` days of either day:
a record that is silent ages by itself, and a closed group of customers with it, whatever the model is worth.
``crm-segments train --propose`` then shows what would change, and ``train`` does it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sync.store.journal.models import Models, StoredModel
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror
from sync.store.scores import counts_between, deciles, scores_of_recent

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings

OLD = 92  # days: a quarter
RECENT = 92


def refits(
    segmentations: Sequence[SegmentationSettings], mirror: AccountMirror, models: Models, as_of: date
) -> dict[str, str]:
    """By segmentation: why a refit is worth a look. Segmentations that need none are left out."""
    from segmentation import model_file
    from segmentation.evaluation.scorecard import DRIFT, FEWEST, SETTLED

    reasons = {}
    for settings in segmentations:
        stored = models.latest(mirror.name, settings.name)
        if not settings.options.learns or settings.frozen or stored is None:
            continue
        age = (as_of - date.fromisoformat(stored.as_of)).days
        shift, records = shifted(mirror, settings.name, stored, as_of) or (0.0, 0)
        if shift >= DRIFT and records >= FEWEST and age >= SETTLED:
            reasons[settings.name] = (
                f"its scores have shifted since it was trained as of {stored.as_of} (PSI {shift:.2f}; retrain from {DRIFT} on)"
            )
        elif settings.options.cuts_by_ranks and model_file.topless(model_file.from_json(stored.content)):
            reasons[settings.name] = (
                "its model gives nobody the best score, because many customers share the best value; retraining gives it to them"
            )
        elif why := settings.options.outdated(model_file.from_json(stored.content)):
            reasons[settings.name] = why
        elif age >= OLD:
            reasons[settings.name] = f"its model is of {stored.as_of}, {age} days old"
    return reasons


def shifted(mirror: AccountMirror, name: str, model: StoredModel, as_of: date) -> tuple[float, int] | None:
    """PSI of the scores of recent buyers against those of the first labelling under the model, and how many
    they are at least.
    """
    import numpy as np

    from segmentation.evaluation.metrics import level_stability

    tables = LabelTables(mirror, name)
    if not tables.exist:
        return None
    recent = scores_of_recent(mirror, tables.labels, as_of - timedelta(days=RECENT))
    if recent is None:
        return None
    then = json.loads(mirror.stamp("scores:" + name) or "{}")
    if then.get("version") != model.version or then["as_of"] > as_of.isoformat():
        cuts = deciles(mirror, recent)
        then = {
            "version": model.version,
            "as_of": as_of.isoformat(),
            "cuts": cuts,
            "counts": counts_between(mirror, recent, cuts),
        }
        mirror.set_stamp("scores:" + name, json.dumps(then))
    counts = counts_between(mirror, recent, then["cuts"])
    return level_stability(np.array(then["counts"]), np.array(counts)), min(sum(then["counts"]), sum(counts))
