"""Lines, tables and progress on a terminal.

Text from a CRM is hostile: it is shown without control characters and without markup.

How something went is told by the first word, and where a terminal has colours, by its colour too: ``done`` in
green, ``warn`` in yellow, ``fault`` in red.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sync.context import Progress as Report
from sync.sentence import sentence

LONG = 1000  # characters of a cell that a terminal shows
_ENDLESS = 100_000  # columns of a pipe or a file: wider than any table of ours


def _console(stderr: bool = False) -> Console:
    """The terminal as it is now: its width may change, and so may what ``COLUMNS`` says.

    A pipe or a file has no width unless ``COLUMNS`` gives it one: a row stays on one line there, for ``grep``.
    """
    stream = sys.stderr if stderr else sys.stdout
    endless = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=stderr,
        highlight=False,
        soft_wrap=True,
        width=_ENDLESS if endless else None,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # no bold either
    )


def safe(text: object) -> str:
    """A text that cannot move the cursor, ring, recolour or reverse the line that it stands on."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))


def say(text: str = "") -> None:
    """A line for people."""
    _console().print(Text(safe(text)))


def done(text: str) -> None:
    """What went well."""
    _console().print(_outcome("Done", "bold green", text))


def warn(text: str) -> None:
    """What a person should look at: nothing is broken."""
    _console().print(_outcome("Warning", "bold yellow", text))


def fault(text: str, exit_code: int = 1, stderr: bool = True) -> None:
    """What is wrong: an error that somebody has to remove, or a stop that a person's yes or time settles."""
    word = "Stopped" if exit_code in (5, 75) else "Error"
    _console(stderr).print(_outcome(word, "bold red", text))


def say_note(text: str, mark: str = "Note: ") -> None:
    """A note of an answer behind its mark; one that begins with WARNING is a warning."""
    before, _, warning = text.partition("WARNING: ")
    if warning and not before:
        warn(warning)
    else:
        say(f"{mark}{sentence(text)}")


def _outcome(word: str, style: str, text: str) -> Text:
    return Text.assemble((f"{word}:", style), " ", safe(sentence(text)))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows under a title; nothing where there are none."""
    if not rows:
        return
    shown = Table(
        title=Text(safe(title)) if title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int | float) or row[index] is None for row in rows)
        shown.add_column(Text(column), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    console = _console()
    if console.is_terminal:
        console.print(shown)
    else:  # without the blanks that fill the last column
        with console.capture() as capture:
            console.print(shown)
        console.print(Text("\n".join(line.rstrip() for line in capture.get().splitlines())))
    say()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return safe(text if len(text) <= LONG else text[: LONG - 3] + "...").replace("\n", " ")


@contextmanager
def bar() -> Iterator[Report]:
    """A progress bar on standard error, from the first report on: until then questions may be asked there."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task("", total=None)

    def report(what: str, number: int, total: int) -> None:
        shown.start()
        shown.update(task, description=Text(safe(what)).plain, completed=number, total=total or None)

    try:
        yield report
    finally:
        shown.stop()
