"""Where do people see a segment? In a list view that filters on our field, or in a campaign with explicit
members.

A list view keeps itself: no membership is ever written. A campaign is for mailings: members are added, and
removed or, where the account says so, kept with the status Removed. Only what we made is touched: views by
their name, which begins with ours, campaigns by the id that the caller keeps ("User Interface API Developer
Guide", List Views; "Object Reference", CampaignMember).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.contract import ListSpec, Page, RemoteList
from connectors.errors import RequestError, TemporaryError, UnsupportedError
from connectors.salesforce import shapes, soql
from connectors.salesforce.api_errors import MEMBER_ALREADY, Refused, of_item
from connectors.salesforce.batch_rows import OBJECTS, Answers
from connectors.salesforce.list_views import PREFIX, VIEW, ListViews
from connectors.salesforce.session import Org
from connectors.schemas import MEMBER, MEMBER_SCHEMA

CAMPAIGN = "campaign"
_COLLECTION = 200
_NAME = 80  # of a campaign's name
_REMOVED = "Removed"
_SENT = "Sent"
_UNSOUND_ID = frozenset({"INVALID_QUERY_FILTER_OPERATOR", "MALFORMED_ID"})
_MEMBER_FIELD = {"contact": "ContactId", "lead": "LeadId"}


class Lists:
    """List views and campaigns of one org.

    The id of a list says which it is: ``view:Contact:Segment_x`` or ``campaign:701...``.
    """

    def __init__(self, org: Org) -> None:
        self._org = org
        self._views = ListViews(org)
        self._view_ids: dict[str, str] = {}  # of our list views, by their developer names
        self._known_lists = dict(org.account.lists)  # id → key

    def all(self) -> list[RemoteList]:
        """Our list views, and the campaigns that the account names as ours."""
        types = {table: record_type for record_type, table in OBJECTS.items()}
        where = [
            soql.among("SobjectType", types),
            f"DeveloperName LIKE {soql.quoted(PREFIX.strip('_') + '%')}",
        ]
        views = []
        for page in self._org.query(
            soql.Select(["Id", "Name", "DeveloperName", "SobjectType"], "ListView", where)
        ):
            if not all(
                view["DeveloperName"] and view["Name"] and view["SobjectType"] in types for view in page
            ):
                raise shapes.foreign("GET", "query")
            for row in (view for view in page if view["DeveloperName"].startswith(PREFIX)):
                id = f"{VIEW}:{row['SobjectType']}:{row['DeveloperName']}"
                self._view_ids[row["DeveloperName"]] = row["Id"]
                views.append(RemoteList(id, self._key(id), row["Name"], "dynamic", types[row["SobjectType"]]))
        return views + self._campaigns()

    def _key(self, id: str) -> str:
        return self._known_lists.get(id, "")

    def _campaigns(self) -> list[RemoteList]:
        if "Name" not in self._org.fields("Campaign"):
            return []
        ids = [key.partition(":")[2] for key in self._known_lists if key.startswith(CAMPAIGN)]
        campaigns = []
        for start in range(0, len(ids), _COLLECTION):
            where = [soql.among("Id", (key.partition(":")[0] for key in ids[start : start + _COLLECTION]))]
            for page in self._org.query(soql.Select(["Id", "Name"], "Campaign", where)):
                named = {row["Id"]: row["Name"] for row in page}
                for key in ids[start : start + _COLLECTION]:
                    id, _, record_type = key.partition(":")
                    if id in named:
                        campaigns.append(
                            RemoteList(
                                f"{CAMPAIGN}:{key}",
                                self._key(f"{CAMPAIGN}:{key}"),
                                named[id],
                                "static",
                                record_type or "contact",
                            )
                        )
        return campaigns

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Make the list, or give it its present label and filter."""
        self._org.may_write()
        if spec.record_type not in OBJECTS:
            raise UnsupportedError(f"Salesforce has no lists of {spec.record_type}")
        made = self._views.ensure(spec) if spec.kind == "dynamic" else self._ensure_campaign(spec)
        self._known_lists[made.id] = spec.key
        return made

    def changed(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Key → what differs, of our list views that no longer show whom we would make them show."""
        return self._views.changed(specs)

    def sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        """Key → how many records a list view of ours shows, where one call tells."""
        if not self._view_ids:
            self.all()
        return self._views.sizes(specs, self._view_ids)

    # Campaigns

    def _ensure_campaign(self, spec: ListSpec) -> RemoteList:
        if spec.record_type not in _MEMBER_FIELD:
            raise UnsupportedError(
                f'a campaign has no {spec.record_type} as members: use lists = "dynamic" for {spec.key}'
            )
        if not self._org.settings.campaigns:
            raise UnsupportedError(
                f"{spec.key} wants explicit members, which only a campaign has: set campaigns = true in [accounts."
                f'{self._org.account.name}], or lists = "dynamic" (a list view)'
            )
        name = spec.label[:_NAME]
        id = self._present(spec, name)
        if id:
            return RemoteList(
                f"{CAMPAIGN}:{id}:{spec.record_type}", spec.key, name, "static", spec.record_type
            )
        body: dict[str, Any] = {"Name": name, "IsActive": True, "Type": "Other", "Status": "In Progress"}
        if "Description" in self._org.fields("Campaign"):
            body["Description"] = f"{spec.description}\n{_mark(spec)}".strip()
        id = str(self._org.ask("POST", "sobjects/Campaign", body=body, writes=True)["id"])
        if self._org.settings.keep_members:
            self._add_status(id)
        return RemoteList(f"{CAMPAIGN}:{id}:{spec.record_type}", spec.key, name, "static", spec.record_type)

    def _present(self, spec: ListSpec, name: str) -> str:
        """The campaign of a spec under its present name, "" where there is none.

        Known by its id; where a crash kept that from us, by its name and the mark in its description.
        """
        fields = [field for field in ("Id", "Name", "Description") if field in self._org.fields("Campaign")]
        if spec.id.startswith(CAMPAIGN):
            rows = self._rows(fields, soql.among("Id", [spec.id.split(":")[1]]))
            if rows and rows[0]["Name"] != name:
                self._org.ask("PATCH", f"sobjects/Campaign/{rows[0]['Id']}", body={"Name": name}, writes=True)
        else:
            candidates = self._rows(fields, f"Name = {soql.quoted(name)}")
            rows = [row for row in candidates if (row.get("Description") or "").endswith(_mark(spec))]
        return str(rows[0]["Id"]) if rows else ""

    def _rows(self, fields: Sequence[str], where: str) -> list[dict[str, Any]]:
        return [row for page in self._org.query(soql.Select(fields, "Campaign", [where])) for row in page]

    def _add_status(self, campaign: str) -> None:
        body = {
            "CampaignId": campaign,
            "Label": _REMOVED,
            "SortOrder": 9,
            "HasResponded": False,
            "IsDefault": False,
        }
        try:
            self._org.ask("POST", "sobjects/CampaignMemberStatus", body=body, writes=True)
        except Refused:
            return  # an unknown status becomes the campaign's default: the member is then simply removed

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """The members of a campaign, one whole part; no page where nothing moved since ``position``."""
        campaign, field = _campaign(remote)
        where = [f"CampaignId = {soql.quoted(campaign)}"]
        counted = next(
            self._org.query(
                f"SELECT COUNT(Id) n, MAX(SystemModstamp) m FROM CampaignMember WHERE {where[0]}"
            ),
            [],
        )
        mark = json.dumps([counted[0].get("n"), counted[0].get("m")] if counted else [0, None])
        if mark == position:
            return
        first = True
        pages = self._org.query(
            soql.Select([field], "CampaignMember", [*where, f"{field} != null", *self._staying()])
        )
        current = next(pages, [])
        while True:
            following = next(pages, None)
            ids = [row[field] for row in current]
            table = pa.table(
                [pa.array([remote.record_type] * len(ids), pa.string()), pa.array(ids, pa.string())],
                schema=MEMBER_SCHEMA,
            )
            yield Page(
                table,
                mark if following is None else "",
                remote.id,
                whole=True,
                first=first,
                last=following is None,
            )
            if following is None:
                return
            current, first = following, False

    def _staying(self) -> list[str]:
        return [f"Status != {soql.quoted(_REMOVED)}"] if self._org.settings.keep_members else []

    def write(self, remote: RemoteList, changes: pa.Table) -> pa.Table:
        """Add and remove members; an outcome for each change.

        Who is a member already is added, who is none is removed.
        """
        self._org.may_write()
        campaign, field = _campaign(remote)
        answers = Answers(changes)
        members = self._known(campaign, field, [str(id) for id in answers.ids])
        enter = answers.after == MEMBER
        staying = np.asarray([members.get(str(id), ("", False))[1] for id in answers.ids], bool)
        answers.status[enter == staying] = "done"
        adds = np.nonzero(enter & ~staying)[0]
        leaves = np.nonzero(~enter & staying)[0]
        for start in range(0, len(adds), _COLLECTION):
            self._add(campaign, field, answers, adds[start : start + _COLLECTION], members)
        for start in range(0, len(leaves), _COLLECTION):
            self._remove(answers, leaves[start : start + _COLLECTION], members)
        return answers.outcomes()

    def current(self, remote: RemoteList, ids: list[str]) -> list[str | None]:
        """MEMBER or null for each record."""
        campaign, field = _campaign(remote)
        members = self._known(campaign, field, ids)
        return [MEMBER if members.get(id, ("", False))[1] else None for id in ids]

    def _known(self, campaign: str, field: str, ids: list[str]) -> dict[str, tuple[str, bool]]:
        """Record → (id of its membership, whether it counts)."""
        members = {}
        for start in range(0, len(ids), _COLLECTION):
            for row in self._memberships(campaign, field, ids[start : start + _COLLECTION]):
                counts = not (self._org.settings.keep_members and row["Status"] == _REMOVED)
                members[row[field]] = (row["Id"], counts)
        return members

    def _memberships(self, campaign: str, field: str, ids: list[str]) -> list[dict[str, Any]]:
        """What the campaign has of these records; one unsound id does not hide the others."""
        where = [f"CampaignId = {soql.quoted(campaign)}", soql.among(field, ids)]
        try:
            pages = self._org.query(soql.Select(["Id", field, "Status"], "CampaignMember", where))
            return [row for page in pages for row in page]
        except Refused as error:
            if error.refusal.code not in _UNSOUND_ID:
                raise
            if len(ids) == 1:
                return []  # no record has this id: none is a member
            middle = len(ids) // 2
            return [
                row
                for half in (ids[:middle], ids[middle:])
                for row in self._memberships(campaign, field, half)
            ]

    def _add(
        self, campaign: str, field: str, answers: Answers, places: Any, members: dict[str, tuple[str, bool]]
    ) -> None:
        """One call for new members, one for those who were removed by their status.

        Neither is sent again unseen.
        """
        new = [at for at in places if answers.ids[at] not in members]
        back = [at for at in places if answers.ids[at] in members]
        made = [{"CampaignId": campaign, field: answers.ids[at], "Status": _SENT} for at in new]
        self._send("POST", made, new, answers)
        self._send(
            "PATCH", [{"id": members[str(answers.ids[at])][0], "Status": _SENT} for at in back], back, answers
        )

    def _remove(self, answers: Answers, places: Any, members: dict[str, tuple[str, bool]]) -> None:
        memberships = [members[str(answers.ids[at])][0] for at in places]
        if self._org.settings.keep_members:
            self._send("PATCH", [{"id": id, "Status": _REMOVED} for id in memberships], list(places), answers)
            return
        params = {"ids": ",".join(memberships), "allOrNone": "false"}
        _take(self._org.ask("DELETE", "composite/sobjects", params=params, writes=True), places, answers)

    def _send(self, method: str, records: list[dict[str, Any]], places: list[int], answers: Answers) -> None:
        if not records:
            return
        typed = [{"attributes": {"type": "CampaignMember"}, **record} for record in records]
        body = {"allOrNone": False, "records": typed}
        try:
            # A second membership of the same record in a campaign is refused, so that adding may be sent
            # again.
            items = self._org.ask(method, "composite/sobjects", body=body, writes=True, repeatable=True)
        except Refused as error:
            if error.refusal.kind not in ("data", "gone"):
                raise
            if len(records) == 1:
                answers.reject(_only(places[0], answers), error.refusal.kind, error.refusal.reason)
                return
            middle = len(records) // 2  # halved until the record that is refused stands alone
            self._send(method, records[:middle], places[:middle], answers)
            self._send(method, records[middle:], places[middle:], answers)
            return
        _take(items, places, answers)


def _mark(spec: ListSpec) -> str:
    """What tells a campaign of ours from one that a person named alike."""
    return f"crm-segments: {spec.key}" + ("" if spec.record_type == "contact" else f" ({spec.record_type})")


def _only(position: int, answers: Answers) -> Any:
    return np.arange(len(answers.ids)) == position


def _take(items: Any, places: Any, answers: Answers) -> None:
    if not isinstance(items, list) or len(items) != len(places):
        raise TemporaryError(
            "Salesforce answered another number of members than it was sent; the next run looks what was written"
        )
    for at, item in zip(places, items, strict=True):
        refusal = None if item.get("success") else of_item(item)
        if (
            refusal is None
            or refusal.code == MEMBER_ALREADY
            or (refusal.kind == "gone" and answers.after[at] != MEMBER)
        ):
            answers.status[at] = "done"
        else:
            answers.status[at], answers.kind[at], answers.reason[at] = (
                "rejected",
                refusal.kind,
                refusal.reason,
            )


def _campaign(remote: RemoteList) -> tuple[str, str]:
    if not remote.id.startswith(CAMPAIGN):
        raise RequestError(
            f"list {remote.key or remote.label} is a list view: Salesforce itself decides who is in it"
        )
    return remote.id.split(":")[1], _MEMBER_FIELD[remote.record_type]
