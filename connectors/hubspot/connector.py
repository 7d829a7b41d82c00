"""How does a HubSpot portal answer what a CRM is asked? From the parts of this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from connectors import contract
from connectors.errors import UnsupportedError
from connectors.hubspot import automations, diagnostics, export, references
from connectors.hubspot.fields import FRESH, Fields
from connectors.hubspot.list_members import MEMBERS_PER_CALL, ListMembers
from connectors.hubspot.lists import Lists
from connectors.hubspot.reading import Reading
from connectors.hubspot.session import Portal
from connectors.hubspot.writing import BATCH_SIZE, Writing
from connectors.rest.connector import RestConnector


class HubspotConnector(RestConnector):
    """One HubSpot portal."""

    capabilities = contract.Capabilities(
        streams=("contact", "company", "activity"),
        dynamic_lists=True,
        counts=True,
        batch_size=BATCH_SIZE,
        member_batch_size=MEMBERS_PER_CALL,
        members_per_call=MEMBERS_PER_CALL,
        list_lag_minutes=60,
        archives_fields=True,
        deletes_lists=frozenset({"static", "dynamic"}),
        way_back="HubSpot keeps a deleted list and an archived property for 90 days; undo restores the list, and "
        "a person restores the property (Settings > Properties > Archived) before",
    )
    _reading: Reading
    _fields: Fields
    _lists: Lists
    _members: ListMembers

    def __init__(self, account: contract.Account) -> None:
        self._portal = portal = Portal(account)
        lists, reading = Lists(portal), Reading(portal)
        super().__init__(portal, reading, Fields(portal), lists, ListMembers(portal, lists), Writing(portal))
        self._asking = diagnostics.Asking(lambda: reading.sources("activity"), self._look_at_lists)
        self._listed: tuple[list[contract.RemoteList], float] | None = None

    def check(self) -> list[contract.Problem]:
        return diagnostics.problems(self._portal, self._asking)

    def check_reading(self) -> list[contract.Problem]:
        return diagnostics.problems(self._portal, self._asking, writing=False)

    def diagnostics(self) -> list[str]:
        if not self._portal.answers.learned:
            return []
        return [*diagnostics.notes(self._portal), *self._reading.diagnostics()]

    def account_defaults(self) -> contract.AccountDefaults:
        return self._portal.details()

    def count(self, stream: str) -> int | None:
        return super().count(self._known(stream))

    def read(self, stream: str, position: str | None) -> Iterator[contract.Page]:
        return super().read(self._known(stream), position)

    def lists(self) -> list[contract.RemoteList]:
        seen, (listed, moment) = self._listed is not None, self._listed or ([], 0.0)
        self._listed = None  # what a check has just read serves once
        return listed if seen and time.monotonic() - moment < FRESH else self._lists.all()

    def list_pages(self, lists: Sequence[contract.RemoteList]) -> dict[str, str]:
        base = self._portal.pages()
        return {
            remote.id: f"{base}/objectLists/{remote.id}/filters"
            for remote in lists
            if base and remote.id.isdigit()
        }

    def export(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> dict[str, str]:
        return export.files(self._portal, self._fields, self._lists, fields, lists)

    def automations(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.Automations:
        return automations.reacting(self._portal, fields, lists)

    def references(
        self, fields: Sequence[contract.FieldSpec], lists: Sequence[contract.ListSpec]
    ) -> contract.References:
        return references.referring(self._portal, self._lists, fields, lists)

    def archive_field(self, spec: contract.FieldSpec) -> None:
        self._fields.archive(spec)

    def delete_list(self, remote: contract.RemoteList) -> None:
        self._lists.delete(remote.id)
        self._listed = None

    def _look_at_lists(self) -> None:
        self._listed = self._lists.all(), time.monotonic()

    def _known(self, stream: str) -> str:
        streams = self.capabilities.streams
        if stream not in streams:
            raise UnsupportedError(f"HubSpot has no stream {stream!r}; it has {', '.join(streams)}")
        return stream
