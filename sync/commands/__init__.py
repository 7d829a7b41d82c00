"""The commands: each verb of the command line is one function here, and returns what ``--json`` prints.

Every function takes a config (or its path) and keyword options, works on each account that is written (or on
the one named), and gives a dictionary with stable keys; ``exit_code`` is among them. Stages are imported when
they are used. The modules are those of ``sync.cli``.
"""

from sync.commands.approving import approve, reject
from sync.commands.exporting import segment
from sync.commands.labelling import evaluate, label, pull, train
from sync.commands.operating import backup, restore, watch
from sync.commands.starting import check, example, init, login, schedule, setup
from sync.commands.stored import forget, history, rejects, report, salvage, show, status
from sync.commands.writing import apply, backfill, plan, retire, run, show_plan, undo
from sync.exit_codes import exit_code
from sync.per_account import Options

__all__ = [
    "Options", "apply", "approve", "backfill", "backup", "check", "evaluate", "example", "exit_code", "forget", "history", "init", "label",
    "login", "plan", "pull", "reject", "rejects", "report", "restore", "retire", "run", "salvage", "schedule", "segment", "setup", "show",
    "show_plan", "status", "train", "undo", "watch",
]  # fmt: skip
