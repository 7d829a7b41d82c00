"""Why does a customer have their segments, since when, and what was written about them?"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sync.exit_codes import CommandError
from sync.per_account import Answer
from sync.store import record_facts
from sync.ui.frame import Ui
from sync.views.history import show

_MATCHES = 50


def customer(ui: Ui, request: Request) -> Response:
    """The search, and the story of the one who is found."""
    asked = request.query_params.get("search", "").strip()

    def work(session: Any) -> Answer:
        matches = record_facts.found_by(session.mirror(), asked)
        if len(matches) != 1:
            return {"matches": matches[:_MATCHES], "story": None}
        return {"matches": matches, "story": show(session, asked)}

    empty: Answer = {"matches": [], "story": None}
    try:
        answer = ui.stores.read(request.path_params["account"], work) if asked else empty
    except CommandError as error:
        if getattr(error, "exit_code", 1) != 1:
            raise
        answer = {**empty, "error": str(error)}
    return ui.page(request, "customer.html", search=asked, **answer)
