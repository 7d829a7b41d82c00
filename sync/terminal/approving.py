"""What do people read after they decided about a plan, and of a plan that waits for them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.terminal.output import say


def print_decision(answer: Mapping[str, Any]) -> None:
    """What was decided, by whom, and what comes next."""
    number = answer["plan"]
    if answer["decision"] == "rejected":
        say(f"{answer['who']} rejected plan {number}: {answer['reason']}")
        say("Nothing was written. With [approval], the next plans wait until one is approved in full.")
        return
    part = (
        f"{answer['records']:,} customers"
        if answer["first"] is None
        else f"a trial of {answer['first']:,} customers"
    )
    without = f", without {', '.join(answer['without'])}" if answer["without"] else ""
    say(f"{answer['who']} approved plan {number}: {part}{without}.")
    say(f"To write it: crm-segments apply {number}")


def print_waiting(plan: Mapping[str, Any]) -> None:
    """Why a plan waits for an approval, if it does."""
    reasons = plan.get("approval") or ()
    for reason in reasons:
        say(f"needs approval: {reason['what']}")
    if reasons and plan["plan"] is not None:
        say(f"Look at it: crm-segments plan show {plan['plan']}. Then: crm-segments approve {plan['plan']}")
