"""A segmentation of the config, built: its kind's object, and its segments under the names that the config
gives them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmentation.frames import Segment
    from segmentation.protocol import Segmentation
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings
    from sync.store.journal import Journal


@dataclass(frozen=True)
class SegmentText:
    """What people read of a segment."""

    key: str
    title: str
    description: str = ""
    playbook: dict[str, str | int] = field(default_factory=dict)  # of the config
    advice: str = ""  # of the kind
    standing: str = "buying"  # buying, slipping or gone: see ``segmentation.frames.Segment``

    @property
    def to_do(self) -> str:
        """What to do about its customers: the playbook of the config, or else the advice of the kind."""
        return "; ".join(f"{key}: {value}" for key, value in self.playbook.items()) or self.advice


def built(config: Config, settings: SegmentationSettings, account: str) -> Segmentation:
    """The object that fits and labels."""
    from connectors.values.currency import exponent
    from segmentation.frames import Segment
    from segmentation.kinds.base import Account
    from segmentation.rules.comparison import AttributeType

    currency = config.accounts[account].currency
    rules = [
        (Segment(entry.key, entry.title or entry.key), rule)
        for entry, rule in config.rules(settings, account)
    ]
    attributes = {
        name: AttributeType(entry.type, entry.order)
        for name, entry in config.accounts[account].known_attributes.items()
    }
    segmentation: Segmentation = settings.options.in_account(
        Account(currency, exponent(currency), rules, attributes)
    )
    return segmentation


def built_like(
    config: Config, settings: SegmentationSettings, account: str, figures: Mapping[str, Any]
) -> Segmentation:
    """The same with what a model of it has settled (its figures), for judging that model on other days."""
    return built(config, settings, account).like(figures)


def segments_of(config: Config, settings: SegmentationSettings) -> list[SegmentText]:
    """All segments in their order, with the titles, descriptions and playbooks of the config."""
    return _told(settings, _segments(config, settings, (settings.accounts or config.writable)[0]))


def named_segments(
    config: Config, journal: Journal, settings: SegmentationSettings, account: str
) -> list[SegmentText]:
    """The same under the names that the account's model gave them, where its kind finds names; those of the
    config win.
    """
    segments = _segments(config, settings, account)
    model = journal.models.latest(account, settings.name)
    of_model = settings.options.names_from_model or settings.options.texts_from_model
    if not of_model or model is None or model.digest != config.digest(settings):
        return _told(settings, segments)
    segments_by_key = {segment.key: segment for segment in settings.options.named(json.loads(model.content))}
    return _told(settings, [segments_by_key.get(segment.key, segment) for segment in segments])


def named_in_full(config: Config, account: str, name: str) -> str:
    """SEGMENTATION.SEGMENT of a segment that somebody named so, or by its key where only one has it. UsageError: there is
    none, or several.
    """
    from sync.exit_codes import UsageError

    known = [
        f"{s.name}.{text.key}" for s in config.segmentations_of(account) for text in segments_of(config, s)
    ]
    named = [full for full in known if name in (full, full.partition(".")[2])]
    if len(named) != 1:
        problem = (
            f"{name!r} is no segment" if not named else f"{name!r} is a segment of several segmentations"
        )
        raise UsageError(f"{problem}; name one of {', '.join(named or known)}")
    return named[0]


def _segments(config: Config, settings: SegmentationSettings, account: str) -> list[Segment]:
    """Every segment that a label may have: those of the kind, or those of the config by their rules. What fits
    and labels need not be imported for them.
    """
    from segmentation.frames import Segment

    if settings.options.segments_by_rules:
        rules = config.rules(settings, account)
        return [Segment(entry.key, entry.title or entry.key) for entry, _ in rules]
    segments: list[Segment] = settings.options.segments
    return segments


def title_faults(config: Config, journal: Journal, account: str) -> list[str]:
    """What is wrong with the titles of segments as the CRM would get them, learned names and names of offers
    included: two that people and CRMs take for one, and titles that are too long.
    """
    from connectors import limits
    from connectors.values.folding import comparable

    longest = limits(config.accounts[account].crm).option_label
    faults = []
    for settings in config.segmentations_of(account):
        taken: dict[str, str] = {}
        for segment in named_segments(config, journal, settings, account):
            where = f"segment {segment.key} of {settings.name}"
            other = taken.setdefault(comparable(segment.title), segment.key)
            if other != segment.key:
                what = f"has the title {segment.title!r}, as segment {other} has: titles must differ in more than case and blanks"
                faults.append(f"{where} {what}. {_remedy(settings, segment.key)}")
            if longest is not None and len(segment.title) > longest:
                what = f"has a title of {len(segment.title)} characters, the CRM takes {longest}"
                faults.append(f"{where} {what}. {_remedy(settings, segment.key)}")
    return faults


def _remedy(settings: SegmentationSettings, key: str) -> str:
    return f'Give one of them another title: segments = [ {{ key = "{key}", title = "..." }} ] in the config of {settings.name}'


def _told(settings: SegmentationSettings, segments: Sequence[Segment]) -> list[SegmentText]:
    own = {segment.key: segment for segment in settings.segments}
    texts = []
    for segment in segments:
        configured = own.get(segment.key)
        texts.append(
            SegmentText(
                segment.key,
                (configured and configured.title) or segment.title,
                (configured and configured.description) or segment.description,
                dict(configured.playbook) if configured else {},
                segment.advice,
                segment.standing,
            )
        )
    return texts
