"""The command line: verbs and options. No decisions: a verb calls the function of its name in ``sync.commands``,
whose modules are called like those here.

starting   init, check, setup, schedule, demo: from a first config to a daily run
labelling  pull, train, evaluate, label: what reads a CRM and writes nothing to it
writing    plan, apply, run, backfill, undo, retire: what changes a CRM
stored     status, show, report, rejects, forget, history: what is kept here

``sync.exit_codes`` tells what each exit code means; ``sync.terminal`` prints the answers.
"""

from __future__ import annotations

from sync.terminal import interrupt  # before all that takes time to import

# isort: split

from sync.cli.labelling import evaluate, label, pull, train
from sync.cli.program import add, app
from sync.cli.starting import check, demo, init, schedule, setup
from sync.cli.stored import forget, history, rejects, report, show, status
from sync.cli.writing import apply, backfill, plan, retire, run, undo

_IN_THE_ORDER_OF_THE_HELP = (
    *(check, setup, pull, train, evaluate, label, plan, apply, run, backfill, undo, retire),
    *(status, show, report, rejects, forget, history, init, schedule, demo),
)
for _verb in _IN_THE_ORDER_OF_THE_HELP:
    add(_verb)

__all__ = ["app", "main"]


def main() -> None:
    """The console script."""
    interrupt.listen()
    try:
        app()
    finally:
        interrupt.stop_listening()
