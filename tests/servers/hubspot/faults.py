"""What goes wrong, and when? A script of rules, played the same way under the same seed."""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACTIONS = """
  status        answer ``status`` without doing anything (429 with ``policy``, 423, 477, 5xx, 403 ...)
  status_after  do it, and then answer ``status``
  reset         cut the connection before anything is done
  lost          do it, and cut the connection without an answer
  slow          do it, and send the answer in drops that take ``seconds``
  silent        do it, and send nothing for ``seconds``, then cut the connection
  truncated     send half of the body; ``honest``: under the right length (broken JSON), else cut off
  duplicate     repeat the first row of ``results`` at the end
  meanwhile     before the answer is made, ``event`` (edit, merge, archive, erase, create) befalls ``ids`` or a random record of ``kind``
  answer_as     do it, and answer with ``status`` instead of its own (200 where 201 is expected)
  html          do it, and answer 200 with a page of a proxy
  spoil         do it, and answer 2xx with ``body`` (a JSON text, empty, html) instead, or without ``keys``, or with ``body`` under ``keys``
  gzip          compress even where nobody asked
  refuse_each   of a batch update: refuse a random ``share`` of the records by 207 with ``category``
  number_ids    of an association answer: toObjectId as a number; null_ids: null in the first row
"""


@dataclass
class Fault:
    """One rule of the script: which calls, and what happens to them."""

    do: str
    method: str = ".*"
    path: str = ".*"  # searched for in the path
    nth: int | None = None  # the n-th matching call, from 1; None: every one ...
    times: int | None = None  # ... so often at most (with ``nth``: that many in a row, default 1)
    probability: float = 1.0
    status: int = 503
    policy: str = "TEN_SECONDLY_ROLLING"
    retry_after: float | None = None
    seconds: float = 30.0
    event: str = "edit"
    kind: str = "contacts"
    ids: list[int] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    honest: bool = False
    share: float = 0.5
    category: str = "VALIDATION_ERROR"
    body: str = ""  # html, empty, a JSON text as it is (default: as HubSpot does for the status)
    keys: list[str] = field(default_factory=list)  # of ``spoil``: wherever they stand in the answer
    seen: int = 0  # matching calls so far
    done: int = 0  # how often it struck


@dataclass
class Script:
    """The rules, in their order: the first that strikes is played; those that do ``meanwhile`` are played
    besides.
    """

    rules: list[Fault] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def strike(self, method: str, path: str) -> list[Fault]:
        struck: list[Fault] = []
        for rule in self.rules:
            if not (re.fullmatch(rule.method, method) and re.search(rule.path, path)):
                continue
            rule.seen += 1
            if any(fault.do != "meanwhile" for fault in struck) and rule.do != "meanwhile":
                continue
            if self._now(rule):
                rule.done += 1
                struck.append(rule)
        return struck

    def _now(self, rule: Fault) -> bool:
        if rule.nth is not None:
            return rule.nth <= rule.seen < rule.nth + (rule.times or 1)
        if rule.times is not None and rule.done >= rule.times:
            return False
        return rule.probability >= 1 or self.dice.random() < rule.probability


def faults_of(rows: Iterable[dict[str, Any]]) -> list[Fault]:
    return [Fault(**row) for row in rows]


def load(path: Path) -> list[Fault]:
    """Rules from a JSON list, or from a TOML file with [[faults]]."""
    if path.suffix == ".toml":
        return faults_of(tomllib.loads(path.read_text(encoding="utf-8"))["faults"])
    return faults_of(json.loads(path.read_text(encoding="utf-8")))
