"""What is known of each record on a day?

Attributes, features of what it did, and segments that other segmentations gave it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sync.account import rates
from sync.account.session import Session
from sync.consent.consent import Consent, consent_of
from sync.label.activity import AccountActivity
from sync.label.point_in_time import AccountPast
from sync.label.population import Population
from sync.label.spellings import account_needs, needs_of
from sync.store import activity_owner, lazy
from sync.store.features_table import keep_features, kept_features
from sync.store.joined import with_attributes
from sync.store.label_tables import LabelTables
from sync.store.mirror import literal, quoted
from sync.store.relation import Relation
from sync.store.scratch import remembered
from sync.store.test_contacts import wanted

if TYPE_CHECKING:
    import ibis

    from segmentation.protocol import Segmentation
    from sync.config.settings import SegmentationSettings

FORM = 2  # moves whenever other features come out of the same activity


class AccountFeatures:
    """The features of an account as of the day of a session, and what a segmentation reads of them: of customers, or
    of its test contacts alone, of which nothing is kept.
    """

    def __init__(self, session: Session, of_test_contacts: bool = False) -> None:
        self._session, self._of_test_contacts = session, of_test_contacts
        self._compiled: dict[str, dict[Hashable, Relation]] = {}

    @cached_property
    def consent(self) -> Consent:
        """What its people allow."""
        return consent_of(self._session.mirror(), self._session.joined())

    @cached_property
    def activity(self) -> AccountActivity:
        """What its records have done."""
        session = self._session
        return AccountActivity.of(session.config, session.mirror(), session.joined(), self._willing)

    @property
    def _willing(self) -> Relation:
        return self.consent.test_contacts if self._of_test_contacts else self.consent.people

    @property
    def revisions(self) -> list[int]:
        """Of the account and of all that it draws from: equal ones hold equal frames."""
        return [mirror.revision() for mirror in self._session.all_mirrors()]

    @cached_property
    def people(self) -> Relation:
        """Those who do not object, with all attributes that are known of them, other accounts' too."""
        session = self._session
        return with_attributes(session.mirror(), self._willing, session.joined())

    def table(self) -> Relation:
        """The features as of the day that the account's segmentations need; computed where something has
        changed.
        """
        session, activity = self._session, self.activity
        config, account, mirror = session.config, session.account, activity.mirror
        needs, foreign = account_needs(config, account), rates.foreign(config, account)
        money = [session.settings.currency, foreign, config.rates if foreign else {}]
        key = json.dumps(
            [
                session.as_of.isoformat(),
                [theirs.revision() for theirs in activity.mirrors],
                asdict(needs),
                config.labelled_types(account),
                [source.signature() for source in activity.joined],
                money,
                FORM,
            ]
        )
        kept = None if self._of_test_contacts else kept_features(mirror, key)
        if kept is not None:
            return kept
        from segmentation.features import features

        session.progress("computing features", 0, 0)
        people = lazy.table(mirror, activity.people)
        history = lazy.table(mirror, activity.rows(bool(needs.answers)))
        rows = lazy.rows_of(features(people, history, session.as_of, needs, activity.shape))
        if self._of_test_contacts:
            return remembered(mirror, "test_features", rows)
        return keep_features(mirror, rows, key)

    def frame(self, settings: SegmentationSettings, features: Relation) -> ibis.Table:
        """All that is known of the records of a population: attributes, features, and segments of the
        segmentations that it uses.
        """
        session, mirror, people = self._session, self.activity.mirror, self.people
        local = f"timezone({literal(session.settings.time_zone)}, created_at) AS created_at, {activity_owner.address_of('email')} AS email"
        columns = [f"people.* REPLACE ({local})", "features.* EXCLUDE (record)"]
        joins = f"JOIN ({features}) AS features USING (record)"
        for used in session.config.uses(settings):
            labels = self._labels(used.name)
            alias = quoted("labels_" + used.name)
            columns.append(f"{alias}.segment AS {quoted('segment.' + used.name)}")
            joins += f" LEFT JOIN ({labels}) AS {alias} ON {alias}.record = people.record"
        rows = Relation(f"SELECT {', '.join(columns)} FROM ({people}) AS people {joins}")
        everyone = lazy.table(mirror, rows)
        everyone = everyone.filter(everyone.record_type.isin(session.config.record_types(settings)))
        rule = session.config.population(settings, session.account)
        return everyone if rule is None else everyone.filter(rule.expression(everyone))

    def _labels(self, name: str) -> Relation:
        if self._of_test_contacts:
            return wanted(name)
        return LabelTables(self.activity.mirror, name).restored(self._session.journal.labels)

    def population(self, settings: SegmentationSettings, segmentation: Segmentation) -> Population:
        """The records of one segmentation."""
        frame = partial(self.frame, settings, self.table())
        return Population(self.activity.mirror, segmentation, frame)

    def past(self, settings: SegmentationSettings, segmentation: Segmentation) -> AccountPast:
        """What the segmentation sees of the days before."""
        session = self._session
        return AccountPast(
            segmentation=segmentation,
            activity=self.activity,
            needs=needs_of(session.config, session.account, settings),
            frame=partial(self.frame, settings),
            today=session.as_of,
            as_of=session.as_of,
            replaced=partial(self._model, settings),
            compiled=self._compiled.setdefault(settings.name, {}),
        )

    def _model(self, settings: SegmentationSettings) -> Mapping[str, Any] | None:
        """The newest model of a segmentation, whatever its settings were."""
        from segmentation import model_file

        stored = self._session.journal.models.latest(self._session.account, settings.name)
        try:
            return model_file.from_json(stored.content) if stored else None
        except ValueError:
            return None
