"""What did people decide about plans: who let which one be carried out, how much of it, or refused it, and why?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sync.store.journal.database import Repository

_ROWS = "SELECT approval, account, plan, digest, decision, first, without, reason, who, at FROM approvals"


@dataclass(frozen=True)
class PlanDecision:
    """What a person decided about a plan."""

    account: str
    plan: int
    digest: str  # of the changes that they decided about
    decision: Literal["approved", "rejected"]
    who: str  # as the system, or a proxy, knows them
    at: str  # ISO instant
    first: int | None = None  # only so many records; None: all
    without: Sequence[str] = ()  # segments (SEGMENTATION.SEGMENT) that are left out
    reason: str = ""
    approval: int = 0  # its number

    @property
    def whole(self) -> bool:
        """Whether all of the plan may be carried out."""
        return self.decision == "approved" and self.first is None and not self.without


class Approvals(Repository):
    """Decisions, by their numbers; the newest one counts."""

    def add(self, decision: PlanDecision) -> int:
        """One more decision; returns its number."""
        return self._database.execute(
            "INSERT INTO approvals (account, plan, digest, decision, first, without, reason, who, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            decision.account, decision.plan, decision.digest, decision.decision, decision.first,
            json.dumps(list(decision.without)), decision.reason, decision.who, decision.at,
        )  # fmt: skip

    def of_plan(self, plan: int) -> list[PlanDecision]:
        """What was decided about a plan, the newest first."""
        return self._where("plan = ?", plan)

    def of_content(self, account: str, digest: str) -> list[PlanDecision]:
        """What was decided about plans of these very changes, the newest first."""
        return self._where("account = ? AND digest = ?", account, digest)

    def last(self, account: str, limit: int) -> list[PlanDecision]:
        """The last decisions, the newest first."""
        return self._where("account = ?", account, limit=limit)

    def of_labels(self, account: str) -> list[PlanDecision]:
        """What was decided about what labels wanted, the newest first: not about an undo, nor about a retire."""
        return self._where("account = ? AND plan IN (SELECT plan FROM plans WHERE kind = 'forward')", account)

    def drop_before(self, account: str, at: str) -> None:
        """Drop decisions from before an instant (ISO) about plans that are dropped too."""
        sql = "DELETE FROM approvals WHERE account = ? AND at < ? AND plan NOT IN (SELECT plan FROM plans)"
        self._database.execute(sql, account, at)

    def _where(self, condition: str, *parameters: Any, limit: int = -1) -> list[PlanDecision]:
        sql = f"{_ROWS} WHERE {condition} ORDER BY approval DESC LIMIT ?"
        rows = self._database.rows(sql, *parameters, limit)
        return [PlanDecision(**{**row, "without": tuple(json.loads(row["without"]))}) for row in rows]
