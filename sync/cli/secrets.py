"""How does a secret come in? Typed without being shown, or on standard input, where nobody sits at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

from sync.terminal import interrupt


def reader() -> Callable[[str], str]:
    """Answers the secret of a key of the config: typed, or the next line of standard input; of a private key all
    of its lines.
    """

    def typed(key: str) -> str:
        with _echo_restored():
            name = key.replace("_", " ")
            return str(typer.prompt(f"Paste the {name} (it is not shown)", hide_input=True, err=True))

    def piped(key: str) -> str:
        line = sys.stdin.readline()
        return line + sys.stdin.read() if line.startswith("-----BEGIN") else line

    return typed if sys.stdin.isatty() else piped


def teller(as_json: bool) -> Callable[[Mapping[str, Sequence[str]]], None]:
    """Tells a person how to come by each secret, on standard error."""

    def tell(steps: Mapping[str, Sequence[str]]) -> None:
        if as_json or not sys.stdin.isatty():
            return
        for key, lines in steps.items():
            typer.echo("\n".join([f"{key.replace('_', ' ').capitalize()}:", *lines, ""]), err=True)

    return tell


@contextmanager
def _echo_restored() -> Iterator[None]:
    """After Ctrl-C too the terminal shows again what is typed."""
    import termios

    kept = termios.tcgetattr(sys.stdin)
    interrupt.before_end = lambda: termios.tcsetattr(sys.stdin, termios.TCSANOW, kept)
    try:
        yield
    finally:
        interrupt.before_end = interrupt.nothing
