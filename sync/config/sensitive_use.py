"""Which sensitive attributes does a segmentation look at, by itself or by others that it uses?

Ad platforms take no audience that stands on them:
https://support.google.com/adspolicy/answer/143465 and https://transparency.meta.com/policies/ad-standards/
"""

from __future__ import annotations

from sync.config.config import Config
from sync.config.settings import SegmentationSettings


def sensitive_attributes(config: Config, account: str, settings: SegmentationSettings) -> list[str]:
    """Their names, in order; those of the segmentations that its rules mention are among them."""
    from segmentation.sensitive import sensitive

    known = config.accounts[account].known_attributes
    names = {name for each in _with_used(config, settings) for name in _looked_at(config, account, each)}
    return sorted(
        name
        for name in names
        if sensitive(name) or (name in known and (known[name].sensitive or sensitive(known[name].field)))
    )


def _with_used(config: Config, settings: SegmentationSettings) -> list[SegmentationSettings]:
    """A segmentation and all that it uses; a config has no circle of them."""
    return [settings, *(each for used in config.uses(settings) for each in _with_used(config, used))]


def _looked_at(config: Config, account: str, settings: SegmentationSettings) -> set[str]:
    from segmentation.kinds.base import LearningKind

    population = config.population(settings, account)
    rules = [rule for _, rule in config.rules(settings, account)] + ([population] if population else [])
    names = {name for rule in rules for name in rule.attributes()}
    return names | set(settings.options.learned if isinstance(settings.options, LearningKind) else ())
