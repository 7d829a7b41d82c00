"""Verbs by which people see and decide in a browser: ui, review."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.execution import date_of, execute, fail, options_of
from sync.cli.options import CONFIG, Account, Config, Json


def ui(
    config: Config = CONFIG,
    port: Annotated[
        int, typer.Option("--port", help="Port on this machine. Default: a free one.", min=0, max=65535)
    ] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
) -> None:
    """Open the web interface on this machine: see segments, customers and plans, and decide about plans."""

    def ready(address: str, works: str) -> None:
        typer.echo(f"Open {address}\n{works}. Ctrl-C ends the web interface.")
        if show:
            typer.launch(address)

    def work(_commands: Any, _progress: Any) -> dict[str, Any]:
        from sync.exit_codes import CommandError

        if find_spec("starlette") is None or find_spec("uvicorn") is None:
            raise CommandError(
                "The web interface is not installed. Install it with: pip install 'crm-segments[ui]'"
            )
        from sync.terminal import interrupt
        from sync.ui.server import serve

        interrupt.after = "The web interface has ended; a command that a button started goes on, and `crm-segments status` tells of it."
        serve(config, port, ready)
        return {"exit_code": 0}

    execute("ui", False, work)


def review(
    plan: Annotated[int, typer.Argument(help="Number of the plan.")],
    static: Annotated[
        Path, typer.Option("--static", help="Write the page into this folder, as plan-N.html.", metavar="DIR")
    ],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    personal: Annotated[
        bool,
        typer.Option(
            "--personal", help="With names and e-mail addresses; needs --reason, kept in the journal."
        ),
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why names are shown.")] = "",
    until: Annotated[
        str | None,
        typer.Option(
            "--until", help="The day that the page is good for. Default: in two weeks.", metavar="DATE"
        ),
    ] = None,
) -> None:
    """Write what a person judges a plan by into one HTML file, for a share or a mail."""
    if personal and not reason.strip():
        fail("Say why names are shown: --personal --reason TEXT.", 2, as_json)

    def work(_commands: Any, progress: Any) -> dict[str, Any]:
        from sync.ui.sharing import share
        from sync.views.personal import Look

        look = Look(reason) if personal else None
        return share(config, options_of(account, progress=progress), plan, static, look, date_of(until))

    execute("review", as_json, work)
