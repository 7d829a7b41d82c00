"""What do the rules of a config say, and which of them cannot be used?

A rule stands in a segmentation's population, or in ``when`` of a segment of kind ``rules``. The language is
that of ``segmentation.rules.parser``; here it learns which attributes and segmentations there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from connectors.values.currency import exponent
from connectors.values.folding import comparable, folded
from sync.config import faults
from sync.config.faults import Fault
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.config.toml_lines import KeyPath

Placed = tuple[KeyPath, SegmentationSettings]


def inexact(accounts: Sequence[AccountSettings]) -> frozenset[str]:
    """Names of the attributes whose texts are compared without case and blanks."""
    return frozenset(
        name
        for account in accounts
        for name, attribute in account.known_attributes.items()
        if not attribute.exact
    )


def attribute_types(accounts: Sequence[AccountSettings]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and order of each attribute that these accounts have."""
    return {
        name: (attribute.type, attribute.order)
        for account in accounts
        for name, attribute in account.known_attributes.items()
    }


def parsed(
    tree: Any, segmentations: Sequence[SegmentationSettings], accounts: Sequence[AccountSettings]
) -> Any:
    """The rule of a tree, as the accounts' attributes and the first one's currency have it.

    RuleError: all that is wrong.
    """
    from segmentation.rules import parser

    keys: dict[str, Callable[[], Sequence[str]]] = {
        settings.name: partial(keys_of, settings) for settings in segmentations
    }
    places = exponent(accounts[0].currency) if accounts else 2
    return parser.parse(
        tree,
        attribute_types(accounts),
        keys,
        places,
        dict.fromkeys((*inexact(accounts), "email"), folded),
        folded,
    )


def keys_of(settings: SegmentationSettings) -> list[str]:
    """Keys of all segments of a segmentation."""
    if settings.options is None or settings.options.segments_by_rules:
        return [segment.key for segment in settings.segments]
    keys: list[str] = settings.options.keys()
    return keys


def used(settings: SegmentationSettings) -> frozenset[str]:
    """Names of the segmentations that a segmentation's rules mention, whether or not there are such."""
    return frozenset(
        {*(name for _, tree in _trees(settings) for name in _mentioned(tree)), *options_use(settings)}
    )


def options_use(settings: SegmentationSettings) -> tuple[str, ...]:
    """Names of the segmentations that the options of its kind name."""
    names: tuple[str, ...] = settings.options.uses if settings.options is not None else ()
    return names


def _mentioned(tree: Any) -> Iterator[str]:
    if isinstance(tree, Mapping):
        if isinstance(tree.get("segment"), str):
            yield tree["segment"]
        for part in tree.values():
            yield from _mentioned(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _mentioned(part)


def _trees(settings: SegmentationSettings) -> Iterator[tuple[KeyPath, Any]]:
    if settings.population is not None:
        yield ("population",), settings.population
    for index, segment in enumerate(settings.segments):
        if segment.when is not None:
            yield ("segments", index, "when"), segment.when


def rule_faults(read: Sequence[Placed], accounts: Mapping[str, AccountSettings]) -> Iterator[Fault]:
    """All that is wrong with populations, segments and their rules."""
    written = [name for name, account in accounts.items() if account.writable]
    everything = [settings for _, settings in read]
    every: dict[KeyPath, Any] = {}
    for path, settings in read:
        names = [name for name in settings.accounts or written if name in accounts]
        rules: dict[KeyPath, Any] = {}
        for where, tree in _trees(settings):
            yield from _read(tree, (*path, *where), rules, everything, [accounts[name] for name in names])
        if settings.options is not None:
            yield from _segment_faults(settings, path)
            yield from _unreachable(settings, path, rules)
        yield from _missing(settings, path, everything, names, written)
        every |= rules
    yield from _cycles(read)
    yield from _spellings(every)


def _read(
    tree: Any,
    path: KeyPath,
    rules: dict[KeyPath, Any],
    everything: Sequence[SegmentationSettings],
    accounts: Sequence[AccountSettings],
) -> Iterator[Fault]:
    from segmentation.rules.parser import RuleError

    try:
        rules[path] = parsed(tree, everything, accounts)
    except RuleError as error:
        yield from (Fault((*path, *_steps(where)), what) for where, what in error.faults)


def _segment_faults(settings: SegmentationSettings, path: KeyPath) -> Iterator[Fault]:
    """Segments that the kind does not have, or that lack what the kind wants."""
    by_rules = settings.options.segments_by_rules
    if by_rules and not settings.segments:
        what = "has no segment: add [[segmentations.segments]] with key, title and when = { ... }; the first whose rule matches wins"
        yield Fault((*path, "kind"), what)
    keys = keys_of(settings) if settings.segments else []
    for index, segment in enumerate(settings.segments):
        where: KeyPath = (*path, "segments", index)
        if segment.key not in keys:
            yield Fault(
                (*where, "key"),
                f"{segment.key!r} is not a segment of kind {settings.kind!r}; {faults.one_of(segment.key, keys)}",
            )
        elif segment.key in [earlier.key for earlier in settings.segments[:index]]:
            yield Fault((*where, "key"), f"{segment.key!r} is described twice; keep one")
        if by_rules and segment.when is None:
            yield Fault(
                (*where, "when"),
                "is missing: say who belongs to it, such as { did = 'purchase', within_days = 90 }",
            )
        if not by_rules and segment.when is not None:
            yield Fault(
                (*where, "when"),
                f"is not allowed in kind {settings.kind!r}, which assigns segments by itself; rules belong to kind 'rules'",
            )


def _unreachable(
    settings: SegmentationSettings, path: KeyPath, rules: Mapping[KeyPath, Any]
) -> Iterator[Fault]:
    from segmentation.rules.unreachable import unreachable

    population = rules.get((*path, "population"))
    if population is not None and any(True for _ in unreachable([("population", population)])):
        yield Fault(
            (*path, "population"),
            "can never be true: it contradicts itself, so nobody would get this segment",
        )
    places = [index for index in range(len(settings.segments)) if (*path, "segments", index, "when") in rules]
    named = [(settings.segments[index].key, rules[(*path, "segments", index, "when")]) for index in places]
    for position, what in unreachable(named):
        yield Fault((*path, "segments", places[position], "when"), what)


def _missing(
    settings: SegmentationSettings,
    path: KeyPath,
    everything: Sequence[SegmentationSettings],
    names: Sequence[str],
    written: Sequence[str],
) -> Iterator[Fault]:
    """Segmentations that it uses and that are not given in an account of its own."""
    for where, tree in _trees(settings):
        for other in everything:
            lacking = [name for name in names if name not in (other.accounts or written)]
            if lacking and other.name in set(_mentioned(tree)):
                what = f"segmentation {other.name!r} is not used in account {', '.join(lacking)}; add the account to it, or limit this one"
                yield Fault((*path, *where), what)


def _cycles(read: Sequence[Placed]) -> Iterator[Fault]:
    """Segmentations that wait for each other; each ring is told once."""
    uses = {settings.name: sorted(used(settings)) for _, settings in read}
    reported: set[frozenset[str]] = set()
    for path, settings in read:
        ring = _ring(settings.name, uses)
        if ring and frozenset(ring) not in reported:
            reported.add(frozenset(ring))
            what = f"uses itself: {' -> '.join([*ring, settings.name])}; no segmentation can use its own labels; remove one of these links"
            follower = ring[1] if len(ring) > 1 else settings.name
            yield Fault(
                (
                    *path,
                    *next(
                        (where for where, tree in _trees(settings) if follower in _mentioned(tree)),
                        ("segment_by",),
                    ),
                ),
                what,
            )


def _spellings(rules: Mapping[KeyPath, Any]) -> Iterator[Fault]:
    """Names that differ in upper and lower case alone: features of the two could not be told apart."""
    first: dict[tuple[str, str], str] = {}
    for path, rule in rules.items():
        needs = rule.needs()
        named = {"kind": [*needs.kinds, *needs.ages], "survey": needs.answers}
        named["category"] = [*needs.categories, *(category for category, _days in needs.shares)]
        for sort, names in named.items():
            for name in names:
                other = first.setdefault((sort, comparable(name)), name)
                if other != name:
                    yield Fault(
                        path,
                        f"{sort} {name!r} is spelled {other!r} elsewhere; spell it the same way everywhere, as in the activity",
                    )


def _ring(start: str, uses: Mapping[str, Sequence[str]]) -> list[str]:
    """A way from a segmentation back to itself; empty: there is none."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        for name in uses.get(way[-1], ()):
            if name == start:
                return way
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _steps(where: str) -> KeyPath:
    """A path as the rules give it: ``all[0].attribute``."""
    return tuple(
        int(step) if step.isdigit() else step
        for step in where.replace("[", ".").replace("]", "").split(".")
        if step
    )
