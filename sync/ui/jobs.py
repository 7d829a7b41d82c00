"""How does a button write to a CRM? It starts the command that a person would type, and its answer is kept.

The command works on when the web interface ends: it is a process of its own, and everything that it has done is
in the journal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ENDS = 2_000  # letters of what a command said at its end that did not answer


@dataclass
class Job:
    """One command. ``answer``: what it printed; None as long as it works. ``plan``: what it carries out, as far as known."""

    verb: str
    account: str
    plan: int | None
    answer: dict[str, Any] | None = None

    @property
    def works(self) -> bool:
        """Whether it goes on."""
        return self.answer is None


@dataclass
class Jobs:
    """The commands that this server started, one at a time."""

    config: Path
    last: Job | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def start(self, verb: str, account: str, words: Sequence[str], who: str, plan: int | None = None) -> bool:
        """Start ``crm-segments VERB WORDS`` for whoever pressed the button; False where another command works."""
        with self._turn:
            if self.last is not None and self.last.works:
                return False
            self.last = Job(verb, account, plan)
        told = [verb, *words, "--account", account, "--config", str(self.config), "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "sync.for_user"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        asked = json.dumps({"who": who, "words": told}).encode()
        threading.Thread(target=_wait, args=(self.last, process, asked), daemon=True).start()
        return True


def _wait(job: Job, process: subprocess.Popen[bytes], asked: bytes) -> None:
    out, err = process.communicate(asked)
    try:
        job.answer = json.loads(out)
    except ValueError:
        said = (out + err).decode(errors="replace")[-_ENDS:].strip()
        job.answer = {"exit_code": process.returncode, "error": said or f"it ended with {process.returncode}"}
