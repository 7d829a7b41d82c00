"""How does a folder of exports answer what a CRM is asked? The embedded default, and the connector that others look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import (
    Account,
    Automations,
    Calls,
    Capabilities,
    Connector,
    FieldReference,
    FieldSpec,
    ListSpec,
    Page,
    Problem,
    References,
    RemoteList,
    Ticket,
)
from connectors.errors import RequestError, UnsupportedError
from connectors.files.csv_editor import Sheet
from connectors.files.diagnostics import looked, problems
from connectors.files.fields import Fields, caught_up
from connectors.files.folder import Folder
from connectors.files.lists import Lists
from connectors.files.member_columns import filled
from connectors.files.reading import Reading
from connectors.files.row_counts import Counts
from connectors.files.settings import SEGMENTS
from connectors.files.shared_file import Trail, change, load, make_private
from connectors.files.writing import Changes, absent, held, members_held, same, set_fields, set_members
from connectors.schemas import OUTCOME_SCHEMA
from connectors.tables.settings import TABLES

_STREAMS = (*TABLES, "value")
_ROWS = 1_000_000  # in one batch: a file is replaced whole, however few of its rows change


class FilesConnector(Connector):
    """One folder. ``segments.csv`` and ``lists`` in it are ours to write, cell by cell."""

    capabilities = Capabilities(
        streams=_STREAMS,
        compares_before=True,
        member_columns=True,
        shared_ids=False,
        batch_size=_ROWS,
        member_batch_size=_ROWS,
        records_per_call=_ROWS,
        members_per_call=_ROWS,
    )

    def __init__(self, account: Account) -> None:
        self._folder = Folder(account)
        activity = self._folder.dialect("activity")
        newest_wins = activity.orders.newest_wins != "never"
        self.capabilities = replace(self.capabilities, id_type=activity.id_type, newest_wins=newest_wins)
        self._fields = Fields(self._folder)
        self._lists = Lists(self._folder)
        self._counts = Counts(self._folder)
        self._trail = Trail()
        self._diagnostics: list[str] = []
        self.calls = Calls()  # a file that is read (page by page) or replaced is a call

    def check(self) -> list[Problem]:
        """Reads all files to their end where nothing stands in the way."""
        faults = problems(self._folder)
        reads_orders = not faults and self._folder.files("contact") and self._folder.files("activity")
        more, self._diagnostics = looked(self._folder) if reads_orders else ([], [])
        return faults + more

    def diagnostics(self) -> list[str]:
        return self._diagnostics

    def check_reading(self) -> list[Problem]:
        return problems(self._folder)

    def count(self, stream: str) -> int | None:
        return self._counts.rows(_known(stream))

    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        return self._counted(
            self._fields.read(position)
            if _known(stream) == "value"
            else Reading(self._folder, stream).pages(position)
        )

    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        return self._fields.all()

    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        self.calls.write += 1
        self._fields.ensure(spec)
        return FieldReference(spec.name)

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        return None if value is None else value.replace("\0", "").encode("utf-8", "replace").decode()

    def lists(self) -> list[RemoteList]:
        return self._lists.all()

    def ensure_list(self, spec: ListSpec) -> RemoteList:
        self.calls.write += 1
        return self._lists.ensure(spec)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        return self._counted(self._lists.members(remote, position))

    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        self.calls.write += 1
        wanted = Changes.of(changes)
        numbers = {spec.name: spec.type == "number" for spec in self._folder.account.fields}

        def edit(sheet: Sheet | None) -> tuple[bytes | None, pa.Table]:
            return set_fields(sheet, wanted, numbers) if sheet is not None else (None, absent(wanted))

        return change(self._fields.path, self._fields.delimiter, edit, self._trail)

    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        self.calls.write += 1
        wanted = Changes.of(changes)

        def edit(sheet: Sheet | None) -> tuple[bytes | None, pa.Table]:
            if sheet is None:
                raise RequestError(f"list {remote.key} does not exist (any more): run `crm-segments setup`")
            return set_members(sheet, wanted)

        return change(
            self._folder.path / self._lists.path(remote.id), self._lists.delimiter, edit, self._trail
        )

    def fill_members(self, remote: RemoteList, cells: pa.Table, dropped: Sequence[str]) -> str | None:
        path = self._folder.path / self._lists.path(remote.id)
        if cells.num_columns > 2:
            make_private(path)

        def edit(sheet: Sheet | None) -> tuple[bytes | None, bool]:
            text = None if sheet is None else filled(sheet, cells, dropped)
            return text, sheet is not None and text != sheet.text

        changed = change(path, self._lists.delimiter, edit, self._trail)
        self.calls.write += changed
        return str(path) if changed else None

    def current_values(self, changes: pa.Table) -> pa.Array:
        self.calls.read += 1
        wanted = Changes.of(changes)
        sheet, _ = load(self._fields.path, self._fields.delimiter)
        if sheet is None:
            return pa.nulls(len(wanted.ids), pa.string())
        return held(sheet, sheet.find(wanted.types, wanted.ids), wanted.targets)

    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        self.calls.read += 1
        wanted = Changes.of(changes)
        sheet = self._lists.sheet(remote.id)
        if sheet is None:
            return pa.nulls(len(wanted.ids), pa.string())
        return members_held(sheet.find(wanted.types, wanted.ids))

    def settle_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return _settled(changes, self.current_values(changes))

    def settle_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        return _settled(changes, self.current_members(remote, changes))

    def caught_up(self, stream: str | RemoteList, position: str) -> str | None:
        if isinstance(stream, RemoteList):
            return caught_up(
                self._folder, f"list:{stream.id}", self._lists.path(stream.id), position, self._trail
            )
        return caught_up(self._folder, stream, SEGMENTS, position, self._trail) if stream == "value" else None

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        return Automations()  # nothing in a folder reacts; who reads the files afterwards is no part of it

    def references(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
        return References()  # no file names another one

    def _counted(self, pages: Iterator[Page]) -> Iterator[Page]:
        for page in pages:
            self.calls.read += 1
            yield page


def _settled(changes: pa.Table, now: pa.Array) -> pa.Table:
    """As ``connectors.contract.settled``, but an empty cell is not the same as none."""
    arrived = pa.array(same(now, Changes.of(changes).after))
    nothing = pa.scalar(None, pa.string())
    columns = [("done", "rejected"), (nothing, "transient"), (nothing, "interrupted before the write")]
    return pa.table([pc.if_else(arrived, *pair).cast(pa.string()) for pair in columns], schema=OUTCOME_SCHEMA)


def _known(stream: str) -> str:
    if stream not in _STREAMS:
        raise UnsupportedError(f"a folder has no stream {stream!r}; it has {', '.join(_STREAMS)}")
    return stream
