"""What is a plan before set-up? A preview: as if what is missing were there and empty (``as_set_up``). It is never applied.

The plan that is made after set-up may differ: what the CRM chose, whoever listens to the new fields, and what people
changed meanwhile is known only then.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.exit_codes import SetupNeeded
from sync.store.journal.plans import Plan

_NAMED = 3  # fields and lists that a sentence names


def preview_sentence(missing: Sequence[str]) -> str:
    """Says that a plan is a preview, and what has to happen before one can be applied."""
    return (
        f"This is a preview and cannot be applied, because {named(missing)} {'do' if len(missing) > 1 else 'does'} not exist yet. "
        "To write it: crm-segments setup, then crm-segments plan"
    )


def require_applicable(plan: Plan) -> None:
    """SetupNeeded where a plan is a preview: what set-up makes may differ from what the preview took it to be."""
    if missing := missing_targets(plan):
        raise SetupNeeded(
            f"plan {plan.plan} is a preview and cannot be applied, because {named(missing)} did not exist when it was made. Run setup "
            "first: `crm-segments setup`, then `crm-segments plan`"
        )


def missing_targets(plan: Plan) -> list[str]:
    """The fields and lists that were missing when a plan was made; of a plan that can be applied, none."""
    missing: list[str] = plan.summary.get("preview", [])
    return missing


def named(missing: Sequence[str]) -> str:
    """``field seg_rfm, list rfm.lost and 20 more fields and lists``."""
    more = len(missing) - _NAMED
    if more > 0:
        return f"{', '.join(missing[:_NAMED])} and {more} more"
    return " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
