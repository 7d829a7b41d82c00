"""What do the models know, and does it hold? All that goes beyond sizes and moves, gathered once per account.

What takes long is bounded: journeys and outlooks are of a draw of the records, and scorecards (which fit
again as of an earlier day) are those that the mirror keeps, unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sync.account.segment_catalog import built, built_like
from sync.account.session import Session
from sync.config.config import Config
from sync.config.settings import SegmentationSettings
from sync.exit_codes import CommandError
from sync.label.feature_frame import AccountFeatures
from sync.report import cluster_profiles, journeys, life_stages, outlook, priority
from sync.report.cluster_profiles import Profile
from sync.report.journeys import Journeys
from sync.report.life_stages import Rates
from sync.report.outlook import Outlook
from sync.report.priority import Ranked
from sync.store import segment_figures
from sync.store.features_table import kept_features
from sync.store.journal import Journal
from sync.store.label_tables import labels_of
from sync.store.segment_figures import segment_of_each
from sync.views import scorecards
from sync.views.campaign_effects import effects as measured
from sync.views.journeys import ways
from sync.views.rule_coverage import explained


@dataclass(frozen=True)
class Wanted:
    """What a report is asked for in addition to the usual: scorecards of today, whatever they cost, and who is
    in each segment by these attributes. Without ``models``, nothing that only an analyst reads.
    """

    scorecards: bool = False
    composition: Sequence[str] = ()
    models: bool = True


USUAL = Wanted()


@dataclass(frozen=True)
class Insight:
    """Of one segmentation.

    ``figures``: of its model, {} without one that fits the config; ``version`` and ``fitted`` (a day) of it.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    fitted: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    rates: Rates | None = None
    profile: Profile | None = None
    rules: Sequence[Mapping[str, object]] = ()
    card: Mapping[str, Any] = field(default_factory=dict)  # the scorecard that is kept, if any
    composition: Mapping[str, Any] = field(default_factory=dict)  # by attribute
    effects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by segment


@dataclass(frozen=True)
class Insights:
    """Of one account: by segmentation; journeys and outlook by the segments of one of them."""

    of: Mapping[str, Insight] = field(default_factory=dict)
    journeys: Journeys | None = None
    outlook: Outlook | None = None
    ranked: Sequence[Ranked] = ()


def gather(session: Session, labelled: Sequence[str], wanted: Wanted) -> Insights:
    """Of the ``labelled`` segmentations, the leading one first. Without activity in the mirror there is
    nothing to add.

    CommandError: an attribute is asked for that the account does not have.
    """
    attributes = session.settings.known_attributes
    for name in wanted.composition:
        if name not in attributes:
            raise CommandError(
                f"account {session.account} has no attribute {name!r}: it has {', '.join(attributes) or 'none'}"
            )
    if not labelled or kept_features(session.mirror()) is None:
        return Insights()
    session.progress("gathering what the models know", 0, 0)
    mirror, config, account = session.mirror(), session.config, session.account
    lead, chosen = labelled[0], [entry for entry in session.segmentations if entry.name in labelled]
    features, journal, as_of = AccountFeatures(session), session.journal, session.as_of
    if wanted.scorecards:
        scorecards.cards(features, config, journal, as_of, session.progress)
    cards = scorecards.kept_cards(features, config, journal, as_of)
    composed = scorecards.compositions(features, config, labelled, wanted.composition)
    controlled = any(settings.control for settings in chosen)
    effects = _by_segmentation(measured(features, config, journal.labels, as_of) if controlled else {})
    if not wanted.models:
        return Insights(
            {s.name: Insight(card=cards.get(s.name, {}), effects=effects.get(s.name, {})) for s in chosen}
        )
    models = {s.name: _model(journal, account, s.name, config.digest(s)) for s in chosen}
    of = {
        settings.name: _insight(
            features,
            config,
            settings,
            models[settings.name],
            as_of,
            cards.get(settings.name, {}),
            composed.get(settings.name, {}),
            effects.get(settings.name, {}),
        )
        for settings in chosen
    }
    potential = next((s for s in chosen if s.options.predicts_value and models[s.name]), None)
    forecast = (
        _forecast(features, config, potential, models[potential.name], as_of, lead) if potential else None
    )
    walked = journeys.gather(
        lead,
        segment_figures.labelled(mirror, labels_of(lead)),
        ways(features, lead, as_of, journeys.DRAWN),
    )
    return Insights(of, walked, forecast, priority.gather(mirror, config, account, labelled))


def _insight(
    features: AccountFeatures,
    config: Config,
    settings: SegmentationSettings,
    model: Mapping[str, Any],
    as_of: date,
    card: Mapping[str, Any],
    composition: Mapping[str, Any],
    effects: Mapping[str, Mapping[str, Any]],
) -> Insight:
    mirror, figures, rates = features.activity.mirror, model.get("figures", {}), None
    panels = settings.options.panels
    if panels == "life_stages" and figures:
        stages = built_like(config, settings, mirror.name, figures)
        rates = life_stages.gather(stages, features.past(settings, stages), figures, as_of)
    return Insight(
        figures,
        int(model.get("version", 0)),
        str(model.get("as_of", "")),
        settings.options.model_dump(),
        rates,
        cluster_profiles.gather(mirror, settings.name, model.get("learned", {}), as_of)
        if panels == "cluster_profiles" and model
        else None,
        explained(features, config, mirror.name, settings)["rules"] if panels == "priority" else (),
        card,
        composition,
        effects,
    )


def _forecast(
    features: AccountFeatures,
    config: Config,
    settings: SegmentationSettings,
    model: Mapping[str, Any],
    as_of: date,
    by: str,
) -> Outlook | None:
    mirror = features.activity.mirror
    population = features.population(settings, built(config, settings, mirror.name))
    frame, records = population.some(outlook.DRAWN)
    return outlook.gather(frame, records, segment_of_each(mirror, labels_of(by)), model, as_of, by)


def _model(journal: Journal, account: str, name: str, digest: str) -> dict[str, Any]:
    """The stored model with its version; {} where there is none of these settings."""
    from segmentation import model_file

    stored = journal.models.latest(account, name)
    if stored is None or stored.digest != digest:
        return {}
    return {**model_file.from_json(stored.content), "version": stored.version}


def _by_segmentation(effects: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Effects of targets by segmentation and segment."""
    effects_by_name: dict[str, dict[str, Any]] = {}
    for target, effect in effects.items():
        name, _, segment = target.partition(".")
        effects_by_name.setdefault(name, {})[segment] = effect
    return effects_by_name
