"""What is the program that the verbs belong to, and how does a function become a verb?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from sync.terminal.shared_options import Format, Verbose, log_lines, takes_shared_options


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


def add(verb: Callable[..., None]) -> None:
    """Make a function a verb of the program."""
    app.command()(takes_shared_options(verb))


@app.callback()
def before_the_verb(verbose: Verbose = False, log_format: Format = None) -> None:
    """Options that may stand before the verb or after it."""
    log_lines(verbose, log_format)
