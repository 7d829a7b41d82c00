"""What is a CRM of models put together from?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from connectors import contract
from connectors.errors import UnsupportedError
from connectors.rest.connector import Fields, RestConnector
from connectors.rest.cursor import loads
from connectors.rest.reading import pages
from connectors.search_read.mailing_lists import MailingLists
from connectors.search_read.reader import ModelReader, Progress, Source
from connectors.search_read.server import Server
from connectors.search_read.writing import Writing

_VERSION = 1  # of what is read out of a record: a change makes every position void


class SearchReadConnector(RestConnector):
    """One database. It is its own reading side."""

    _lists: MailingLists

    def __init__(self, server: Server, fields: Fields, lists: MailingLists, writing: Writing) -> None:
        self._server = server
        super().__init__(server, self, fields, lists, lists, writing)

    @abstractmethod
    def sources(self, stream: str) -> list[Source]:
        """What a stream is read from."""

    def pages(self, stream: str, position: str | None) -> Iterator[contract.Page]:
        """Pages of ``contact`` or ``activity`` after a position."""
        if stream not in self.capabilities.streams:
            raise UnsupportedError(
                f"{self._server.crm} has no stream {stream!r}; it has contact and activity"
            )
        state, sources = loads(position, _VERSION, lambda stored: Progress(**stored)), self.sources(stream)
        every = timedelta(days=self._server.account.settings.full_sync_days)
        readers = [ModelReader(self._server, source, datetime.now(UTC), every) for source in sources]
        withdrawn = sorted(set(state.sources) - {source.name for source in sources})
        yield from pages(stream, state, readers, withdrawn)

    def count(self, stream: str) -> int | None:
        return None

    def delete_list(self, remote: contract.RemoteList) -> None:
        self._lists.delete(remote)
