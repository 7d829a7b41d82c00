"""Which models no longer fit what they label? A cheap look after each labelling; nothing is fitted, let alone applied.

A model is worth fitting anew when its scores have shifted since the fit (PSI from .25 on, over deciles of then), or when it is
``OLD`` days old. ``crm-segments train --propose`` then shows what would change, and ``train`` does it.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.store.mirror import quoted

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings

OLD = 92  # days: a quarter
FEWEST = 200  # records; the shares of fewer tremble by themselves
UNLEARNED = ("rules",)  # kinds whose model holds nothing that could age


def refits(session: Session) -> dict[str, str]:
    """By segmentation: why a refit is worth a look. Segmentations that need none are left out."""
    found = {}
    for settings in session.segmentations:
        stored = session.journal.model(session.account, settings.name)
        if settings.kind in UNLEARNED or settings.frozen or stored is None:
            continue
        age = (session.as_of - date.fromisoformat(stored["as_of"])).days
        shift = _shift(session, settings, stored) if age > 0 else 0.0
        from segmentation.quality import DRIFT

        if shift >= DRIFT:
            found[settings.name] = f"its scores have shifted since the fit of {stored['as_of']} (PSI {shift:.2f}, from {DRIFT} on)"
        elif age >= OLD:
            found[settings.name] = f"its model is of {stored['as_of']}, {age} days old"
    return found


def _shift(session: Session, settings: SegmentationSettings, stored: dict[str, Any]) -> float:
    """PSI of the scores against those of the day of the fit; 0 where there were none or few."""
    import numpy as np

    from segmentation.measures import level_stability

    baseline = _baseline(session, settings.name, stored)
    counts = _counts(session, "labels_" + settings.name, baseline["cuts"])
    then = baseline["counts"]
    return level_stability(np.array(then), np.array(counts)) if min(sum(then), sum(counts)) >= FEWEST else 0.0


def _baseline(session: Session, name: str, stored: dict[str, Any]) -> dict[str, Any]:
    """Deciles of the scores as of the day of the fit, and how many records each held; looked up once for each model."""
    mirror = session.mirror()
    kept = json.loads(mirror.stamp("scores:" + name) or "{}")
    if kept.get("version") == stored["version"]:
        return kept  # type: ignore[no-any-return]
    from sync.label.state import rebuild_state

    table = "fitted_" + name
    rebuild_state(session, name, (date.fromisoformat(stored["as_of"]) + timedelta(days=1)).isoformat(), table)
    cuts = mirror.value(f"SELECT quantile_cont(score, [{', '.join(f'0.{n}' for n in range(1, 10))}]) FROM {quoted(table)}")
    cuts = sorted({cut for cut in cuts or () if cut is not None})
    found = {"version": stored["version"], "cuts": cuts, "counts": _counts(session, table, cuts)}
    mirror.run(f"DROP TABLE {quoted(table)}")
    mirror.set_stamp("scores:" + name, json.dumps(found))
    return found


def _counts(session: Session, table: str, cuts: list[float]) -> list[int]:
    """Records between the cuts; the last place holds those without a score."""
    above = " + ".join(f"(score > {cut!r})::INTEGER" for cut in cuts) or "0"
    place = f"CASE WHEN score IS NULL OR isnan(score) THEN {len(cuts) + 1} ELSE {above} END"
    counted = dict(session.mirror().rows(f"SELECT {place} AS place, count(*) FROM {quoted(table)} GROUP BY place"))
    return [int(counted.get(n, 0)) for n in range(len(cuts) + 2)]
