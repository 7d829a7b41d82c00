"""A segmentation of the config, built: its kind's object, and its segments under the names that the config gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentation.label import Segmentation
    from sync.config import Config
    from sync.settings import SegmentationSettings


@dataclass(frozen=True)
class SegmentText:
    """What people read of a segment."""

    key: str
    label: str
    description: str = ""
    playbook: dict[str, str | int] = field(default_factory=dict)


def built(config: Config, settings: SegmentationSettings, account: str) -> Segmentation:
    """The object that fits and labels."""
    from connectors.money import exponent
    from segmentation.comparison import Kind
    from segmentation.frames import Segment
    from segmentation.label import segmentation

    currency = config.accounts[account].currency
    rules = [(Segment(one.key, one.label or one.key), rule) for one, rule in config.rules(settings, account)]
    attributes = {name: Kind(one.type, one.order) for name, one in config.accounts[account].attributes.items()}
    return segmentation(settings.kind, settings.options, currency, exponent(currency), rules, attributes)


def segments_of(config: Config, settings: SegmentationSettings) -> list[SegmentText]:
    """All segments in their order, with the labels, descriptions and playbooks of the config."""
    account = (settings.accounts or config.written)[0]
    own = {segment.key: segment for segment in settings.segments}
    texts = []
    for segment in built(config, settings, account).segments:
        said = own.get(segment.key)
        texts.append(
            SegmentText(
                segment.key,
                (said and said.label) or segment.label,
                (said and said.description) or segment.description,
                dict(said.playbook) if said else {},
            )
        )
    return texts
