"""Who looks at names and e-mail addresses of many people, and why? It is asked for, and the journal keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from sync.exit_codes import UsageError
from sync.store.journal import Journal
from sync.store.journal.database import user


@dataclass(frozen=True)
class Look:
    """Names are asked for. ``who``: the system's user where nobody else is named."""

    reason: str
    who: str = ""

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise UsageError("Say why names are shown: --personal --reason TEXT")


def note(journal: Journal, account: str, command: str, look: Look, **what: object) -> None:
    """Keep in the journal who looked at what, and why."""
    run = journal.runs.begin(account, command)
    shown = {"who": look.who or user(), "reason": look.reason.strip(), **what}
    journal.runs.end(run, 0, {"personal": shown})
