"""What happens around every verb: from its options to a command, and from the answer to text and exit code?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from sync.sentence import sentence
from sync.terminal import interrupt

if TYPE_CHECKING:
    from sync.commands import Options
    from sync.context import Progress


def options_of(
    account: str | None,
    allow: list[str] | None = None,
    reason: str | None = None,
    as_of: str | None = None,
    progress: Progress | None = None,
) -> Options:
    """What all commands share, of the options of a verb. BadParameter: they do not go together."""
    from sync.commands import Options
    from sync.config.settings import ALLOWABLE
    from sync.context import silent

    if bool(allow) != bool(reason and reason.strip()):
        raise typer.BadParameter("--allow and --reason go together: name the guard, and say why it may pass.")
    for guard in allow or []:
        if guard not in ALLOWABLE:
            raise typer.BadParameter(f"There is no guard {guard!r}. Guards: {', '.join(ALLOWABLE)}.")
    return Options(account, {guard: str(reason) for guard in allow or []}, date_of(as_of), progress or silent)


def asking(what: str, yes: bool, as_json: bool) -> Callable[[dict[str, Any]], bool]:
    """What shows a ``plan`` or a ``setup`` and asks for a yes; without a terminal only ``--yes`` is one."""

    def confirm(shown: dict[str, Any]) -> bool:
        if yes or as_json or not sys.stdin.isatty():
            return yes
        from sync.terminal.starting import print_setup
        from sync.terminal.writing import print_plan

        {"plan": print_plan, "setup": print_setup}[what](shown)
        return typer.confirm({"plan": "Write this?", "setup": "Create these?"}[what], err=True)

    return confirm


def date_of(text: str | None) -> Any:
    """The day that a text in ISO form names."""
    from datetime import date

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"Invalid date {text!r}; write it as YYYY-MM-DD.") from None


def execute(command: str, as_json: bool, work: Callable[[Any, Progress], dict[str, Any]]) -> None:
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
        fail(failure["error"], failure["exit_code"], as_json, failure["guards"], failure.get("again_at"))
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{error}. Check that the file or its folder exists, may be used and has room.", 1, as_json)
    except KeyboardInterrupt:  # where the library's user hears signals themselves
        fail(interrupt.SENTENCE, 130, as_json)
    if as_json:
        typer.echo(json.dumps(answer, default=str, ensure_ascii=False))
    else:
        from sync.terminal.printers import print_answer

        print_answer(command, answer)
    raise typer.Exit(answer.get("exit_code", 0))


def fail(
    message: str, code: int, as_json: bool, trips: list[dict[str, str]] | None = None, at: str | None = None
) -> NoReturn:
    """Tell why a verb ends early, and end with that exit code."""
    if as_json:
        again = {"again_at": at} if at else {}
        typer.echo(
            json.dumps(
                {"exit_code": code, "error": sentence(message), "guards": trips or [], **again},
                ensure_ascii=False,
            )
        )
    else:
        from sync.terminal.output import fault

        fault(message, code)
    raise typer.Exit(code)
