"""What of an answer is the same in every run? Everything but folders, ports, digests and the times of today."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

Tree = Any  # what JSON can hold

_HOST = re.compile(r"(https?://)?(127\.0\.0\.1|localhost):\d+")
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_DIGEST = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,}\b")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_BRIEF = re.compile(r"\d{8}T\d{6}")
_SEPARATOR = "\x1f"
_TODAY = timedelta(days=2)


class Normal:
    """Makes trees that can be compared; ``folder`` is where the scene plays. ``polls``: how often the CRM is
    read depends on how long its jobs take, so that is not counted.
    """

    def __init__(self, folder: Path, polls: bool = False) -> None:
        self.folder, self.polls = str(folder), polls

    def tree(self, value: Any) -> Tree:
        """A value as JSON holds it, without what differs from run to run."""
        if isinstance(value, Mapping):
            if self.polls and set(value) == {"read", "write"}:
                return {"write": value["write"]}
            return {self.text(str(key)): self.tree(each) for key, each in value.items()}
        if isinstance(value, set | frozenset):
            return {"unordered": [self.tree(each) for each in value]}
        if isinstance(value, list | tuple):
            return [self.tree(each) for each in value]
        if isinstance(value, np.generic):
            return self.tree(value.item())
        if isinstance(value, float):
            return float(f"{value:.9g}") if math.isfinite(value) else str(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, datetime | date):
            return self.text(value.isoformat())
        return self.text(str(value))

    def text(self, text: str) -> str:
        """A text without folders, ports, digests and the times of today."""
        if _SEPARATOR in text:  # words and their numbers, which come in any order
            words = text.split(_SEPARATOR)
            return _SEPARATOR.join(sorted(map(_SEPARATOR.join, zip(words[::2], words[1::2], strict=False))))
        text = text.replace(self.folder, "FOLDER")
        text = _DIGEST.sub("DIGEST", _UUID.sub("ID", _HOST.sub("HOST", text)))
        return _BRIEF.sub(_unless_today, _INSTANT.sub(_unless_today, text))

    def stored(self, text: str) -> Tree:
        """A text of the journal, which may be JSON."""
        if text[:1] in "{[":
            try:
                return self.tree(json.loads(text))
            except ValueError:
                pass
        return self.text(text)


def _unless_today(match: re.Match[str]) -> str:
    try:
        moment = datetime.fromisoformat(match[0])
    except ValueError:
        return match[0]
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return "NOW" if abs(datetime.now(UTC) - moment) < _TODAY else match[0]
