"""What is the program that the verbs belong to, and how does a function become a verb?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sync import __version__
from sync.terminal.shared_options import Format, Verbose, log_lines, takes_shared_options

_WHOLE = 200  # letters: no first sentence of ours is longer


class Verbs(TyperGroup):
    """The verbs, in groups. One that had another name is refused with its new one."""

    groups: dict[str, list[str]] = {}  # title → verbs, in the order of the help

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of the first word."""
        if args and args[0] not in self.commands:
            from sync.config.renames import VERBS

            if args[0] in VERBS:
                ctx.fail(f"{args[0]!r} is now called {VERBS[args[0]]!r}: crm-segments {VERBS[args[0]]}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The verbs of each group under its title, each with its first sentence."""
        width = max(map(len, self.commands))
        for title, names in self.groups.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), self.commands[name].get_short_help_str(_WHOLE)) for name in names]
                )


app = typer.Typer(
    cls=Verbs, name="crm-segments", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Read contacts and orders from a CRM, put every customer into segments, and write the segments back to the CRM. You see "
    "every change before it is written, safety checks stop what looks wrong, and any run can be undone.",
    epilog="`crm-segments VERB --help` shows the options and an example of a verb.",
)  # fmt: skip


def add(group: str, verb: Callable[..., None], example: str) -> None:
    """Make a function a verb of a group of the program. ``example``: what is typed behind ``crm-segments``."""
    command = app.command(epilog=f"Example: crm-segments {example}")(takes_shared_options(verb))
    Verbs.groups.setdefault(group, []).append(command.__name__)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"crm-segments {__version__}")
        raise typer.Exit()


@app.callback()
def before_the_verb(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="The config file. It may also follow the verb.")
    ] = None,
    verbose: Verbose = False,
    log_format: Format = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Options that may stand before the verb or after it; after it they win."""
    log_lines(verbose, log_format)
    if config is not None:
        ctx.default_map = {name: {"config": str(config)} for names in Verbs.groups.values() for name in names}
