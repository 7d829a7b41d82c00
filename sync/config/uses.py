"""What does an account have to read?

Only what some segmentation uses: of itself, and of accounts that draw its activity or attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from segmentation.kinds.base import MONEY

if TYPE_CHECKING:
    from segmentation.rules.logic import Rule
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings


def activity_types_used(config: Config, account: str) -> frozenset[str] | None:
    """Kinds of activity that some segmentation looks at; empty: none at all.

    None: not to be told, so all of them.
    """
    used_kinds: frozenset[str] = frozenset()
    for written, settings in _segmentations(config, account, activity=True):
        kinds = _kinds(config, settings, written)
        if kinds is None:
            return None
        used_kinds |= kinds
    return used_kinds


def types_used(config: Config, account: str) -> frozenset[str]:
    """Record types that have to be read.

    A company's activity is that of its contacts too. A lead that became a contact brings its consent and its
    history along, so leads are read wherever contacts are. Another account's activity and attributes are
    joined by its contacts.
    """
    types: set[str] = set()
    for written, settings in _segmentations(config, account):
        types.update(config.record_types(settings) if written == account else ("contact",))
    if "company" in types and activity_types_used(config, account) != frozenset():
        types.add("contact")
    if "contact" in types:
        types.add("lead")
    return frozenset(types)


def _segmentations(
    config: Config, account: str, activity: bool = False
) -> Iterator[tuple[str, SegmentationSettings]]:
    """Each segmentation that reads from an account, with the account that it is written to.

    ``activity``: only those that its activity counts for.
    """
    for name in config.writable:
        reader = config.accounts[name]
        if name == account or account in (reader.activity_from if activity else reader.joined):
            for settings in config.segmentations_of(name):
                yield name, settings


def _kinds(config: Config, settings: SegmentationSettings, account: str) -> frozenset[str] | None:
    types: frozenset[str] | None = settings.options.activity_types_used
    if types is None:
        return None
    population = config.population(settings, account)
    rules = [rule for _, rule in config.rules(settings, account)]
    rules += [population] if population is not None else []
    return types.union(*map(_of_rule, rules))


def _of_rule(rule: Rule) -> frozenset[str]:
    """Kinds of activity that a rule's features are made of. A feature that names no kind is about purchases."""
    kinds: set[str] = set()
    for leaf in rule.leaves():
        needs, subject = leaf.needs, getattr(leaf, "subject", None)
        named = {*needs.kinds, *needs.ages, *(("survey",) if needs.answers else ())}
        bare = subject is not None and not subject.attribute and not subject.segmentation and not named
        kinds |= named
        if bare or named & MONEY:
            kinds |= MONEY
    return frozenset(kinds)
