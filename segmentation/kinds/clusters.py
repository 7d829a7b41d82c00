"""Which records behave alike? (kind ``clusters``)

The clusters are learned, and named by what sets them apart most; the config may override the names. Without
configured activity types and attributes they are of buyers, and who never bought is a ``prospect``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from segmentation.evaluation.judgement import KEPT, Judgement, Line
from segmentation.frames import Segment
from segmentation.kinds.base import PROSPECT, LearningKind

if TYPE_CHECKING:
    from segmentation.evaluation.backtest import Backtest

UNSCORED = "unscored"
SCORING = 2  # of models fitted now: a usual silence is no news; 1: those of earlier versions
TOO_LITTLE = "There is too little to learn from."
OTHERS = (
    Segment(PROSPECT, "Prospects", "No purchase yet."),
    Segment(UNSCORED, "Not clustered", TOO_LITTLE),
)


def cluster_key(number: int) -> str:
    """The key of the segment of a cluster."""
    return f"cluster_{number}"


def cluster(number: int, name: str) -> Segment:
    """The segment of a cluster."""
    text = "Customers with similar behaviour; the reason says what sets them apart."
    return Segment(cluster_key(number), name, text)


class Clusters(LearningKind):
    """Clusters of behaviour."""

    k: int | None = Field(
        None, ge=2, le=20, description="how many clusters; the largest number that is stable if not set"
    )
    max_clusters: int = Field(
        12,
        ge=2,
        le=99,
        description="numbers that may ever be given to clusters: a retired one is never used again",
    )
    dead_band: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="how much nearer another cluster must be, as a share of the distance to the own one",
    )

    name = "clusters"
    segmentation_class = "segmentation.kinds.clusters_segmentation:ClustersSegmentation"
    judgement = Judgement(shown=("separation", "bought again"), judged=())
    panels = "cluster_profiles"
    forecast_column = "cluster"

    @property
    def names_from_model(self) -> bool:
        return True

    @classmethod
    def finds_segments(cls, model: Mapping[str, Any]) -> bool:
        return True

    @property
    def segments(self) -> list[Segment]:
        """As many clusters as may ever be, prospects, and who could not be clustered."""
        numbers = range(1, self.max_clusters + 1)
        return [*(cluster(number, f"Cluster {number}") for number in numbers), *OTHERS]

    def named(self, model: Mapping[str, Any]) -> list[Segment]:
        clusters = sorted(
            model.get("learned", {}).get("clusters", ()), key=lambda stored: int(stored["number"])
        )
        return [*(cluster(stored["number"], stored["name"]) for stored in clusters), *OTHERS]

    def outdated(self, model: Mapping[str, Any]) -> str:
        if scoring(model) == SCORING:
            return ""
        return (
            "its model is of an earlier version, in which regular customers change their cluster between purchases; "
            "the plan after a training says who moves"
        )

    @model_validator(mode="after")
    def _numbers_suffice(self) -> Clusters:
        if self.k is not None and self.max_clusters < self.k:
            raise ValueError(f"max_clusters = {self.max_clusters} is below k = {self.k}")
        return self

    def own_lines(self, backtest: Backtest | None, model: Mapping[str, Any]) -> list[Line]:
        """Records that stay together when they are fitted again: Jaccard, adjusted Rand."""
        from segmentation.evaluation.cluster_stability import ARI, JACCARD, SMALLEST

        figures, lines = model.get("figures", {}), []
        tried = {trial["k"]: trial for trial in figures.get("stability", ())}
        stability = tried.get(len(model.get("learned", {}).get("clusters", ())))
        if stability is not None:
            jaccard, ari, smallest = (stability[name] for name in ("jaccard", "ari", "smallest"))
            words = f"trained on random samples, the worst cluster comes back by {jaccard:.2f} (Jaccard, from {JACCARD}), all by "
            words += f"{ari:.2f} (adjusted Rand, from {ARI}); the smallest has {smallest:.1%}"
            # a refit keeps it: the config's k is what to change
            given = model.get("settings", {}).get("k") is not None
            holds = jaccard >= JACCARD and ari >= ARI and smallest >= SMALLEST
            lines.append(Line("stability of the given k" if given else "stability", jaccard, holds, words))
        refit = figures.get("same_after_refit")
        if refit is not None:
            words = f"{refit:.1%} kept their cluster when the model was trained again (from {KEPT:.0%})"
            lines.append(Line("kept over the refit", refit, refit >= KEPT, words))
        return lines


def scoring(model: Mapping[str, Any]) -> int:
    """How a model sees records."""
    return int(model.get("figures", {}).get("scoring", 1))
