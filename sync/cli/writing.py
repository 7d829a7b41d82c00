"""Verbs that change a CRM, by way of a plan: plan, apply, run, backfill, undo, retire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sync.cli.execution import asking, date_of, execute, fail, options_of
from sync.cli.options import CONFIG, Account, Allow, AsOf, Config, Json, Reason

if TYPE_CHECKING:
    from sync.context import Progress


def plan(
    action: Annotated[
        str | None, typer.Argument(help="show: list each change of a saved plan.", metavar="show")
    ] = None,
    number: Annotated[int | None, typer.Argument(help="Number of the plan to show.", metavar="PLAN")] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    allow: Allow = None,
    reason: Reason = None,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="After a lost journal: treat segment keys in our fields as written by crm-segments.",
        ),
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 if there is something to change.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="show: write all changes to this .csv or .json file.", metavar="FILE"),
    ] = None,
    personal: Annotated[
        bool,
        typer.Option(
            "--personal", help="show: with names and e-mail addresses; needs --reason, kept in the journal."
        ),
    ] = False,
) -> None:
    """Preview all changes before anything is written, saved as a numbered plan. It needs no setup.
    `plan show PLAN` lists each change.
    """
    if (action, number) != (None, None) or out is not None:
        if action != "show" or number is None:
            fail(
                "Use `crm-segments plan`, or `crm-segments plan show PLAN [--out FILE]` with the number of a plan.",
                2,
                as_json,
            )
        if personal and not (reason or "").strip():
            fail("Say why names are shown: --personal --reason TEXT.", 2, as_json)

        def shown(c: Any, p: Progress) -> dict[str, Any]:
            from sync.views.personal import Look
            from sync.views.plan_changes import Page

            page = Page(look=Look(reason or "")) if personal else None
            answer: dict[str, Any] = c.show_plan(config, options_of(account, progress=p), number, out, page)
            return answer

        execute("show_plan", as_json, shown)
    execute(
        "plan",
        as_json,
        lambda c, p: c.plan(config, options_of(account, allow, reason, as_of, p), adopt, exit_code),
    )


def apply(
    plan: Annotated[
        int | None,
        typer.Argument(
            help="Number of the plan; giving it confirms that you have reviewed it. Default: the newest open one."
        ),
    ] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    first: Annotated[
        int | None,
        typer.Option("--first", help="Write only the first N customers, as a trial.", min=1, metavar="N"),
    ] = None,
) -> None:
    """Write the changes of a plan to the CRM."""
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
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            help="Write the answer to this file as JSON, also when the run fails.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Run the whole loop: read, segment, plan, and write what passes all guards."""
    execute("run", as_json, lambda c, p: c.run(config, options_of(account, allow, reason, as_of, p), summary))


def backfill(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Only customers created or changed on that day or later.", metavar="DATE"
        ),
    ] = None,
    ids: Annotated[
        str | None,
        typer.Option(
            "--ids", help="Only these ids, with commas between them, or @FILE with one id per line."
        ),
    ] = None,
    segment: Annotated[
        str | None, typer.Option("--segment", help="Only customers in this segment.", metavar="KEY")
    ] = None,
) -> None:
    """Write all fields again, extra fields included, for everyone or for some customers."""
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
            raise typer.BadParameter(f"Cannot read {text[1:]}: {error.strerror}.") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def undo(
    run: Annotated[int, typer.Argument(help="Number of the run.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Undo a run once you confirm. Later manual edits are kept, and e-mails already sent stay sent."""

    execute(
        "undo",
        as_json,
        lambda c, p: c.undo(
            config, options_of(account, allow, reason, as_of, p), run, asking("plan", yes, as_json)
        ),
    )


def retire(
    target: Annotated[
        str,
        typer.Argument(
            help="Segmentation that left the config, or one of its fields or lists (SEGMENTATION.SEGMENT)."
        ),
    ],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Clear the fields and lists of a segmentation that you removed from the config, and remove them where the CRM can."""
    execute(
        "retire",
        as_json,
        lambda c, p: c.retire(
            config, options_of(account, allow, reason, progress=p), target, asking("plan", yes, as_json)
        ),
    )
