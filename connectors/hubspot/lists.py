"""Which lists are there, how are ours made and found again, and who is in them?

HubSpot's pages call lists "segments".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.contract import ListSpec, RemoteList
from connectors.errors import RequestError, TemporaryError
from connectors.http.transport import TookPlace
from connectors.hubspot.api_errors import Denied, Refused
from connectors.hubspot.filters import branch, described, same
from connectors.hubspot.opt_out import Consent
from connectors.hubspot.paths import OBJECTS, TYPE_IDS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import DESCRIBED, FOLDER, LIST, LISTS
from connectors.rest.batch_writer import slices
from connectors.rest.shapes import an_object

KEY = "crm_segments_key"  # custom property of a list: whose it is
_SHOWN = [KEY, "hs_list_size", "hs_last_record_added_at", "hs_last_record_removed_at"]
_PAGE = 250
_READ = 100  # lists of one call that are read with their filters
_LAST_OFFSET = 10_000
_TAKEN = "ILS.DUPLICATE_LIST_NAMES"
_FULL = re.compile(r"limit|maximum|too many|quota", re.IGNORECASE)
_RECORD_TYPES = {id: record_type for record_type, id in TYPE_IDS.items()}


class Lists:
    """Lists of the portal. Changes none that is not ours."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._told = dict(portal.account.lists)  # id → key
        self._known: dict[str, RemoteList] = {}  # key → list, of all that we made or read
        self._looked = False
        # by id, as HubSpot described them when all were asked for
        self.described: dict[str, dict[str, Any]] = {}
        self._folder: str | None = None

    def all(self) -> list[RemoteList]:
        """All lists, also those of other people and other kinds of records (record type "")."""
        self.described = {str(remote["listId"]): remote for remote in self.search()}
        lists = [_remote(remote, self._key(remote)) for remote in self.described.values()]
        self._known.update({remote.key: remote for remote in lists if remote.key})
        self._looked = True
        return lists

    def search(self, ids: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Lists as HubSpot describes them, without their filters."""
        offset = 0
        while offset < _LAST_OFFSET:
            body = {"query": "", "offset": offset, "count": _PAGE, "additionalProperties": _SHOWN}
            body |= {"listIds": list(ids)} if ids else {}
            answer = self._portal.ask("POST", self._path("search"), body=body, shape=LISTS)
            yield from answer["lists"]
            if not answer.get("hasMore"):
                return
            offset = max(int(answer.get("offset") or 0), offset + 1)

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Create the list, or restore, rename and refilter it.

        A static one where there is no room for a dynamic one.
        """
        filters = self.filters(spec) if spec.kind == "dynamic" else None
        description = self._find(spec)
        if description is None:
            description = self._create(spec, filters)
        remote = _remote(description, spec.key)
        if remote.kind == "dynamic" and filters is None:
            raise RequestError(
                f'list "{remote.label}" is active in HubSpot, but the config asks for a static list: convert it there '
                "(segment > Actions > Convert to static), or delete it and run `crm-segments setup` again"
            )
        if remote.label != spec.label and spec.label:
            remote = _remote(self._rename(spec, remote.id), spec.key)
        if remote.kind == "dynamic" and not same(description.get("filterBranch"), filters):
            # Whoever comes in by the fixed filter is no news: no workflow is to start.
            params = [("enrollObjectsInWorkflows", "false")]
            path = self._path(remote.id, "update-list-filters")
            self._portal.ask("PUT", path, params=params, body={"filterBranch": filters}, writes=True)
        self._known[spec.key] = remote
        return remote

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Key → what differs, of our dynamic lists whose filter is not the one that we would give them."""
        differences: dict[str, str] = {}
        wanted = {spec.id: spec for spec in specs if spec.kind == "dynamic" and spec.id}
        for remote in self.with_filters(list(wanted)):
            spec, current = wanted.get(str(remote.get("listId"))), remote.get("filterBranch")
            ours = spec and not remote.get("deletedAt") and remote.get("processingType") == "DYNAMIC"
            if spec and ours and not same(current, self.filters(spec)):
                differences[spec.key] = f"filter: it selects by {described(current)}"
        return differences

    def with_filters(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Lists as HubSpot describes them, with their filters."""
        for some in slices(list(ids), _READ):
            params = [("includeFilters", "true"), *(("listIds", id) for id in some)]
            answer = self._portal.ask("GET", self._path(), params=params)
            lists = answer.get("lists") if isinstance(answer, dict) else None
            if not isinstance(lists, list) or not all(isinstance(remote, dict) for remote in lists):
                raise TemporaryError(
                    "the answer about filters of lists is not HubSpot's, or only a part of it; try again later"
                )
            yield from lists

    def delete(self, id: str) -> None:
        """Delete a list of ours; HubSpot keeps it for 90 days. One that is gone already counts as deleted."""
        try:
            self._portal.ask("DELETE", self._path(id), writes=True)
        except Refused as error:
            if error.refusal.status != 404:
                raise RequestError(f"list {id} cannot be deleted: {error}") from error
        self._known = {key: remote for key, remote in self._known.items() if remote.id != id}

    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        """Key → records, of the lists that HubSpot has counted: those that it still processes are left out.

        Costs nothing: HubSpot told it when all lists were asked for.
        """
        counted: dict[str, int] = {}
        for spec in specs:
            description = self.described.get(spec.id or "", {})
            size = str((description.get("additionalProperties") or {}).get("hs_list_size") or "")
            if description.get("processingStatus") == "COMPLETE" and size.isdecimal():
                counted[spec.key] = int(size)
        return counted

    def filters(self, spec: ListSpec) -> dict[str, Any]:
        """The filter of a dynamic list of ours."""
        if not spec.channel:
            return branch(spec, None)
        properties, settings = self._portal.properties(OBJECTS["contact"]), self._portal.settings
        return branch(
            spec,
            Consent.of(properties, settings.email_subscription, basis=self._portal.account.consent_basis),
        )

    def body(self, spec: ListSpec, filters: dict[str, Any] | None) -> dict[str, Any]:
        """The body that creates a list, wherever it stands."""
        settings = self._portal.settings
        body: dict[str, Any] = {
            "name": spec.label or spec.key,
            "objectTypeId": TYPE_IDS[spec.record_type],
            "processingType": "MANUAL" if filters is None else "DYNAMIC",
            "customProperties": {KEY: spec.key},
        }
        if filters is not None:
            body["filterBranch"] = filters
        teams, users = list(settings.list_teams), list(settings.list_users)
        if teams or users:
            body["listPermissions"] = {"teamsWithEditAccess": teams, "usersWithEditAccess": users}
        return body

    def one(self, id: str) -> dict[str, Any] | None:
        """A list with its filters; None where it is gone."""
        description = self._described(self._path(id))
        return None if description is None or description.get("deletedAt") else description

    def _described(self, path: str) -> dict[str, Any] | None:
        answer = self._portal.ask_for(path, [("includeFilters", "true")], LIST)
        description: dict[str, Any] | None = answer and (answer.get("list") or answer)
        return description

    def _find(self, spec: ListSpec) -> dict[str, Any] | None:
        """Ours by its id, brought back where it was deleted; else by our mark; else by its name, where it can
        only be ours.
        """
        if spec.id:
            description = self.one(spec.id) or self._restored(spec.id)
            if description is not None:
                return description
        if spec.key not in self._known and not self._looked:
            self.all()
        if spec.key in self._known:
            description = self.one(self._known[spec.key].id)
            if description is not None:
                return description
        named = self._by_name(spec)
        if named is not None and not self._made(spec, named):
            raise RequestError(_taken(spec))
        return named

    def _made(self, spec: ListSpec, named: Mapping[str, Any]) -> bool:
        """Did we make a list of this name, in a set-up that was cut off?

        It then stands in our folder, and is what we ask for.
        """
        if (named.get("processingType") == "DYNAMIC") != (spec.kind == "dynamic"):
            return False
        if spec.kind == "dynamic" and not same(named.get("filterBranch"), self.filters(spec)):
            return False
        ours = self._in_folder(make=False)
        return bool(ours) and str(named.get("listId")) in self._content(ours)

    def _restored(self, id: str) -> dict[str, Any] | None:
        """A list that was deleted; HubSpot keeps it for 90 days."""
        try:
            self._portal.ask("PUT", self._path(id, "restore"), writes=True)
        except Refused:
            return None
        return self.one(id)

    def _by_name(self, spec: ListSpec) -> dict[str, Any] | None:
        name = quote(spec.label or spec.key, safe="")
        return self._described(f"{self._path('object-type-id', TYPE_IDS[spec.record_type], 'name')}/{name}")

    def _create(self, spec: ListSpec, filters: dict[str, Any] | None) -> dict[str, Any]:
        body = self.body(spec, filters)
        ours = self._in_folder()
        if ours:
            body["listFolderId"] = int(ours)
        try:
            answer = self._post(body, lambda: self._by_name(spec) is not None)
        except (TookPlace, TemporaryError):
            # nobody had this name before: if there is one now, the reply was lost
            description = self._by_name(spec)
            if description is None:
                raise
            return description
        except (Refused, Denied) as error:
            if _TAKEN in error.refusal.codes:
                raise RequestError(_taken(spec)) from error
            explanation = " ".join((error.refusal.subcategory, error.refusal.category, error.refusal.text))
            if filters is None or not _FULL.search(explanation):
                raise
            return self._create(spec, None)
        description = answer.get("list") or answer
        return {**description, "filterBranch": description.get("filterBranch") or filters}

    def _post(self, body: dict[str, Any], there: Callable[[], bool]) -> dict[str, Any]:
        """Create a list, unless it is ``there`` after a lost reply; without our mark where the portal takes
        none.
        """
        try:
            answer: dict[str, Any] = self._portal.ask(
                "POST", self._path(), body=body, writes=True, repeatable=False, happened=there, shape=LIST
            )
        except Refused as error:
            if not re.search("custom", error.refusal.reason, re.IGNORECASE) or "customProperties" not in body:
                raise
            plain = {name: value for name, value in body.items() if name != "customProperties"}
            return self._post(plain, there)
        return answer

    def _rename(self, spec: ListSpec, id: str) -> dict[str, Any]:
        try:
            path = self._path(id, "update-list-name")
            answer = self._portal.ask(
                "PUT", path, params=[("listName", spec.label)], writes=True, shape=an_object()
            )
        except Refused as error:
            if _TAKEN in error.refusal.codes:
                raise RequestError(_taken(spec)) from error
            raise
        given = (answer.get(name) for name in ("updatedList", "list"))
        description = next((remote for remote in given if not DESCRIBED(remote)), None) or self.one(id)
        if description is None:
            raise TemporaryError(
                f"list {id} disappeared while it was renamed: run `crm-segments setup` again"
            )
        return description

    def _in_folder(self, make: bool = True) -> str:
        """Id of the folder of our lists, made where it lacks; "" where lists stand in none."""
        name = self._portal.settings.list_folder
        if not name or self._folder is not None:
            return self._folder or ""
        try:
            node = self._folder_named(name)
            if node is None and make:
                node = self._new_folder(name)
        except (Refused, Denied):
            node = {}  # a portal without folders, or closed to us: a list needs none
        if node is not None:
            id = str(node.get("id") or "")
            self._folder = id if id.isdigit() else ""
        return self._folder or ""

    def _folder_named(self, name: str) -> dict[str, Any] | None:
        answer = self._portal.ask("GET", self._path("folders"), params=[("folderId", "0")], shape=FOLDER)
        nodes = (answer.get("folder") or {}).get("childNodes") or ()
        return next((node for node in nodes if node.get("name") == name), None)

    def _new_folder(self, name: str) -> dict[str, Any] | None:
        def there() -> bool:
            return self._folder_named(name) is not None

        body, path = {"name": name, "parentFolderId": "0"}, self._path("folders")
        try:
            made = self._portal.ask("POST", path, body=body, writes=True, happened=there, shape=FOLDER)
        except TookPlace:
            return self._folder_named(name)
        node: dict[str, Any] | None = made.get("folder")
        return node

    def _content(self, id: str) -> set[str]:
        """Ids of the lists in a folder."""
        answer = self._portal.ask("GET", self._path("folders"), params=[("folderId", id)], shape=FOLDER)
        return {str(id) for id in (answer.get("folder") or {}).get("childLists") or ()}

    def _key(self, about: Mapping[str, Any]) -> str:
        """Our key of a list: as it carries it, where HubSpot gives that back, or as we were told."""
        for name in ("additionalProperties", "additionalFilterProperties", "customProperties"):
            properties = about.get(name)
            mark = properties.get(KEY) if isinstance(properties, dict) else None
            if mark:
                return str(mark)
        return self._told.get(str(about.get("listId")), "")

    def _path(self, *steps: str) -> str:
        return self._portal.path("lists", *steps)


def _remote(about: dict[str, Any], key: str) -> RemoteList:
    kind = "dynamic" if about.get("processingType") == "DYNAMIC" else "static"
    record_type = _RECORD_TYPES.get(str(about.get("objectTypeId")), "")
    return RemoteList(str(about.get("listId")), key, str(about.get("name") or ""), kind, record_type)  # type: ignore[arg-type]


def _taken(spec: ListSpec) -> str:
    return (
        f'there is a list named "{spec.label or spec.key}" that crm-segments did not create ({spec.key} would get '
        "this name): rename one of them, "
        f"or take it over with `crm-segments setup --adopt {spec.key}`"
    )
