"""How much may be asked of the org, and how much was? Counters over the last 24 hours of its clock."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.servers.salesforce.clock import Clock
from tests.servers.salesforce.knobs import Knobs
from tests.servers.salesforce.refusals import Refusal

_DAY = 24 * 3600.0
_STEP = 60.0  # how finely a day is counted


@dataclass
class Limits:
    """Counters of calls and bulk work."""

    knobs: Knobs
    clock: Clock
    _spent: dict[str, Counter[float]] = field(default_factory=dict)  # what → minute → how many
    _running: dict[int, float] = field(default_factory=dict)  # request → when it began
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    def used(self, what: str) -> int:
        """How many in the last 24 hours."""
        since = self.clock.now().timestamp() - _DAY
        with self._lock:
            counts = self._spent.setdefault(what, Counter())
            for moment in [moment for moment in counts if moment <= since]:
                del counts[moment]
            return sum(counts.values())

    def spend(self, what: str, amount: int = 1) -> None:
        moment = self.clock.now().timestamp() // _STEP * _STEP
        with self._lock:
            self._spent.setdefault(what, Counter())[moment] += amount

    def requests(self) -> int:
        return self.knobs.used_requests + self.used("requests")

    def take_request(self, amount: int = 1) -> None:
        """Count a call, or refuse it because the day's are used up."""
        if self.requests() + amount > self.knobs.daily_requests:
            raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.spend("requests", amount)

    def begin(self) -> int:
        """A call begins to run; refused where too many long ones run. Give the number to ``end``."""
        now = self.clock.now().timestamp()
        with self._lock:
            long = sum(now - start >= self.knobs.long_seconds for start in self._running.values())
            if long >= self.knobs.concurrent_requests:
                raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
            self._number += 1
            self._running[self._number] = now
            return self._number

    def end(self, number: int) -> None:
        with self._lock:
            self._running.pop(number, None)

    def header(self) -> str:
        """Sforce-Limit-Info."""
        text = f"api-usage={min(self.requests(), self.knobs.daily_requests)}/{self.knobs.daily_requests}"
        return text + "; per-app-api-usage=17/250(appName=local-app)" if self.knobs.per_app_usage else text

    def told(self) -> dict[str, Any]:
        """As GET limits answers."""
        highest = {
            "DailyApiRequests": (self.knobs.daily_requests, self.requests()),
            "DailyBulkApiBatches": (self.knobs.bulk_batches, self.used("batches")),
            "DailyBulkV2QueryJobs": (self.knobs.bulk_query_jobs, self.used("query jobs")),
            "DailyBulkV2QueryFileStorageMB": (976_562, self.used("query bytes") // 10**6),
            "DataStorageMB": (10_240, 100),
            "FileStorageMB": (10_240, 10),
            "DailyAsyncApexExecutions": (250_000, 0),
            "ConcurrentAsyncGetReportInstances": (200, 0),
            "HourlyODataCallout": (20_000, 0),
        }
        return {
            name: {"Max": most, "Remaining": max(0, most - used)} for name, (most, used) in highest.items()
        }
