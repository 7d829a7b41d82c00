"""What do the models know, and does it hold? All that goes beyond sizes and moves, gathered once per account.

What takes long is bounded: journeys and outlooks are of a draw of the records, and cards (which fit again as
of an earlier day) are made by themselves only of accounts up to ``JUDGED`` records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.exit_codes import CommandError
from sync.report import cluster_profiles, journeys, life_stages, outlook, priority
from sync.report.cluster_profiles import Profile
from sync.report.journeys import Journeys
from sync.report.life_stages import Rates
from sync.report.outlook import Outlook
from sync.report.priority import Ranked

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings

JUDGED = 50_000  # records


@dataclass(frozen=True)
class Wanted:
    """What a report is asked for beside the usual: cards whatever they cost, and who is in each segment by
    these attributes.
    """

    cards: bool = False
    composition: Sequence[str] = ()


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
    card: Mapping[str, Any] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by segment


@dataclass(frozen=True)
class Insights:
    """Of one account: by segmentation; journeys and outlook by the segments of one of them."""

    of: Mapping[str, Insight] = field(default_factory=dict)
    journeys: Journeys | None = None
    outlook: Outlook | None = None
    ranked: Sequence[Ranked] = ()
    judged: bool = True  # cards were made


def gather(session: Session, labelled: Sequence[str], records: int, wanted: Wanted) -> Insights:
    """Of the ``labelled`` segmentations, the leading one first. Without activity in the mirror there is
    nothing to add.

    CommandError: an attribute is asked for that the account does not have.
    """
    attributes = session.settings.attributes
    for name in wanted.composition:
        if name not in attributes:
            raise CommandError(
                f"account {session.account} has no attribute {name!r}: it has {', '.join(attributes) or 'none'}"
            )
    if not labelled or not session.mirror().has_table("features"):
        return Insights()
    session.progress("gathering what the models know", 0, 0)
    judged = wanted.cards or bool(wanted.composition) or records <= JUDGED
    cards = _cards(session, wanted) if judged else {}
    effects = _effects(session, labelled)
    models = {
        settings.name: _model(session, settings)
        for settings in session.segmentations
        if settings.name in labelled
    }
    of = {
        settings.name: _insight(
            session,
            settings,
            models[settings.name],
            cards.get(settings.name, {}),
            effects.get(settings.name, {}),
        )
        for settings in session.segmentations
        if settings.name in labelled
    }
    potential = next(
        (
            settings
            for settings in session.segmentations
            if settings.kind == "potential" and models.get(settings.name)
        ),
        None,
    )
    forecast = outlook.gather(session, potential, models[potential.name], labelled[0]) if potential else None
    return Insights(
        of, journeys.gather(session, labelled[0]), forecast, priority.gather(session, labelled), judged
    )


def _model(session: Session, settings: SegmentationSettings) -> dict[str, Any]:
    """The stored model with its version; {} where there is none of these settings."""
    from segmentation import model_file

    stored = session.journal.models.latest(session.account, settings.name)
    if stored is None or stored.digest != session.config.digest(settings):
        return {}
    return {**model_file.from_json(stored.content), "version": stored.version}


def _insight(
    session: Session,
    settings: SegmentationSettings,
    model: Mapping[str, Any],
    card: Mapping[str, Any],
    effects: Mapping[str, Any],
) -> Insight:
    figures = model.get("figures", {})
    return Insight(
        figures,
        int(model.get("version", 0)),
        str(model.get("as_of", "")),
        settings.options.model_dump() if settings.options is not None else {},
        life_stages.gather(session, settings, figures) if settings.kind == "lifecycle" and figures else None,
        cluster_profiles.gather(session, settings.name, model.get("learned", {}))
        if settings.kind == "clusters" and model
        else None,
        _rules(session, settings) if settings.kind == "rules" else (),
        card,
        effects,
    )


def _rules(session: Session, settings: SegmentationSettings) -> Sequence[Mapping[str, object]]:
    from sync.views.rule_coverage import explained

    rules: Sequence[Mapping[str, object]] = explained(session, settings)["rules"]
    return rules


def _cards(session: Session, wanted: Wanted) -> dict[str, Any]:
    from sync.views.scorecards import cards

    return cards(session, wanted.composition)


def _effects(session: Session, labelled: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By segmentation and segment; asked for only where a control group is configured."""
    from sync.plan.control_groups import effects

    if not any(settings.control for settings in session.segmentations if settings.name in labelled):
        return {}
    effects_by_name: dict[str, dict[str, Any]] = {}
    for target, effect in effects(session).items():
        name, _, segment = target.partition(".")
        effects_by_name.setdefault(name, {})[segment] = effect
    return effects_by_name
