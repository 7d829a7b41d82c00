"""Plays a scene: does one command after the other, and writes down what came of each."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sync import commands
from tests.oracle import journal
from tests.oracle.normal import Normal, Tree

GUARDS = (
    "max_change", "max_enter", "max_leave", "min_size", "max_cleared", "max_overwrite", "max_writes", "max_calls", "max_shrink",
    "max_rejected", "max_unmatched", "max_stale_days", "max_drop", "max_enrolled",
)  # fmt: skip
ALLOWED = dict.fromkeys(GUARDS, "the oracle looks on")
_UNTOLD = {"seconds", "age_hours", "quota"}  # figures of this machine and this day, and what is left of it


RECORDED = datetime(2026, 11, 29, 12, tzinfo=UTC)


@dataclass
class Player:
    """One scene; ``steps`` is what was recorded so far, ``moment`` the time of its world."""

    folder: Path
    config: Path
    moment: datetime = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
    steps: dict[str, Tree] = field(default_factory=dict)
    calls: list[Tree] = field(default_factory=list)  # that reached the CRM since the last step
    clock: Callable[[], datetime] | None = None
    polls: str = "(?!)"  # paths of calls that are repeated until a job has ended

    def __post_init__(self) -> None:
        self.normal = Normal(self.folder, self.polls != "(?!)")

    def now(self) -> datetime:
        return self.clock() if self.clock else self.moment

    def on(self, day: date) -> None:
        """From now on it is the morning after ``day``."""
        self.moment = datetime.combine(day + timedelta(days=1), time(9, 30), UTC)

    def do(
        self,
        step: str,
        command: str,
        *,
        as_of: date | None = None,
        allow: Mapping[str, str] = ALLOWED,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Do a command and record what came of it, under the name of the step; its answer."""
        options = commands.Options(allow=allow, as_of=as_of, clock=self.now)
        answer = self._answer(lambda: getattr(commands, command)(self.config, options, **arguments))
        recorded = {"answer": self.normal.tree(_told(answer))}
        if self.calls:
            recorded["calls"] = {"unordered": self.calls.copy()}
            self.calls.clear()
        assert step not in self.steps, step
        self.steps[step] = recorded
        return answer

    def init(self, step: str, exports: Path, **arguments: Any) -> dict[str, Any]:
        """Let a config be written from a folder of exports, on the day of the recording."""
        answer = self._answer(
            lambda: commands.init(self.config, path=exports, clock=lambda: RECORDED, **arguments)
        )
        text = self.config.read_text(encoding="utf-8") if self.config.exists() else ""
        self.steps[step] = {"answer": self.normal.tree(_told(answer)), "config": self.normal.text(text)}
        return answer

    @staticmethod
    def _answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return work()
        except Exception as error:
            return {"stopped": str(error), "exit_code": commands.exit_code(error)}

    def file(self, step: str, path: Path) -> None:
        """Record what a CSV file holds, in any order of its rows."""
        with path.open(encoding="utf-8", newline="") as lines:
            head, *rows = list(csv.reader(lines))
        rows = [[self.normal.text(cell) for cell in row] for row in rows]
        self.steps[step] = {"columns": head, "rows": {"unordered": rows}}

    def note(self, step: str, value: Any) -> None:
        """Record what stands in the CRM, or anything else."""
        self.steps[step] = self.normal.tree(value)

    def call(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> None:
        """A call that reached the CRM."""
        parts = urlsplit(target)
        called: dict[str, Any] = {"method": method, "path": unquote(parts.path)}
        if parts.query:
            called["query"] = {"unordered": parse_qsl(parts.query, keep_blank_values=True)}
        if body:
            called["body"] = _body(body, headers.get("content-type", ""), called["path"])
        called = self.normal.tree(called)
        if not (re.search(self.polls, called["path"]) and called in self.calls):
            self.calls.append(called)

    def end(self) -> dict[str, Tree]:
        """The whole recording, with what the journal holds now."""
        path = self.folder / "state" / "journal.sqlite"
        if path.exists():
            self.steps["journal"] = journal.recorded(path, self.normal)
        return self.steps


def _body(body: bytes, content_type: str, path: str) -> Any:
    if path.endswith("/token"):
        return "CREDENTIALS"
    text = body.decode("utf-8", "replace")
    if "json" in content_type:
        return json.loads(text)
    return text.splitlines()


def _told(value: Any) -> Any:
    """An answer without the figures of this machine."""
    if isinstance(value, Mapping):
        return {key: _told(each) for key, each in value.items() if key not in _UNTOLD}
    return [_told(each) for each in value] if isinstance(value, list | tuple) else value
