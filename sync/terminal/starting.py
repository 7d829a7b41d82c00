"""What do people read of check, setup, init, config example, login and schedule?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import done, fault, say, say_note, table, warn
from sync.terminal.pull_summary import print_reconciled


def print_setup(steps: Mapping[str, Any]) -> None:
    """What set-up would make."""
    table(
        "To create:",
        ("what", "action", "name", "on", "detail"),
        [(s["kind"], s["action"], s["name"], s["record_type"], s["detail"]) for s in steps["steps"]],
    )
    for refused in steps["refused"]:
        warn(f"refused: {refused}")
    for note in steps["notes"]:
        say_note(note)


def print_setup_answer(answer: Mapping[str, Any]) -> None:
    """What set-up would make, and what was made of it."""
    print_setup(answer["setup"])
    if "exported" in answer:
        more = f" and {len(answer['files']) - 1} more files to deploy" if len(answer["files"]) > 1 else ""
        done(f"written to {answer['exported']}{more}; nothing was created in {answer['account']}")
    elif answer["made"]:
        done(f"Created {answer['made']} fields and lists in {answer['account']}. Next: crm-segments plan")
    elif answer["setup"]["steps"]:
        warn("Nothing created. Run again with --yes to create them.")
    else:
        done(f"{answer['account']} has everything already. Next: crm-segments plan")


def print_check(answer: Mapping[str, Any]) -> None:
    """What is wrong, and what set-up has still to make."""
    for problem in answer["problems"]:
        fault(f"{problem['account']}: {problem['what']} {problem['remedy']}".rstrip(), stderr=False)
    for note in answer["notes"]:
        say_note(note)
    if not answer["problems"]:
        missing = sum(step["action"] == "create" for step in answer["setup"])
        differing = len(answer["setup"]) - missing
        what = f"create {missing} fields and lists" if missing else f"update {differing} fields and lists"
        look = " For a preview: crm-segments plan." if missing else ""
        todo = f"{look} Next, {what}: crm-segments setup" if answer["setup"] else ""
        done(f"{answer['account']}: OK.{todo}")
    if "reconcile" in answer:
        print_reconciled(answer["reconcile"])


def print_init(answer: Mapping[str, Any]) -> None:
    """What the files were taken for, and where the config stands."""
    from sync.terminal.preview import print_preview

    print_preview(answer)
    for note in answer["notes"]:
        say_note(note)
    done(f"written to {answer['config']}. Read it, then: crm-segments check --config {answer['config']}")


def print_example(answer: Mapping[str, Any]) -> None:
    """The example, as it is: a line that a terminal would fold is still one line of a file."""
    print(answer["example"], end="")


def print_login(answer: Mapping[str, Any]) -> None:
    """What was tried, where the secret is, and how the config names it."""
    if answer["checked"]:
        records = "" if answer["records"] is None else f": it counts {answer['records']:,} contacts"
        say(f"{answer['crm']} takes it{records}.")
    say(f"Stored in the keyring ({answer['keyring']}).")
    if answer["lines"] and answer["config"]:
        say(f"Put this into {answer['config']}, under [accounts.{answer['account']}]:")
    elif answer["lines"]:
        say(f"In the config it stands under [accounts.{answer['account']}] as:")
    for line in answer["lines"]:
        say(f"    {line}")
    if not answer["config"]:
        reference = answer["lines"][0].split('"')[1]
        say(f"Next: crm-segments init --crm {answer['crm']} --secret-env {reference}")
    say("A scheduler that runs without your log-in cannot open a keyring: there, use env: or file:.")


def print_schedule(answer: Mapping[str, Any]) -> None:
    """What each scheduler needs."""
    for kind, text in answer["schedules"].items():
        say((f"### {kind}\n" if len(answer["schedules"]) > 1 else "") + text)
