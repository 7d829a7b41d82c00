"""Do the rules do what they are meant to?

Coverage of each attribute, how many records each rule takes, and which never get one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.label.feature_frame import AccountFeatures
from sync.store import lazy

if TYPE_CHECKING:
    from sync.config.config import Config
    from sync.config.settings import SegmentationSettings


def explain(session: Session) -> dict[str, Any]:
    """Per segmentation, of its population: ``records``, ``coverage`` (attribute → share that has it),
    ``rules`` (by priority: ``key``, ``holds``, ``fires`` (no earlier rule held), ``overlaps`` (the earlier
    rule that holds wherever this one does)), ``no_rule`` (records that no rule holds)."""
    features, config, account = AccountFeatures(session), session.config, session.account
    return {
        settings.name: explained(features, config, account, settings) for settings in config.in_order(account)
    }


def explained(
    features: AccountFeatures, config: Config, account: str, settings: SegmentationSettings
) -> dict[str, Any]:
    """The same of one segmentation."""
    from segmentation.rules.coverage import counts, findings

    attributes = config.accounts[account].known_attributes
    rules = [(segment.key, rule) for segment, rule in config.rules(settings, account)]
    query = counts(features.frame(settings, features.table()), attributes, [rule for _, rule in rules])
    row = features.activity.mirror.run(lazy.rows_of(query).sql).to_arrow_table().to_pylist()[0]
    return findings(row, list(attributes), [key for key, _ in rules])
