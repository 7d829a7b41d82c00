"""What have all bulk jobs in common?

An id, a state that moves with the org's clock, and what faults make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce.clock import stamp

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

TERMINAL = {"JobComplete", "Failed", "Aborted"}
RETRIED = "InternalServerError : Retried more than 15 times"


@dataclass
class Job:
    """One bulk job."""

    org: Org
    id: str
    operation: str
    entity: str
    user: str
    version: str
    made: datetime
    state: str
    started: datetime | None = None  # when its work may begin
    worked: bool = False  # the work is over; the state says so after ``job_seconds``
    outcome: str = "JobComplete"  # the state that it ends in
    message: str = ""
    processed: int = 0
    failed: int = 0
    polls: int = 0
    stop_after: float | None = None  # a fault: end after so many rows (below 1: this share), in ``outcome``
    frozen: bool = False  # a fault: it never ends
    moved: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        self.started = self.org.clock.now()
        self.state = "UploadComplete"

    def end(self, state: str, message: str = "") -> None:
        """The work is over."""
        self.outcome, self.message, self.worked = state, message, True

    def now(self) -> str:
        """The present state."""
        if self.state in TERMINAL or self.started is None:
            return self.state
        spent = self.org.clock.now() - self.started
        whole = timedelta(seconds=self.org.knobs.job_seconds)
        if self.worked and not self.frozen and spent >= whole:
            self.state = self.outcome
            self.moved = self.org.clock.now()
        elif spent > timedelta(0) and (self.frozen or self.worked or spent >= whole * 0.2):
            self.state = "InProgress"
        return self.state

    def strike(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Faults of the call that makes or starts the job decide how it ends."""
        for fault in faults:
            if fault["do"] == "job":
                state = fault.get("state", "Failed")
                self.frozen = state == "InProgress"
                self.stop_after = fault.get("rows", 0.5)
                self.outcome = "JobComplete" if self.frozen else state
                self.message = fault.get("message", RETRIED if state == "Failed" else "")

    def cut(self, count: int) -> int:
        """Rows of so many that are done before a fault ends the job."""
        if self.stop_after is None or self.frozen:
            return count
        return min(count, int(self.stop_after if self.stop_after >= 1 else count * self.stop_after))

    @property
    def struck(self) -> bool:
        return self.stop_after is not None and not self.frozen

    def told(self, kind: str) -> dict[str, Any]:
        """The job as JSON."""
        state = self.now()
        times = {
            name: stamp(moment)[:-1] + "+0000"
            for name, moment in (("createdDate", self.made), ("systemModstamp", self.moved or self.made))
        }
        answer: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.entity,
            "createdById": self.user,
            **times,
            "state": state,
        }
        answer |= {
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "jobType": kind,
        }
        answer |= {"lineEnding": "LF", "columnDelimiter": "COMMA", **self.more}
        if self.started is not None:
            answer |= {
                "numberRecordsProcessed": self.processed,
                "retries": 0,
                "totalProcessingTime": 100,
                "apiActiveProcessingTime": 50,
            }
        if kind == "V2Ingest":
            answer |= {"numberRecordsFailed": self.failed, "apexProcessingTime": 0}
            answer.pop("isPkChunkingSupported", None)
        if self.message and state in ("Failed", "Aborted"):
            answer["errorMessage"] = self.message
        return answer
