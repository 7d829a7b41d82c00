"""Verbs about what is stored here: status, show, report, rejects, forget, history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sync.cli import completion
from sync.cli.execution import execute, fail, options_of
from sync.cli.options import CONFIG, Account, Composition, Config, Json, Reconcile, Totals

_NEWEST = 50  # changes that a terminal shows


def status(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    max_age: Annotated[
        float | None,
        typer.Option(
            "--max-age",
            help="Exit with 1 if the last good run is older than this many hours.",
            metavar="HOURS",
        ),
    ] = None,
    reconcile: Reconcile = None,
    total: Totals = None,
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage",
            help="Save what is still readable in a damaged journal to a new file.",
        ),
    ] = False,
) -> None:
    """Show last runs, open plans, pauses and rejects, and how recent the data is."""
    if salvage:
        execute("salvage", as_json, lambda c, _p: c.salvage(config))
    execute(
        "status", as_json, lambda c, p: c.status(config, options_of(account), max_age, reconcile, total or ())
    )


def show(
    id: Annotated[str, typer.Argument(help="Id of the customer in the CRM, an e-mail address or a name.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Show why a customer has their segments, since when, and every earlier value."""
    execute("show", as_json, lambda c, p: c.show(config, options_of(account), id))


def report(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write the page to this file. Default: in state_dir, report.html or report-analyst.html.",
            metavar="FILE",
        ),
    ] = None,
    scorecards: Annotated[
        bool,
        typer.Option(
            "--scorecards", help="Compute the scorecards first; this takes minutes for a large account."
        ),
    ] = False,
    cards: Annotated[bool, typer.Option("--cards", hidden=True)] = False,
    composition: Composition = None,
    reader: Annotated[
        Literal["people", "analyst"],
        typer.Option("--for", help="people: this month on one page. analyst: everything statistical."),
    ] = "people",
) -> None:
    """Write one HTML page: this month by segment, or everything statistical for an analyst."""
    if cards:
        fail("--cards is now called --scorecards", 2, as_json)
    chosen = composition or ()
    execute(
        "report",
        as_json,
        lambda c, p: c.report(config, options_of(account, progress=p), out, scorecards, chosen, reader),
    )


def rejects(
    action: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.one_of("list", "retry", "drop"),
            help="list, retry (the next run tries again) or drop.",
        ),
    ] = "list",
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of entries. Default: all.")] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    each: Annotated[bool, typer.Option("--all", help="List each entry, with its number.")] = False,
) -> None:
    """List rejected input rows and rejected changes by reason; retry or drop them."""
    if action not in ("list", "retry", "drop"):
        fail(f"{action!r} is not an action. Actions: list, retry, drop", 2, as_json)
    chosen, entries = numbers or (), each or as_json
    execute("rejects", as_json, lambda c, p: c.rejects(config, options_of(account), action, chosen, entries))


def forget(
    id: Annotated[str, typer.Argument(help="Id in the CRM, or e-mail address, of the person.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Erase a person (GDPR) and never import them again. This cannot be undone."""

    def confirm(traces: dict[str, Any]) -> bool:
        if yes:
            return True
        if as_json:
            return False
        from sync.terminal.stored import print_traces

        print_traces(traces)
        return sys.stdin.isatty() and typer.confirm("Erase all this? It cannot be undone.", err=True)

    execute("forget", as_json, lambda c, p: c.forget(config, options_of(account, progress=p), id, confirm))


def history(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the whole history to this CSV file.", metavar="FILE")
    ] = None,
    id: Annotated[
        str, typer.Option("--id", help="Only changes of the customer with this id.", metavar="ID")
    ] = "",
    run: Annotated[int | None, typer.Option("--run", help="Only changes of this run.", metavar="RUN")] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", min=1, help="Only the newest N changes. Default: 50; with --json all.", metavar="N"
        ),
    ] = None,
) -> None:
    """List attempted changes, with their run and outcome."""
    shown = last if last is not None or as_json or out is not None or id else _NEWEST
    execute("history", as_json, lambda c, p: c.history(config, options_of(account), out, id, run, shown))
