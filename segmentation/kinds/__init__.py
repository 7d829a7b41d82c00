"""Which kinds of segmentation are there? One line each; CONTRIBUTING.md tells how to add one."""

from __future__ import annotations

from segmentation.kinds.abc import Abc
from segmentation.kinds.base import Kind
from segmentation.kinds.clusters import Clusters
from segmentation.kinds.lifecycle import Lifecycle
from segmentation.kinds.offers import Offers
from segmentation.kinds.potential import Potential
from segmentation.kinds.response import Response
from segmentation.kinds.rfm import Rfm
from segmentation.kinds.rules import Rules

KINDS: dict[str, type[Kind]] = {
    "rules": Rules,
    "rfm": Rfm,
    "lifecycle": Lifecycle,
    "abc": Abc,
    "potential": Potential,
    "clusters": Clusters,
    "response": Response,
    "offers": Offers,
}


def kind_named(name: str) -> type[Kind]:
    """ValueError names the kinds there are."""
    if name not in KINDS:
        raise ValueError(f"there is no kind {name!r} of segmentation; choose one of {', '.join(KINDS)}")
    return KINDS[name]
