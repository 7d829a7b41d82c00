"""Which jobs did a batch begin at the CRM? Kept in its ticket, so that a crash finds them again."""

from __future__ import annotations

import json
from typing import Any

from connectors.contract import Ticket


class Jobs:
    """The jobs of a batch, as its ticket keeps them: name → (id of the job, whether it has its rows).

    The name is that of the piece; further jobs, for what the first one did not come to, have a number behind
    it.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._known: dict[str, list[Any]] = json.loads(ticket.job) if ticket.job else {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def of(self, piece: str) -> list[str]:
        """Names of a piece's jobs, in their order."""
        return [name for name in self._known if name == piece or name.startswith(f"{piece}.")]

    def __getitem__(self, name: str) -> tuple[str, bool]:
        job, has_rows = self._known[name]
        return str(job), bool(has_rows)

    def opened(self, name: str, job: str) -> None:
        """A job was made; nothing runs yet."""
        self._known[name] = [job, False]
        self._ticket.save(json.dumps(self._known))

    def uploaded(self, name: str) -> None:
        """The job has its rows."""
        self._known[name][1] = True
        self._ticket.save(json.dumps(self._known))
