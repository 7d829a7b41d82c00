"""What goes wrong, when? A script of rules, each with what it matches, how often, and what then happens.

A rule is a JSON object: ``{"match": {"method": "GET", "path": "jobs/query/.*/results"}, "nth": 3, "do":
"reset", "bytes": 5000}``.

When: ``match`` (regexps of method and of path with query), and then ``nth`` (a number or a list: which of the
matching calls, from 1), ``every`` (each n-th), ``probability``, ``after`` (the first n go well), ``times``
(at most so often; default without limit, 1 with nothing else said).

What (``do``):
  error         answer ``status`` (500) with ``code`` and ``message`` as JSON; nothing is done
  html          answer ``status`` (503) with a page of HTML; nothing is done
  expire        all tokens expire: this call answers 401
  unauthorized  this call answers 401, the token stays good
  daily         403 TotalRequests Limit exceeded;  concurrent: 403 ConcurrentPerOrgLongTxn Limit exceeded
  usage         from now on ``used`` calls of the day are gone (others used them)
  reset         the reply breaks off after ``bytes`` (default 0) with a connection reset; what was asked is
                done
  truncate      the reply ends cleanly in its middle (``share``, default 0.5); with ``"framed": false`` its
                length promises more
  lost          what was asked is done, and the connection closes without a reply
  slow          what was asked is done, and the reply comes after ``seconds``
  stall         the reply begins after ``seconds``; nothing is done before
  job           the job of this call gets ``state`` (Failed, Aborted, InProgress for ever) after ``rows`` rows
                (default: half), with ``message``
  admin         the people of the org do ``action`` (as POST /__admin/edit takes it), then the call goes on
  foreign       200 with a ``body`` that is not the org's (``foreign.KINDS``): empty, a page, another type,
                half of it, keys missing
  item          of a write: the rows that match ``ids`` (share of them, or regexp of the id) fail with
                ``code`` and ``message``
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.servers.salesforce.foreign import KINDS

_KEYS = {
    "match", "nth", "every", "probability", "after", "times", "do", "status", "code", "message", "used", "bytes", "share", "seconds",
    "state", "rows", "action", "ids", "headers", "framed", "body",
}  # fmt: skip
DEEDS = {
    "error", "html", "expire", "unauthorized", "daily", "concurrent", "usage", "reset", "truncate", "lost", "slow", "stall", "job", "admin",
    "item", "foreign",
}  # fmt: skip


@dataclass
class Fault:
    """One rule, and how often it was looked at and happened."""

    rule: dict[str, Any]
    seen: int = 0
    happened: int = 0

    def __post_init__(self) -> None:
        if unknown := set(self.rule) - _KEYS:
            raise ValueError(
                f"a fault has no {', '.join(sorted(unknown))}; it takes {', '.join(sorted(_KEYS))}"
            )
        if self.rule.get("do") not in DEEDS:
            raise ValueError(f"do is one of {', '.join(sorted(DEEDS))}, not {self.rule.get('do')!r}")
        if self.rule["do"] == "foreign" and self.rule.get("body") not in KINDS:
            raise ValueError(f"body is one of {', '.join(KINDS)}, not {self.rule.get('body')!r}")

    def matches(self, method: str, path: str) -> bool:
        match = self.rule.get("match", {})
        return bool(re.fullmatch(match.get("method", ".*"), method)) and bool(
            re.search(match.get("path", ""), path)
        )

    def happens(self, chance: random.Random) -> bool:
        """Does it happen to the call that matches? Counts the call."""
        self.seen += 1
        rule = self.rule
        nth = rule.get("nth")
        when = [nth] if isinstance(nth, int) else nth
        plain = not any(key in rule for key in ("nth", "every", "probability", "times"))
        if self.happened >= rule.get("times", 1 if plain else 10**9) or self.seen <= rule.get("after", 0):
            return False
        if when is not None and self.seen not in when:
            return False
        if self.seen % rule.get("every", 1) or chance.random() >= rule.get("probability", 1.0):
            return False
        self.happened += 1
        return True


@dataclass
class Faults:
    """The script of an org."""

    seed: int = 0
    script: list[Fault] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)  # what happened to which call

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._lock = threading.Lock()

    def add(self, *rules: dict[str, Any]) -> None:
        """Append rules; ValueError names what is wrong with one."""
        fresh = [Fault(rule) for rule in rules]
        with self._lock:
            self.script += fresh

    def clear(self) -> None:
        with self._lock:
            self.script.clear()

    def of(self, method: str, path: str) -> list[dict[str, Any]]:
        """What happens to this call."""
        with self._lock:
            rules = [
                fault.rule
                for fault in self.script
                if fault.matches(method, path) and fault.happens(self._chance)
            ]
            self.log += [(rule["do"], f"{method} {path}") for rule in rules]
        return rules
