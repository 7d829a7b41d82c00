"""Which CRMs has a command opened, and how often did it ask them?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from connectors import open_source
from connectors.contract import Account, Calls, Option, Source
from connectors.errors import ConnectorError
from sync.account.left import left_fields
from sync.account.segment_catalog import named_segments
from sync.config.config import Config
from sync.config.uses import activity_types_used
from sync.store.journal import Journal

Open = Callable[[Account], Source]


@dataclass
class Connections:
    """The CRMs of one command, each opened when it is first asked for."""

    journal: Journal
    open: Open = open_source
    _sources: dict[str, Source] = field(default_factory=dict)

    def source(self, config: Config, account: str) -> Source:
        """What an account is read from."""
        if account not in self._sources:
            self._sources[account] = self.open(described(config, self.journal, account))
        return self._sources[account]

    @property
    def calls(self) -> Calls:
        """How often the CRMs were asked so far, by the connectors' own count."""
        counted = [source.calls for source in self._sources.values()]
        return Calls(sum(count.read for count in counted), sum(count.write for count in counted))

    def quotas(self, config: Config) -> dict[str, dict[str, float]]:
        """What each CRM said of its calls of a day, and the share that is reserved for others."""
        said = {name: source.quota() for name, source in self._sources.items()}
        return {
            name: {"limit": quota.limit, "left": quota.left, "reserve": config.accounts[name].quota_reserve}
            for name, quota in said.items()
            if quota is not None
        }

    @property
    def diagnostics(self) -> list[str]:
        """What the CRMs said of their limits and sources, by account where there are several."""
        several = len(self._sources) > 1
        return [
            f"{name}: {note}" if several else note
            for name, source in self._sources.items()
            for note in source.diagnostics()
        ]

    def close(self) -> None:
        """Let go of them."""
        for source in self._sources.values():
            with suppress(ConnectorError):  # what a command did or failed at was told before
                source.close()


def options_of(config: Config, journal: Journal, account: str) -> dict[str, list[Option]]:
    """The options of each segmentation's field: stored key and shown title."""
    every = {
        entry.name: named_segments(config, journal, entry, account)
        for entry in config.segmentations_of(account)
    }
    return {name: [Option(entry.key, entry.title) for entry in segments] for name, segments in every.items()}


def described(config: Config, journal: Journal, name: str) -> Account:
    """An account as its connector gets it: with our fields, also those that the config left, and our lists."""
    ours = {remote: key for key, remote in journal.objects.lists_of(name).items() if remote}
    account = config.account(name, options_of(config, journal, name))
    # In an order that does not move when a segmentation leaves the config: what was read is then not read
    # again.
    fields = sorted(
        (*account.fields, *left_fields(config, journal, name)), key=lambda spec: (spec.record_type, spec.name)
    )
    return replace(
        account, fields=tuple(fields), lists=ours, activity_types=activity_types_used(config, name)
    )
