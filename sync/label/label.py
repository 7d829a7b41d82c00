"""Label: features as of a day, then every segmentation's segment for every record of its population.

For each segmentation the mirror holds ``labels_NAME`` (the state as of that day) and ``before_NAME`` (the state before
that day, from which labelling always starts, so that repeating a day changes nothing). The journal keeps what each day
changed; both tables can be rebuilt from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync.account.segments import built
from sync.account.session import Session
from sync.label.facts import population_frame
from sync.label.past import AccountPast
from sync.label.state import changed, prepare_before, rebuild_state, store
from sync.store.mirror import quoted

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.label import Segmentation
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


def label(session: Session) -> Labelled:
    """Label as of ``session.as_of`` whatever is not labelled so already."""
    labelled = Labelled(session.as_of)
    for settings in session.config.in_order(session.account):
        name = settings.name
        if not _up_to_date(session, settings):
            _label_one(session, settings, labelled)
        rows = session.mirror().rows(f"SELECT segment, count(*) FROM {quoted('labels_' + name)} GROUP BY segment ORDER BY segment")
        labelled.sizes[name] = dict(rows)
    return labelled


def train(session: Session, names: Sequence[str] = ()) -> dict[str, int]:
    """Fit every segmentation anew as of ``session.as_of``, or those of ``names``; returns the new versions."""
    versions = {}
    for settings in session.config.in_order(session.account):
        if names and settings.name not in names:
            continue
        session.progress(f"fitting {settings.label or settings.name}", 0, 0)
        segmentation = built(session.config, settings, session.account)
        versions[settings.name] = _fit(session, settings, segmentation, population_frame(session, settings, segmentation))
    return versions


def _key(session: Session, settings: SegmentationSettings) -> str | None:
    """All that decides the labels, as text; None where there is no fitting model yet."""
    model = session.journal.model(session.account, settings.name)
    digest = session.config.digest(settings)
    if model is None or model["digest"] != digest:
        return None
    revisions = [session.mirror(name).revision() for name in session.sources()]
    used = [_key(session, one) for one in session.config.uses(settings)]
    return json.dumps([session.as_of.isoformat(), revisions, digest, model["version"], settings.frozen, *used])


def _up_to_date(session: Session, settings: SegmentationSettings) -> bool:
    stamp = session.mirror().stamp("labels:" + settings.name)
    return stamp is not None and json.loads(stamp)["key"] == _key(session, settings)


def _label_one(session: Session, settings: SegmentationSettings, labelled: Labelled) -> None:
    mirror, name, as_of = session.mirror(), settings.name, session.as_of
    session.progress(f"labelling {settings.label or name}", 0, 0)
    segmentation = built(session.config, settings, session.account)
    frame = population_frame(session, settings, segmentation)
    model = session.journal.model(session.account, name)
    if model is None or model["digest"] != session.config.digest(settings):
        labelled.fitted[name] = _fit(session, settings, segmentation, frame)
        model = session.journal.model(session.account, name)
        assert model is not None
    from segmentation import models

    fitted = models.from_json(model["content"])
    with mirror.transaction():
        kept = _kept(session, name, frame) if settings.frozen else None
        previous_as_of = prepare_before(session, name)
        previous = mirror.run(f"SELECT * FROM {quoted('before_' + name)}").df() if previous_as_of else None
        labels = segmentation.label(frame, fitted, previous, previous_as_of, as_of) if kept is None else kept
        store(mirror, name, labels)
        session.journal.save_labels(session.account, name, as_of.isoformat(), changed(mirror, name))
        mirror.set_stamp("labels:" + name, json.dumps({"as_of": as_of.isoformat(), "key": _key(session, settings)}))


def _kept(session: Session, name: str, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The latest labels up to the day, of the records that are still in the population; None where there are none."""
    mirror, table = session.mirror(), "kept_" + name
    rebuild_state(session, name, (session.as_of + timedelta(days=1)).isoformat(), table)
    kept = mirror.run(f"SELECT * FROM {quoted(table)}").df()
    mirror.run(f"DROP TABLE {quoted(table)}")
    return kept[kept["record"].isin(frame["record"])].reset_index(drop=True) if len(kept) else None


def _fit(session: Session, settings: SegmentationSettings, segmentation: Segmentation, frame: pd.DataFrame) -> int:
    from segmentation import models

    content = models.to_json(segmentation.fit(frame, session.as_of, AccountPast(session, settings, segmentation)))
    return session.journal.save_model(session.account, settings.name, session.as_of.isoformat(), session.config.digest(settings), content)
