"""Verbs about what is stored here: status, show, report, rejects, forget, history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

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
            help="Exit with 1 where the last good run is older than that many hours.",
            metavar="HOURS",
        ),
    ] = None,
    reconcile: Reconcile = None,
    total: Totals = None,
    salvage: Annotated[
        bool,
        typer.Option(
            "--salvage",
            help="Of a damaged journal: save what can still be read in a new file, and tell what.",
        ),
    ] = False,
) -> None:
    """Last runs, open plans, holds and rejects; what was read, and until when data reach."""
    if salvage:
        execute("salvage", as_json, lambda c, _p: c.salvage(config))
    execute(
        "status", as_json, lambda c, p: c.status(config, options_of(account), max_age, reconcile, total or ())
    )


def show(
    id: Annotated[str, typer.Argument(help="Id of the record in the CRM.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Why this record has its segments, since when, and every value before with its run."""
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
            "--scorecards", help="Compute the scorecards first; of a large account that takes minutes."
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
        fail("--cards is called --scorecards now", 2, as_json)
    chosen = composition or ()
    execute(
        "report",
        as_json,
        lambda c, p: c.report(config, options_of(account, progress=p), out, scorecards, chosen, reader),
    )


def rejects(
    action: Annotated[str, typer.Argument(help="list, retry (a new budget of attempts) or drop.")] = "list",
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of entries; default: all.")] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Refused input rows with file and line, and refused changes."""
    if action not in ("list", "retry", "drop"):
        fail(f"{action!r} is no action: list, retry or drop", 2, as_json)
    execute("rejects", as_json, lambda c, p: c.rejects(config, options_of(account), action, numbers or ()))


def forget(
    id: Annotated[str, typer.Argument(help="Id of the person's record in the CRM, or an address of theirs.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase what is found without asking.")] = False,
) -> None:
    """Show what we know of a person, and after a yes take them out of every file of ours for good."""

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
        Path | None, typer.Option("--out", help="Write all of it to this CSV file.", metavar="FILE")
    ] = None,
    id: Annotated[str, typer.Option("--id", help="Only of the record with this id.", metavar="ID")] = "",
    run: Annotated[int | None, typer.Option("--run", help="Only of this run.", metavar="RUN")] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last", min=1, help="Only so many, the newest. Default: 50; with --json all.", metavar="N"
        ),
    ] = None,
) -> None:
    """Changes that were tried, with their run and what came of each."""
    shown = last if last is not None or as_json or out is not None or id else _NEWEST
    execute("history", as_json, lambda c, p: c.history(config, options_of(account), out, id, run, shown))
