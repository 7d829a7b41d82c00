"""How good is each segmentation of an account, and is a refit worth it? Cards, and proposals that nobody has
applied.

A card needs the days after an earlier day, so it fits and labels as of ``as_of`` minus the horizon, without a
trace. That is costly: a card is computed when somebody asks for it, and the mirror keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from connectors.schemas import REACHABLE
from sync.account.segment_catalog import built, built_like, segments_of
from sync.account.session import Session
from sync.config.config import Config
from sync.consent.consent import Consent
from sync.context import Progress, silent
from sync.exit_codes import CommandError
from sync.label.feature_frame import AccountFeatures
from sync.store.features_table import bought_first_within
from sync.store.journal import Journal
from sync.store.journal.labels import Labels
from sync.store.journal.models import Models, StoredModel
from sync.store.kept_scorecards import KeptScorecard, keep_scorecard, kept_scorecard
from sync.store.label_tables import LabelTables, labels_of, states
from sync.store.mirror import AccountMirror
from sync.store.record_columns import shown_attributes
from sync.store.segment_figures import reachable_shares, scored

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.evaluation.backtest import Backtest
    from segmentation.evaluation.label_stability import Replay
    from segmentation.evaluation.scorecard import Today
    from sync.config.settings import SegmentationSettings

DAYS = 90  # that a card looks back, where the kind has no horizon of its own
FORM = 2  # moves whenever another card comes out of the same facts


def card(session: Session, names: Sequence[str] = (), composition: Sequence[str] = ()) -> dict[str, Any]:
    """What ``crm-segments evaluate`` tells: the cards of the latest labelling (of all segmentations, or of
    ``names``), and what campaigns with a control group changed. CommandError: a name that there is not, or nothing is
    labelled yet."""
    from sync.views.campaign_effects import effects

    check_names(session.account, session.segmentations, names)
    attributes = session.settings.known_attributes
    for name in composition:
        if name not in attributes:
            raise CommandError(
                f"account {session.account} has no attribute {name!r}: it has {', '.join(attributes) or 'none'}"
            )
    days = [
        day
        for day in (
            _labelled(session.mirror(), session.journal, settings.name) for settings in session.segmentations
        )
        if day is not None
    ]
    if not days:
        raise CommandError("there are no segments yet: run `crm-segments label` first")
    session = session.about(day=session.context.day or max(days))
    features = AccountFeatures(session)
    measured = (
        effects(features, session.config, session.journal.labels, session.as_of)
        if any(settings.control for settings in session.segmentations if not names or settings.name in names)
        else {}
    )
    measured = {
        target: effect
        for target, effect in measured.items()
        if not names or target.partition(".")[0] in names
    }
    judged = cards(features, session.config, session.journal, session.as_of, session.progress, names)
    for name, shares in compositions(features, session.config, judged, composition).items():
        judged[name]["composition"] = shares
    return {"as_of": session.as_of, "cards": judged, "effects": measured}


def check_names(account: str, segmentations: Sequence[SegmentationSettings], names: Sequence[str]) -> None:
    """CommandError: a name that no segmentation of the account has."""
    of_account = [settings.name for settings in segmentations]
    for name in names:
        if name not in of_account:
            raise CommandError(
                f"account {account} has no segmentation {name!r}: it has {', '.join(of_account)}"
            )


def cards(
    features: AccountFeatures,
    config: Config,
    journal: Journal,
    as_of: date,
    progress: Progress = silent,
    names: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:
    """Per segmentation (of all, or of ``names``) its ``lines`` (``segmentation.evaluation.scorecard``), why it
    ``falls``, and the ``migration`` since the labelling before (``segmentation.evaluation.migration``). What is kept of
    the same facts is not computed again.
    """
    cards_by_name, mirror = {}, features.activity.mirror
    for settings, stored in _judged(features, config, journal):
        if names and settings.name not in names:
            continue
        facts, kept = _facts(features, settings, stored, as_of), kept_scorecard(mirror, settings.name)
        if kept is None or kept.facts != facts:
            progress(f"judging {settings.title or settings.name}", 0, 0)
            computed = _card(features, config, journal.labels, settings, stored, as_of)
            kept = keep_scorecard(mirror, settings.name, KeptScorecard(as_of.isoformat(), facts, computed))
        cards_by_name[settings.name] = kept.card
    return cards_by_name


def kept_cards(
    features: AccountFeatures, config: Config, journal: Journal, as_of: date
) -> dict[str, dict[str, Any]]:
    """The cards that were computed before, as ``cards`` gives them, each with ``as_of``, the day that it is of;
    ``current`` false: labels, model or data have changed since.
    """
    kept = {
        settings.name: (kept_scorecard(features.activity.mirror, settings.name), settings, stored)
        for settings, stored in _judged(features, config, journal)
    }
    return {
        name: {
            **card.card,
            "as_of": card.as_of,
            "current": card.facts == _facts(features, settings, stored, as_of),
        }
        for name, (card, settings, stored) in kept.items()
        if card is not None
    }


def _judged(
    features: AccountFeatures, config: Config, journal: Journal
) -> Iterator[tuple[SegmentationSettings, StoredModel]]:
    """Segmentations that have labels and a model."""
    mirror = features.activity.mirror
    for settings in config.in_order(mirror.name):
        stored = journal.models.latest(mirror.name, settings.name)
        if stored is not None and _labelled(mirror, journal, settings.name) is not None:
            yield settings, stored


def _facts(
    features: AccountFeatures, settings: SegmentationSettings, stored: StoredModel, as_of: date
) -> str:
    """A digest of all that a card is computed from."""
    mirror, name = features.activity.mirror, settings.name
    facts = [
        FORM,
        as_of.isoformat(),
        settings.model_dump(mode="json"),
        stored.version,
        stored.content,
        *(mirror.stamp(f"{state}:{name}") for state in ("labels", "before")),
        *features.revisions,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _card(
    features: AccountFeatures,
    config: Config,
    kept: Labels,
    settings: SegmentationSettings,
    stored: StoredModel,
    as_of: date,
) -> dict[str, Any]:
    from segmentation import model_file
    from segmentation.evaluation import scorecard

    model = model_file.from_json(stored.content)
    today = _today(features, kept, config, settings, stored, model, as_of)
    past = _backtest(features, config, settings, model, as_of)
    lines = scorecard.card(settings.options, past, today, model)
    return {
        "lines": scorecard.as_dicts(lines),
        "falls": scorecard.retrain_reasons(lines, today.age),
        **_migration(features.activity.mirror, settings.name),
    }


def compositions(
    features: AccountFeatures, config: Config, names: Iterable[str], attributes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Per segmentation of ``names`` and asked attribute the shares of its values in each segment, those of
    sensitive attributes too; nothing where no attribute of the account is asked for.
    """
    from segmentation.evaluation import scorecard

    mirror = features.activity.mirror
    shown = [name for name in attributes if name in config.accounts[mirror.name].known_attributes]
    if not shown:
        return {}
    values = shown_attributes(mirror, features.people, shown)
    return {name: scorecard.composition(scored(mirror, labels_of(name)), values) for name in names}


def proposals(
    features: AccountFeatures, config: Config, models: Models, as_of: date, names: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What a refit would change, of all segmentations that learn, or of ``names``."""
    account = features.activity.mirror.name
    return {
        settings.name: _proposal(features, config, settings, models.latest(account, settings.name), as_of)
        for settings in config.in_order(account)
        if (settings.name in names if names else settings.options.learns)
    }


def _proposal(
    features: AccountFeatures,
    config: Config,
    settings: SegmentationSettings,
    stored: StoredModel | None,
    as_of: date,
) -> dict[str, Any]:
    """What fitting a segmentation again would change; nothing is saved. ``crm-segments train`` applies it.

    Both models label without memory, so that what moves is the refit's doing alone.
    """
    from segmentation import model_file
    from segmentation.evaluation import scorecard

    if stored is None:
        return {"note": f"segmentation {settings.name} has no model yet; the next labelling fits one"}
    segmentation = built(config, settings, features.activity.mirror.name)
    frame, _ = features.population(settings, segmentation).some()
    fresh = segmentation.fit(frame, as_of, features.past(settings, segmentation))
    old = model_file.from_json(stored.content)
    try:
        before = segmentation.label(frame, old, None, None, as_of)
    except ValueError as other:
        return {"note": f"{other}: the config has changed since the fit, so the next labelling fits one"}
    after = segmentation.label(frame, model_file.from_json(model_file.to_json(fresh)), None, None, as_of)
    return scorecard.proposal(old, fresh, before, after)


def _today(
    features: AccountFeatures,
    kept: Labels,
    config: Config,
    settings: SegmentationSettings,
    stored: StoredModel,
    model: Mapping[str, Any],
    as_of: date,
) -> Today:
    """What the card of today's labels looks at."""
    from segmentation.evaluation.scorecard import Today
    from sync.label.drift import shifted

    mirror, fitted = features.activity.mirror, date.fromisoformat(stored.as_of)
    labels = scored(mirror, labels_of(settings.name))
    with states(kept, mirror, settings.name, (fitted + timedelta(days=1)).isoformat()) as rows:
        baseline = scored(mirror, rows)[["record", "segment", "score"]]
    kind = settings.options
    return Today(
        labels,
        _reachable(mirror, features.consent, settings) if settings.reachable_only else {},
        [segment.key for segment in segments_of(config, settings) if segment.playbook],
        baseline,
        shifted(mirror, settings.name, stored, as_of) if kind.learns else None,
        _newcomers(mirror, labels, baseline, fitted, as_of) if kind.learns else None,
        _weeks(features, config, settings, model, as_of) if kind.judgement.steady else (None, {}),
        max((as_of - fitted).days, 0),
    )


def _migration(mirror: AccountMirror, name: str) -> dict[str, Any]:
    """Where records went since the labelling before; nothing where there was none."""
    from segmentation.evaluation.migration import Migration

    tables = LabelTables(mirror, name)
    if not tables.has_before():
        return {}
    return {"migration": Migration.of_counts(tables.moves()).to_dict()}


def _newcomers(
    mirror: AccountMirror, labels: pd.DataFrame, baseline: pd.DataFrame, fitted: date, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Labels of those whose first purchase lay in the days before the fit, and of those who came in as many
    days before today.
    """
    span = timedelta(days=min(max((as_of - fitted).days, 28), DAYS))
    then, now = (bought_first_within(mirror, day - span, day) for day in (fitted, as_of))
    if then is None or now is None:
        return None
    return baseline[baseline["record"].isin(then)], labels[labels["record"].isin(now)]


def _days(settings: SegmentationSettings, model: Mapping[str, Any]) -> int:
    """How far a kind looks ahead."""
    figures = model["figures"]
    return round(figures.get("days") or figures.get("horizon") or settings.options.days_ahead or DAYS)


def _backtest(
    features: AccountFeatures,
    config: Config,
    settings: SegmentationSettings,
    model: Mapping[str, Any],
    as_of: date,
) -> Backtest | None:
    """A back-test as of the horizon ago; None where the past is too short, or the kind is not about buying."""
    from segmentation.evaluation.backtest import run_backtest

    if not settings.options.judgement.by_purchases:
        return None
    days = _days(settings, model)
    day = as_of - timedelta(days=days)
    segmentation = built_like(config, settings, features.activity.mirror.name, model["figures"])
    past = features.past(settings, segmentation)
    if past.first is None or past.first > day - timedelta(days=days):
        return None
    return run_backtest(segmentation, past, day, days) if len(past.features(day)) else None


def _weeks(
    features: AccountFeatures,
    config: Config,
    settings: SegmentationSettings,
    model: Mapping[str, Any],
    as_of: date,
) -> tuple[Replay | None, Mapping[str, float]]:
    """Twelve weeks before the horizon ago, played again under a model of their beginning, and what the memory
    of labels costs.
    """
    from segmentation.evaluation import label_stability

    days = _days(settings, model)
    until = as_of - timedelta(days=days)
    begin = label_stability.days(until)[0]
    segmentation = built_like(config, settings, features.activity.mirror.name, model["figures"])
    past = features.past(settings, segmentation).few(label_stability.FEW)
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
    by_revenue = settings.options.judgement.by_revenue
    return replayed, label_stability.cost(replayed, past.outcomes(until, days), by_revenue)


def _labelled(mirror: AccountMirror, journal: Journal, name: str) -> date | None:
    """The day of the latest labelling; labels that a new mirror lacks come back from the journal."""
    day = journal.labels.latest_day(mirror.name, name)
    if day is None:
        return None
    tables = LabelTables(mirror, name)
    if not tables.exist:
        tables.restored(journal.labels)
        return date.fromisoformat(day)
    return date.fromisoformat(tables.stamp().get("as_of", day))


def _reachable(mirror: AccountMirror, consent: Consent, settings: SegmentationSettings) -> dict[str, float]:
    """Share of each segment that a campaign can reach."""
    channel, unknown = REACHABLE + str(settings.channel), settings.unknown_reachable
    return reachable_shares(mirror, labels_of(settings.name), consent.consents, channel, unknown)
