"""What are the stages of a run, and in which order do they come?

Each gives its part of an answer of ``sync.commands``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sync.account.session import Session
from sync.exit_codes import (
    CommandError,
    GuardTripped,
    RetryLater,
    Trip,
    combined_exit_code,
    declined,
)
from sync.sentence import sentence, sentences
from sync.store.journal import Journal
from sync.store.journal.models import Models

if TYPE_CHECKING:
    from sync.config.settings import SegmentationSettings
    from sync.plan.finish import Planned

Answer = dict[str, Any]


def pulled(session: Session) -> Answer:
    from sync.account.clock import require_clock
    from sync.pull.pull import pull as read
    from sync.pull.pull import require_streams

    for account in session.sources():
        require_streams(session.source(account), account)
    answer = read(session).as_dict()
    if session.context.follows_clock:  # a day that the user names does not hang on the clock
        servers = {account: session.source(account).server_time() for account in session.sources()}
        require_clock(session.clock(), servers)
    return answer


def settled_and_pulled(session: Session) -> Answer:
    from sync.apply.settle import settle

    settled = settle(session)
    return {"settled": settled, **pulled(session)}


def reading(session: Session) -> Answer:
    """What all readings together gave, under the key that every answer has it under."""
    from sync.pull.summary import summary

    return {"reading": summary(session)}


def reading_of_plan(journal: Journal, plan: int) -> Answer:
    """What the plan was made from: whoever carries it out says that it was good enough, and the next run is
    compared with it.
    """
    made = journal.plans.get(plan)
    planned_in = None if made is None else journal.runs.get(made.run)
    stored_reading = None if planned_in is None else planned_in["summary"].get("reading")
    return {"reading": stored_reading} if stored_reading else {}


def value_tests(
    models: Models, account: str, segmentations: Sequence[SegmentationSettings]
) -> dict[str, list[str]]:
    """What the back-tests of further values say, by segmentation: one sentence each."""
    from segmentation import model_file

    words = {}
    for settings in segmentations:
        model = models.latest(account, settings.name)
        content = model_file.from_json(model.content) if model else {}
        words[settings.name] = [
            f"{line.measure}: {line.words}" for line in settings.options.value_lines(content)
        ]
    return {name: lines for name, lines in words.items() if lines}


def contests(models: Models, account: str, segmentations: Sequence[SegmentationSettings]) -> Answer:
    """By segmentation that predicts value: its winner, how each candidate did, and how true its forecasts
    were.
    """
    from segmentation import model_file

    kept = {s.name: models.latest(account, s.name) for s in segmentations if s.options.predicts_value}
    return {
        name: model_file.from_json(model.content)["figures"]
        for name, model in kept.items()
        if model is not None
    }


def labelled(session: Session) -> Answer:
    from sync.label.drift import refits
    from sync.label.label import label as give_labels

    labelling = give_labels(session)
    return {
        "as_of": labelling.as_of,
        "segments": labelling.sizes,
        "fitted": labelling.fitted,
        "refits": refits(session.segmentations, session.mirror(), session.journal.models, session.as_of),
    }


def no_changes() -> Answer:
    return {
        "plan": None,
        "done": 0,
        "rejected": 0,
        "skipped": 0,
        "transient": 0,
        "left_out": 0,
        "remaining": 0,
        "reasons": {},
        "retired": [],
    }


def exit_code_of(applied: Answer) -> int:
    """The exit code that what came of a plan stands for."""
    refused = any(step["outcome"] == "refused" for step in applied["retired"])
    if applied["rejected"] > applied["transient"] or applied["skipped"] or refused:
        return 4
    return RetryLater.exit_code if applied["transient"] else 0


def withdrawn(session: Session) -> Answer:
    from sync.apply.apply import apply as carry_out
    from sync.plan.withdraw import withdraw

    planned = withdraw(session)
    return no_changes() if planned.plan is None else carry_out(session, planned.plan, reviewed=True).as_dict()


def after_a_yes(session: Session, planned: Planned, confirm: Callable[[Answer], bool]) -> Answer:
    """Show a plan that a person asked for, and carry it out once they say yes. Without a yes it stays open."""
    from sync.apply.apply import apply as carry_out

    answer: Answer = {"plan": planned.as_dict(), "applied": no_changes()}
    if planned.plan is None:
        return answer
    if not confirm(answer["plan"]):
        way = f"add --yes, or run `crm-segments apply {planned.plan}`"
        return {**answer, **declined(f"Nothing was written; {way}")}
    applied = carry_out(session, planned.plan, reviewed=True).as_dict()
    return {**answer, "applied": applied, "exit_code": exit_code_of(applied)}


def _stop_for_reading(trips: Sequence[Trip]) -> None:
    """A reading that no plan may be made from stops a run also where it would change nothing: it must not go
    unseen until it does.
    """
    from sync.plan.reading_guards import GUARDS

    tripped = [trip for trip in trips if trip.guard in GUARDS]
    if tripped:
        allow = " ".join(f"--allow {name}" for name in sorted({trip.guard for trip in tripped}))
        lines = "\n".join(f"  {trip}" for trip in tripped)
        raise GuardTripped(
            f"guards (safety checks) on the data that was read stopped this; nothing was written:\n{lines}\nIf this "
            f"is expected, run again with {allow} --reason TEXT.",
            tripped,
        )


def both_parts(planned: Planned, carry_out: Callable[[int], Answer]) -> Answer:
    """Carry out what was planned. A part that waits for an approval is written only where somebody approved of these very
    changes before; what stops the other part ends the command all the same, and says what waits.
    """
    answer: Answer = {}
    stop: CommandError | None = None
    try:
        answer["applied"] = carry_out(planned.plan or 0)
    except CommandError as error:
        if planned.waiting is None:
            raise
        stop = error
    if planned.waiting is None:
        return answer
    number = planned.waiting.plan or 0
    if stop is not None and not isinstance(stop, RetryLater):
        more = f"plan {number} has the part that needs an approval; it was not written either"
        stop.args = (sentences(str(stop), more), *stop.args[1:])
        raise stop
    waiting: Answer = {"plan": planned.waiting.as_dict(), "applied": no_changes(), "waits": "", "why": ""}
    try:
        waiting["applied"] = carry_out(number)
        waiting["exit_code"] = exit_code_of(waiting["applied"])
    except GuardTripped as held:
        waits = held.waits or {"plan": number, "why": "guards stopped it"}
        waiting |= {"waits": sentence(str(held)), "why": waits["why"], "exit_code": held.exit_code}
        if stop is not None:
            stop.waits = waits
            stop.args = (sentences(str(stop), waiting["waits"]), *stop.args[1:])
    if stop is not None:
        raise stop
    return {**answer, "waiting": waiting}


def loop(session: Session, selection: Any) -> Answer:
    """settle → pull → label → withdraw → plan → apply.

    What consent forbids goes first, whatever stops the rest.
    """
    from sync.apply.apply import apply as carry_out
    from sync.apply.apply import close_other_plans
    from sync.apply.member_columns import fill
    from sync.plan.changed_meanings import meaning_notes
    from sync.plan.dynamic_lists import deleted_notes, filter_notes, size_notes
    from sync.plan.plan import plan as make
    from sync.plan.refit_moves import refit_notes
    from sync.plan.restored import restored_notes
    from sync.plan.setup import new_names, plan_setup
    from sync.plan.test_contacts import test_contact_notes
    from sync.plan.undo import cut_off_notes

    answer: Answer = {"pulled": settled_and_pulled(session), **reading(session), **labelled(session)}
    answer["withdrawn"] = withdrawn(session)
    planned = make(session, selection, split=True)
    names = new_names(session.config, session.journal, session.account, lambda: plan_setup(session))
    tested = test_contact_notes(
        session.config, session.account, session.mirror, session.joined, session.destination()
    )
    answer["notes"] = [
        *names,
        *tested,
        *filter_notes(session),
        *deleted_notes(planned.deleted),
        *planned.orphans,
    ]
    answer["notes"] += size_notes(session, written=False)
    answer["notes"] += restored_notes(session.config, session.mirror())
    answer["notes"] += [
        *meaning_notes(session.journal, session.account, session.segmentations),
        *refit_notes(session.config, session.journal, session.mirror()),
    ]
    answer |= {"plan": planned.as_dict(), "applied": no_changes(), "waiting": None, "report": None}
    if planned.plan is None:
        _stop_for_reading(planned.trips)
        if selection is None:
            close_other_plans(session.journal, session.account, None)
        fill(
            session.config,
            session.journal,
            session.mirror(),
            session.destination(),
            session.joined(),
            session.run,
        )
    else:
        answer |= both_parts(planned, lambda plan: carry_out(session, plan, reviewed=False).as_dict())
        answer["notes"] += size_notes(session, written=True)
    codes = [exit_code_of(answer[part]) for part in ("applied", "withdrawn")]
    if answer["waiting"] is not None:
        codes.append(answer["waiting"]["exit_code"])
    answer["notes"] += cut_off_notes(session.journal, session.account)
    answer["exit_code"] = combined_exit_code([*codes, *([4] if planned.deleted else [])])
    from sync.forget.retention import age
    from sync.store.archive import has_run

    age(session)
    has_run(session.config.state_dir, session.account)
    if planned.held and not answer.get("exit_code"):
        answer["exit_code"] = GuardTripped.exit_code
    return answer
