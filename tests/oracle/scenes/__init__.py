"""The scenes, by name: each gets a folder of its own and says whether it is the small size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.oracle.normal import Tree
from tests.oracle.scenes import demo, exports, hubspot, salesforce, shop, weekly

Scene = Callable[[Path, bool], dict[str, Tree]]

SCENES: dict[str, Scene] = {
    "demo": demo.play,
    "hubspot": hubspot.play,
    "salesforce": salesforce.play,
    "shop": shop.play,
    "exports": exports.play,
    "weekly": weekly.play,
}
