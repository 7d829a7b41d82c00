"""Which models no longer fit what they label? A cheap look after each labelling; nothing is fitted, let alone
applied.

A model is worth fitting again when scores have shifted since the fit (PSI from .25 on, over deciles of then),
when it is ``OLD`` days old, or when an earlier version made it and gave nobody the best score
(``segmentation.model_file.topless``). Compared are the records that bought within ``RECENT`` days of either day:
a record that is silent ages by itself, and a closed group of customers with it, whatever the model is worth.
``crm-segments train --propose`` then shows what would change, and ``train`` does it.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sync.account.session import Session
from sync.store.journal.models import StoredModel
from sync.store.mirror import literal, quoted

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings

OLD = 92  # days: a quarter
RECENT = 92
UNLEARNED = ("rules",)  # kinds whose model holds nothing that could age


def refits(session: Session) -> dict[str, str]:
    """By segmentation: why a refit is worth a look. Segmentations that need none are left out."""
    from segmentation import model_file
    from segmentation.evaluation.scorecard import DRIFT, FEWEST

    reasons = {}
    for settings in session.segmentations:
        stored = session.journal.models.latest(session.account, settings.name)
        if settings.kind in UNLEARNED or settings.frozen or stored is None:
            continue
        age = (session.as_of - date.fromisoformat(stored.as_of)).days
        shift, records = shifted(session, settings, stored) or (0.0, 0)
        if shift >= DRIFT and records >= FEWEST:
            reasons[settings.name] = (
                f"its scores have shifted since the fit of {stored.as_of} (PSI {shift:.2f}, from {DRIFT} on)"
            )
        elif model_file.topless(model_file.from_json(stored.content)):
            reasons[settings.name] = (
                "its model gives nobody the best score, because many share the best value; a new fit gives it to them"
            )
        elif age >= OLD:
            reasons[settings.name] = f"its model is of {stored.as_of}, {age} days old"
    return reasons


def shifted(
    session: Session, settings: SegmentationSettings, stored: StoredModel
) -> tuple[float, int] | None:
    """PSI of the scores of recent buyers against those of the first labelling under the model, and how many
    they are at least.
    """
    import numpy as np

    from segmentation.evaluation.metrics import level_stability

    mirror, name = session.mirror(), settings.name
    if not mirror.has_table("labels_" + name) or not mirror.has_table("features"):
        return None
    then = json.loads(mirror.stamp("scores:" + name) or "{}")
    if then.get("version") != stored.version or then["as_of"] > session.as_of.isoformat():
        cuts = _deciles(session, name)
        then = {
            "version": stored.version,
            "as_of": session.as_of.isoformat(),
            "cuts": cuts,
            "counts": _counts(session, name, cuts),
        }
        mirror.set_stamp("scores:" + name, json.dumps(then))
    counts = _counts(session, name, then["cuts"])
    return level_stability(np.array(then["counts"]), np.array(counts)), min(sum(then["counts"]), sum(counts))


def _recent(session: Session, name: str) -> str:
    """SQL of the labels of recent buyers; of an account without purchases, of everybody."""
    mirror, since = session.mirror(), literal((session.as_of - timedelta(days=RECENT)).isoformat())
    bought = f"SELECT record FROM features WHERE last_purchase > {since}::DATE"
    everyone = quoted("labels_" + name)
    has_buyers = "last_purchase" in mirror.columns("features") and mirror.value(
        f"SELECT count(*) > 0 FROM ({bought})"
    )
    return f"(SELECT score FROM {everyone} SEMI JOIN ({bought}) USING (record))" if has_buyers else everyone


def _deciles(session: Session, name: str) -> list[float]:
    wanted = ", ".join(f"0.{n}" for n in range(1, 10))
    cuts = session.mirror().value(
        f"SELECT quantile_cont(score, [{wanted}]) FROM {_recent(session, name)} WHERE NOT isnan(score)"
    )
    return sorted({cut for cut in cuts or () if cut is not None})


def _counts(session: Session, name: str, cuts: list[float]) -> list[int]:
    """Records between the cuts; the last place holds those without a score."""
    above = " + ".join(f"(score > {cut!r})::INTEGER" for cut in cuts) or "0"
    position = f"CASE WHEN score IS NULL OR isnan(score) THEN {len(cuts) + 1} ELSE {above} END"
    counted = dict(
        session.mirror().rows(
            f"SELECT {position} AS place, count(*) FROM {_recent(session, name)} GROUP BY place"
        )
    )
    return [int(counted.get(n, 0)) for n in range(len(cuts) + 2)]
