"""What happened this month? Page one of the report, live."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sync.report.people import account_page
from sync.ui.figures import figures_of
from sync.ui.frame import Ui


def overview(ui: Ui, request: Request) -> Response:
    """The page."""
    figures = figures_of(ui.stores, request.path_params["account"])
    return ui.page(request, "overview.html", one=account_page(figures), figures=figures)
