"""What do people read of a plan, of its changes, and of what was written?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.approving import print_waiting
from sync.terminal.output import done, fault, say, table, warn
from sync.terminal.plan_review import print_review

_LINES = 50  # changes of a plan that a terminal shows


def print_plan(plan: Mapping[str, Any]) -> None:
    """What a plan would change, what stops it, and what it leaves alone."""
    if plan["plan"] is None:
        kept = f"; {plan['kept']:,} values of other people were kept" if plan["kept"] else ""
        done(f"Nothing to change: the CRM holds what the labels want{kept}.")
    else:
        rows = [
            (target, action, number)
            for target, actions in plan["by_target"].items()
            for action, number in actions.items()
        ]
        table(
            f"Plan {plan['plan']}: {plan['changes']:,} changes on {plan['records']:,} records, {plan['calls']:,} calls",
            ("target", "action", "changes"),
            rows,
        )
    for trip in plan["trips"]:
        warn(f"guard {trip['guard']}: {trip['what']}")
    if plan["trips"] and plan["plan"] is not None:
        say(
            f"After a look at it: crm-segments apply {plan['plan']}"
            if all(t["first_labelling"] for t in plan["trips"])
            else "A run would stop here; --allow GUARD --reason TEXT lets it pass."
        )
    print_waiting(plan)
    if plan["kept"]:
        table(
            "Kept, because somebody else wrote them (first 10):",
            ("id", "target", "wanted", "holds"),
            [tuple(c[k] for k in ("id", "target", "wanted", "holds")) for c in plan["conflicts"][:10]],
        )
    for name in plan["held"]:
        say(
            f"{name} is on hold since a run of it was undone: --allow undone --reason TEXT, or a changed config, lets it go on"
        )
    for name, number in plan["withheld"].items():
        say(
            f"{name}: {number:,} labelled records are in no campaign list: nobody may reach them there, or it is not known"
        )
    if plan["retired"]:
        say(f"no longer in the config: {', '.join(plan['retired'])}; `crm-segments retire NAME` clears one")
    unknown = plan["listeners"].get("unknown")
    heard = [
        (listener["name"], listener["target"], listener["value"] or "any change", listener["records"])
        for listener in plan["listeners"].get("found", ())
    ]
    table(
        "Starts in the CRM on these changes:", ("workflow or flow", "listens to", "value", "records"), heard
    )
    if unknown:
        warn(f"what reacts to these changes is unknown: {unknown}")


def print_applied(answer: Mapping[str, Any]) -> None:
    """What was written, and why some was not."""
    applied, number = answer["applied"], answer.get("plan", {}).get("plan")
    if "declined" in answer:
        fault(f"{answer['declined']}; crm-segments plan show {number} lists it", 5)
        return
    if applied["plan"] is None:
        done("Nothing further to write." if answer.get("withdrawn", {}).get("done") else "Zero writes.")
        return
    incomplete = applied["rejected"] or applied["skipped"] or applied["remaining"]
    (warn if incomplete else done)(
        f"Wrote {applied['done']:,} changes; {applied['rejected']:,} rejected, {applied['skipped']:,} skipped, "
        f"{applied['remaining']:,} wait."
    )
    table(
        "Why not:", ("changes", "reason"), [(number, reason) for reason, number in applied["reasons"].items()]
    )


def print_plan_changes(answer: Mapping[str, Any]) -> None:
    """Each change of a plan, or where they were written to."""
    say(
        f"plan {answer['plan']} ({answer['kind']}, {answer['state']}), as of {answer['as_of']}: {answer['total']:,} changes"
    )
    for trip in answer["guards"]:
        warn(f"guard {trip['guard']}: {trip['what']}")
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
            f"and {answer['total'] - len(rows):,} more: crm-segments plan show {answer['plan']} --out plan-{answer['plan']}.csv writes all"
        )
