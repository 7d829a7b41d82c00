"""Label: features as of a day, then every segmentation's segment for every record of its population.

For each segmentation the mirror holds ``labels_NAME`` (the state as of that day) and ``before_NAME`` (the
state before that day, from which labelling always starts, so that repeating a day changes nothing). The
journal keeps what each day changed; both tables can be rebuilt from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.account.segment_catalog import built
from sync.account.session import Session
from sync.label.chunks import Span, spans, within
from sync.label.label_store import changed, keep, prepare_before, rebuild_state, store
from sync.label.point_in_time import AccountPast
from sync.label.population import Population
from sync.log import stage
from sync.store.mirror import AccountMirror, quoted

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
    labelled = Labelled(session.as_of)
    for settings in session.config.in_order(session.account):
        name = settings.name
        if not _up_to_date(session, settings):
            _label_one(session, settings, labelled)
        rows = session.mirror().rows(
            f"SELECT segment, count(*) FROM {quoted('labels_' + name)} GROUP BY segment ORDER BY segment"
        )
        labelled.sizes[name] = dict(rows)
    return labelled


@stage("train")
def train(session: Session, names: Sequence[str] = ()) -> dict[str, int]:
    """Fit every segmentation again as of ``session.as_of``, or those of ``names``; returns the new versions."""
    versions = {}
    for settings in session.config.in_order(session.account):
        if names and settings.name not in names:
            continue
        session.progress(f"fitting {settings.title or settings.name}", 0, 0)
        segmentation = built(session.config, settings, session.account)
        model = fitted(session, settings, segmentation, Population(session, settings, segmentation))
        versions[settings.name] = _saved(session, settings, model)
    return versions


def _key(session: Session, settings: SegmentationSettings) -> str | None:
    """All that decides the labels, as text; None where there is no fitting model yet."""
    model = session.journal.models.latest(session.account, settings.name)
    digest = session.config.digest(settings)
    if model is None or model.digest != digest:
        return None
    revisions = [session.mirror(name).revision() for name in session.sources()]
    used = [_key(session, other) for other in session.config.uses(settings)]
    return json.dumps([session.as_of.isoformat(), revisions, digest, model.version, settings.frozen, *used])


def _up_to_date(session: Session, settings: SegmentationSettings) -> bool:
    stamp = session.mirror().stamp("labels:" + settings.name)
    return stamp is not None and json.loads(stamp)["key"] == _key(session, settings)


def _label_one(session: Session, settings: SegmentationSettings, labelled: Labelled) -> None:
    mirror, name, as_of = session.mirror(), settings.name, session.as_of.isoformat()
    segmentation = built(session.config, settings, session.account)
    session.progress(f"labelling {settings.title or name}", 0, 0)
    population = Population(session, settings, segmentation)
    model = _model(session, settings, segmentation, population, labelled)
    session.progress(f"labelling {settings.title or name}", 0, 0)
    with mirror.transaction():
        kept = settings.frozen and _kept(session, name, population)
        previous_as_of = prepare_before(session, name)
        if kept:
            keep(mirror, name, population.records())
        else:
            for position, (span, frame) in enumerate(population.chunks()):
                previous = previous_of(mirror, "before_" + name, span) if previous_as_of else None
                labels = segmentation.label(frame, model, previous, previous_as_of, session.as_of)
                store(mirror, "labels_" + name, labels, begun=position > 0)
        session.journal.labels.save(session.account, name, as_of, changed(mirror, name, spans(mirror)))
        mirror.set_stamp("labels:" + name, json.dumps({"as_of": as_of, "key": _key(session, settings)}))


def previous_of(mirror: AccountMirror, table: str, span: Span) -> pd.DataFrame:
    """A span of a state table, for labelling to start from."""
    return mirror.run(f"SELECT * FROM {quoted(table)} WHERE {within(span)} ORDER BY record").df()


def _kept(session: Session, name: str, population: Population) -> bool:
    """Make ``kept_NAME`` the latest labels up to the day; False where there are none."""
    table = "kept_" + name
    rebuild_state(session, name, (session.as_of + timedelta(days=1)).isoformat(), table)
    return bool(session.mirror().value(f"SELECT count(*) FROM {quoted(table)}"))


def _model(
    session: Session,
    settings: SegmentationSettings,
    segmentation: Segmentation,
    population: Population,
    labelled: Labelled,
) -> Model:
    """The stored model; where there is none for these settings, or one that saw nobody and there is somebody
    now, a new one.
    """
    from segmentation import model_file

    stored = session.journal.models.latest(session.account, settings.name)
    if stored is not None and stored.digest == session.config.digest(settings):
        model = model_file.from_json(stored.content)
        if not model_file.blank(model):
            return model
    else:
        stored = None
    session.progress(f"fitting {settings.title or settings.name}", 0, 0)
    model = fitted(session, settings, segmentation, population)
    if stored is None or not model_file.blank(model):
        labelled.fitted[settings.name] = _saved(session, settings, model)
    return model


def fitted(
    session: Session, settings: SegmentationSettings, segmentation: Segmentation, population: Population
) -> Model:
    """A model of the population; of very many records it has ``seen`` a draw, and tells ``of`` how many."""
    from segmentation import model_file

    frame, count = population.some()
    model = segmentation.fit(frame, session.as_of, AccountPast(session, settings, segmentation))
    if len(frame) < count:
        model["seen"]["of"] = count
    return model_file.from_json(model_file.to_json(model))


def _saved(session: Session, settings: SegmentationSettings, model: Model) -> int:
    """Its version."""
    from segmentation import model_file

    digest = session.config.digest(settings)
    return session.journal.models.save(
        session.account, settings.name, session.as_of.isoformat(), digest, model_file.to_json(model)
    )
