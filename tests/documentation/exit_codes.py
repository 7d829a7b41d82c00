"""The reference of exit codes: what each means, and what a scheduler does about it."""

from __future__ import annotations

from sync import exit_codes
from tests.documentation.markdown import code, page, table

_ABOUT = """
Every command ends with one of these. With several accounts it is the worst of theirs, in the order
{order}. With `--json` the answer holds it as `exit_code`.
"""
# code → what it means, what to do
CODES = {
    0: ("Done.", "Nothing."),
    1: ("Failed, or nobody said yes to what was asked.", "Read the message; it says what to do."),
    2: (
        "The command or the config is wrong, or set-up is missing.",
        "Correct it; `crm-segments check` names all faults.",
    ),
    3: ("`plan --exit-code` found something to change.", "Look at the plan, then apply it."),
    4: (
        "Done, with refused rows or changes, skipped changes, or months that differ.",
        "`crm-segments rejects` lists them. The rest was done.",
    ),
    5: (
        "A guard, a hold, a missing approval or a plan that is no longer current stopped it; a `run` may have written the rest.",
        "Look at the plan; approve or apply it by its number, or run again with `--allow GUARD --reason TEXT`.",
    ),
    75: (
        "Try again later: an outage, a quota that is used up, a closed window, or another run at work.",
        "Run again later; with `--json`, `again_at` says when. Finished work is saved.",
    ),
    130: ("Ctrl-C.", "Finished work is saved; the next run continues."),
    143: ("The system ended it (SIGTERM).", "Finished work is saved; the next run continues."),
}
_CLASSES = (
    exit_codes.CommandError,
    exit_codes.UsageError,
    exit_codes.SetupNeeded,
    exit_codes.GuardTripped,
    exit_codes.RetryLater,
)


def text() -> str:
    """The page."""
    order = ", ".join(str(number) for number in exit_codes._FROM_THE_WORST)
    codes = table(
        ("Code", "Means", "What to do"), [(code(str(number)), *told) for number, told in CODES.items()]
    )
    classes = table(
        ("Class of `sync.exit_codes`", "Exit code"),
        [(code(each.__name__), code(str(each.exit_code))) for each in _CLASSES],
    )
    return page("Exit codes", _ABOUT.format(order=order), codes, "## In Python", classes, _SCHEDULERS)


_SCHEDULERS = """
## For a scheduler

`crm-segments run` is made to be called every day. 0 is a success. 4 is a success that somebody looks at. 5 waits for a
person, 75 for time: the next call goes on. Everything else is an error. `crm-segments schedule` prints entries for
cron, systemd, Kubernetes and Airflow that do this; see [schedule and alerts](../guides/schedule.md).
"""
