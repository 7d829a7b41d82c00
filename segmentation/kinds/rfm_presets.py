"""Which tables of named RFM groups are ready to use, and after whom? ``groups = "klaviyo"`` names one.

Vendors describe their groups in words; the ranges are ours, read from these words, on our scores of 1 to 5. A
group holds every cell of its ranges that no group before it holds; it may have several ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segmentation.kinds.rfm_groups import DEFAULT, Group, Range, group


@dataclass(frozen=True)
class Preset:
    """A table with its source."""

    about: str
    source: str
    groups: tuple[Group, ...]


_ANY, _TOP, _LOW = (1, 5), (4, 5), (1, 2)


_KEPT = {g.key: g for g in DEFAULT}


def _parts(key: str, description: str, *boxes: tuple[Range, Range, Range]) -> tuple[Group, ...]:
    """A group of several boxes of cells, under its title of before."""
    return tuple(group(key, _KEPT[key].title, r, f, m, description) for r, f, m in boxes)


# the keys and their order are those of ``DEFAULT``, so that both label the same segments
_SHOPS = (
    *(_KEPT[key] for key in ("champions", "cannot_lose", "loyal", "at_risk")),
    *_parts(
        "potential_loyal",
        "Bought recently, now and then so far",
        (_TOP, (3, 3), _ANY),
        (_TOP, (2, 2), (3, 5)),
    ),
    *_parts(
        "new",
        "Bought very recently: once, or rarely with low spending",
        ((5, 5), (1, 1), _ANY),
        ((5, 5), (2, 2), _LOW),
    ),
    *_parts(
        "needs_attention",
        _KEPT["needs_attention"].description,
        ((3, 3), (3, 3), _ANY),
        ((3, 3), (2, 2), (3, 5)),
    ),
    *_parts(
        "promising",
        "Bought recently: once, or rarely with low spending",
        ((4, 4), (1, 1), _ANY),
        ((4, 4), (2, 2), _LOW),
    ),
    *_parts(
        "about_to_sleep",
        "Bought some time ago: once, or rarely with low spending",
        ((3, 3), (1, 1), _ANY),
        ((3, 3), (2, 2), _LOW),
    ),
    *(_KEPT[key] for key in ("hibernating", "lost")),
)

_KLAVIYO = (
    group("champions", "Champions", _TOP, _TOP, _TOP, "Bought recently, often and spent the most"),
    group("loyal", "Loyal", (3, 5), (3, 5), _ANY, "Bought fairly recently and often, with less spending"),
    group("recent", "Recent", _TOP, _LOW, _ANY, "Bought recently, but not often"),
    group("needs_attention", "Needs attention", (3, 3), _LOW, _ANY, "Bought some time ago, and not often"),
    group("at_risk", "At risk", _LOW, (3, 5), _ANY, "Used to buy often, but not for a long time"),
    group("inactive", "Inactive", _LOW, _LOW, _ANY, "Bought rarely, and not for a long time"),
)
_SHOPIFY = (
    group("champions", "Champions", (5, 5), _TOP, _TOP, "Bought very recently, often and spent the most"),
    group("loyal", "Loyal", (3, 4), _TOP, _TOP, "Bought recently, often and spent the most"),
    group("previously_loyal", "Previously loyal", (1, 1), _TOP, _TOP, "Used to buy often and spend the most"),
    group("at_risk", "At risk", _LOW, (3, 5), _ANY, "Used to buy often, but not recently"),
    group("new", "New", (5, 5), (1, 1), _ANY, "Bought very recently, few orders"),
    group("promising", "Promising", (4, 4), (1, 1), _ANY, "Bought recently, few orders"),
    group("active", "Active", _TOP, _ANY, _ANY, "Bought recently, some orders"),
    group("needs_attention", "Needs attention", (3, 3), (2, 5), _ANY, "Bought some time ago, some orders"),
    group("almost_lost", "Almost lost", (2, 3), _ANY, _ANY, "Not recently, few orders"),
    group("dormant", "Dormant", (1, 1), _ANY, _ANY, "Nothing for the longest time, few orders"),
)
_HUGHES = tuple(
    group(f"recency_{r}", f"Recency {r}", (r, r), _ANY, _ANY, f"The {place} fifth by their last purchase")
    for r, place in ((5, "most recent"), (4, "second"), (3, "third"), (2, "fourth"), (1, "least recent"))
)
SHOPS = "shops"
PRESETS: Mapping[str, Preset] = {
    SHOPS: Preset(
        "eleven groups; new and promising bought once, or rarely with low spending",
        "Shopify's words for new and promising (https://shopify.dev/docs/api/admin-graphql/latest/enums/customerrfmgroup)",
        _SHOPS,
    ),
    "earlier": Preset(
        "the groups of earlier versions: promising are rare buyers of some time ago with good spending",
        "this program before 0.1.0",
        DEFAULT,
    ),
    "klaviyo": Preset(
        "six groups",
        "Klaviyo, RFM report: scoring and customer groups (https://help.klaviyo.com/hc/en-us/articles/17797937793179)",
        _KLAVIYO,
    ),
    "shopify": Preset(
        "ten groups",
        "Shopify, CustomerRfmGroup (https://shopify.dev/docs/api/admin-graphql/latest/enums/customerrfmgroup)",
        _SHOPIFY,
    ),
    "hughes": Preset(
        "the fifths by recency, which tells the next answer best; frequency and money rank within them",
        "Arthur M. Hughes, Strategic Database Marketing, McGraw-Hill",
        _HUGHES,
    ),
}
