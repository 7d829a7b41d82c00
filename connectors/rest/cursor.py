"""How far has each source of a stream been read? One text for the CRMs that are read source by source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

Progress = TypeVar("Progress")  # a frozen dataclass


@dataclass(frozen=True)
class Position(Generic[Progress]):
    """Progress of every source of a stream.

    A changed ``version``, of what is read out of a record, makes every position void.
    """

    version: int
    sources: Mapping[str, Progress]

    def after(self, name: str, progress: Progress | None) -> Position[Progress]:
        """The position once a source has been read so far; None: it is read no more."""
        sources = {source: reached for source, reached in self.sources.items() if source != name}
        return replace(self, sources=sources if progress is None else {**sources, name: progress})

    def dumps(self) -> str:
        """As text."""
        sources: Any = self.sources
        return json.dumps(
            {
                "version": self.version,
                "sources": {name: asdict(progress) for name, progress in sources.items()},
            }
        )


def loads(
    text: str | None, version: int, progress: Callable[[dict[str, Any]], Progress]
) -> Position[Progress]:
    """The position; from the beginning where there is none, or it is not of this version.

    ``progress`` makes one of its keys.
    """
    try:
        tree: dict[str, Any] = json.loads(text or "{}")
        if tree.get("version") != version:
            return Position(version, {})
        return Position(version, {name: progress(stored) for name, stored in tree["sources"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return Position(version, {})


def fingerprint(*facts: object) -> str:
    """A digest of what decides how a source is read: of another one, it is read again."""
    return hashlib.blake2b(
        json.dumps(facts, sort_keys=True, default=repr).encode(), digest_size=12
    ).hexdigest()
