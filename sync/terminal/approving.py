"""What do people read after they decided about a plan, and of a plan that waits for them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import done, fault, say


def print_decision(answer: Mapping[str, Any]) -> None:
    """What was decided, by whom, and what comes next."""
    number = answer["plan"]
    if answer["decision"] == "rejected":
        say(f"{answer['who']} rejected plan {number}: {answer['reason']}")
        say(
            "Nothing was written. With [approval], what it would change waits until a plan with it is approved in full."
        )
        return
    part = (
        f"{answer['records']:,} customers"
        if answer["first"] is None
        else f"a trial of {answer['first']:,} customers"
    )
    without = f", without {', '.join(answer['without'])}" if answer["without"] else ""
    say(f"{answer['who']} approved plan {number}: {part}{without}.")
    say(f"To write it: crm-segments apply {number}")


STATES = {
    "open": "not written yet",
    "applying": "written in part",
    "done": "written",
    "superseded": "replaced by a newer one",
}


def part_of_a_run(part: Mapping[str, Any]) -> str:
    """One sentence about the other part of what a run found."""
    what = STATES.get(part["state"], part["state"])
    why = "; ".join(reason["what"] for reason in part["approval"])
    needs = f"it needs an approval: {why}" if why else "it needs no approval"
    return f"Plan {part['plan']} has the other {part['changes']:,} changes of the same run ({what}); {needs}."


def print_part_that_waits(waiting: Mapping[str, Any] | None) -> None:
    """What a run left for somebody to decide about, or wrote because it was approved before."""
    if waiting is None:
        return
    plan, applied = waiting["plan"], waiting["applied"]
    if waiting["waits"]:
        fault(f"{plan['changes']:,} more changes on {plan['records']:,} records: {waiting['waits']}", 5)
    else:
        done(f"Wrote {applied['done']:,} changes of plan {plan['plan']}, which was approved before.")


def print_waiting(plan: Mapping[str, Any]) -> None:
    """Why a plan waits for an approval, if it does."""
    reasons = plan.get("approval") or ()
    for reason in reasons:
        say(f"needs approval: {reason['what']}")
    if reasons and plan["plan"] is not None:
        say(f"Look at it: crm-segments plan show {plan['plan']}. Then: crm-segments approve {plan['plan']}")
