"""What does the report know of an account? Its figures, gathered again when something was read, labelled or written."""

from __future__ import annotations

import threading
from typing import Any

from sync.per_account import Answer
from sync.report.figures import AccountFigures, gather
from sync.report.insight import Wanted
from sync.ui.stores import Stores

_TURN = threading.Lock()
_WANTED = Wanted(models=False)


def figures_of(stores: Stores, account: str) -> AccountFigures:
    """The figures that ``crm-segments report`` shows to people who sell."""

    def work(session: Any) -> Answer:
        newest = session.journal.runs.last(account, 1)
        key = (
            [run["run"] for run in newest],
            session.mirror().revision(),
            session.mirror().stamp("features"),
            session.as_of,
        )
        return {"figures": stores.kept(account, key, lambda: gather(session, _WANTED))}

    with _TURN:
        figures: AccountFigures = stores.read(account, work)["figures"]
    return figures
