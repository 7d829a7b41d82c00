"""How many times what purchase models expect is coming, and how far off may that be?

A *level* is the logarithm of what came in a span over what purchase models had expected of it: 0 is as expected.
Known are the levels of past spans of one length, by the days from their start to today. Five rules foretell the
level of a span from what was known when it began:

    as expected    0
    learned        what boosting says, where it is used
    of late        the mean of the three spans before, with one more vote for 0
    the last one   the span before
    the season     the mean of the spans that began one, two and three years earlier, and by how much the three spans
                   before differed from theirs, with one more vote for 0

Each rule is tried on the past spans themselves. Its errors, with ``VOTES`` votes for an error of ``USUAL`` that
hold before anything is known, give the chance of a level by that rule (Student's t), and how much the rule is
believed (the odds of what came under it): so a correction is as large as it has been consistent, and where rules
disagree or have erred, the interval is wide. What the season and boosting are worth is asked of the spans of which
they say something.

A forecast is corrected where ``AGREEING`` spans, or the season, were off to the same side and by as much
(``confirmed``). One span or two say that it may be off, not where: then it stays, and its interval holds both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from segmentation.ecdf import Fractions

YEAR = 365  # days
VOTES = 3.0
USUAL = 0.12  # error of a level: what is usual over many businesses
SEASON = 0.35  # error where the data hold nothing of the season: a Christmas quarter of shops brings 1.2 to 2 times as much
TRIED = 6  # past spans, the latest
NEAR = 5  # days by which a span may miss a year
AGREEING = 3  # spans one after the other
HALF = 0.5  # of a correction: by so much each of them is off at least
FARTHEST = 3.0  # level that is looked at: twenty times, or a twentieth
_GRID = np.linspace(-2 * FARTHEST, 2 * FARTHEST, 6_001)


@dataclass(frozen=True)
class Levels:
    """Levels of spans of so many ``days`` by the days from their start to today."""

    days: int
    known: Mapping[int, float]
    learned: Mapping[int, float] = field(
        default_factory=dict
    )  # what boosting said of spans, 0: of the one to come
    chance: float = 0.0  # relative standard deviation of what comes, if customers were all that is uncertain

    def before(self, start: int) -> list[float]:
        """Of the spans that were over then, the latest first; none overlaps the one before."""
        return [self.known[ago] for ago in self.over(start)]

    def over(self, start: int) -> list[int]:
        """When these spans began."""
        starts: list[int] = []
        free = start + self.days
        for ago in sorted(self.known):
            if ago >= free:
                starts.append(ago)
                free = ago + self.days * 3 // 4
        return starts

    def seasons(self, start: int) -> list[float]:
        """Of the same days of earlier years."""
        near = [
            min((ago for ago in self.known if abs(ago - start - years * YEAR) <= NEAR), default=None)
            for years in (1, 2, 3)
            if years * YEAR >= self.days - NEAR
        ]
        return [self.known[ago] for ago in near if ago is not None]


@dataclass(frozen=True)
class Level:
    """The level that is foretold, and where it lies with 95%."""

    level: float
    low: float
    high: float


Rule = Callable[[Levels, int], float | None]


def _as_expected(levels: Levels, start: int) -> float | None:
    return 0.0


def _of_late(levels: Levels, start: int) -> float | None:
    late = levels.before(start)[:3]
    return sum(late) / (len(late) + 1) if late else None


def _last(levels: Levels, start: int) -> float | None:
    return next(iter(levels.before(start)), None)


def _season(levels: Levels, start: int) -> float | None:
    same = _years_before(levels, start)
    if same is None:
        return None
    late = [ago for ago in sorted(levels.known) if ago >= start + levels.days]
    pairs = [(levels.known[ago], _years_before(levels, ago)) for ago in late]
    since = [came - before for came, before in pairs if before is not None][:3]
    return same + sum(since) / (len(since) + 1)


def _years_before(levels: Levels, start: int) -> float | None:
    years = levels.seasons(start)
    return float(np.mean(years)) if years else None


def _learned(levels: Levels, start: int) -> float | None:
    """Boosting that learns from one span after the other would have said what was usual of late, where it was not
    asked; of boosting that learns from the same days of each year nothing is known then.
    """
    if start in levels.learned or not levels.learned:
        return levels.learned.get(start)
    by_year = all(ago % YEAR == 0 for ago in levels.learned)
    return None if by_year else _of_late(levels, start) or 0.0


_ALWAYS: tuple[Rule, ...] = (_as_expected, _of_late, _last)
_AT_TIMES: tuple[Rule, ...] = (_season, _learned)


def foretold(levels: Levels, start: int = 0, farther: float = 1.0, unseen: float = 0.0) -> Level:
    """The level of the span that begins ``start`` days ago.

    Errors are ``farther`` times as large as those of the spans that were judged; ``unseen`` is the share of the span
    that lies in a season of which the data hold nothing.
    """
    from scipy.special import stdtr

    targets = [ago for ago in sorted(levels.known) if ago >= start + levels.days]
    said = {rule: level for rule in (*_ALWAYS, *_AT_TIMES) if (level := rule(levels, start)) is not None}
    weights = _weights(list(said), levels, targets)
    cumulated = np.zeros(len(_GRID))
    for rule, level in said.items():
        freedom = VOTES + len(_errors(rule, levels, targets))
        variance = _variance(rule, levels, targets) * farther**2 + SEASON**2 * unseen
        cumulated += weights[rule] * stdtr(freedom, (_GRID - level) / np.sqrt(variance))
    middle = sum(weights[rule] * level for rule, level in said.items())
    ends = np.searchsorted(cumulated, (0.025, 0.975))
    low, high = (float(_GRID[min(end, len(_GRID) - 1)]) for end in ends)
    return Level(middle, min(low, middle), max(high, middle))


def confirmed(levels: Levels, level: Level, said: float) -> Level:
    """What is to be said of a forecast that says a level of its own (``said``): the level that is foretold, where past
    spans were off so; else what it says, and an interval that holds both.
    """
    correction = level.level - said
    late = [levels.known[ago] - (_learned(levels, ago) or 0.0) for ago in levels.over(0)[:AGREEING]]
    season = levels.seasons(0) if 4 * levels.days <= 3 * YEAR else []  # a longer one is the span before
    witnesses = [late] if len(late) == AGREEING else []
    witnesses += [[float(np.mean(season)) - said]] if season else []
    if any(_agree(off, correction) for off in witnesses):
        return level
    return Level(said, min(level.low, level.low - correction), max(level.high, level.high - correction))


def _agree(off: list[float], correction: float) -> bool:
    return all(came * correction > 0 and abs(came) >= HALF * abs(correction) for came in off)


def _weights(rules: list[Rule], levels: Levels, targets: list[int]) -> dict[Rule, float]:
    """How much each rule is believed: those that always say something by what came under them; then each of the
    others against all before it, by its mean error and by on how many spans it was tried. Untried, it has half of
    the votes.
    """
    always = [rule for rule in rules if rule in _ALWAYS]
    common = [ago for ago in targets if all(rule(levels, ago) is not None for rule in always)]
    sums = np.array([_variance(rule, levels, common) for rule in always])
    odds = (sums / sums.min()) ** (-(VOTES + len(common[:TRIED])) / 2)
    weights = {rule: float(share) for rule, share in zip(always, odds / odds.sum(), strict=True)}
    for rule in (rule for rule in rules if rule in _AT_TIMES):
        tried = len(_errors(rule, levels, targets))
        ratios = [_variance(rule, levels, targets) / _variance(other, levels, targets) for other in weights]
        others = float(np.dot(np.array(ratios) ** (tried / 2), list(weights.values())))
        share = 1 / (1 + others)
        weights = {other: (1 - share) * weight for other, weight in weights.items()} | {rule: share}
    return weights


def _variance(rule: Rule, levels: Levels, targets: list[int]) -> float:
    """Of the error of a rule, with the votes for what is usual."""
    off = _errors(rule, levels, targets)
    return (VOTES * (USUAL**2 + levels.chance**2) + float((off**2).sum())) / (VOTES + len(off))


def _errors(rule: Rule, levels: Levels, targets: list[int]) -> Fractions:
    """Of a rule, in the latest spans of which it says something."""
    said = [(levels.known[ago], rule(levels, ago)) for ago in targets]
    return np.array([came - told for came, told in said if told is not None][:TRIED], np.float64)
