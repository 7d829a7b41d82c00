"""Verbs by which somebody decides about a plan: approve, reject."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.execution import execute, options_of
from sync.cli.options import CONFIG, Account, Config, Json

Plan = Annotated[int, typer.Argument(help="Number of the plan.", metavar="PLAN")]


def approve(
    plan: Plan,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    first: Annotated[
        int | None,
        typer.Option("--first", help="Only N customers, as a trial.", min=1, metavar="N"),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="Leave this segment out (repeatable).", metavar="SEGMENT"),
    ] = None,
) -> None:
    """Approve a plan, so that `apply` may write it; your user name and the time are kept."""
    execute(
        "approve",
        as_json,
        lambda c, p: c.approve(config, options_of(account, progress=p), plan, first, without or ()),
    )


def reject(
    plan: Plan,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with your user name.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Reject a plan: it is not written, and the next ones wait until you approve one."""
    execute(
        "reject",
        as_json,
        lambda c, p: c.reject(config, options_of(account, progress=p), plan, reason),
    )
