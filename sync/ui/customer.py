"""Why does a customer have their segments, since when, and what was written about them?"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sync.account.segment_catalog import named_segments
from sync.exit_codes import CommandError
from sync.per_account import Answer
from sync.store import record_facts
from sync.ui.frame import Ui
from sync.views.history import segments_over_time, show

_MATCHES = 50


def _with_ways(session: Any, story: dict[str, Any]) -> dict[str, Any]:
    """The story with the segments that the customer was in, by segmentation, under the titles that people read."""
    for settings in session.segmentations:
        labelling = story["segmentations"].get(settings.name)
        if labelling is None:
            continue
        texts = named_segments(session.config, session.journal, settings, session.account)
        titles = {text.key: text.title for text in texts}
        labelling["way"] = [
            {"since": state["since"], "title": titles.get(state["segment"], state["segment"] or "no segment")}
            for state in segments_over_time(session.journal, session.account, settings.name, story)
        ]
    return story


def customer(ui: Ui, request: Request) -> Response:
    """The search, and the story of the one who is found."""
    asked = request.query_params.get("search", "").strip()

    def work(session: Any) -> Answer:
        matches = record_facts.found_by(session.mirror(), asked)
        if len(matches) != 1:
            return {"matches": matches[:_MATCHES], "story": None}
        return {"matches": matches, "story": _with_ways(session, show(session, asked))}

    empty: Answer = {"matches": [], "story": None}
    try:
        answer = ui.stores.read(request.path_params["account"], work) if asked else empty
    except CommandError as error:
        if getattr(error, "exit_code", 1) != 1:
            raise
        answer = {**empty, "error": str(error)}
    return ui.page(request, "customer.html", search=asked, **answer)
