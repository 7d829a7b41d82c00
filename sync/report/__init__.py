"""What do people look at? Two HTML pages, each whole by itself.

``people``: this month of the leading segmentation on one page, and each segmentation folded beneath it.
``analyst``: everything statistical, what was read, guards, rejects and runs.

``figures.gather`` collects all figures of one account first; what comes after it draws values only. A chart is
drawn by ``svg``; the module that is named after its question (``sizes``, ``journeys``, …) turns its figures into
panels, and ``sections`` says where they stand.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sync.local_time import local_time

Reader = Literal["people", "analyst"]

if TYPE_CHECKING:
    from sync.report.figures import AccountFigures


def write(
    accounts: Sequence[AccountFigures], out: Path, made_at: datetime, reader: Reader = "people"
) -> Path:
    """Write the page for a reader, whole or not at all, readable by its owner alone; returns its path."""
    from sync.report import analyst, people

    zones = {figures.time_zone for figures in accounts}
    made = local_time(made_at, zones.pop() if len(zones) == 1 else "")
    page = {"people": people, "analyst": analyst}[reader].render(accounts, made)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(out.name + ".part")
    with os.fdopen(
        os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as sink:
        sink.write(page)
    unfinished.replace(out)
    return out.resolve()
