"""What did a campaign change, of which some were held out?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from sync.account.targets import Target, targets_of
from sync.label.feature_frame import AccountFeatures
from sync.plan.control_groups import held_out
from sync.store.ids import IDS
from sync.store.journal.labels import Labels
from sync.store.label_tables import states
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation

if TYPE_CHECKING:
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings

DAYS = 30  # after the label in which an outcome counts, where the kind has no horizon of its own


def effects(
    features: AccountFeatures, config: Config, kept: Labels, as_of: date
) -> dict[str, dict[str, Any]]:
    """Per campaign list with a control group, what it changed: see ``segmentation.evaluation.uplift``.

    Of those who were in the list's segment so many days ago, whatever became of them since: a response may
    well move a record. The outcome is what the segmentation predicts (to the campaigns that it names), or a
    purchase, within so many days after a record got its segment; records whose days are not over yet are left
    out.
    """
    effect_by_target, mirror = {}, features.activity.mirror
    activity = features.activity.rows(answers=True)
    for settings in config.segmentations_of(mirror.name):
        lists = [target for target in targets_of(config, mirror.name) if target.segmentation == settings.name]
        lists = [target for target in lists if target.control and target.kind == "list"]
        if not lists:
            continue
        over = as_of - timedelta(days=_days(settings))
        until = (over + timedelta(days=1)).isoformat()
        with states(kept, mirror, settings.name, until) as meant:
            effect_by_target.update(
                {
                    target.name: _effect(
                        mirror,
                        settings,
                        target,
                        _Groups(meant, activity, features.consent.withdrawn(target)),
                        as_of,
                    )
                    for target in lists
                }
            )
    return effect_by_target


def _days(settings: SegmentationSettings) -> int:
    days: int | None = settings.options.measured_by.within_days
    return days or DAYS


@dataclass(frozen=True)
class _Groups:
    """What an effect is computed from."""

    meant: Relation  # labels of the day from which outcomes are over
    activity: Relation
    withdrawn: Relation  # records that may not stand in the list


def _effect(
    mirror: AccountMirror,
    settings: SegmentationSettings,
    target: Target,
    groups: _Groups,
    as_of: date,
) -> dict[str, Any]:
    from segmentation.evaluation.uplift import effect

    event = settings.options.measured_by
    kind, named = literal(event.activity_type), event.campaign_pattern
    answers = f"AND deeds.campaign GLOB {literal(named)}" if named else ""
    days = _days(settings)
    end = literal((as_of - timedelta(days=days)).isoformat())
    table = mirror.table(
        f"""WITH listed AS (
                SELECT record, coalesce(score, 0) AS score, since, NOT ({held_out(target)}) AS treated
                FROM ({groups.meant}) JOIN ({IDS}) AS ids USING (record)
                WHERE segment = {literal(target.segment)} AND ids.record_type = {literal(target.record_type)}
                    AND since <= {end}::DATE AND record NOT IN ({groups.withdrawn}))
            SELECT listed.record, any_value(score) AS score, any_value(treated) AS treated, count(deeds.kind) > 0 AS came
            FROM listed LEFT JOIN ({groups.activity}) AS deeds ON deeds.record = listed.record AND deeds.kind = {kind} {answers}
                AND deeds.day > since AND deeds.day <= since + {days} GROUP BY listed.record"""
    )
    score, came = (table[name].to_numpy().astype(np.float64) for name in ("score", "came"))
    return {"days": days, **effect(score, came, table["treated"].to_numpy().astype(np.bool_))}
