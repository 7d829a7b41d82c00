"""Who is in which list? Dynamic lists follow the records with a lag, static ones what they are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import Refused, invalid, missing
from tests.servers.hubspot.filters import Test, compiled, mentioned
from tests.servers.hubspot.knobs import Knobs
from tests.servers.hubspot.schema import Kind, Schema, kind_of
from tests.servers.hubspot.store import Record, Store

RESTORABLE_DAYS = 90


@dataclass
class Listed:
    """A list. ``members`` maps record ids to the instant at which they joined."""

    id: int
    name: str
    kind: Kind
    processing: str  # MANUAL, DYNAMIC or SNAPSHOT
    created: int
    updated: int
    branch: dict[str, Any] | None = None
    test: Test | None = None
    filters_updated: int = 0
    version: int = 1
    deleted: int = 0
    folder: int = 0
    permissions: dict[str, Any] | None = None
    by_app: bool = True
    custom: dict[str, str] = field(default_factory=dict)  # properties that its maker tied to it
    members: dict[int, int] = field(default_factory=dict)
    added: int = 0  # when a record joined last
    removed: int = 0
    complete_at: int = 0  # until then it is being processed
    waiting: bool = False  # has to be evaluated as a whole at ``complete_at``

    def body(self, now: int, filters: bool = False) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "listId": str(self.id),
            "listVersion": self.version,
            "name": self.name,
            "objectTypeId": self.kind.id,
            "processingType": self.processing,
            "processingStatus": "PROCESSING" if now < self.complete_at else "COMPLETE",
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "createdById": "1",
            "updatedById": "1",
            "size": len(self.members),
        }
        if self.filters_updated:
            answer["filtersUpdatedAt"] = iso(self.filters_updated)
        if self.permissions:
            answer["listPermissions"] = self.permissions
        if filters and self.branch is not None:
            answer["filterBranch"] = self.branch
        if self.deleted:
            answer["deletedAt"] = iso(self.deleted)
        return answer


Joined = Callable[[Listed, int], None]


class Lists:
    """All lists of the account, and their folders."""

    def __init__(self, knobs: Knobs, store: Store, schema: Schema, now: Callable[[], int]) -> None:
        self.knobs, self.store, self.schema, self.now = knobs, store, schema, now
        self.all: dict[int, Listed] = {}
        self.folders: dict[int, dict[str, Any]] = {0: {"id": "0", "name": "root", "parentFolderId": "0"}}
        self.join_observers: list[Joined] = []
        self._moving: deque[tuple[int, int, int]] = deque()  # due, list, record
        self._writing: deque[tuple[int, int, list[int], list[int]]] = deque()  # due, list, to add, to remove
        self._next = 1

    # What records do

    def observe(self, kind: Kind, record: Record, before: dict[str, str]) -> None:
        due = self.now() + int(self.knobs.list_lag * 1000)
        for listed in self.all.values():
            if listed.kind != kind:
                continue
            if listed.processing != "DYNAMIC":
                if record.archived:
                    self._leave(listed, record.id)
            elif not listed.deleted and (record.archived or self._concerns(listed, record.values, before)):
                self._moving.append((due, listed.id, record.id))

    def _concerns(self, listed: Listed, values: dict[str, str], before: dict[str, str]) -> bool:
        assert listed.branch is not None
        return any(values.get(name) != before.get(name) for name in mentioned(listed.branch))

    def moved(self, kind: Kind, gone: int, survivor: int) -> None:
        """A merge: the survivor takes the place in static lists."""
        for listed in self.all.values():
            if listed.kind == kind and listed.processing != "DYNAMIC" and gone in listed.members:
                del listed.members[gone]
                listed.members.setdefault(survivor, self.now())

    def settle(self) -> None:
        """Let records join and leave that are due."""
        now = self.now()
        for listed in self.all.values():
            if listed.waiting and listed.complete_at <= now:
                listed.waiting = False
                self._rebuild(listed)
        while self._moving and self._moving[0][0] <= now:
            _, list_id, id = self._moving.popleft()
            listed = self.all[list_id]
            if not listed.deleted and not listed.waiting and listed.processing == "DYNAMIC":
                self._place(listed, id)
        while self._writing and self._writing[0][0] <= now:
            _, list_id, add, remove = self._writing.popleft()
            self._change(self.all[list_id], add, remove)

    def _rebuild(self, listed: Listed) -> None:
        assert listed.test is not None
        wanted = {record.id for record in self.store.all(listed.kind) if listed.test(record.values)}
        for id in [id for id in listed.members if id not in wanted]:
            self._leave(listed, id)
        for id in sorted(wanted - listed.members.keys()):
            self._join(listed, id)

    def _place(self, listed: Listed, id: int) -> None:
        assert listed.test is not None
        record = self.store.shelves[listed.kind.name].records.get(id)
        if record is None or record.archived or not listed.test(record.values):
            self._leave(listed, id)
        elif id not in listed.members:
            self._join(listed, id)

    def _join(self, listed: Listed, id: int) -> None:
        listed.members[id] = listed.added = self.now()
        for observer in self.join_observers:
            observer(listed, id)

    def _leave(self, listed: Listed, id: int) -> None:
        if listed.members.pop(id, None) is not None:
            listed.removed = self.now()

    def holds(self, list_id: str, record: int) -> bool:
        return list_id.isdigit() and int(list_id) in self.all and record in self.all[int(list_id)].members

    # What apps do

    def get(self, id: str) -> Listed:
        listed = self.all.get(int(id)) if id.isdigit() else None
        if listed is None or listed.deleted:
            raise missing(f"List {id} does not exist", subCategory="ILS.LIST_NOT_FOUND")
        return listed

    def named(self, kind: Kind, name: str) -> Listed | None:
        return next(
            (
                each
                for each in self.all.values()
                if each.name == name and each.kind == kind and not each.deleted
            ),
            None,
        )

    def create(self, body: dict[str, Any], by_app: bool = True) -> Listed:
        for required in ("name", "objectTypeId", "processingType"):
            if not body.get(required):
                raise invalid(f"Invalid input JSON: some required fields were not set: [{required}]")
        kind, processing, now = kind_of(body["objectTypeId"]), body["processingType"], self.now()
        if processing not in ("MANUAL", "DYNAMIC", "SNAPSHOT"):
            raise invalid(f"{processing} is no processing type")
        self._free_name(body["name"])
        self._has_room(processing)
        folder = int(body.get("listFolderId") or 0)
        if folder not in self.folders:
            raise invalid(f"Folder {folder} does not exist", subCategory="ILS.FOLDER_NOT_FOUND")
        listed = Listed(
            self._next,
            body["name"],
            kind,
            processing,
            now,
            now,
            folder=folder,
            permissions=body.get("listPermissions"),
            by_app=by_app,
        )
        listed.custom = dict(body.get("customProperties") or {})
        if processing != "MANUAL":
            self._filter(listed, body.get("filterBranch"))
        elif body.get("filterBranch"):
            raise invalid("A MANUAL list has no filters", subCategory="ILS.FILTERS_NOT_ALLOWED")
        self.all[listed.id] = listed
        self._next += 1
        return listed

    def _has_room(self, processing: str) -> None:
        same = [
            each
            for each in self.all.values()
            if (each.processing == "DYNAMIC") == (processing == "DYNAMIC") and not each.deleted
        ]
        most = self.knobs.active_lists if processing == "DYNAMIC" else self.knobs.static_lists
        if len(same) >= most:
            what = "active" if processing == "DYNAMIC" else "static"
            raise Refused(
                self.knobs.list_limit_status,
                "VALIDATION_ERROR",
                f"You have reached the limit of {most} {what} lists.",
                subCategory="ILS.LIST_LIMIT_EXCEEDED",
            )

    def _free_name(self, name: str, but: int = 0) -> None:
        if any(each.name == name and not each.deleted and each.id != but for each in self.all.values()):
            raise invalid(f"A list named '{name}' already exists.", subCategory="ILS.DUPLICATE_LIST_NAMES")

    def _filter(self, listed: Listed, branch: Any) -> None:
        listed.test = compiled(branch, self.schema.properties[listed.kind.name], self.holds)
        listed.branch = branch
        listed.filters_updated = listed.updated = self.now()
        listed.complete_at = self.now() + int(self.knobs.list_build * 1000)
        listed.waiting = True

    def refilter(self, listed: Listed, branch: Any) -> None:
        if listed.processing != "DYNAMIC":
            raise invalid(
                "Only DYNAMIC lists have filters that can be changed",
                subCategory="ILS.INVALID_PROCESSING_TYPE",
            )
        self._filter(listed, branch)
        listed.version += 1

    def rename(self, listed: Listed, name: str) -> None:
        if not name:
            raise invalid("listName is required")
        self._free_name(name, listed.id)
        listed.name, listed.updated = name, self.now()

    def delete(self, listed: Listed) -> None:
        listed.deleted = self.now()

    def restore(self, id: str) -> None:
        listed = self.all.get(int(id)) if id.isdigit() else None
        if listed is None or not listed.deleted or self.now() - listed.deleted > RESTORABLE_DAYS * 86_400_000:
            raise missing(f"List {id} cannot be restored")
        self._free_name(listed.name, listed.id)
        self._has_room(listed.processing)
        listed.deleted = 0
        if listed.processing == "DYNAMIC":
            self._filter(listed, listed.branch)

    def edit(self, listed: Listed, add: list[str], remove: list[str]) -> dict[str, list[str]]:
        """Memberships of a static list, in HubSpot's odd answer."""
        if listed.processing == "DYNAMIC":
            raise Refused(
                self.knobs.member_status,
                "VALIDATION_ERROR",
                "Memberships of a DYNAMIC list cannot be changed.",
                subCategory="ILS.INVALID_PROCESSING_TYPE",
            )
        if len(add) + len(remove) > self.knobs.members_per_call:
            raise invalid(f"At most {self.knobs.members_per_call} records can be added or removed at once")
        live = self.store.shelves[listed.kind.name].records
        lost = [
            id for id in [*add, *remove] if not id.isdigit() or int(id) not in live or live[int(id)].archived
        ]
        present = {id for id in add if id.isdigit() and int(id) in listed.members}
        absent = {id for id in remove if id.isdigit() and int(id) not in listed.members}
        added = [id for id in add if id not in lost and id not in present]
        removed = [id for id in remove if id not in lost and id not in absent]
        if self.knobs.known_members_missing:
            lost += sorted(present) + sorted(absent - set(lost))
        wanted = [[int(id) for id in ids if id.isdigit() and int(id) in live] for ids in (add, remove)]
        self._later(listed, *wanted)
        return {"recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": lost}

    def _later(self, listed: Listed, add: list[int], remove: list[int]) -> None:
        lag = int(self.knobs.member_lag * 1000)
        if lag and (add or remove):
            listed.complete_at = self.now() + lag
            self._writing.append((listed.complete_at, listed.id, add, remove))
        else:
            self._change(listed, add, remove)

    def _change(self, listed: Listed, add: list[int], remove: list[int]) -> None:
        for id in remove:
            self._leave(listed, id)
        for id in add:
            if id not in listed.members and id in self.store.shelves[listed.kind.name].records:
                self._join(listed, id)
        if add or remove:
            listed.updated = self.now()

    def clear(self, listed: Listed) -> None:
        self.edit(listed, [], [str(id) for id in listed.members])

    # Folders

    def add_folder(self, name: str, parent: str) -> dict[str, Any]:
        if not name:
            raise invalid("Invalid input JSON: some required fields were not set: [name]")
        if not parent.isdigit() or int(parent) not in self.folders:
            raise invalid(f"Folder {parent} does not exist", subCategory="ILS.FOLDER_NOT_FOUND")
        if any(each["name"] == name and each["parentFolderId"] == parent for each in self.folders.values()):
            raise invalid(
                f"A folder named '{name}' already exists.", subCategory="ILS.DUPLICATE_FOLDER_NAMES"
            )
        id = max(self.folders) + 1
        now = iso(self.now())
        self.folders[id] = {
            "id": str(id),
            "name": name,
            "parentFolderId": parent,
            "createdAt": now,
            "updatedAt": now,
            "userId": 1,
        }
        return self.folder(str(id))

    def folder(self, id: str) -> dict[str, Any]:
        """A folder with what it holds."""
        folder = self.folders.get(int(id)) if id.isdigit() else None
        if folder is None:
            raise missing(f"Folder {id} does not exist", subCategory="ILS.FOLDER_NOT_FOUND")
        children = [
            each["id"] for number, each in self.folders.items() if number and each["parentFolderId"] == id
        ]
        lists = [each.id for each in self.all.values() if each.folder == int(id) and not each.deleted]
        return {**folder, "childNodes": [self.folder(child) for child in children], "childLists": lists}
