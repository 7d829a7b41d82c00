"""What do people read of a plan, of its changes, and of what was written?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.local_time import local_time
from sync.plan.preview import preview_sentence
from sync.plan.test_contacts import of_test_contacts
from sync.plan.trip_lines import guard_lines
from sync.terminal.approving import part_of_a_run, print_waiting
from sync.terminal.output import done, fault, say, say_note, table, warn
from sync.terminal.plan_review import print_review

_LINES = 50  # changes of a plan that a terminal shows


def print_plan(plan: Mapping[str, Any]) -> None:
    """What a plan would change, what stops it, and what it leaves alone."""
    if plan["plan"] is None:
        kept = f"; {plan['kept']:,} manual edits were kept" if plan["kept"] else ""
        done(f"{'Nothing would be written' if plan['preview'] else 'Up to date: nothing to write'}{kept}.")
    else:
        rows = [
            (target, action, number)
            for target, actions in plan["by_target"].items()
            for action, number in actions.items()
        ]
        name = "Preview, plan" if plan["preview"] else "Plan"
        table(
            f"{name} {plan['plan']}: {plan['changes']:,} changes on {plan['records']:,} records, {plan['calls']:,} calls",
            ("target", "action", "changes"),
            rows,
        )
        if tested := of_test_contacts(plan):
            say(f"Plus {tested}, written first; no figure counts them.")
    _print_steps(plan)
    for line in guard_lines(plan["trips"], plan["first_labelling"]):
        warn(line)
    if plan["preview"]:
        warn(preview_sentence(plan["preview"]))
    elif plan["trips"] and plan["plan"] is not None:
        say(
            f"Looks right? crm-segments apply {plan['plan']}"
            if all(t["first_labelling"] for t in plan["trips"])
            else "A run would stop here. If this is expected: --allow GUARD --reason TEXT."
        )
    if not plan["preview"]:
        print_waiting(plan)
    if plan["kept"]:
        table(
            "Kept: edited by somebody else (first 10):",
            ("id", "target", "wanted", "holds"),
            [tuple(c[k] for k in ("id", "target", "wanted", "holds")) for c in plan["conflicts"][:10]],
        )
    for name in plan["held"]:
        say(
            f"{name} is paused because a run of it was undone. To resume: --allow undone --reason TEXT, or change its settings."
        )
    for name, number in plan["withheld"].items():
        say(
            f"{name}: {number:,} records with a segment are in no campaign list: they may not be contacted, or "
            "nobody knows whether they may"
        )
    unknown = plan["listeners"].get("unknown")
    heard = [
        (listener["name"], listener["target"], listener["value"] or "any change", listener["records"])
        for listener in plan["listeners"].get("found", ())
    ]
    table(
        "Starts in the CRM on these changes:", ("workflow or flow", "listens to", "value", "records"), heard
    )
    if unknown:
        warn(f"couldn't check which workflows these changes would start: {unknown}")


def _print_steps(plan: Mapping[str, Any]) -> None:
    """What becomes of the fields and lists themselves."""
    retires = plan["retires"]
    words = {"archive": "will be archived", "delete": "will be deleted", "stays": "stays"}
    rows = [
        (step["kind"], step["name"], step["record_type"], words[step["action"]], step["why"])
        for step in retires.get("steps", ())
    ]
    table("Once they are empty:", ("kind", "name", "of", "what happens", "why"), rows)
    for limit in retires.get("limits", ()):
        say_note(limit)
    if plan["restores"]:
        say(f"In use again: {', '.join(plan['restores'])}")


def print_applied(answer: Mapping[str, Any]) -> None:
    """What was written, and why some was not."""
    applied, number = answer["applied"], answer.get("plan", {}).get("plan")
    if "declined" in answer:
        fault(f"{answer['declined']}; crm-segments plan show {number} lists it", 5)
        return
    if applied["plan"] is None:
        done("Nothing else to write." if answer.get("withdrawn", {}).get("done") else "Nothing was written.")
        return
    incomplete = applied["rejected"] or applied["skipped"] or applied["remaining"]
    (warn if incomplete else done)(
        f"Wrote {applied['done']:,} changes; {applied['rejected']:,} rejected, {applied['skipped']:,} skipped, "
        f"{applied['remaining']:,} waiting."
    )
    table(
        "Fields and lists:",
        ("kind", "name", "of", "outcome", "why"),
        [
            (step["kind"], step["name"], step["record_type"], step["outcome"], step["why"])
            for step in applied["retired"]
        ],
    )
    table(
        "Not written, and why:",
        ("changes", "reason"),
        [(number, reason) for reason, number in applied["reasons"].items()],
    )


def print_plan_changes(answer: Mapping[str, Any]) -> None:
    """Each change of a plan, or where they were written to."""
    say(
        f"Plan {answer['plan']} ({answer['kind']}, {answer['state']}), as of {answer['as_of']}, made "
        f"{local_time(answer['created_at'], answer['time_zone'])}: {answer['total']:,} changes"
    )
    for part in answer["other_parts"]:
        say(part_of_a_run(part))
    for line in guard_lines(answer["guards"], answer["first_labelling"]):
        warn(line)
    if answer["preview"]:
        warn(preview_sentence(answer["preview"]))
    if "out" in answer:
        done(f"written to {answer['out']}")
        return
    if answer["review"]:
        print_review(answer["review"])
    personal = ("name", "email") if answer["changes"] and "email" in answer["changes"][0] else ()
    columns = ("id", *personal, "target", "before", "after", "status", "reason")
    rows = answer["changes"][:_LINES]
    table(
        "",
        ("id", *personal, "target", "old", "new", "status", "reason"),
        [tuple(row[name] for name in columns) for row in rows],
    )
    if answer["total"] > len(rows):
        say(
            f"And {answer['total'] - len(rows):,} more: crm-segments plan show {answer['plan']} --out plan-{answer['plan']}.csv writes all"
        )
