"""Whom does a new model move? All of it is told before any of it begins, and in each plan until one was carried out."""

from __future__ import annotations

from collections.abc import Sequence

from sync.account.segment_catalog import named_segments
from sync.config.config import Config
from sync.config.settings import SegmentationSettings
from sync.plan.changed_meanings import last_carried_out
from sync.store.journal import Journal
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror

SHOWN = 5  # kinds of moves that are named


def refit_notes(config: Config, journal: Journal, mirror: AccountMirror) -> list[str]:
    """A sentence for each segmentation that has another model than in the last plan that was carried out."""
    return [
        note
        for settings in config.segmentations_of(mirror.name)
        for note in _note(config, journal, mirror, settings)
    ]


def _note(
    config: Config, journal: Journal, mirror: AccountMirror, settings: SegmentationSettings
) -> list[str]:
    from segmentation.model_file import from_json, labels_alike

    account, name = mirror.name, settings.name
    latest = journal.models.latest(account, name)
    carried_out = last_carried_out(journal, account, name) if latest is not None else None
    tables = LabelTables(mirror, name)
    if (
        latest is None
        or carried_out is None
        or carried_out.as_of is None
        or latest.version == carried_out.version
        or not tables.exist
        or settings.frozen
    ):
        return []
    before = journal.models.of_version(account, name, carried_out.version)
    if before is not None and labels_alike(from_json(before.content), from_json(latest.content)):
        return []
    flows = tables.moves_since(journal.labels, carried_out.as_of)
    moves, of = [flow for flow in flows if flow[0] != flow[1]], sum(count for *_, count in flows)
    if not moves:
        return []
    titles = {text.key: text.title for text in named_segments(config, journal, settings, account)}
    moved = sum(count for *_, count in moves)
    return [
        f"{name} has a new model, as of {latest.as_of}. Since the last plan that was carried out, {moved:,} of "
        f"{of:,} records ({moved / of:.1%}) change their segment, all in one plan: {_listed(moves, titles)}."
    ]


def _listed(moves: Sequence[tuple[str, str, int]], titles: dict[str, str]) -> str:
    """``312 from Loyal to Champions, 20 from Lost to New, and 41 otherwise``."""
    shown = [
        f"{count:,} from {titles.get(before, before)} to {titles.get(now, now)}"
        for before, now, count in moves[:SHOWN]
    ]
    others = sum(count for *_, count in moves[SHOWN:])
    return ", ".join(shown) + (f", and {others:,} otherwise" if others else "")
