"""What would have been known on the day of a file of labels? Models and labels that never saw a later day.

A labelling may use a model of a later day than its own (``backfill`` does, so that segments stay comparable);
a file that somebody judges by what came afterwards may not. Here a model is the newest one that was created by
the day, or one fitted for files alone (``sync.label.file_models``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sync.account.segment_catalog import built
from sync.account.session import Session
from sync.config.config import Config
from sync.config.settings import SegmentationSettings
from sync.label.feature_frame import AccountFeatures
from sync.label.file_models import FileModels
from sync.label.label import fitted
from sync.label.population import Population
from sync.store.label_tables import LabelTables, StateTables

if TYPE_CHECKING:
    from segmentation.protocol import Segmentation

Fitted = tuple["Segmentation", Population, Mapping[str, Any]]  # what labels, whom, by which model


class AsKnownThen:
    """Of a session's day.

    What it has fitted for the forecasts of a file is kept in the mirror until the facts change.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._features = session, AccountFeatures(session)
        self._fitted: dict[str, Fitted] = {}
        self._tables: dict[str, StateTables] = {}

    def by(self, config: Config) -> AsKnownThen:
        """The same by a config with more segmentations; what is fitted by either serves both."""
        other = AsKnownThen(self._session.about(config=config))
        other._fitted, other._tables = self._fitted, self._tables
        return other

    def stored(self, settings: SegmentationSettings) -> dict[str, Any] | None:
        """The newest model of these settings that was created by the day."""
        from segmentation import model_file

        stored = self._session.journal.models.known_on(
            self._session.account,
            settings.name,
            self._session.config.digest(settings),
            self._session.as_of.isoformat(),
        )
        return model_file.from_json(stored.content) if stored else None

    def fitted(self, settings: SegmentationSettings) -> Fitted:
        """The stored model, or one fitted for the file alone, with what it labels."""
        digest = self._session.config.digest(settings)
        if digest not in self._fitted:
            segmentation = built(self._session.config, settings, self._session.account)
            population = self._features.population(settings, segmentation)
            model = self.stored(settings) or self._remembered(settings, segmentation, population)
            self._fitted[digest] = segmentation, population, model
        return self._fitted[digest]

    def tables(self, settings: SegmentationSettings, made_by: Fitted | None = None) -> StateTables:
        """Where the labels of a segmentation stand: those of the labelling, or those made for the file by
        ``made_by``.
        """
        if settings.name not in self._tables:
            labels = LabelTables(self._session.mirror(), settings.name)
            suits = labels.exist and self._knew_nothing_later(settings)
            self._tables[settings.name] = labels if suits else self._made(settings, made_by)
            self._session.progress(f"labels of {settings.title or settings.name}", 0, 0)
        return self._tables[settings.name]

    def _knew_nothing_later(self, settings: SegmentationSettings) -> bool:
        """Whether the labelling itself is by a model of no later day."""
        latest = self._session.journal.models.latest(self._session.account, settings.name)
        return (
            not settings.options.learns
            or settings.frozen
            or latest is None
            or latest.as_of <= self._session.as_of.isoformat()
        )

    def _made(self, settings: SegmentationSettings, made_by: Fitted | None) -> StateTables:
        """Labels for the file, which remember those of the file before."""
        from segmentation.model_file import blank
        from segmentation.takeover import first_labels

        mirror, as_of = self._session.mirror(), self._session.as_of
        key = [self._session.config.digest(settings), made_by[2]["settings"] if made_by else None]
        filed = FileModels(mirror, settings.name, json.dumps(key), as_of)
        kept = self.stored(settings)
        if kept is None or (made_by and made_by[2]["settings"] != kept["settings"]):
            kept = filed.model()
        segmentation, population, model = made_by or self._labeller(settings, kept)
        with mirror.transaction():
            if kept is None and not blank(model):
                filed.keep(model)
            previous_as_of = filed.tables.begin(as_of.isoformat())
            give = segmentation.label if kept else partial(first_labels, segmentation)
            for position, (span, frame) in enumerate(population.chunks()):
                previous = filed.tables.previous(span) if previous_as_of else None
                labels = give(frame, kept or model, previous, previous_as_of, as_of)
                filed.tables.store(labels, begun=position > 0)
        return filed.tables

    def _labeller(self, settings: SegmentationSettings, model: Mapping[str, Any] | None) -> Fitted:
        """What labels under a model; one that is fitted now where there is none."""
        if model is None:
            return self.fitted(settings)
        segmentation = built(self._session.config, settings, self._session.account)
        return segmentation, self._features.population(settings, segmentation), model

    def _remembered(
        self, settings: SegmentationSettings, segmentation: Segmentation, population: Population
    ) -> dict[str, Any]:
        """A model for the file alone; the same facts are learned from once."""
        from segmentation import model_file

        session, mirror = self._session, self._session.mirror()
        revisions = [session.mirror(name).revision() for name in session.sources()]
        key = json.dumps([session.as_of.isoformat(), revisions, session.config.digest(settings)])
        stamp = "file:" + settings.name
        kept, _, content = (mirror.stamp(stamp) or "").partition("\n")
        if kept == key:
            return model_file.from_json(content)
        session.progress(f"training {settings.title or settings.kind} for the file", 0, 0)
        model = fitted(segmentation, population, self._features.past(settings, segmentation))
        mirror.set_stamp(stamp, f"{key}\n{model_file.to_json(model)}")
        return model
