"""Who is in a campaign, and how do records come into it and leave it?

Who leaves is removed or, where the account says so, stays with the status Removed ("Object Reference",
CampaignMember).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from connectors.contract import Page, RemoteList
from connectors.errors import RequestError
from connectors.rest.batch_writer import bisected, slices
from connectors.rest.lists import member_page
from connectors.rest.outcomes import Outcomes
from connectors.salesforce import soql
from connectors.salesforce.api_errors import MEMBER_ALREADY, Refusal, of_item
from connectors.salesforce.session import Org
from connectors.salesforce.writing import COLLECTION, UNANSWERED
from connectors.schemas import MEMBER

CAMPAIGN = "campaign"  # begins the id of a list that is a campaign
MEMBER_FIELDS = {"contact": "ContactId", "lead": "LeadId"}  # record type → field of a member
REMOVED = "Removed"
_SENT = "Sent"
_UNSOUND_ID = frozenset({"INVALID_QUERY_FILTER_OPERATOR", "MALFORMED_ID"})
_Item = tuple[int, dict[str, Any]]  # row of a change, and the member as Salesforce takes it
_Members = dict[str, tuple[str, bool]]  # record → (id of its membership, whether it counts)


class ListMembers:
    """Members of the campaigns of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def read(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """The members of a campaign, one whole part; no page where nothing moved since ``position``."""
        campaign, field = _campaign(remote)
        where = [f"CampaignId = {soql.quoted(campaign)}"]
        statement = f"SELECT COUNT(Id) n, MAX(SystemModstamp) m FROM CampaignMember WHERE {where[0]}"
        counted = next(self._org.query(statement), [])
        mark = json.dumps([counted[0].get("n"), counted[0].get("m")] if counted else [0, None])
        if mark == position:
            return
        where.append(f"{field} != null")
        if self._org.settings.keep_members:
            where.append(f"Status != {soql.quoted(REMOVED)}")
        ids = [row[field] for row in self._org.rows([field], "CampaignMember", *where)]
        yield member_page(remote, ids, mark, remote.id)

    def write(self, remote: RemoteList, changes: pa.Table) -> pa.Table:
        """Add and remove members; an outcome for each change.

        Adding a member, or removing a non-member, counts as done.
        """
        self._org.may_write()
        campaign, field = _campaign(remote)
        outcomes = Outcomes(changes)
        members = self._members(campaign, field, outcomes.ids)
        rows: Sequence[int] = range(len(outcomes.ids))
        stay = [row for row in rows if _counts(members, outcomes.ids[row]) == (outcomes.after[row] == MEMBER)]
        outcomes.done(stay)
        moves = outcomes.unanswered(rows)
        for adds in slices([row for row in moves if outcomes.after[row] == MEMBER], COLLECTION):
            self._add(campaign, field, outcomes, adds, members)
        for leaves in slices([row for row in moves if outcomes.after[row] != MEMBER], COLLECTION):
            self._remove(outcomes, [(row, members[outcomes.ids[row]][0]) for row in leaves])
        return outcomes.table(UNANSWERED)

    def current(self, remote: RemoteList, ids: Sequence[str]) -> list[str | None]:
        """MEMBER or null for each record."""
        members = self._members(*_campaign(remote), ids)
        return [MEMBER if _counts(members, id) else None for id in ids]

    def _members(self, campaign: str, field: str, ids: Sequence[str]) -> _Members:
        """What the campaign has of these records; one unsound id does not hide the others."""

        def read(ids: Sequence[str]) -> list[dict[str, Any]]:
            where = [f"CampaignId = {soql.quoted(campaign)}", soql.among(field, ids)]
            return self._org.rows(["Id", field, "Status"], "CampaignMember", *where)

        members: _Members = {}
        for call in slices(ids, COLLECTION):
            # no record has an unsound id: none is a member
            for _, rows in bisected(read, call, lambda refusal: refusal.code in _UNSOUND_ID):
                for row in () if isinstance(rows, Refusal) else rows:
                    removed = self._org.settings.keep_members and row["Status"] == REMOVED
                    members[row[field]] = (row["Id"], not removed)
        return members

    def _add(
        self, campaign: str, field: str, outcomes: Outcomes, rows: Sequence[int], members: _Members
    ) -> None:
        """One call for new members, one for those who were removed by their status.

        Neither is sent again unseen.
        """
        new: list[_Item] = []
        back: list[_Item] = []
        for row in rows:
            id = outcomes.ids[row]
            if id in members:
                back.append((row, {"id": members[id][0], "Status": _SENT}))
            else:
                new.append((row, {"CampaignId": campaign, field: id, "Status": _SENT}))
        self._send("POST", new, outcomes)
        self._send("PATCH", back, outcomes)

    def _remove(self, outcomes: Outcomes, memberships: Sequence[tuple[int, str]]) -> None:
        if self._org.settings.keep_members:
            self._send("PATCH", [(row, {"id": id, "Status": REMOVED}) for row, id in memberships], outcomes)
            return
        params = {"ids": ",".join(id for _, id in memberships), "allOrNone": "false"}
        answer = self._org.ask("DELETE", "composite/sobjects", params=params, writes=True)
        _take(answer, (row for row, _ in memberships), outcomes)

    def _send(self, method: str, items: Sequence[_Item], outcomes: Outcomes) -> None:
        """Send members; a call that is refused whole is halved until the one that is refused stands alone."""

        def send(items: Sequence[_Item]) -> Any:
            typed = [{"attributes": {"type": "CampaignMember"}, **member} for _, member in items]
            body = {"allOrNone": False, "records": typed}
            # A second membership of the same record in a campaign is refused, so that adding may be sent
            # again.
            return self._org.ask(method, "composite/sobjects", body=body, writes=True, repeatable=True)

        if items:
            for sent, answer in bisected(send, items, lambda refusal: refusal.kind in ("data", "gone")):
                if isinstance(answer, Refusal):
                    outcomes.reject([sent[0][0]], answer.kind, answer.reason)
                else:
                    _take(answer, (row for row, _ in sent), outcomes)


def _take(items: Sequence[dict[str, Any]], rows: Iterable[int], outcomes: Outcomes) -> None:
    for row, item in zip(rows, items, strict=True):
        refusal = None if item["success"] else of_item(item)
        gone = refusal is not None and refusal.kind == "gone" and outcomes.after[row] != MEMBER
        if refusal is None or refusal.code == MEMBER_ALREADY or gone:
            outcomes.done([row])
        else:
            outcomes.reject([row], refusal.kind, refusal.reason)


def _counts(members: _Members, id: str) -> bool:
    return members.get(id, ("", False))[1]


def _campaign(remote: RemoteList) -> tuple[str, str]:
    if not remote.id.startswith(CAMPAIGN):
        raise RequestError(
            f"list {remote.key or remote.label} is a list view: Salesforce decides who is in it"
        )
    return remote.id.split(":")[1], MEMBER_FIELDS[remote.record_type]
