"""Which panels does a segmentation have, and which does the account?

Each only where there is something to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segmentation.kinds import kind_named
from sync.report import (
    cluster_profiles,
    journeys,
    life_stages,
    migrations,
    model_selection,
    next_categories,
    offers,
    outlook,
    priority,
    response_models,
    scorecards,
    value_matrix,
)
from sync.report.figures import AccountFigures, SegmentationFigures
from sync.report.formats import Money
from sync.report.insight import Insight
from sync.report.panels import Panel


@dataclass(frozen=True)
class Section:
    """A heading of the page, and what stands beneath it."""

    name: str  # of the anchor
    title: str
    lead: str
    panels: list[Panel]


def of_segmentation(segmentation: SegmentationFigures, account: AccountFigures) -> list[Panel]:
    """What its kind has to tell, and what its control groups say."""
    insight = account.insights.of.get(segmentation.name, Insight())
    return [
        *_of_kind(segmentation, insight, account),
        *next_categories.panels(segmentation.wanted, segmentation.titles),
        *response_models.effects(insight.effects, segmentation.titles),
    ]


def judgement(segmentation: SegmentationFigures, account: AccountFigures) -> list[Panel]:
    """Where its records go, and its scorecard."""
    insight = account.insights.of.get(segmentation.name, Insight())
    return [
        *migrations.panels(segmentation.flows, segmentation.titles),
        *scorecards.panels(insight.card, insight.composition, segmentation.titles),
    ]


def _of_kind(segmentation: SegmentationFigures, insight: Insight, account: AccountFigures) -> list[Panel]:
    draw = _DRAWN.get(kind_named(segmentation.kind).panels)
    return draw(segmentation, insight, account) if draw is not None else []


def _priority(segmentation: SegmentationFigures, insight: Insight, account: AccountFigures) -> list[Panel]:
    return priority.rules(insight.rules, segmentation.titles)


def _life_stages(segmentation: SegmentationFigures, insight: Insight, account: AccountFigures) -> list[Panel]:
    return life_stages.panels(insight.rates, segmentation.titles) if insight.rates else []


def _model_selection(
    segmentation: SegmentationFigures, insight: Insight, account: AccountFigures
) -> list[Panel]:
    if not insight.figures:
        return []
    return model_selection.panels(insight.figures, segmentation.titles, _money(account))


def _cluster_profiles(
    segmentation: SegmentationFigures, insight: Insight, account: AccountFigures
) -> list[Panel]:
    if not insight.figures or not insight.profile:
        return []
    return cluster_profiles.panels(insight.profile, insight.figures, segmentation.titles, _money(account))


def _response_models(
    segmentation: SegmentationFigures, insight: Insight, account: AccountFigures
) -> list[Panel]:
    return response_models.panels(insight.figures, account.currency) if insight.figures else []


def _offers(segmentation: SegmentationFigures, insight: Insight, account: AccountFigures) -> list[Panel]:
    if not insight.figures:
        return []
    by = str(insight.options.get("segment_by") or "")
    habits = next((other.titles for other in account.segmentations if other.name == by), {})
    return offers.panels(
        insight.figures,
        habits,
        _crossed(account, by, segmentation.name),
        segmentation.titles,
        str(insight.options.get("goal")),
    )


def _money(account: AccountFigures) -> Money:
    return Money(account.currency, account.exponent)


# by the name of the panels that a kind declares (``segmentation.kinds.base``)
_DRAWN: Mapping[str, Callable[[SegmentationFigures, Insight, AccountFigures], list[Panel]]] = {
    "priority": _priority,
    "life_stages": _life_stages,
    "model_selection": _model_selection,
    "cluster_profiles": _cluster_profiles,
    "response_models": _response_models,
    "offers": _offers,
}


def of_account(account: AccountFigures) -> list[Section]:
    """What concerns several segmentations."""
    titles = {entry.name: entry.title for entry in account.segmentations}
    labels = {entry.name: entry.titles for entry in account.segmentations}
    money, insights = _money(account), account.insights
    sections = []
    if insights.outlook:
        lead = f"What the next days are expected to bring, by {titles[insights.outlook.by]}."
        sections.append(
            Section(
                "outlook",
                "Outlook",
                lead,
                outlook.panels(insights.outlook, labels[insights.outlook.by], money),
            )
        )
    if insights.journeys:
        lead = f"How people come to buy, by {titles[insights.journeys.by]}."
        sections.append(
            Section("ways", "Journey", lead, journeys.panels(insights.journeys, labels[insights.journeys.by]))
        )
    crossed = [*_axes(account, labels), *priority.panels(insights.ranked, labels, titles)]
    sections.append(
        Section("together", "Together", "What several segmentations say about the same people.", crossed)
    )
    cards = {name: entry.card for name, entry in insights.of.items()}
    missing, drift = scorecards.missing(cards, titles), scorecards.drift(cards, titles)
    lead = "How far scores have moved since the models were trained; each segmentation's scorecard is in its own part."
    sections.append(
        Section("true", "Model health", " ".join([lead] * bool(drift) + [missing] * bool(missing)), drift)
    )
    return [entry for entry in sections if entry.panels or (entry.name == "true" and missing)]


def _axes(account: AccountFigures, labels: Mapping[str, Mapping[str, str]]) -> list[Panel]:
    axes = {kind_named(entry.kind).value_axis: entry.name for entry in reversed(account.segmentations)}
    if not {"past", "future"} <= set(axes):
        return []
    historic, predictive = axes["past"], axes["future"]
    return value_matrix.panels(_crossed(account, historic, predictive), labels[historic], labels[predictive])


def _crossed(account: AccountFigures, first: str, second: str) -> dict[tuple[str, str], int]:
    """Records by segment of the one and of the other segmentation."""
    for overlap in account.overlaps:
        if (overlap.first, overlap.second) == (first, second):
            return overlap.cells
        if (overlap.first, overlap.second) == (second, first):
            return {(b, a): number for (a, b), number in overlap.cells.items()}
    return {}
