"""How good is each segmentation of an account, and is a refit worth it? Cards, and proposals that nobody has
applied.

A card needs the days after an earlier day, so it fits and labels as of ``as_of`` minus the horizon, without a
trace.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from connectors.schemas import ATTRIBUTE, SPELLING
from sync.account.segment_catalog import built, built_like, segments_of
from sync.account.session import Session
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.label.feature_frame import AccountFeatures
from sync.store.features_table import feature_names, kept_features
from sync.store.journal.models import StoredModel
from sync.store.label_tables import LabelTables, labels_of, states
from sync.store.mirror import literal, quoted

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.evaluation.backtest import Backtest
    from segmentation.evaluation.label_stability import Replay
    from segmentation.evaluation.scorecard import Today
    from sync.config.settings import SegmentationSettings

DAYS = 90  # that a card looks back, where the kind has no horizon of its own
_STEADY = ("lifecycle", "abc", "potential")  # kinds of which few moves and returns are promised
_RANKED = {
    "abc": ("a", "b", "c"),
    "potential": ("high", "medium", "low"),
    "lifecycle": ("active", "at_risk", "dormant", "lost"),
    "response": ("likely", "possible", "unlikely"),
}


def card(session: Session, names: Sequence[str] = (), composition: Sequence[str] = ()) -> dict[str, Any]:
    """What ``crm-segments evaluate`` tells: the cards of the latest labelling (of all segmentations, or of
    ``names``), and what campaigns with a control group changed. CommandError: a name that there is not, or nothing is
    labelled yet."""
    from sync.plan.control_groups import effects

    check_names(session, names)
    attributes = session.settings.attributes
    for name in composition:
        if name not in attributes:
            raise CommandError(
                f"account {session.account} has no attribute {name!r}: it has {', '.join(attributes) or 'none'}"
            )
    days = [
        day
        for day in (_labelled(session, settings.name) for settings in session.segmentations)
        if day is not None
    ]
    if not days:
        raise CommandError("nothing is labelled yet: `crm-segments label` does it")
    session = session.about(day=session.context.day or max(days))
    measured = (
        effects(session)
        if any(settings.control for settings in session.segmentations if not names or settings.name in names)
        else {}
    )
    measured = {
        target: effect
        for target, effect in measured.items()
        if not names or target.partition(".")[0] in names
    }
    return {"as_of": session.as_of, "cards": cards(session, composition, names), "effects": measured}


def check_names(session: Session, names: Sequence[str]) -> None:
    """CommandError: a name that no segmentation of the account has."""
    known_names = [settings.name for settings in session.segmentations]
    for name in names:
        if name not in known_names:
            raise CommandError(
                f"account {session.account} has no segmentation {name!r}: it has {', '.join(known_names)}"
            )


def cards(session: Session, composition: Sequence[str] = (), names: Sequence[str] = ()) -> dict[str, Any]:
    """Per segmentation its ``lines`` (``segmentation.evaluation.scorecard``), why it ``falls``, the ``migration`` since
    the labelling before (``segmentation.evaluation.migration``), and its ``composition`` by asked attributes.

    ``composition``: attributes whose shares are shown per segment, sensitive ones too. ``names``: only these
    segmentations.
    """
    from segmentation import model_file
    from segmentation.evaluation import scorecard

    cards_by_name = {}
    for settings in session.config.in_order(session.account):
        stored = session.journal.models.latest(session.account, settings.name)
        if (
            stored is None
            or (names and settings.name not in names)
            or _labelled(session, settings.name) is None
        ):
            continue
        session.progress(f"judging {settings.title or settings.name}", 0, 0)
        model = model_file.from_json(stored.content)
        ranked = _RANKED.get(settings.kind, ())
        if getattr(settings.options, "churn", False):
            ranked = ranked[::-1]
        today = _today(session, settings, stored, model)
        lines = scorecard.card(_held(session, settings, model), today, model, ranked)
        cards_by_name[settings.name] = {
            "lines": scorecard.as_dicts(lines),
            "falls": scorecard.retrain_reasons(lines),
            **_migration(session, settings.name),
        }
        shown = [name for name in composition if name in session.settings.attributes]
        if shown:
            cards_by_name[settings.name]["composition"] = scorecard.composition(
                today.labels, _attributes(session, shown)
            )
    return cards_by_name


def proposals(session: Session, names: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """``propose`` of all segmentations that learn, or of ``names``. CommandError: a name that there is not."""
    check_names(session, names)
    chosen = [
        settings.name
        for settings in session.config.in_order(session.account)
        if (settings.name in names if names else settings.kind != "rules")
    ]
    return {name: propose(session, name) for name in chosen}


def propose(session: Session, name: str) -> dict[str, Any]:
    """What fitting a segmentation again would change; nothing is saved. ``crm-segments train`` applies it.

    Both models label without memory, so that what moves is the refit's doing alone.
    """
    from segmentation import model_file
    from segmentation.evaluation import scorecard

    settings = next(candidate for candidate in session.segmentations if candidate.name == name)
    stored = session.journal.models.latest(session.account, name)
    if stored is None:
        return {"note": f"segmentation {name} has no model yet; the next labelling fits one"}
    segmentation = built(session.config, settings, session.account)
    features = AccountFeatures(session)
    frame, _ = features.population(settings, segmentation).some()
    fresh = segmentation.fit(frame, session.as_of, features.past(settings, segmentation))
    old = model_file.from_json(stored.content)
    try:
        before = segmentation.label(frame, old, None, None, session.as_of)
    except ValueError as other:
        return {"note": f"{other}: the config has changed since the fit, so the next labelling fits one"}
    after = segmentation.label(
        frame, model_file.from_json(model_file.to_json(fresh)), None, None, session.as_of
    )
    return scorecard.proposal(old, fresh, before, after)


def _today(
    session: Session, settings: SegmentationSettings, stored: StoredModel, model: Mapping[str, Any]
) -> Today:
    """What the card of today's labels looks at."""
    from segmentation.evaluation.scorecard import Today
    from sync.label.drift import UNLEARNED, shifted

    fitted = date.fromisoformat(stored.as_of)
    labels, baseline = _labels(session, settings.name), _baseline(session, settings.name, fitted)
    learns = settings.kind not in UNLEARNED
    return Today(
        labels,
        _reachable(session, settings),
        [segment.key for segment in segments_of(session.config, settings) if segment.playbook],
        baseline,
        shifted(session.mirror(), settings.name, stored, session.as_of) if learns else None,
        _newcomers(session, labels, baseline, fitted) if learns else None,
        _weeks(session, settings, model) if settings.kind in _STEADY else (None, {}),
    )


def _migration(session: Session, name: str) -> dict[str, Any]:
    """Where records went since the labelling before; nothing where there was none."""
    from segmentation.evaluation.migration import Migration

    tables = LabelTables(session.mirror(), name)
    if not tables.has_before():
        return {}
    return {"migration": Migration.of_counts(tables.moves()).to_dict()}


def _newcomers(
    session: Session, labels: pd.DataFrame, baseline: pd.DataFrame, fitted: date
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Labels of those whose first purchase lay in the days before the fit, and of those who came in as many
    days before today.
    """
    features = kept_features(session.mirror())
    if features is None or "first_purchase" not in feature_names(session.mirror()):
        return None
    span = min(max((session.as_of - fitted).days, 28), DAYS)
    newcomers = []
    for frame, day in ((baseline, fitted), (labels, session.as_of)):
        first, last = (literal((day - timedelta(days=days)).isoformat()) for days in (span, 0))
        new = f"SELECT record FROM ({features}) WHERE first_purchase > {first}::DATE AND first_purchase <= {last}::DATE"
        newcomers.append(frame[frame["record"].isin(session.mirror().run(new).df()["record"])])
    return newcomers[0], newcomers[1]


def _days(settings: SegmentationSettings, model: Mapping[str, Any]) -> int:
    """How far a kind looks ahead."""
    figures = model["figures"]
    return round(
        figures.get("days")
        or figures.get("horizon")
        or getattr(settings.options, "horizon_days", None)
        or DAYS
    )


def _held(session: Session, settings: SegmentationSettings, model: Mapping[str, Any]) -> Backtest | None:
    """A back-test as of the horizon ago; None where the past is too short, or the kind is not about buying."""
    from segmentation.evaluation.backtest import run_backtest

    if settings.kind in ("response", "offers"):
        return None
    days = _days(settings, model)
    day = session.as_of - timedelta(days=days)
    segmentation = built_like(session.config, settings, session.account, model["figures"])
    past = AccountFeatures(session).past(settings, segmentation)
    if past.first is None or past.first > day - timedelta(days=days):
        return None
    return run_backtest(segmentation, past, day, days) if len(past.features(day)) else None


def _weeks(
    session: Session, settings: SegmentationSettings, model: Mapping[str, Any]
) -> tuple[Replay | None, Mapping[str, float]]:
    """Twelve weeks before the horizon ago, played again under a model of their beginning, and what the memory
    of labels costs.
    """
    from segmentation.evaluation import label_stability

    days = _days(settings, model)
    until = session.as_of - timedelta(days=days)
    begin = label_stability.days(until)[0]
    segmentation = built_like(session.config, settings, session.account, model["figures"])
    past = AccountFeatures(session).past(settings, segmentation).few(label_stability.FEW)
    if (
        past.first is None
        or past.first > begin - timedelta(weeks=label_stability.WEEKS)
        or not len(past.features(begin))
    ):
        return None, {}
    fitted = segmentation.fit(past.features(begin), begin, past.until(begin))
    replayed = label_stability.replay(segmentation, fitted, past, until)
    if replayed is None:
        return None, {}
    return replayed, label_stability.cost(replayed, past.outcomes(until, days), settings.kind != "lifecycle")


def _labelled(session: Session, name: str) -> date | None:
    """The day of the latest labelling; labels that a new mirror lacks come back from the journal."""
    day = session.journal.labels.latest_day(session.account, name)
    if day is None:
        return None
    tables = LabelTables(session.mirror(), name)
    if not tables.exist:
        tables.restored(session.journal.labels)
        return date.fromisoformat(day)
    return date.fromisoformat(tables.stamp().get("as_of", day))


def _labels(session: Session, name: str) -> pd.DataFrame:
    return (
        session.mirror()
        .run(f"SELECT record, segment, score, since FROM ({labels_of(name)}) ORDER BY record")
        .df()
    )


def _baseline(session: Session, name: str, fitted: date) -> pd.DataFrame:
    """Labels as of the day of the fit, from the journal."""
    mirror, until = session.mirror(), (fitted + timedelta(days=1)).isoformat()
    with states(session.journal.labels, mirror, name, until) as rows:
        return mirror.run(f"SELECT record, segment, score FROM ({rows}) ORDER BY record").df()


def _reachable(session: Session, settings: SegmentationSettings) -> dict[str, float]:
    """Share of each segment that a campaign can reach; nothing is said where no campaign is meant."""
    if not settings.reachable_only:
        return {}
    consent = consent_of(session)
    unknown = str(settings.unknown_reachable).lower()
    rows = session.mirror().rows(
        f"""SELECT segment, avg(coalesce({quoted("reachable." + settings.channel)}, {unknown})::INTEGER)
            FROM ({labels_of(settings.name)}) JOIN ({consent.consents}) AS consents USING (record) GROUP BY segment"""
    )
    return {segment: float(share) for segment, share in rows}


def _spelled(name: str, columns: Collection[str]) -> str:
    """SQL of an attribute as people read it: values that are the same but for case and blanks as most of them
    are spelled.
    """
    key, spelling = quoted(ATTRIBUTE + name), quoted(SPELLING + name)
    if SPELLING + name not in columns:
        return key
    return f"coalesce(mode({spelling}) OVER (PARTITION BY {key}), {key})"


def _attributes(session: Session, names: list[str]) -> pd.DataFrame:
    attributes = session.mirror().attributes()
    columns = [
        f"{_spelled(name, session.mirror().columns('records'))} AS {quoted(name)}"
        for name in names
        if "attribute." + name in attributes
    ]
    return session.mirror().run(f"SELECT {', '.join(['record', *columns])} FROM people ORDER BY record").df()
