"""What has each record of an account done?

Activity of its own, of accounts that it draws from, of its contacts, in the account's currency and as the
config spells it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sync.account import rates
from sync.config.config import Config
from sync.label.spellings import account_needs, categories_of, spellings
from sync.store import activity_rows
from sync.store.joined import Joined
from sync.store.mirror import AccountMirror
from sync.store.purchases import may_have_order_lines, may_have_refunds
from sync.store.relation import Relation

if TYPE_CHECKING:
    from segmentation.feature_request import Shape
    from sync.config.settings import AccountSettings


@dataclass(frozen=True)
class AccountActivity:
    """The activity of an account's records, on any day."""

    mirror: AccountMirror  # the account's own
    joined: Sequence[Joined]  # the accounts whose activity it uses
    people: Relation  # records that may be looked at
    settings: AccountSettings
    in_currency: Callable[
        [AccountMirror, Relation], Relation
    ]  # activity of a mirror in the account's currency
    has_companies: bool  # whether companies are labelled, so that what their contacts did is theirs too
    categories: Sequence[str]  # that segmentations name
    surveys: Sequence[str]

    @classmethod
    def of(
        cls, config: Config, mirror: AccountMirror, joined: Sequence[Joined], people: Relation
    ) -> AccountActivity:
        """The activity that an account's segmentations look at."""
        account = mirror.name
        needs = account_needs(config, account)
        return cls(
            mirror=mirror,
            joined=[source for source in joined if source.activity],
            people=people,
            settings=config.accounts[account],
            in_currency=partial(rates.converted, config, account),
            has_companies="company" in config.labelled_types(account),
            categories=categories_of(config, account, needs),
            surveys=needs.answers,
        )

    @property
    def mirrors(self) -> list[AccountMirror]:
        """The account's own, then those of the accounts that it draws from."""
        return [self.mirror, *(source.mirror for source in self.joined)]

    def rows(self, answers: bool, recorded_by: str = "") -> Relation:
        """All activity of the records; with an earlier day (in SQL) only what was recorded by the end of it.

        With ``answers`` it has the columns that answers and touches need, too.
        """
        ours, zone = self.mirror, self.settings.time_zone
        counted = [activity_rows.counted(mirror, recorded_by, zone) for mirror in self.mirrors]
        rows = [activity_rows.of_records(ours, counted[0], answers)]
        for source, activity in zip(self.joined, counted[1:], strict=True):
            money = self.in_currency(source.mirror, activity)
            rows.append(activity_rows.of_joined(ours, source, money, answers))
        if self.has_companies:
            shared_whole = self.settings.deal_share == "full"
            activity = activity_rows.together_with_companies(ours, rows, self.people, shared_whole)
        else:
            activity = activity_rows.together(rows)
        categories, surveys = spellings(self.mirrors, self.categories, self.surveys)
        known_answers = activity_rows.survey_answers(self.mirrors) if answers and self.surveys else None
        return activity_rows.respelled(activity, categories, surveys if answers else (), known_answers)

    @property
    def shape(self) -> Shape:
        """What is known of the activity that spares work."""
        from segmentation.feature_request import Shape

        return Shape(
            order_lines=any(map(may_have_order_lines, self.mirrors)) or self.has_companies,
            refunds=any(map(may_have_refunds, self.mirrors)),
        )
