"""What are the stages of a run, and in which order do they come? Each gives its part of an answer of ``sync.commands``."""

from __future__ import annotations

from typing import Any

from sync.account.session import Session
from sync.stops import GuardStop

Answer = dict[str, Any]


def pulled(session: Session) -> Answer:
    from sync.pull.pull import pull as read
    from sync.pull.pull import require_streams

    for account in session.sources():
        require_streams(session.connector(account), account)
    return read(session).as_dict()


def settled_and_pulled(session: Session) -> Answer:
    from sync.apply.settle import settle

    settled = settle(session)
    return {"settled": settled, **pulled(session)}


def contests(session: Session) -> Answer:
    """By segmentation of kind ``potential``: its winner, how each candidate did, and how true its forecasts were."""
    from segmentation import models

    kept = {s.name: session.journal.model(session.account, s.name) for s in session.segmentations if s.kind == "potential"}
    return {name: models.from_json(one["content"])["figures"] for name, one in kept.items() if one is not None}


def labelled(session: Session) -> Answer:
    from sync.label.label import label as give_labels
    from sync.label.refits import refits

    found = give_labels(session)
    return {"as_of": found.as_of, "segments": found.sizes, "fitted": found.fitted, "refits": refits(session)}


def no_changes() -> Answer:
    return {"plan": None, "done": 0, "rejected": 0, "skipped": 0, "remaining": 0, "reasons": {}}


def withdrawn(session: Session) -> Answer:
    from sync.apply.apply import apply as carry_out
    from sync.plan.withdraw import withdraw

    planned = withdraw(session)
    return no_changes() if planned.plan is None else carry_out(session, planned.plan, reviewed=True).as_dict()


def loop(session: Session, selection: Any) -> Answer:
    """settle → pull → label → withdraw → plan → apply. What consent forbids goes first, whatever stops the rest."""
    from sync.apply.apply import apply as carry_out
    from sync.apply.apply import close_older_plans
    from sync.plan.plan import plan as make
    from sync.plan.setup import new_names

    answer: Answer = {"pulled": settled_and_pulled(session), **labelled(session)}
    answer["withdrawn"] = withdrawn(session)
    planned = make(session, selection)
    answer["notes"] = new_names(session)
    answer |= {"plan": planned.as_dict(), "applied": no_changes(), "report": None}
    if planned.plan is None:
        if selection is None:
            close_older_plans(session.journal, session.account, None)
    else:
        applied = carry_out(session, planned.plan, reviewed=False)
        answer["applied"] = applied.as_dict()
    answer["exit_code"] = 4 if any(answer[part][no] for part in ("applied", "withdrawn") for no in ("rejected", "skipped")) else 0
    from sync.forget.retention import age

    age(session)
    if planned.held and not answer.get("exit_code"):
        answer["exit_code"] = GuardStop.exit_code
    return answer
