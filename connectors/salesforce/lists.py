"""Where do people see a segment? In a list view that filters on our field, or in a campaign with explicit
members.

A list view keeps itself: no membership is ever written. A campaign is for mailings: members are added, and
removed or, where the account says so, kept with the status Removed. Only what we made is touched: views by
their name, which begins with ours, campaigns by the id that the caller keeps ("User Interface API Developer
Guide", List Views; "Object Reference", CampaignMember).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from connectors.contract import ListSpec, RemoteList
from connectors.errors import UnsupportedError
from connectors.rest.batch_writer import slices
from connectors.salesforce import soql
from connectors.salesforce.api_errors import Refused
from connectors.salesforce.list_members import CAMPAIGN, MEMBER_FIELDS, REMOVED
from connectors.salesforce.list_views import ListViews
from connectors.salesforce.names import OBJECTS
from connectors.salesforce.session import Org
from connectors.salesforce.writing import COLLECTION

_NAME = 80  # of a campaign's name


class Lists:
    """List views and campaigns of one org.

    The id of a list says which it is: ``view:Contact:Segment_x`` or ``campaign:701...:contact``.
    """

    def __init__(self, org: Org) -> None:
        self._org = org
        self._views = ListViews(org)
        self._keys = dict(org.account.lists)  # id → key
        self.changed = self._views.changed
        self.sizes = self._views.sizes

    def all(self) -> list[RemoteList]:
        """Our list views, and the campaigns that the account names as ours."""
        lists = [*self._views.all(), *self._campaigns()]
        return [replace(remote, key=self._keys.get(remote.id, "")) for remote in lists]

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Make the list, or give it its present label and filter."""
        self._org.may_write()
        if spec.record_type not in OBJECTS:
            raise UnsupportedError(f"Salesforce has no lists of {spec.record_type}")
        made = self._views.ensure(spec) if spec.kind == "dynamic" else self._ensure_campaign(spec)
        self._keys[made.id] = spec.key
        return made

    def delete(self, remote: RemoteList) -> None:
        """Delete a list view of ours; one that is gone already counts as deleted."""
        self._org.may_write()
        self._views.delete(remote)

    # Campaigns

    def _campaigns(self) -> list[RemoteList]:
        if "Name" not in self._org.fields("Campaign"):
            return []
        ours = [id.split(":") for id in self._keys if id.startswith(CAMPAIGN)]
        names: dict[str, str] = {}
        for some in slices([id for _, id, *_ in ours], COLLECTION):
            names.update(
                {
                    row["Id"]: row["Name"]
                    for row in self._org.rows(["Id", "Name"], "Campaign", soql.among("Id", some))
                }
            )
        return [
            RemoteList(":".join((CAMPAIGN, id, *types)), "", names[id], "static", "".join(types) or "contact")
            for _, id, *types in ours
            if id in names
        ]

    def _ensure_campaign(self, spec: ListSpec) -> RemoteList:
        if spec.record_type not in MEMBER_FIELDS:
            raise UnsupportedError(
                f'a campaign has no {spec.record_type} as members: use lists = "dynamic" for {spec.key}'
            )
        if not self._org.settings.campaigns:
            raise UnsupportedError(
                f"{spec.key} needs explicit members, which only a campaign has: set campaigns = true in [accounts."
                f'{self._org.account.name}], or lists = "dynamic" (a list view)'
            )
        name = spec.label[:_NAME]
        id = self._present(spec, name) or self._make_campaign(spec, name)
        return RemoteList(f"{CAMPAIGN}:{id}:{spec.record_type}", spec.key, name, "static", spec.record_type)

    def _make_campaign(self, spec: ListSpec, name: str) -> str:
        body: dict[str, Any] = {"Name": name, "IsActive": True, "Type": "Other", "Status": "In Progress"}
        if "Description" in self._org.fields("Campaign"):
            body["Description"] = _described(spec)
        id = str(self._org.ask("POST", "sobjects/Campaign", body=body, writes=True)["id"])
        if self._org.settings.keep_members:
            status = {"Label": REMOVED, "SortOrder": 9, "HasResponded": False, "IsDefault": False}
            with suppress(Refused):  # an unknown status becomes the default: the member is simply removed
                path = "sobjects/CampaignMemberStatus"
                self._org.ask("POST", path, body={"CampaignId": id, **status}, writes=True)
        return id

    def _present(self, spec: ListSpec, name: str) -> str:
        """The campaign of a spec under its present name, "" where there is none.

        Known by its id; where a crash kept that from us, by its name and the mark in its description.
        """
        fields = [field for field in ("Id", "Name", "Description") if field in self._org.fields("Campaign")]
        if spec.id.startswith(CAMPAIGN):
            rows = self._org.rows(fields, "Campaign", soql.among("Id", [spec.id.split(":")[1]]))
            wanted = {"Name": name, "Description": _described(spec)}
            changed = {key: text for key, text in wanted.items() if rows and rows[0].get(key, text) != text}
            if changed:
                self._org.ask("PATCH", f"sobjects/Campaign/{rows[0]['Id']}", body=changed, writes=True)
        else:
            candidates = self._org.rows(fields, "Campaign", f"Name = {soql.quoted(name)}")
            rows = [row for row in candidates if (row.get("Description") or "").endswith(_mark(spec))]
        return str(rows[0]["Id"]) if rows else ""


def _described(spec: ListSpec) -> str:
    """What people read of a campaign of ours, and our mark."""
    return f"{spec.description}\n{_mark(spec)}".strip()


def _mark(spec: ListSpec) -> str:
    """What tells a campaign of ours from one that a person named alike."""
    return f"crm-segments: {spec.key}" + ("" if spec.record_type == "contact" else f" ({spec.record_type})")
