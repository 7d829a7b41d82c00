"""Can people and CRMs tell our names and titles apart, and do the CRMs take them?

A CRM refuses a title that is there twice, or a name that it keeps for itself, in the middle of a set-up. Here
it is said before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import connectors
from connectors import limits
from connectors.values.folding import comparable
from sync.config.faults import Fault
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.config.toml_lines import KeyPath

_ANOTHER = "choose another one; titles must differ in more than case and blanks"
Placed = tuple[KeyPath, SegmentationSettings]


def title_faults(read: Sequence[Placed], accounts: Mapping[str, AccountSettings]) -> Iterator[Fault]:
    """All that is wrong with names and titles of segmentations and of their segments."""
    written = [name for name, account in accounts.items() if account.writable]
    for position, (path, settings) in enumerate(read):
        names = [name for name in settings.accounts or written if name in accounts]
        for _, earlier in read[:position]:
            shared = set(names) & set(earlier.accounts or written)
            if shared and _shown(settings) == _shown(earlier) and settings.name != earlier.name:
                what = f"{settings.title or settings.name!r} is also the title of segmentation {earlier.name!r}; {_ANOTHER}"
                yield Fault((*path, "title" if settings.title else "name"), what)
        yield from _segments(settings, path)
        for crm in dict.fromkeys(accounts[name].crm for name in names if not accounts[name].names_fields):
            yield from _refused_names(settings, path, crm)
        for crm in dict.fromkeys(accounts[name].crm for name in names):
            yield from _refused_titles(settings, path, crm)


def _shown(settings: SegmentationSettings) -> str:
    return comparable(settings.title or settings.name)


def _segments(settings: SegmentationSettings, path: KeyPath) -> Iterator[Fault]:
    """Segments that people read the same of: those of the config, and those that the kind names by itself."""
    described = {segment.key: index for index, segment in enumerate(settings.segments)}
    taken: dict[str, str] = {}
    for key, title in segment_titles(settings).items():
        other = taken.setdefault(comparable(title), key)
        if other != key:
            index = described.get(key, described.get(other))
            where: KeyPath = (
                path
                if index is None
                else (*path, "segments", index, "title" if settings.segments[index].title else "key")
            )
            alike = other if key in described else key
            yield Fault(where, f"{title!r} is also the title of segment {alike!r}; {_ANOTHER}")


def segment_titles(settings: SegmentationSettings) -> dict[str, str]:
    """Key → title of each segment, in order."""
    own = {segment.key: segment.title or segment.key for segment in settings.segments}
    if not own or settings.options is None or settings.options.segments_by_rules:
        return own
    default = {segment.key: segment.title for segment in settings.options.segments}
    named = {segment.key: segment.title for segment in settings.segments if segment.title}
    return {**default, **named}


def _refused_names(settings: SegmentationSettings, path: KeyPath, crm: str) -> Iterator[Fault]:
    """Names of fields that a CRM does not take. What an account's template makes is judged there."""
    if crm not in connectors.CRMS:
        return  # which is a fault of its own
    rules = limits(crm)
    for extra_field, field in settings.fields.items():
        if not rules.takes(field):
            what = f"{field!r} ({len(field)} characters) is not a valid name for a field in {crm}: {rules.field_rule}"
            yield Fault((*path, "extra_fields" if extra_field else "field"), what)


def _refused_titles(settings: SegmentationSettings, path: KeyPath, crm: str) -> Iterator[Fault]:
    """Titles of segments that a CRM does not take."""
    if crm not in connectors.CRMS:
        return
    rules = limits(crm)
    for index, segment in enumerate(settings.segments):
        shown = segment.title or segment.key
        if rules.option_label is not None and len(shown) > rules.option_label:
            what = f"has {len(shown)} characters; {crm} takes {rules.option_label}"
            yield Fault((*path, "segments", index, "title" if segment.title else "key"), what)
