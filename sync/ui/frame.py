"""What do all pages share? Where they read, what they may start, and the frame that they are shown in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sync.report.formats import Money
from sync.report.rendering import environment
from sync.ui.jobs import Jobs
from sync.ui.security import Door
from sync.ui.stores import Stores
from sync.views.personal import Look, note

HERE = Path(__file__).parent
PAGES = {
    "overview": "Overview",
    "segments": "Segments",
    "customer": "Customer",
    "plans": "Plans",
    "runs": "Runs",
    "health": "Health",
}


def _templates() -> Environment:
    templates = environment(HERE / "templates")
    templates.filters["money"] = lambda amount, unit: Money(*unit).whole(amount)
    return templates


@dataclass
class Ui:
    """The web interface of one config. ``looks``: who asked for names, and why, by account."""

    stores: Stores
    jobs: Jobs
    door: Door
    templates: Environment = field(default_factory=_templates)
    looks: dict[tuple[str, str], Look] = field(default_factory=dict)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page in its frame."""
        account, config = request.path_params.get("account", ""), self.stores.config
        text = self.templates.get_template(template).render(
            account=account,
            accounts=list(config.writable),
            pages=PAGES,
            here=request.url.path.split("/")[2] if request.url.path.count("/") > 1 else "",
            path=request.url.path,
            key=self.door.keys.form_of(self.door.session_of(request.state.user)),
            user=request.state.user,
            look=self.look(request),
            going_on=self.stores.going_on,
            time_zone=self.stores.time_zones.get(account, ""),
            said=request.query_params.get("said", ""),
            **values,
        )
        return HTMLResponse(text, status)

    def look(self, request: Request) -> Look | None:
        """For what names are shown to whoever asks; None: they are not."""
        return self.looks.get((request.path_params.get("account", ""), request.state.user))

    def show_names(self, request: Request) -> Response:
        """From now on names are shown, for a reason that the journal keeps; without one they are no longer."""
        account, who = request.path_params["account"], request.state.user
        self.looks.pop((account, who), None)
        if request.state.form.get("reason", "").strip():
            look = Look(request.state.form["reason"], who)

            def work(session: Any) -> dict[str, Any]:
                note(session.journal, account, "ui", look)
                return {}

            self.stores.read(account, work, "ui")
            self.looks[account, who] = look
        return to(_own(request.state.form.get("back", ""), f"/{account}/plans"))


Handler = Callable[[Ui, Request], Response]


def to(path: str) -> Response:
    """Go there next."""
    return RedirectResponse(path, 303)


def _own(path: str, otherwise: str) -> str:
    """A path of ours, and no other address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else otherwise


def number_in(text: str | None, otherwise: int = 0) -> int:
    """A number that stands in an address."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else otherwise
