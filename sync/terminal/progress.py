"""Is progress shown? A bar on a terminal, nothing in a pipe or beside JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sync.context import Progress, silent
from sync.log import shows_lines


@contextmanager
def shown(as_json: bool) -> Iterator[Progress]:
    """What a command reports its progress to."""
    if as_json or shows_lines() or not sys.stderr.isatty():
        yield silent
        return
    from sync.terminal.output import bar

    with bar() as progress:
        yield progress
