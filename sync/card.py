"""How good is each segmentation of an account, and is a refit worth it? Cards, and proposals that nobody has applied.

A card needs the days after an earlier day, so it fits and labels as of ``as_of`` minus the horizon, without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sync import consent
from sync.labelling import population_frame, rebuild_state
from sync.mirror import quoted
from sync.past import AccountPast
from sync.segments import built, segments_of
from sync.session import Session

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.label import Segmentation
    from segmentation.quality import Held
    from sync.settings import SegmentationSettings

DAYS = 90  # that a card looks back, where the kind has no horizon of its own
_RANKED = {
    "value": ("a", "b", "c"),
    "lifecycle": ("active", "at_risk", "dormant", "lost"),
    "response": ("likely", "possible", "unlikely"),
}


def cards(session: Session, composition: Sequence[str] = ()) -> dict[str, Any]:
    """Per segmentation its ``lines`` (``segmentation.quality``), why it ``falls``, and its ``composition`` by asked attributes.

    ``composition``: attributes whose shares are shown per segment, sensitive ones too.
    """
    from segmentation import models, quality

    found = {}
    for settings in session.config.in_order(session.account):
        stored = session.journal.model(session.account, settings.name)
        if stored is None or settings.kind == "rules":
            continue
        model = models.from_json(stored["content"])
        segmentation = built(session.config, settings, session.account)
        labels, baseline = _labels(session, settings.name), _baseline(session, settings.name, date.fromisoformat(stored["as_of"]))
        playbooks = [one.key for one in segments_of(session.config, settings) if one.playbook]
        held = _held(session, settings, segmentation, model)
        ranked = _RANKED.get(settings.kind, ())
        if getattr(settings.options, "absent", False):
            ranked = ranked[::-1]
        lines = quality.card(held, labels, model, ranked, _reachable(session, settings), playbooks, baseline)
        found[settings.name] = {"lines": quality.as_dicts(lines), "falls": quality.falls(lines)}
        names = [name for name in composition if name in session.settings.attributes]
        if names:
            found[settings.name]["composition"] = quality.composition(labels, _attributes(session, names))
    return found


def propose(session: Session, name: str) -> dict[str, Any]:
    """What fitting a segmentation anew would change; nothing is saved. ``crm-segments train`` applies it."""
    from segmentation import models, quality

    settings = next(one for one in session.segmentations if one.name == name)
    stored = session.journal.model(session.account, name)
    if stored is None:
        return {"note": f"segmentation {name} has no model yet; the next labelling fits one"}
    segmentation = built(session.config, settings, session.account)
    frame = population_frame(session, settings, segmentation)
    fresh = segmentation.fit(frame, session.as_of, AccountPast(session, settings, segmentation))
    before = _labels(session, name)
    after = segmentation.label(frame, models.from_json(models.to_json(fresh)), None, None, session.as_of)
    return quality.proposal(models.from_json(stored["content"]), fresh, before, after)


def _held(session: Session, settings: SegmentationSettings, segmentation: Segmentation, model: dict[str, Any]) -> Held | None:
    """A back-test as of the horizon ago; None where the past is too short."""
    from segmentation.quality import held

    days = int(model["figures"].get("days") or getattr(settings.options, "horizon_days", None) or DAYS)
    day = session.as_of - timedelta(days=days)
    past = AccountPast(session, settings, segmentation)
    if past.first is None or past.first > day - timedelta(days=days):
        return None
    return held(segmentation, past, day, days) if len(past.features(day)) else None


def _labels(session: Session, name: str) -> pd.DataFrame:
    return session.mirror().run(f"SELECT record, segment, score, since FROM {quoted('labels_' + name)} ORDER BY record").df()


def _baseline(session: Session, name: str, fitted: date) -> pd.DataFrame:
    """Labels as of the day of the fit, from the journal."""
    rebuild_state(session, name, (fitted + timedelta(days=1)).isoformat(), "baseline_" + name)
    table = quoted("baseline_" + name)
    frame = session.mirror().run(f"SELECT record, segment, score FROM {table} ORDER BY record").df()
    session.mirror().run(f"DROP TABLE {table}")
    return frame


def _reachable(session: Session, settings: SegmentationSettings) -> dict[str, float]:
    """Share of each segment that a campaign can reach; nothing is said where no campaign is meant."""
    if not settings.campaign:
        return {}
    consent.prepare(session)
    unknown = str(settings.unknown_reachable).lower()
    rows = session.mirror().rows(
        f"""SELECT segment, avg(coalesce({quoted("reachable." + settings.channel)}, {unknown})::INTEGER)
            FROM {quoted("labels_" + settings.name)} JOIN consents USING (record) GROUP BY segment"""
    )
    return {segment: float(share) for segment, share in rows}


def _attributes(session: Session, names: list[str]) -> pd.DataFrame:
    held = session.mirror().attributes()
    columns = [f"{quoted('attribute.' + name)} AS {quoted(name)}" for name in names if "attribute." + name in held]
    return session.mirror().run(f"SELECT {', '.join(['record', *columns])} FROM people ORDER BY record").df()
