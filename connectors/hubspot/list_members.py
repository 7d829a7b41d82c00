"""Who is in a static list, and how do records come into it and leave it?"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa

from connectors.contract import Page, RemoteList
from connectors.errors import RequestError, TemporaryError
from connectors.hubspot.lists import Lists
from connectors.hubspot.paths import TYPE_IDS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import LISTS_OF_RECORD, MEMBERS, MOVED
from connectors.rest.batch_writer import slices
from connectors.rest.lists import member_page
from connectors.rest.outcomes import Outcomes
from connectors.schemas import MEMBER

MEMBERS_PER_CALL = 10_000  # HubSpot names no limit; its other list calls take 100,000
_PAGE = 250


class ListMembers:
    """Members of static lists."""

    def __init__(self, portal: Portal, lists: Lists) -> None:
        self._portal = portal
        self._lists = lists

    def read(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """All members as one page; none where they are those of ``position``."""
        saved = orjson.loads(position) if position else {}
        # as all lists were told at once: no call for this one
        described = self._lists.described.pop(remote.id, {})
        if described.get("processingStatus") != "COMPLETE":
            self._settled(remote.id)
            described = next(self._lists.search([remote.id]), {})
        stamp = _stamp(described)
        if stamp and stamp == saved.get("stamp"):
            return
        ids = list(self._ids(remote.id))
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
        if digest == saved.get("digest") and not stamp:  # with a stamp, the page saves the new one
            return
        saved = orjson.dumps({"stamp": stamp, "digest": digest}).decode()
        yield member_page(remote, ids, saved, f"list:{remote.id}")

    def write(self, remote: RemoteList, changes: pa.Table) -> pa.Table:
        """Add and remove; what HubSpot leaves unanswered is looked up."""
        if remote.kind == "dynamic":
            raise RequestError(
                f'HubSpot fills the list "{remote.label}" itself: its members cannot be written'
            )
        outcomes = Outcomes(changes)
        for rows in slices(range(changes.num_rows), MEMBERS_PER_CALL):
            self._write(remote, outcomes, rows)
        return outcomes.table("HubSpot did not answer for this record")

    def current(self, remote: RemoteList, ids: Sequence[str]) -> list[str | None]:
        """MEMBER for those who are in the list now, null for the others."""
        member_ids = self._held(remote, {id for id in ids if id.isdigit()})
        return [MEMBER if id in member_ids else None for id in ids]

    def _write(self, remote: RemoteList, outcomes: Outcomes, rows: Sequence[int]) -> None:
        ids, after = outcomes.ids, outcomes.after
        real = [row for row in rows if ids[row].isascii() and ids[row].isdigit()]
        body = {
            "recordIdsToAdd": [ids[row] for row in real if after[row] == MEMBER],
            "recordIdsToRemove": [ids[row] for row in real if after[row] != MEMBER],
        }
        answer: dict[str, Any] = {}
        if real:
            path = self._portal.path("lists", remote.id, "memberships/add-and-remove")
            answer = self._portal.ask("PUT", path, body=body, writes=True, shape=MOVED)
        came = _named(answer, "recordsIdsAdded", "recordIdsAdded")
        went = _named(answer, "recordsIdsRemoved", "recordIdsRemoved")
        missing = _named(answer, "recordIdsMissing", "recordsIdsMissing")
        outcomes.done(row for row in real if ids[row] in (came if after[row] == MEMBER else went))
        left = set(outcomes.unanswered(real))
        members = self._held(remote, {ids[row] for row in left})
        for row in outcomes.unanswered(rows):
            if (after[row] == MEMBER) == (ids[row] in members):
                outcomes.done([row])  # it was so before
            elif ids[row] in missing or row not in left:
                outcomes.reject([row], "gone", "there is no such record")

    def _held(self, remote: RemoteList, ids: set[str]) -> set[str]:
        """Those of the ids that are in the list: by reading the list, or the records, whichever takes fewer
        calls.
        """
        if not ids:
            return set()
        size = self._settled(remote.id).get("size")
        if len(ids) * _PAGE >= (size if isinstance(size, int) else 0):
            return ids.intersection(self._ids(remote.id))
        type_id = TYPE_IDS.get(remote.record_type, TYPE_IDS["contact"])

        def of_record(id: str) -> bool:
            path = self._portal.path("lists", "records", type_id, id, "memberships")
            answer = self._portal.ask("GET", path, shape=LISTS_OF_RECORD)
            return any(str(membership["listId"]) == remote.id for membership in answer["results"])

        wanted = sorted(ids)
        return {id for id, here in zip(wanted, self._portal.many(of_record, wanted), strict=True) if here}

    def _ids(self, list_id: str) -> Iterator[str]:
        """Ids of all members, ascending."""
        path = self._portal.path("lists", list_id, "memberships")
        for member in self._portal.listing(path, [("limit", str(_PAGE))], MEMBERS):
            yield str(member["recordId"])

    def _settled(self, list_id: str, patience: float = 60.0) -> dict[str, Any]:
        """The list once HubSpot has worked off what changed it. TemporaryError after ``patience`` seconds."""
        wait, ends = 0.25, time.monotonic() + patience
        while True:
            description = self._lists.one(list_id)
            if description is None:
                raise RequestError(f"list {list_id} does not exist (any more): run `crm-segments setup`")
            if description.get("processingStatus") != "PROCESSING":
                return description
            if time.monotonic() + wait > ends:
                what = f"HubSpot is still processing list {list_id}: its members are not known yet"
                raise TemporaryError(what, retry_after=patience)
            time.sleep(wait)
            wait = min(wait * 2, 8.0)


def _stamp(described: dict[str, Any]) -> list[str] | None:
    """What changes when a member comes or goes, where HubSpot tells."""
    properties = described.get("additionalProperties") or {}
    names = ("hs_list_size", "hs_last_record_added_at", "hs_last_record_removed_at")
    return [str(properties.get(name) or "") for name in names] if properties.get(names[1]) else None


def _named(answer: dict[str, Any], *names: str) -> set[str]:
    ids: Iterable[Any] = (id for name in names for id in answer.get(name) or ())
    return {str(id) for id in ids}
