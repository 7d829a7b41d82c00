"""Verbs that change a CRM, by way of a plan: plan, apply, run, backfill, undo, retire."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync.cli.execution import asking, date_of, execute, fail, options_of
from sync.cli.options import CONFIG, Account, Allow, AsOf, Config, Json, Reason


def plan(
    action: Annotated[
        str | None, typer.Argument(help="show: each change of a plan that was made.", metavar="[show]")
    ] = None,
    number: Annotated[
        int | None, typer.Argument(help="Number of the plan to show.", metavar="[PLAN]")
    ] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    allow: Allow = None,
    reason: Reason = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Treat segment keys in fields of ours as ours (after a lost journal)."),
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 where there is something to change.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="show: write all changes to this .csv or .json file.", metavar="FILE"),
    ] = None,
) -> None:
    """Show what a run would write, guarded and costed, and save it under a number; `plan show PLAN` lists
    each change of it.
    """
    if (action, number) != (None, None) or out is not None:
        if action != "show" or number is None:
            fail(
                "say `crm-segments plan`, or `crm-segments plan show PLAN [--out FILE]` with the number of a plan",
                2,
                as_json,
            )
        execute(
            "show_plan",
            as_json,
            lambda c, p: c.show_plan(config, options_of(account, progress=p), number, out),
        )
    execute(
        "plan",
        as_json,
        lambda c, p: c.plan(config, options_of(account, allow, reason, as_of, p), adopt, exit_code),
    )


def apply(
    plan: Annotated[
        int | None,
        typer.Argument(
            help="Number of the plan; naming it says that you have looked at it. Default: the newest open one."
        ),
    ] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    first: Annotated[
        int | None, typer.Option("--first", help="Only the first N records: a canary.", min=1, metavar="N")
    ] = None,
) -> None:
    """Carry out a plan."""
    execute(
        "apply",
        as_json,
        lambda c, p: c.apply(config, options_of(account, allow, reason, as_of, p), plan, first),
    )


def run(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
) -> None:
    """The whole loop: settle, pull, label, plan, apply."""
    execute("run", as_json, lambda c, p: c.run(config, options_of(account, allow, reason, as_of, p)))


def backfill(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Records created or changed on that day or later.", metavar="DATE"),
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option("--ids", help="Ids with commas between them, or @FILE with one on each line."),
    ] = None,
    segment: Annotated[
        str | None, typer.Option("--segment", help="Records in this segment.", metavar="KEY")
    ] = None,
) -> None:
    """Write every field, extra fields too, for everyone or for some; goes on where it was cut off."""
    execute(
        "backfill",
        as_json,
        lambda c, p: c.backfill(
            config, options_of(account, allow, reason, as_of, p), _ids(ids), date_of(since), segment
        ),
    )


def _ids(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_text(encoding="utf-8").split()
        except OSError as error:
            raise typer.BadParameter(f"cannot read {text[1:]}: {error.strerror}") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def undo(
    run: Annotated[int, typer.Argument(help="Number of the run.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    yes: Annotated[bool, typer.Option("--yes", help="Carry the plan out without asking.")] = False,
) -> None:
    """Plan to take a run back where the CRM still holds what it wrote, and do it after a yes.

    Mail that was sent stays sent.
    """

    execute(
        "undo",
        as_json,
        lambda c, p: c.undo(
            config, options_of(account, allow, reason, as_of, p), run, asking("plan", yes, as_json)
        ),
    )


def retire(
    target: Annotated[
        str, typer.Argument(help="Field or list (SEGMENTATION.SEGMENT) that the config no longer names.")
    ],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Carry the plan out without asking.")] = False,
) -> None:
    """Plan to clear what we wrote in a field or list that has left the config, and do it after a yes."""
    execute(
        "retire",
        as_json,
        lambda c, p: c.retire(
            config, options_of(account, allow, reason, progress=p), target, asking("plan", yes, as_json)
        ),
    )
