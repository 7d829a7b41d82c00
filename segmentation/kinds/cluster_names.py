"""What sets a cluster apart, in words?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from segmentation.ecdf import Integers
from segmentation.models.encoder import Encoder, Matrix, Trait

WORDS = 3  # at most
CLEAR = 0.5  # standard deviations from the mean of all
VERY = 1.5


def names_of(encoder: Encoder, points: Matrix, labels: Integers, former: Sequence[str]) -> list[str]:
    """A name per cluster: its largest differences from all records; ``former`` names stay while they are
    true.

    ``points`` are unweighted. Names differ from each other.
    """
    mean, spread = points.mean(0), points.std(0)
    names: list[str] = []
    for position, old in enumerate(former):
        inside = points[labels == position]
        away = (
            (inside.mean(0) - mean) / np.where(spread > 0, spread, 1) if len(inside) else np.zeros(len(mean))
        )
        words = list(_words(encoder.names(), away))
        if old and old not in names and set(_plain(old).split(", ")) <= {_plain(word.said) for word in words}:
            names.append(old)
            continue
        clear = [word for word in words if word.far >= CLEAR][:WORDS] or words[:1]
        names.append(_different(clear, words[len(clear) :], names))
    return names


@dataclass(frozen=True)
class _Word:
    """What is so of a cluster, how far from the mean of all, and the place of its column."""

    said: str
    far: float
    place: int


def _words(columns: Sequence[tuple[Trait, str]], away: Matrix) -> Iterator[_Word]:
    """The farthest first; each trait is told once, of categories what they have."""
    mentioned = set()
    for position in np.argsort(-np.abs(away), kind="stable"):
        trait, level = columns[position]
        far = float(away[position])
        if trait.name in mentioned or (level and far <= 0) or far == 0:
            continue
        mentioned.add(trait.name)
        very = "very " if abs(far) >= VERY else ""
        yield _Word(
            (f"{trait.name} {level}" if level else very + (trait.high if far > 0 else trait.low)).replace(
                ",", " "
            ),
            abs(far),
            int(position),
        )


def _different(words: Sequence[_Word], more: Sequence[_Word], taken: Sequence[str]) -> str:
    """The words in the order of the traits; more of them where another cluster has that name."""
    for count in range(len(more) + 1):
        name = (
            ", ".join(word.said for word in sorted([*words, *more[:count]], key=lambda word: word.place))
            or "average"
        )
        name = name[:1].upper() + name[1:]
        if name.casefold() not in {other.casefold() for other in taken}:
            return name
    return next(f"{name} {number}" for number in range(2, len(taken) + 3) if f"{name} {number}" not in taken)


def _plain(name: str) -> str:
    """How much is no matter of truth."""
    return name.casefold().replace("very ", "")
