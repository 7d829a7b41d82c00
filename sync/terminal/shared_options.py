"""Which options does every verb take, in addition to its own? Those that say what is shown while it works."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer


class LogFormat(StrEnum):
    """How a log line is written."""

    text = "text"
    json = "json"


Verbose = Annotated[
    bool, typer.Option("--verbose", help="Log a line for each account and stage on standard error.")
]
Format = Annotated[LogFormat | None, typer.Option("--log-format", help="Format of those log lines.")]


def log_lines(verbose: bool, log_format: LogFormat | None) -> None:
    """Log from now on, if either option asks for it."""
    if verbose or log_format:
        from sync.log import show_lines

        show_lines("json" if log_format is LogFormat.json else "text")


def takes_shared_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the shared options behind its own."""
    own = inspect.signature(verb, eval_str=True)
    more = [
        inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose),
        inspect.Parameter("log_format", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Format),
    ]

    @functools.wraps(verb)
    def with_more(
        *args: Any, verbose: bool = False, log_format: LogFormat | None = None, **kwargs: Any
    ) -> None:
        log_lines(verbose, log_format)
        verb(*args, **kwargs)

    signature = own.replace(parameters=[*own.parameters.values(), *more])
    with_more.__signature__ = signature  # type: ignore[attr-defined]
    with_more.__annotations__ = {name: given.annotation for name, given in signature.parameters.items()}
    return with_more
