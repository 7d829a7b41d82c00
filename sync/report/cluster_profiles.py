"""What distinguishes each cluster? Its traits against those of all, and what they come to in plain figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sync.report import formats
from sync.report.formats import Money
from sync.report.panels import Panel, Shade, Text, matrix
from sync.store.label_tables import labels_of
from sync.store.mirror import AccountMirror
from sync.store.segment_figures import mean_features

TRAITS = 14  # that are shown, those that differ most
_FAR = 1.5  # standard deviations that are shown in full colour


@dataclass(frozen=True)
class Trait:
    """How far each cluster lies from the mean of all (in standard deviations, or in shares), and its mean
    figure.
    """

    name: str
    sort: str  # of ``segmentation.models.encoder``; "level": the share that has it
    away: dict[str, float]  # by segment
    means: dict[str, float | None]


@dataclass(frozen=True)
class Profile:
    """Traits by how much they differ; how stable each number of clusters is."""

    traits: list[Trait]


def gather(mirror: AccountMirror, name: str, learned: Mapping[str, Any], as_of: date) -> Profile:
    """From the frozen centres of a model, and from the features of today's members."""
    import numpy as np

    from segmentation.kinds.clusters_segmentation import CATEGORY
    from segmentation.models.encoder import Encoder

    clusters = learned.get("clusters") or []
    if not clusters:
        return Profile([])
    encoder = Encoder.from_dict(learned["encoder"])
    centres = np.array([entry["centre"] for entry in clusters]) / encoder.weights(CATEGORY)
    sizes = np.array([max(entry["records"], 1) for entry in clusters], np.float64)
    away = centres - np.average(centres, axis=0, weights=sizes)
    keys = [f"cluster_{entry['number']}" for entry in clusters]
    days_of = {
        trait.column: trait.sort == "day"
        for trait, level in encoder.names()
        if not level and trait.sort in ("number", "money", "day")
    }
    means = mean_features(mirror, labels_of(name), days_of, as_of)
    traits = []
    for position, (trait, level) in enumerate(encoder.names()):
        values = (
            {key: centres[row, position] for row, key in enumerate(keys)}
            if level
            else means.get(trait.column, {})
        )
        label = f"{trait.name}: {level}" if level else trait.name
        traits.append(
            Trait(
                label,
                "level" if level else trait.sort,
                dict(zip(keys, away[:, position].tolist(), strict=True)),
                dict(values),
            )
        )
    return Profile(
        sorted(traits, key=lambda entry: -max(abs(value) for value in entry.away.values()))[:TRAITS]
    )


def panels(
    profile: Profile, figures: Mapping[str, Any], labels: Mapping[str, str], money: Money
) -> list[Panel]:
    """A tinted matrix of traits by clusters, and which numbers of clusters came back in draws with
    replacement.
    """
    if figures.get("refused"):
        return [Panel("Clusters", f"There are none: {figures['refused']}.")]
    keys = [key for key in labels if any(key in trait.away for trait in profile.traits)]
    rows: list[tuple[Text, ...]] = [
        (
            trait.name,
            *(
                Shade(_said(trait, trait.means.get(key), money), trait.away.get(key, 0.0) / _FAR)
                for key in keys
            ),
        )
        for trait in profile.traits
    ]
    remark = "means of today's members; blue: more than all clusters on average, orange: less"
    profile_panels = [
        Panel(
            "What distinguishes each cluster?",
            remark,
            table=matrix(("Trait", *(labels[key] for key in keys)), rows),
            wide=True,
        )
    ]
    return profile_panels + _stability(figures)


def _said(trait: Trait, mean: float | None, money: Money) -> str:
    if mean is None:
        return formats.UNKNOWN
    if trait.sort == "level":
        return formats.percent(mean)
    if trait.sort == "money":
        return money.whole(mean)
    return f"{formats.days(mean)} ago" if trait.sort == "day" else f"{mean:,.1f}"


def _stability(figures: Mapping[str, Any]) -> list[Panel]:
    from segmentation.evaluation.cluster_stability import ARI, JACCARD

    rows = [
        (
            str(trial["k"]),
            Shade(f"{trial['jaccard']:.2f}", 0.4 if trial["jaccard"] >= JACCARD else -0.4),
            Shade(f"{trial['ari']:.2f}", 0.4 if trial["ari"] >= ARI else -0.4),
            formats.percent(trial["smallest"]),
        )
        for trial in figures.get("stability", ())
    ]
    if not rows:
        return []
    remark = f"how well clusters come back in random samples; blue passes:  Jaccard from {JACCARD}, adjusted Rand from {ARI}"
    return [
        Panel(
            "Cluster stability",
            remark,
            table=matrix(("Clusters", "Least Jaccard", "Adjusted Rand", "Smallest"), rows),
        )
    ]
