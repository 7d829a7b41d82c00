"""What sets the months of an account beside those that a person states? For ``check`` and ``status``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sync.account.session import Session
from sync.per_account import Answer


def beside_stated(file: Path | None, totals: Sequence[str]) -> Callable[[Session], Answer] | None:
    """What sets an account's months beside those that the user states; None where nothing is stated."""
    if file is None and not totals:
        return None
    from sync.views import reconcile as beside

    stated = beside.totals(file, totals)

    def answer(reconciled: Answer) -> Answer:
        return {"reconcile": reconciled, "exit_code": 4 if reconciled["differ"] else 0}

    return lambda session: answer(beside.reconcile(session, stated))
