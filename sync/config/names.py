"""How are fields and lists called in an account: by which template, and is what comes of it a name there?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import connectors
from connectors import limits
from connectors.values.folding import comparable
from sync.config.faults import Fault
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.config.titles import Placed, segment_titles
from sync.config.toml_lines import KeyPath


def naming_faults(read: Sequence[Placed], accounts: Mapping[str, AccountSettings]) -> Iterator[Fault]:
    """What is wrong with the names that the templates of accounts make; nothing where none is configured."""
    written = [name for name, account in accounts.items() if account.writable]
    for account in accounts.values():
        here = [settings for _, settings in read if account.name in (settings.accounts or written)]
        if account.prefix and "{prefix}" not in account.field_template + account.list_template:
            what = "no template uses it: write {prefix} in field_name or list_name, or leave it out"
            yield Fault(("accounts", account.name, "prefix"), what)
        if account.crm in connectors.CRMS:
            yield from _fields(here, account)
            yield from _lists(here, account)


def _fields(here: Sequence[SegmentationSettings], account: AccountSettings) -> Iterator[Fault]:
    if not account.names_fields:
        return
    path: KeyPath = ("accounts", account.name, "field_name" if account.field_name else "prefix")
    rules = limits(account.crm)
    names = [
        (name, settings.name)
        for settings in here
        for name in account.with_its_names(settings).fields.values()
    ]
    for name, _ in names:
        if not rules.takes(name):
            what = f"makes the field name {name!r} ({len(name)} characters), which {account.crm} does not take: {rules.field_rule}"
            yield Fault(path, what)
    counts = Counter(name.casefold() for name, _ in names)
    for name in (name for name, number in counts.items() if number > 1):
        of = ", ".join(dict.fromkeys(owner for other, owner in names if other.casefold() == name))
        yield Fault(path, f"gives two fields the name {name!r} ({of}); use {{name}}, which differs for each")


def _titles(settings: SegmentationSettings) -> dict[str, str]:
    """Key → title of each segment that is known before anything is learned."""
    own = segment_titles(settings)
    if own or settings.options is None or settings.options.segments_by_rules:
        return own
    return {segment.key: segment.title for segment in settings.options.segments}


def _lists(here: Sequence[SegmentationSettings], account: AccountSettings) -> Iterator[Fault]:
    if account.list_name is None:
        return
    path: KeyPath = ("accounts", account.name, "list_name")
    most = limits(account.crm).list_name
    taken: dict[str, str] = {}
    for settings in here:
        if settings.lists == "none":
            continue
        longest = most.get(settings.lists)
        for key, title in _titles(settings).items():
            name, owner = account.list_title(settings, title), f"{settings.name}.{key}"
            other = taken.setdefault(comparable(name), owner)
            if other != owner:
                yield Fault(
                    path, f"gives {other} and {owner} the same name {name!r}; use {{title}} and {{segment}}"
                )
            if longest is not None and len(name) > longest:
                what = (
                    f"makes the list name {name!r} of {len(name)} characters; {account.crm} takes {longest}"
                )
                yield Fault(path, what)
