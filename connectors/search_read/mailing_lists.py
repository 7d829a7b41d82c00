"""How is a list of addresses a list of contacts?

A mailing list of these CRMs holds addresses, and a contact is a member while one of its addresses is in it. Whoever
unsubscribed stays out: only a person brings an address back. An address that several contacts share goes when all
of them leave in one batch: else the others would leave with it.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.contract import ListSpec, Page, RemoteList
from connectors.errors import RequestError
from connectors.rest.batch_writer import bisected, slices
from connectors.rest.lists import member_page
from connectors.rest.outcomes import Outcomes
from connectors.schemas import MEMBER
from connectors.search_read.server import Refusal, Row, Server

MEMBERS_PER_CALL = 500
_FRESH = 60.0  # seconds for which addresses of contacts are not read again


@dataclass(frozen=True)
class Entry:
    """An address in a list."""

    id: int
    email: str  # in small letters
    subscribed: bool


class MailingLists(ABC):
    """The lists of an account, and who is in them. Changes none that is not ours."""

    model: str  # of the lists

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ids = {key: id for id, key in server.account.lists.items()}  # of lists that we made
        self._addresses: tuple[dict[str, list[str]], float] = ({}, 0.0)

    # What differs from CRM to CRM

    @abstractmethod
    def addresses(self) -> dict[str, list[str]]:
        """Contact → its addresses in small letters, the primary one first."""

    @abstractmethod
    def entries(self, list_id: int, emails: Sequence[str] | None) -> list[Entry]:
        """What is in a list, of these addresses or of all."""

    @abstractmethod
    def add(self, list_id: int, emails: Sequence[str]) -> None:
        """Put addresses into a list that are not in it; Refused: none of them is."""

    @abstractmethod
    def remove(self, list_id: int, entries: Sequence[Entry]) -> None:
        """Take addresses out of a list."""

    def marked(self) -> Mapping[str, int]:
        """Key → list that carries our mark, where the CRM has a place for one."""
        return {}

    def mark(self, list_id: int, key: str) -> None:
        """Leave our mark on a list."""

    # Lists

    def all(self) -> list[RemoteList]:
        """All lists, also those of other people."""
        keys = {str(id): key for key, id in {**self.marked(), **self._ids}.items()}
        rows = self._server.search_read(self.model, [["active", "=", True]], ["name"])
        return [_remote(row, keys.get(str(row["id"]), "")) for row in rows]

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Create the list, or bring it back and give it its present name."""
        if spec.kind == "dynamic":
            raise RequestError(
                f'{self._server.crm} has no dynamic lists: set lists = "static" for {spec.key}.'
            )
        known = spec.id or self._ids.get(spec.key) or self.marked().get(spec.key)
        fields, name = ["name", "active"], spec.label or spec.key
        rows = self._server.search_read(self.model, [["id", "=", int(known)]], fields) if known else []
        if not rows:
            self._refuse_namesake(spec, name)
            # it is called by its key until it is ours: a set-up that is cut off goes on with it
            first = f"{name} ({spec.key})"
            begun = self._server.ids(self.model, [["name", "=", first]])
            made = begun[0] if begun else self._server.create(self.model, [{"name": first}])[0]
            self.mark(made, spec.key)
            rows = [{"id": made, "name": "", "active": True}]
        if rows[0]["name"] != name or not rows[0]["active"]:
            self._server.write(
                self.model, [([rows[0]["id"]], {"active": True}), ([rows[0]["id"]], {"name": name})]
            )
        self._ids[spec.key] = str(rows[0]["id"])
        return _remote(rows[0] | {"name": name}, spec.key)

    def _refuse_namesake(self, spec: ListSpec, name: str) -> None:
        if self._server.count(self.model, [["name", "=", name], ["active", "=", True]]):
            raise RequestError(
                f'There is a list named "{name}" that crm-segments did not create ({spec.key} would get this name): rename '
                f"one of them, or take it over with `crm-segments setup --adopt {spec.key}`"
            )

    def delete(self, remote: RemoteList) -> None:
        """Archive an empty list: who unsubscribed from it stays known."""
        self._server.write(self.model, [([int(remote.id)], {"active": False})])

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        return {}

    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        return {}

    # Members

    def read(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """All members as one page; none where they are those of ``position``."""
        ids = sorted(self._members(remote, None), key=int)
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
        if digest != position:
            yield member_page(remote, ids, digest, f"list:{remote.id}")

    def current(self, remote: RemoteList, ids: Sequence[str]) -> list[str | None]:
        """MEMBER for those who are in the list now, null for the others."""
        members = self._members(remote, ids)
        return [MEMBER if id in members else None for id in ids]

    def write(self, remote: RemoteList, changes: pa.Table) -> pa.Table:
        """Add and remove; adding a member, or removing a non-member, counts as done."""
        outcomes, addresses = Outcomes(changes), self._known_addresses(fresh=True)
        self._exists(remote)
        leaving = {outcomes.ids[row] for row, after in enumerate(outcomes.after) if after != MEMBER}
        for rows in slices(range(changes.num_rows), MEMBERS_PER_CALL):
            emails = sorted({email for row in rows for email in addresses.get(outcomes.ids[row], ())})
            entries = {entry.email: entry for entry in self.entries(int(remote.id), emails)}
            self._remove(
                remote, outcomes, [row for row in rows if outcomes.after[row] != MEMBER], entries, leaving
            )
            self._add(remote, outcomes, [row for row in rows if outcomes.after[row] == MEMBER], entries)
        return outcomes.table("not written")

    def _add(
        self, remote: RemoteList, outcomes: Outcomes, rows: Sequence[int], entries: Mapping[str, Entry]
    ) -> None:
        addresses = self._known_addresses()
        waiting: dict[str, list[int]] = {}
        for row in rows:
            emails = addresses.get(outcomes.ids[row])
            if emails is None:
                outcomes.reject([row], "gone", f"there is no contact {outcomes.ids[row]}")
            elif not emails:
                outcomes.reject(
                    [row], "data", "the contact has no e-mail address, and a mailing list holds nothing else"
                )
            elif any(email in entries and entries[email].subscribed for email in emails):
                outcomes.done([row])
            elif any(email in entries for email in emails):
                reason = f"the contact unsubscribed from this list: only a person may subscribe it again in {self._server.crm}"
                outcomes.reject([row], "permission", reason)
            else:
                waiting.setdefault(emails[0], []).append(row)
        if not waiting:
            return
        sent = bisected(lambda some: self.add(int(remote.id), some), list(waiting), lambda refusal: True)
        for together, answer in sent:
            for row in (row for email in together for row in waiting[email]):
                if isinstance(answer, Refusal):
                    outcomes.reject([row], answer.kind, answer.reason)
                else:
                    outcomes.done([row])

    def _remove(
        self,
        remote: RemoteList,
        outcomes: Outcomes,
        rows: Sequence[int],
        entries: Mapping[str, Entry],
        leaving: set[str],
    ) -> None:
        addresses, owners = self._known_addresses(), self._owners()
        going: dict[int, Entry] = {}
        for row in rows:
            ours = [entries[email] for email in addresses.get(outcomes.ids[row], ()) if email in entries]
            ours = [entry for entry in ours if entry.subscribed]
            others = {owner for entry in ours for owner in owners[entry.email]} - leaving
            if others:
                reason = f"contact {min(others, key=int)} has the same address and stays in the list: give one of them another address"
                outcomes.reject([row], "data", reason)
            else:
                going.update({entry.id: entry for entry in ours})
        if going:
            self.remove(int(remote.id), list(going.values()))
        outcomes.done(outcomes.unanswered(rows))

    def _members(self, remote: RemoteList, ids: Sequence[str] | None) -> set[str]:
        addresses = self._known_addresses(fresh=ids is not None)
        self._exists(remote)
        wanted = addresses.keys() if ids is None else addresses.keys() & set(ids)
        emails = None if ids is None else sorted({email for id in wanted for email in addresses[id]})
        inside = {entry.email for entry in self.entries(int(remote.id), emails) if entry.subscribed}
        return {id for id in wanted if inside.intersection(addresses[id])}

    def _exists(self, remote: RemoteList) -> None:
        if not remote.id.isdigit() or not self._server.count(self.model, [["id", "=", int(remote.id)]]):
            raise RequestError(f"there is no list {remote.key or remote.id}: run `crm-segments setup`")

    def _known_addresses(self, fresh: bool = False) -> dict[str, list[str]]:
        known, moment = self._addresses
        if not known or (fresh and time.monotonic() - moment > _FRESH):
            known = self.addresses()
            self._addresses = known, time.monotonic()
        return known

    def _owners(self) -> dict[str, set[str]]:
        """Address → the contacts that have it."""
        owners: dict[str, set[str]] = {}
        for id, emails in self._known_addresses().items():
            for email in emails:
                owners.setdefault(email, set()).add(id)
        return owners


def _remote(row: Row, key: str) -> RemoteList:
    return RemoteList(str(row["id"]), key, str(row["name"] or ""), "static", "contact")
