"""Which address shows which page?"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

import sync.report
from connectors.errors import ConnectorError
from sync.config.faults import ConfigError
from sync.exit_codes import CommandError, RetryLater, UsageError
from sync.per_account import Options
from sync.ui import customer, health, overview, plans, runs, segments
from sync.ui.frame import HERE, Handler, Ui, to
from sync.ui.jobs import Jobs
from sync.ui.security import Door, Guarded
from sync.ui.stores import Stores

_FILES = {
    "page.css": Path(sync.report.__file__).parent / "page.css",
    "ui.css": HERE / "static" / "ui.css",
    "progress.js": HERE / "static" / "progress.js",
}
_GET: dict[str, Handler] = {
    "/{account}/overview": overview.overview,
    "/{account}/segments": segments.segments,
    "/{account}/segments/{name}": segments.segment,
    "/{account}/customer": customer.customer,
    "/{account}/plans": plans.plans,
    "/{account}/plans/{number:int}": plans.plan,
    "/{account}/state": plans.state,
    "/{account}/job": plans.job,
    "/{account}/runs": runs.runs,
    "/{account}/health": health.health,
}
_POST: dict[str, Handler] = {
    "/{account}/names": Ui.show_names,
    "/{account}/segments/{name}/file": segments.file,
    "/{account}/plans/{number:int}/decide": plans.decide,
    "/{account}/runs/{run:int}/undo": runs.undo,
}


def application(config: Path, door: Door, options: Options | None = None) -> Starlette:
    """The web interface of a config."""
    ui = Ui(Stores(config, options or Options()), Jobs(config), door)
    routes: list[BaseRoute] = [
        Route("/", lambda _request: to(f"/{ui.stores.config.writable[0]}/overview")),
        Route("/favicon.ico", lambda _request: Response(status_code=204)),
        Route("/static/{name}", _file),
        *(Route(path, _shown(ui, page), methods=["GET"]) for path, page in _GET.items()),
        *(Route(path, _shown(ui, action), methods=["POST"]) for path, action in _POST.items()),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guarded, door=door)])


def _file(request: Request) -> Response:
    path = _FILES.get(request.path_params["name"])
    return Response(status_code=404) if path is None else FileResponse(path)


def _shown(ui: Ui, handler: Handler):  # type: ignore[no-untyped-def]
    """A handler whose refusals are pages, too."""

    def shown(request: Request) -> Response:
        if request.path_params["account"] not in ui.stores.config.accounts:
            request.path_params["account"] = ui.stores.config.writable[0]
            return ui.page(request, "message.html", 404, message="There is no such account.")
        try:
            return handler(ui, request)
        except RetryLater as error:
            return ui.page(request, "busy.html", message=str(error))
        except UsageError as error:
            return ui.page(request, "message.html", 400, message=str(error))
        except (CommandError, ConnectorError, ConfigError) as error:
            return ui.page(request, "message.html", message=str(error))

    return shown
