"""Is each segmentation still good? Its scorecard and its drift, in plain words."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sync.per_account import Answer
from sync.pull import reading
from sync.report import scorecards
from sync.ui.figures import figures_of
from sync.ui.frame import Ui


def health(ui: Ui, request: Request) -> Response:
    """The page."""
    account = request.path_params["account"]
    figures = figures_of(ui.stores, account)

    def work(session: Any) -> Answer:
        from sync.label.drift import refits

        return {
            "refits": refits(session.segmentations, session.mirror(), session.journal.models, session.as_of)
        }

    refits = ui.stores.read(account, work)["refits"]
    rows = [
        {
            "figures": entry,
            "panels": scorecards.panels(figures.insights.of[entry.name].card, {}, entry.titles)
            if entry.name in figures.insights.of
            else [],
            "refit": refits.get(entry.name, ""),
        }
        for entry in figures.segmentations
    ]
    said = reading.sentences(figures.reading) if figures.reading else []
    return ui.page(request, "health.html", rows=rows, told=said)
