"""Label: features as of a day, then every segmentation's segment for every record of its population.

For each segmentation the mirror holds ``labels_NAME`` (the state as of that day) and ``before_NAME`` (the
state before that day, from which labelling always starts, so that repeating a day changes nothing). The
journal keeps what each day changed; both tables can be rebuilt from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sync.account.segment_catalog import built
from sync.account.session import Session
from sync.config.config import Config
from sync.label.feature_frame import AccountFeatures
from sync.label.point_in_time import AccountPast
from sync.label.population import Population
from sync.log import stage
from sync.store.chunks import spans
from sync.store.journal import Journal
from sync.store.journal.models import Models
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror
from sync.store.test_contacts import TestLabels, remember

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.model_file import Model
    from segmentation.protocol import Segmentation
    from sync.config.settings import SegmentationSettings


@dataclass
class Labelled:
    """Sizes of segments as of a day, and what was fitted on the way."""

    as_of: date
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)  # segmentation → segment → records
    fitted: dict[str, int] = field(default_factory=dict)  # segmentation → version of the model fitted now

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        return asdict(self)


@stage("label")
def label(session: Session) -> Labelled:
    """Label as of ``session.as_of`` whatever is not labelled so already."""
    mirrors = session.all_mirrors()
    tested = _found(session.mirrors.before_a_change, mirrors[0], session.settings.test_contacts)
    labelled, features = Labelled(session.as_of), AccountFeatures(session)
    for settings in session.config.in_order(session.account):
        tables = LabelTables(mirrors[0], settings.name)
        key = partial(_key, session.config, settings, mirrors, session.journal.models, session.as_of)
        stamp = tables.stamp()
        if not stamp or stamp["key"] != key():
            session.mirrors.before_a_change()
            _label_one(session, features, settings, tables, key, labelled)
        labelled.sizes[settings.name] = tables.sizes()
    if tested:
        own = AccountFeatures(session, of_test_contacts=True)
        _label_test_contacts(session.config, session.journal, mirrors[0], own, session.as_of)
    session.mirrors.stage_ended()
    return labelled


@stage("train")
def train(session: Session, names: Sequence[str] = ()) -> dict[str, int]:
    """Fit every segmentation again as of ``session.as_of``, or those of ``names``; returns the new versions."""
    _found(session.mirrors.before_a_change, session.mirror(), session.settings.test_contacts)
    versions, features = {}, AccountFeatures(session)
    for settings in session.config.in_order(session.account):
        if names and settings.name not in names:
            continue
        session.progress(f"training {settings.title or settings.name}", 0, 0)
        segmentation = built(session.config, settings, session.account)
        population = features.population(settings, segmentation)
        model = fitted(segmentation, population, features.past(settings, segmentation))
        digest = session.config.digest(settings)
        versions[settings.name] = _saved(
            session.journal.models, session.account, settings.name, session.as_of, digest, model
        )
    return versions


def _key(
    config: Config,
    settings: SegmentationSettings,
    mirrors: Sequence[AccountMirror],
    models: Models,
    as_of: date,
) -> str | None:
    """All that decides the labels, as text; None where there is no fitting model yet."""
    model = models.latest(mirrors[0].name, settings.name)
    digest = config.digest(settings)
    if model is None or model.digest != digest:
        return None
    revisions = [mirror.revision() for mirror in mirrors]
    used = [_key(config, other, mirrors, models, as_of) for other in config.uses(settings)]
    asked = [settings.options.asked_values] if settings.value_fields else []
    return json.dumps([as_of.isoformat(), revisions, digest, model.version, settings.frozen, *used, *asked])


def _label_one(
    session: Session,
    features: AccountFeatures,
    settings: SegmentationSettings,
    tables: LabelTables,
    key: Callable[[], str | None],
    labelled: Labelled,
) -> None:
    """Label one segmentation. ``key`` tells what decides its labels, once it has a model."""
    from segmentation import model_file

    mirror, journal, name, as_of = session.mirror(), session.journal, settings.name, session.as_of
    titled, digest = settings.title or name, session.config.digest(settings)
    segmentation = built(session.config, settings, session.account)
    session.progress(f"labelling {titled}", 0, 0)
    population = features.population(settings, segmentation)
    stored = _stored(journal.models, session.account, name, digest)
    model = stored
    if model is None or model_file.blank(model):  # none yet, or it saw nobody and there may be somebody now
        session.progress(f"training {titled}", 0, 0)
        model = fitted(segmentation, population, features.past(settings, segmentation))
        if stored is None or not model_file.blank(model):
            labelled.fitted[name] = _saved(journal.models, session.account, name, as_of, digest, model)
    elif _lacks_values(segmentation, model) and not settings.frozen:
        past = features.past(settings, segmentation)
        model = _with_values(segmentation, population.some()[0], past, model)
        _saved(journal.models, session.account, name, as_of, digest, model)
    session.progress(f"labelling {titled}", 0, 0)
    with mirror.transaction():
        previous_as_of = tables.begin(journal.labels, as_of.isoformat())
        tomorrow = (as_of + timedelta(days=1)).isoformat()
        if not (settings.frozen and tables.keep(journal.labels, tomorrow, population.records())):
            give = _labelling(session.journal, session.account, name, segmentation, as_of)
            for position, (span, frame) in enumerate(population.chunks()):
                previous = tables.previous(span) if previous_as_of else None
                labels = give(frame, model, previous, previous_as_of, as_of)
                tables.store(labels, begun=position > 0)
        tables.with_values(settings.value_fields)
        journal.labels.save(session.account, name, as_of.isoformat(), tables.changed(spans(mirror)))
        tables.set_stamp(as_of.isoformat(), key())


def _labelling(
    journal: Journal, account: str, name: str, segmentation: Segmentation, as_of: date
) -> Callable[..., pd.DataFrame]:
    """How a day is labelled: otherwise where the labels that it starts from are of another model."""
    from segmentation.model_file import from_json, labels_alike
    from segmentation.takeover import first_labels

    now = journal.models.latest(account, name)
    labelled_at = journal.labels.saved_at(account, name, as_of.isoformat())
    then = journal.models.saved_by(account, name, labelled_at) if labelled_at else None
    if now is None or then is None or now.version == then.version:
        return segmentation.label
    alike = labels_alike(from_json(then.content), from_json(now.content))
    return segmentation.label if alike else partial(first_labels, segmentation)


def _found(before_a_change: Callable[[], None], mirror: AccountMirror, test_contacts: Sequence[str]) -> bool:
    """Find the test contacts, so that nothing counts them; whether there are any."""
    if test_contacts:
        before_a_change()
    return remember(mirror, test_contacts)


def _label_test_contacts(
    config: Config, journal: Journal, mirror: AccountMirror, features: AccountFeatures, as_of: date
) -> None:
    """Label the test contacts as all others are, by the same models, but apart from them."""
    for settings in config.in_order(mirror.name):
        segmentation = built(config, settings, mirror.name)
        model = _stored(journal.models, mirror.name, settings.name, config.digest(settings))
        tables = TestLabels(mirror, settings.name)
        if model is None or (settings.frozen and tables.exist):
            continue
        frame, _count = features.population(settings, segmentation).some()
        with mirror.transaction():
            previous_as_of = tables.begin(as_of.isoformat())
            previous = tables.every_previous() if previous_as_of else None
            give = _labelling(journal, mirror.name, settings.name, segmentation, as_of)
            tables.store(give(frame, model, previous, previous_as_of, as_of), begun=False)
            tables.with_values(settings.value_fields)


def fitted(segmentation: Segmentation, population: Population, past: AccountPast) -> Model:
    """A model of the population; of very many records it has ``seen`` a draw, and tells ``of`` how many."""
    from segmentation import model_file

    frame, count = population.some()
    model = segmentation.fit(frame, past.as_of, past)
    if len(frame) < count:
        model["seen"]["of"] = count
    return _with_values(segmentation, frame, past, model_file.from_json(model_file.to_json(model)))


def _lacks_values(segmentation: Segmentation, model: Mapping[str, Any]) -> bool:
    """Whether further values are asked for that the model was not made for."""
    asked = segmentation.asked_values
    return bool(asked) and model.get("values", {}).get("asked") != asked


def _with_values(segmentation: Segmentation, frame: pd.DataFrame, past: AccountPast, model: Model) -> Model:
    """The model with what further values need, where they are asked for; what labels hang on stays as it is."""
    from segmentation import model_file

    if not _lacks_values(segmentation, model):
        return model
    fitted_values = segmentation.fit_values(frame, model, past.as_of, past)
    values = {**fitted_values, "asked": dict(segmentation.asked_values)}
    return model_file.from_json(model_file.to_json({**model, "values": values}))


def _stored(models: Models, account: str, name: str, digest: str) -> Model | None:
    """The newest model, where it was fitted under these settings."""
    from segmentation import model_file

    stored = models.latest(account, name)
    return model_file.from_json(stored.content) if stored and stored.digest == digest else None


def _saved(models: Models, account: str, name: str, as_of: date, digest: str, model: Model) -> int:
    """Its version."""
    from segmentation import model_file

    return models.save(account, name, as_of.isoformat(), digest, model_file.to_json(model))
