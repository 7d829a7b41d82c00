"""Do segments mean something else since the last plan was carried out, under the keys that they had?

Kinds whose models say what their segments mean (``texts_from_model``) keep that meaning until they are trained
again. The plans from then on say what changed, until one is carried out in full.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.config.settings import SegmentationSettings
from sync.store.journal import Journal


def meaning_notes(journal: Journal, account: str, segmentations: Iterable[SegmentationSettings]) -> list[str]:
    """A sentence for each segmentation whose segments changed their meaning."""
    notes: list[str] = []
    for settings in segmentations:
        latest = journal.models.latest(account, settings.name) if settings.options.texts_from_model else None
        carried_out = last_carried_out(journal, account, settings.name) if latest is not None else None
        if latest is None or carried_out is None or latest.version == carried_out.version:
            continue
        before = journal.models.of_version(account, settings.name, carried_out.version)
        if before is not None:
            notes += _note(settings, json.loads(before.content), json.loads(latest.content))
    return notes


@dataclass(frozen=True)
class CarriedOut:
    """Of a plan that was carried out in full: its day, and the model of a segmentation."""

    as_of: str | None
    version: int


def last_carried_out(journal: Journal, account: str, name: str) -> CarriedOut | None:
    """The last plan of this segmentation that was carried out in full."""
    for plan in journal.plans.carried_out(account):
        covers, models = plan.basis.get("covers"), plan.basis.get("models", {})
        if plan.state == "done" and models.get(name) is not None and (covers is None or name in covers):
            return CarriedOut(plan.as_of, int(models[name]))
    return None


def _note(settings: SegmentationSettings, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    kind = settings.options
    if not kind.outdated(before) or kind.outdated(now):
        return []
    was = {segment.key: segment.description for segment in kind.named(before)}
    meanings = [
        f'{segment.key}: "{segment.description}" (before: "{was.get(segment.key, "")}")'
        for segment in kind.named(now)
        if was.get(segment.key) != segment.description
    ]
    return [
        f"{settings.name} was trained again and scores as this version does, so records change their segment "
        "although they did nothing. Look at the automations and lists that use its segments."
        + (f" These mean something else now: {'; '.join(meanings)}." if meanings else "")
    ]
