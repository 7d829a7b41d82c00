"""Which categories are offered where the config names none, and which have a segment of their own? (kind
``offers``)

Found is what ``min_buyers`` records bought within the window, somebody within the last ``SOLD`` days, and what the
config does not exclude; sensitive names only where it says so; of more than ``MOST`` those that most buy. Spellings
that differ in case and blanks are one category, under the spelling that it had before, or else the most frequent.

A category keeps its number for life, whatever becomes of the others: the number of one that is found no more is
never given again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.ecdf import Integers
from segmentation.kinds.offers import EVER, Offers, plain
from segmentation.models.category_features import Baskets
from segmentation.sensitive import sensitive

SOLD = 90  # days in which somebody must have bought it
MOST = 1_000  # categories


@dataclass(frozen=True)
class Found:
    """The categories by their buyers, those of most first, and how many were left out, by the reason."""

    names: list[str]
    left_out: dict[str, int]


def folded(category: str) -> str:
    """What spellings of one category have in common."""
    return " ".join(unicodedata.normalize("NFKC", category).casefold().split())


def spelled(baskets: Baskets, names: Iterable[str]) -> Baskets:
    """The baskets under the spellings of ``names``, where they spell them otherwise."""
    spellings: dict[str, str] = {}
    for name in names:
        spellings.setdefault(folded(name), name)
    return baskets.renamed([spellings.get(folded(name), name) for name in baskets.names])


def found(kind: Offers, baskets: Baskets, sold: Baskets, known: Sequence[str]) -> Found:
    """The categories of ``baskets`` that are offered; ``known``: those of the model before."""
    buyers = np.bincount(baskets.places, minlength=len(baskets.names))
    spellings = {folded(name): name for name in reversed(known)}
    counts: dict[str, int] = {}
    for place in np.lexsort((np.array(baskets.names, object).astype(str), -buyers)):
        name = baskets.names[place]
        spellings.setdefault(folded(name), name)
        counts[folded(name)] = counts.get(folded(name), 0) + int(buyers[place])
    still_sold = {folded(name) for name in sold.names}
    barred, allowed = ({folded(name) for name in names} for names in (kind.exclude, kind.sensitive))
    left_out = dict.fromkeys(("excluded", "sensitive", "rare", "not_sold", "too_many"), 0)
    names: list[str] = []
    for key in sorted(counts, key=lambda key: (-counts[key], key)):
        why = (
            "excluded"
            if key in barred or not plain(spellings[key])
            else "sensitive"
            if sensitive(spellings[key]) and key not in allowed
            else "rare"
            if counts[key] < kind.min_buyers
            else "not_sold"
            if key not in still_sold
            else "too_many"
            if len(names) >= MOST
            else ""
        )
        if why:
            left_out[why] += 1
        else:
            names.append(spellings[key])
    return Found(names, {why: count for why, count in left_out.items() if count})


def numbered(
    kind: Offers, names: Sequence[str], firsts: Integers, former: Mapping[str, Any]
) -> dict[str, Any]:
    """The numbers of the categories that have a segment of their own, and the next number that is free.

    ``firsts``: of how many records each is the first offer. ``former``: what the model before kept.
    """
    most, following = kind.max_segments, int(former.get("next", 1))
    kept = [(name, number) for name, number in former.get("numbers", ()) if name in set(names)]
    numbers = [(name, number) for name, number in kept if number <= EVER * most]
    has_one = {name for name, _number in numbers}
    for place in np.argsort(-firsts, kind="stable"):
        if len(numbers) >= most or following > EVER * most or firsts[place] == 0:
            break
        if names[place] not in has_one:
            numbers.append((names[place], following))
            following += 1
    return {"numbers": [list(pair) for pair in numbers], "next": following}
