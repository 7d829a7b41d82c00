"""The command line: verbs, options, exit codes. No decisions: each verb calls the function of its name in
``sync.commands``.

Exit codes: 0 done · 1 failed · 2 usage or config · 3 ``plan --exit-code`` found changes · 4 done with rejects
or skips, or months that differ · 5 a guard, a hold or a superseded plan stopped it · 75 try again later · 130
Ctrl-C · 143 SIGTERM.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from sync.terminal import interrupt  # before all that takes time to import

# isort: split

import typer
from typer.core import TyperGroup

from sync.terminal.shared_options import Format, Verbose, log_lines, takes_shared_options

if TYPE_CHECKING:
    from sync.commands import Options
    from sync.context import Progress


class Verbs(TyperGroup):
    """The verbs. One that had another name is refused with its new one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of the first word."""
        if args and args[0] not in self.commands:
            from sync.config.renames import VERBS

            if args[0] in VERBS:
                ctx.fail(f"{args[0]!r} is now called {VERBS[args[0]]!r}: crm-segments {VERBS[args[0]]}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Verbs, name="crm-segments", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Pull contacts and activity out of a CRM, label every contact, write the labels back: planned, guarded, undoable.",
)  # fmt: skip

Config = Annotated[Path, typer.Option("--config", help="The config file.", show_default=True)]
Account = Annotated[
    str | None, typer.Option("--account", help="Only this account. Default: every account that is written.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON with stable keys, and nothing else, on standard output.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", help="Let this guard pass (repeatable); needs --reason.", metavar="GUARD"),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the journal.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="The last local day that counts, instead of the config's.", metavar="DATE"),
]
Names = Annotated[list[str] | None, typer.Argument(help="Only these segmentations.")]
Composition = Annotated[
    list[str] | None,
    typer.Option(
        "--composition",
        help="Show who is in each segment by this attribute; repeat for more.",
        metavar="ATTRIBUTE",
    ),
]
Reconcile = Annotated[
    Path | None,
    typer.Option("--reconcile", help="Compare with this CSV file: month,orders,net_revenue.", metavar="FILE"),
]
Totals = Annotated[
    list[str] | None,
    typer.Option("--total", help="Compare with this month (repeatable).", metavar="MONTH=ORDERS/REVENUE"),
]
CONFIG = Path("config.toml")


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a verb of the command line."""
    app.command()(takes_shared_options(function))
    return function


@app.callback()
def before_the_verb(verbose: Verbose = False, log_format: Format = None) -> None:
    """Options that may stand before the verb or after it."""
    log_lines(verbose, log_format)


@verb
def check(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    reconcile: Reconcile = None,
    total: Totals = None,
) -> None:
    """Say everything that is wrong at once: config, credentials, rights, files, columns; and months that do
    not add up to yours.
    """
    _do("check", as_json, lambda c, p: c.check(config, _options(account, progress=p), reconcile, total or ()))


@verb
def setup(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    yes: Annotated[bool, typer.Option("--yes", help="Make what is shown without asking.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Only write the steps into this folder.", metavar="DIR")
    ] = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option(
            "--adopt", help="Take over this field or list although we did not make it.", metavar="NAME"
        ),
    ] = None,
) -> None:
    """Show the fields and lists that runs write to, and make them after a yes."""
    _do(
        "setup",
        as_json,
        lambda c, p: c.setup(
            config, _options(account, progress=p), _asking("setup", yes, as_json), adopt or (), export
        ),
    )


@verb
def pull(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
) -> None:
    """Read what changed in the CRM."""
    _do("pull", as_json, lambda c, p: c.pull(config, _options(account, allow, reason, progress=p)))


@verb
def train(
    names: Names = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only show what a refit would change, and who would move.")
    ] = False,
) -> None:
    """Fit segmentations again (cut points are frozen in between)."""
    _do(
        "train",
        as_json,
        lambda c, p: c.train(config, _options(account, as_of=as_of, progress=p), names or (), propose),
    )


@verb
def evaluate(
    names: Names = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    composition: Composition = None,
) -> None:
    """Scorecards: how good each segmentation is on days that it had not seen, whether it still is, what
    campaigns changed.
    """
    _do(
        "evaluate",
        as_json,
        lambda c, p: c.evaluate(
            config, _options(account, as_of=as_of, progress=p), names or (), composition or ()
        ),
    )


@verb
def label(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write id, forecasts and segments to this CSV file.", metavar="FILE"),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", min=1, max=3660, help="Days that the file's forecasts look ahead.", metavar="DAYS"
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Tell coverage of each attribute, and which rules take whom, never, or in vain."
        ),
    ] = False,
) -> None:
    """Label every record; writes nothing to the CRM."""
    _do(
        "label",
        as_json,
        lambda c, p: c.label(config, _options(account, as_of=as_of, progress=p), out, explain, horizon),
    )


@verb
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
            _fail(
                "say `crm-segments plan`, or `crm-segments plan show PLAN [--out FILE]` with the number of a plan",
                2,
                as_json,
            )
        _do(
            "show_plan", as_json, lambda c, p: c.show_plan(config, _options(account, progress=p), number, out)
        )
    _do(
        "plan",
        as_json,
        lambda c, p: c.plan(config, _options(account, allow, reason, as_of, p), adopt, exit_code),
    )


@verb
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
    _do(
        "apply",
        as_json,
        lambda c, p: c.apply(config, _options(account, allow, reason, as_of, p), plan, first),
    )


@verb
def run(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    allow: Allow = None,
    reason: Reason = None,
    as_of: AsOf = None,
) -> None:
    """The whole loop: settle, pull, label, plan, apply."""
    _do("run", as_json, lambda c, p: c.run(config, _options(account, allow, reason, as_of, p)))


@verb
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
    _do(
        "backfill",
        as_json,
        lambda c, p: c.backfill(
            config, _options(account, allow, reason, as_of, p), _ids(ids), _date(since), segment
        ),
    )


@verb
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

    _do(
        "undo",
        as_json,
        lambda c, p: c.undo(
            config, _options(account, allow, reason, as_of, p), run, _asking("plan", yes, as_json)
        ),
    )


@verb
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
    _do(
        "retire",
        as_json,
        lambda c, p: c.retire(
            config, _options(account, allow, reason, progress=p), target, _asking("plan", yes, as_json)
        ),
    )


@verb
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
        _do("salvage", as_json, lambda c, _p: c.salvage(config))
    _do("status", as_json, lambda c, p: c.status(config, _options(account), max_age, reconcile, total or ()))


@verb
def show(
    id: Annotated[str, typer.Argument(help="Id of the record in the CRM.")],
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Why this record has its segments, since when, and every value before with its run."""
    _do("show", as_json, lambda c, p: c.show(config, _options(account), id))


@verb
def report(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write the page to this file. Default: report.html in state_dir.", metavar="FILE"
        ),
    ] = None,
    cards: Annotated[
        bool, typer.Option("--cards", help="Make report cards of large accounts too; that takes minutes.")
    ] = False,
    composition: Composition = None,
) -> None:
    """Write one HTML page for people: sizes, revenue, moves, forecasts, report cards, guards, rejects."""
    _do(
        "report",
        as_json,
        lambda c, p: c.report(config, _options(account, progress=p), out, cards, composition or ()),
    )


@verb
def rejects(
    action: Annotated[str, typer.Argument(help="list, retry (a new budget of attempts) or drop.")] = "list",
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of entries; default: all.")] = None,
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Refused input rows with file and line, and refused changes."""
    if action not in ("list", "retry", "drop"):
        _fail(f"{action!r} is no action: list, retry or drop", 2, as_json)
    _do("rejects", as_json, lambda c, p: c.rejects(config, _options(account), action, numbers or ()))


@verb
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
        from sync.terminal.printers import print_traces

        print_traces(traces)
        return sys.stdin.isatty() and typer.confirm("Erase all this? It cannot be undone.", err=True)

    _do("forget", as_json, lambda c, p: c.forget(config, _options(account, progress=p), id, confirm))


@verb
def history(
    config: Config = CONFIG,
    account: Account = None,
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this CSV file.", metavar="FILE")
    ] = None,
) -> None:
    """Every change that was tried, with its run and what came of it."""
    _do("history", as_json, lambda c, p: c.history(config, _options(account), out))


@verb
def init(
    config: Config = CONFIG,
    crm: Annotated[
        str | None, typer.Option("--crm", help="Which CRM; asked for on a terminal. Default: files.")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--path", help="files: the folder of exports.", metavar="DIR")
    ] = None,
    segmentations: Annotated[
        str | None,
        typer.Option(
            "--segmentations", help="Kinds with commas between them. Default: rfm,abc.", metavar="KINDS"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a config that is there.")] = False,
    api_url: Annotated[
        str | None,
        typer.Option("--api-url", help="CRM in the cloud: its address, where it is its customer's own."),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", help="salesforce: consumer key of the connected app.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret-env",
            help="CRM in the cloud: environment variable that holds the token.",
            metavar="NAME",
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option("--decimal", help='files: sign before the decimals, "." or ",".', metavar="SIGN"),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(
            "--date-format", help='files: how dates are written, such as "%d/%m/%Y".', metavar="FORMAT"
        ),
    ] = None,
    line_items: Annotated[
        str | None,
        typer.Option(
            "--line-items",
            help="files: amounts of orders of several rows: own, repeat or blank.",
            metavar="SHAPE",
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", help="Zone in which days are counted.", metavar="ZONE")
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Currency in which money is added.", metavar="CODE")
    ] = None,
    platform: Annotated[
        Path | None,
        typer.Option(
            "--platform", help="files: a description of your own of a platform's exports.", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a commented config from flags, or by asking on a terminal; exports of known platforms are
    recognised.
    """
    asking = not as_json and sys.stdin.isatty()
    access = {"api_url": api_url, "client_id": client_id, "secret": secret}
    described = {
        "decimal": decimal,
        "date_format": date_format,
        "line_items": line_items,
        "time_zone": time_zone,
        "currency": currency,
    }

    def ask(question: str, default: str) -> str:
        return str(typer.prompt(question, default=default, err=True)) if asking else default

    _do(
        "init",
        as_json,
        lambda c, _p: c.init(
            config, crm, path, segmentations, force, ask, access, {**described, "platform": platform}
        ),
    )


@verb
def schedule(
    config: Config = CONFIG,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only cron, systemd, kubernetes or airflow.")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Time of day.", metavar="HH:MM")] = "02:30",
    max_age: Annotated[
        float,
        typer.Option(
            "--max-age", help="Hours after which the second entry misses a good run.", metavar="HOURS", min=0
        ),
    ] = 26,
    as_json: Json = False,
) -> None:
    """Print what cron, systemd, Kubernetes or Airflow need to run this config every day."""
    _do("schedule", as_json, lambda c, _p: c.schedule(config, None, kind, at, max_age))


@verb
def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A new folder for everything that the demo makes.")
    ] = Path("crm-segments-demo"),
    as_json: Json = False,
) -> None:
    """The whole loop twice over 2,469 real households. Needs no account."""

    def work(_commands: Any, progress: Progress) -> dict[str, Any]:
        from sync.demo import demo as play

        return play(directory, progress, say=(lambda _text: None) if as_json else typer.echo)

    _do("demo", as_json, work)


# -- around every verb -------------------------------------------------------------------------------------


def _options(
    account: str | None,
    allow: list[str] | None = None,
    reason: str | None = None,
    as_of: str | None = None,
    progress: Progress | None = None,
) -> Options:
    from sync.commands import Options
    from sync.config.settings import Guards
    from sync.context import silent

    if bool(allow) != bool(reason and reason.strip()):
        raise typer.BadParameter("--allow and --reason go together: say which guard, and why")
    known_guards = [*Guards.model_fields, "undone"]
    for guard in allow or []:
        if guard not in known_guards:
            raise typer.BadParameter(f"there is no guard {guard!r}: {', '.join(known_guards)}")
    return Options(account, {guard: str(reason) for guard in allow or []}, _date(as_of), progress or silent)


def _asking(what: str, yes: bool, as_json: bool) -> Callable[[dict[str, Any]], bool]:
    """What shows a ``plan`` or a ``setup`` and asks for a yes; without a terminal only ``--yes`` is one."""

    def confirm(shown: dict[str, Any]) -> bool:
        if yes or as_json or not sys.stdin.isatty():
            return yes
        from sync.terminal.printers import print_plan, print_setup

        {"plan": print_plan, "setup": print_setup}[what](shown)
        return typer.confirm({"plan": "Write this?", "setup": "Make these?"}[what], err=True)

    return confirm


def _date(text: str | None) -> Any:
    from datetime import date

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write it like 2026-01-31") from None


def _ids(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_text(encoding="utf-8").split()
        except OSError as error:
            raise typer.BadParameter(f"cannot read {text[1:]}: {error.strerror}") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _do(command: str, as_json: bool, work: Callable[[Any, Progress], dict[str, Any]]) -> None:
    """Run a verb, print its answer, end with its exit code. No error reaches the user as a traceback."""
    interrupt.as_json = as_json
    from connectors.errors import ConnectorError
    from sync import commands
    from sync.config.config import ConfigError
    from sync.exit_codes import CommandError, stopped
    from sync.terminal.progress import shown

    try:
        with shown(as_json) as progress:
            answer = work(commands, progress)
    except (CommandError, ConnectorError, ConfigError) as error:
        failure = stopped(error)
        _fail(failure["error"], failure["exit_code"], as_json, failure["guards"], failure.get("again_at"))
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except OSError as error:
        _fail(f"{error}. See that the file or its folder exists, may be used and has room.", 1, as_json)
    except KeyboardInterrupt:  # where the library's user hears signals themselves
        _fail("interrupted; what was done is saved, and the next run goes on from there", 130, as_json)
    if as_json:
        typer.echo(json.dumps(answer, default=str, ensure_ascii=False))
    else:
        from sync.terminal.printers import print_answer

        print_answer(command, answer)
    raise typer.Exit(answer.get("exit_code", 0))


def _fail(
    message: str, code: int, as_json: bool, trips: list[dict[str, str]] | None = None, at: str | None = None
) -> NoReturn:
    if as_json:
        again = {"again_at": at} if at else {}
        typer.echo(
            json.dumps(
                {"exit_code": code, "error": message, "guards": trips or [], **again}, ensure_ascii=False
            )
        )
    else:
        from sync.terminal.output import safe

        typer.echo(f"crm-segments: {safe(message)}", err=True)
    raise typer.Exit(code)


def main() -> None:
    """The console script."""
    interrupt.listen()
    try:
        app()
    finally:
        interrupt.stop_listening()


if __name__ == "__main__":
    main()
