"""Which text does the answer of each command become, for people?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

from sync.local_time import local_time
from sync.terminal.output import done, fault, say, say_note, warn

# others print their notes among the rest
_NOTED = frozenset({"run", "plan", "apply", "backfill", "undo", "retire", "setup"})


def print_answer(command: str, answer: Mapping[str, Any]) -> None:
    """The answer of a command, for people."""
    for account_answer in answer.get("accounts", [answer]):
        if "error" in account_answer:
            fault(f"{account_answer['account']}: {account_answer['error']}", account_answer["exit_code"])
        else:
            if "going_on" in account_answer:
                warn(_beside(account_answer["going_on"], account_answer["time_zone"]))
            for note in account_answer.get("healed", ()):
                warn(note)
            _printer(command)(account_answer)
            for note in account_answer.get("notes", ()) if command in _NOTED else ():
                say_note(note)
    if command == "report" and answer["report"]:
        done(f"written to {answer['report']}; any browser opens it, without a network")


def _beside(working: Mapping[str, Any], time_zone: str) -> str:
    """Of when an answer is that was read while a command works."""
    command, read, since = (working[key] for key in ("command", "read_as_of", "since"))
    began = f", since {local_time(since, time_zone)}" if since else ""
    if read is None:
        return f"crm-segments {command} goes on{began}."
    source = "from" if since and datetime.fromisoformat(read) > datetime.fromisoformat(since) else "before"
    return f"As of {local_time(read, time_zone)}, {source} the {command} that goes on now{began}."


def _printer(command: str) -> Callable[[Mapping[str, Any]], None]:
    """What prints the answer of a command."""
    if command == "demo":
        return _print_demo
    if command not in _PRINTERS:
        return _print_loop
    module, _, name = _PRINTERS[command].partition(".")
    printer: Callable[[Mapping[str, Any]], None] = getattr(import_module(f"sync.terminal.{module}"), name)
    return printer


def _print_loop(answer: Mapping[str, Any]) -> None:
    """Whatever parts of the loop an answer has."""
    from sync.terminal.approving import print_part_that_waits
    from sync.terminal.labelling import (
        print_explained,
        print_fitted,
        print_forecast,
        print_pulled,
        print_segments,
    )
    from sync.terminal.pull_summary import print_reading
    from sync.terminal.writing import print_applied, print_plan

    if "as_of" in answer:
        say(f"{answer['account']}, as of {answer['as_of']}")
    if "pulled" in answer:
        print_pulled(answer["pulled"])
    print_reading(_read_now(answer))
    if "segments" in answer:
        print_segments(answer["segments"])
    if "explain" in answer:
        print_explained(answer["explain"])
    for name, why in answer.get("refits", {}).items():
        say(f"Hint: {name}: {why}; to see what retraining would change: crm-segments train {name} --propose")
    print_fitted(answer)
    if "out" in answer:
        done(f"written to {answer['out']}")
        print_forecast(answer.get("forecast") or {})
    if answer.get("withdrawn", {}).get("done"):
        say(f"Removed {answer['withdrawn']['done']:,} values and list memberships for lack of consent.")
    if "plan" in answer:
        print_plan(answer["plan"])
    if "applied" in answer:
        print_applied(answer)
    print_part_that_waits(answer.get("waiting"))
    if answer.get("held"):
        say(
            f"Paused: {', '.join(answer['held'])}, so that the next run does not write this again. E-mails already sent stay sent."
        )
    if "run" in answer and "applied" in answer and answer["applied"]["done"]:
        say(f"To undo: crm-segments undo {answer['run']}")


def _read_now(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reading summary of a command that read; ``apply`` carries out what was made from an earlier one."""
    return answer.get("reading") if "applied" not in answer or "pulled" in answer else None


def _print_demo(_answer: Mapping[str, Any]) -> None:
    """The demo tells its story while it goes."""


# where each answer's text is made; imported when it is asked for, since each knows its own costly words
_PRINTERS = {
    "approve": "approving.print_decision",
    "reject": "approving.print_decision",
    "backup": "operating.print_backup",
    "restore": "operating.print_restore",
    "watch": "operating.print_watch",
    "show_plan": "writing.print_plan_changes",
    "setup": "starting.print_setup_answer",
    "check": "starting.print_check",
    "schedule": "starting.print_schedule",
    "init": "starting.print_init",
    "config": "starting.print_example",
    "login": "starting.print_login",
    "show": "stored.print_show",
    "segment": "exporting.print_segment",
    "rejects": "stored.print_rejects",
    "status": "stored.print_status",
    "salvage": "stored.print_salvage",
    "forget": "stored.print_forget",
    "history": "stored.print_history",
    "report": "stored.print_report",
    "evaluate": "scorecards.print_card",
    "review": "plan_review.print_shared",
    "ui": "plan_review.print_ended",
}
