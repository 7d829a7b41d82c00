"""What do an account's segmentations look for in its activity, and how does that activity spell it?

Categories, surveys and their answers compare as texts in rules do: without case, blanks around and forms of
accents. Where some rows spell one otherwise than the config, they get the config's spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from connectors.values.folding import comparable
from sync.account.segment_catalog import built
from sync.store.activity_rows import Spellings, other_categories, other_surveys
from sync.store.mirror import AccountMirror
from sync.store.segment_figures import YEAR

if TYPE_CHECKING:
    from segmentation.feature_request import Needs
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings

_STAMP = "spellings"


def needs_of(config: Config, account: str, settings: SegmentationSettings) -> Needs:
    """The features that a segmentation and its population look at."""
    population = config.population(settings, account)
    needs = built(config, settings, account).needs
    return needs | population.needs() if population else needs


def account_needs(config: Config, account: str) -> Needs:
    """The features that all segmentations of the account look at, and the last year's that a report tells."""
    from segmentation.feature_request import Needs

    needs = Needs(windows=(YEAR,))
    for settings in config.segmentations_of(account):
        needs = needs | needs_of(config, account, settings)
    return needs


def categories_of(config: Config, account: str, needs: Needs) -> list[str]:
    """The categories that the account's segmentations name."""
    offered = {
        name
        for segmentation in config.segmentations_of(account)
        for name in segmentation.options.categories_used
    }
    return sorted({*needs.categories, *(name for name, _days in needs.shares), *offered})


def spellings(
    mirrors: Sequence[AccountMirror], categories: Sequence[str], surveys: Sequence[str]
) -> tuple[Spellings, Spellings]:
    """Pairs of a spelling in activity and the given one, of categories and of surveys; kept while nothing
    changes.
    """
    mirror = mirrors[0]
    key = [[theirs.revision() for theirs in mirrors], list(categories), list(surveys)]
    kept = json.loads(mirror.stamp(_STAMP) or "{}")
    if kept.get("key") != key:
        kept = {
            "key": key,
            "categories": _pairs(categories, other_categories(mirrors, categories)),
            "surveys": _pairs(surveys, other_surveys(mirrors, surveys)),
        }
        mirror.set_stamp(_STAMP, json.dumps(kept))
    return kept["categories"], kept["surveys"]


def _pairs(names: Iterable[str], texts: Iterable[str]) -> list[tuple[str, str]]:
    meant = {comparable(name): name for name in names}
    return sorted((text, meant[comparable(text)]) for text in texts if comparable(text) in meant)
