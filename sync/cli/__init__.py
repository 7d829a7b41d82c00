"""The command line: verbs and options. No decisions: a verb calls the function of its name in ``sync.commands``,
whose modules are called like those here.

starting   init, config, login, check, setup, schedule, demo: from a first config to a daily run
labelling  pull, train, evaluate, label: what reads a CRM and writes nothing to it
approving  approve, reject: what somebody decides about a plan
writing    plan, apply, run, backfill, undo, retire: what changes a CRM
exporting  segment: what writes people into a file
operating  watch, backup, restore: what keeps a daily run going
reviewing  ui, review: what people see and decide in a browser
stored     status, show, report, rejects, forget, history: what is kept here

``sync.exit_codes`` tells what each exit code means; ``sync.terminal`` prints the answers.
"""

from __future__ import annotations

from sync.terminal import interrupt  # before all that takes time to import

# isort: split

from sync.cli.approving import approve, reject
from sync.cli.exporting import segment
from sync.cli.labelling import evaluate, label, pull, train
from sync.cli.operating import backup, restore, watch
from sync.cli.program import add, app
from sync.cli.reviewing import review, ui
from sync.cli.starting import check, config, demo, init, login, schedule, setup
from sync.cli.stored import forget, history, rejects, report, show, status
from sync.cli.writing import apply, backfill, plan, retire, run, undo

add("Start", demo, "demo --open")
add("Start", init, "init --crm files --path exports")
add("Start", config, "config example")
add("Start", login, "login hubspot")
add("Start", check, "check")
add("Start", setup, "setup")

add("Daily", plan, "plan show 3 --out plan-3.csv")
add("Daily", approve, "approve 3 --without rfm.champions")
add("Daily", reject, 'reject 3 --reason "The new rule takes too many"')
add("Daily", apply, "apply 3 --first 20")
add("Daily", run, "run")
add("Daily", status, "status --max-age 26")

add("Look", ui, "ui --open")
add("Look", review, "review 3 --static shared")
add("Look", show, "show 1042")
add(
    "Look", segment, "segment rfm.champions --out champions.csv --channel email --columns id,email,first_name"
)
add("Look", report, "report --out report.html")
add("Look", history, "history --run 7 --last 20")
add("Look", rejects, "rejects")

add("Undo and erase", undo, "undo 7")
add("Undo and erase", retire, "retire old_segmentation")
add("Undo and erase", forget, "forget ann@example.com")

add("Analyst", label, "label --out labels.csv --explain")
add("Analyst", train, "train rfm --propose")
add("Analyst", evaluate, "evaluate rfm")
add("Analyst", backfill, "backfill --segment champions")

add("Operations", schedule, "schedule --kind cron --at 02:30")
add("Operations", watch, "watch")
add("Operations", backup, "backup backup.tar.gz")
add("Operations", restore, "restore backup.tar.gz")
add("Operations", pull, "pull --verbose")

__all__ = ["app", "main"]


def main() -> None:
    """The console script."""
    interrupt.listen()
    try:
        app(prog_name="crm-segments")
    finally:
        interrupt.stop_listening()
