"""What do plan, apply, run, backfill, undo and retire do? All that changes a CRM goes through a plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import ConnectorError
from sync import pipeline
from sync.account.session import Session
from sync.config.config import Config
from sync.config.faults import ConfigError
from sync.context import utc_now
from sync.exit_codes import CommandError, stopped
from sync.per_account import Answer, Options, each_account
from sync.views.private_file import private_file

if TYPE_CHECKING:
    from sync.views.plan_changes import Page


def plan(
    config: Config | Path | str, options: Options | None = None, adopt: bool = False, exit_code: bool = False
) -> Answer:
    """Pull, label and show what a run would write; saved under a number that ``apply`` takes.

    Writes nothing to the CRM. Where set-up has still to make fields or lists, it is a preview that cannot be applied.
    """

    def work(session: Session) -> Answer:
        from sync.plan.changed_meanings import meaning_notes
        from sync.plan.dynamic_lists import deleted_notes, filter_notes, size_notes
        from sync.plan.plan import plan as make
        from sync.plan.refit_moves import refit_notes
        from sync.plan.restored import restored_notes
        from sync.plan.setup import new_names, plan_setup
        from sync.plan.test_contacts import test_contact_notes

        pipeline.settled_and_pulled(session)
        labelled = {**pipeline.reading(session), **pipeline.labelled(session)}
        planned = make(session, adopt=adopt, preview=True)
        code = 3 if exit_code and planned.plan is not None else 0
        names = new_names(session.config, session.journal, session.account, lambda: plan_setup(session))
        refused = plan_setup(session).refused if planned.preview else []
        tested = test_contact_notes(
            session.config, session.account, session.mirror, session.joined, session.destination()
        )
        notes = [
            *refused,
            *names,
            *tested,
            *filter_notes(session),
            *deleted_notes(planned.deleted),
            *planned.orphans,
        ]
        notes += size_notes(session, written=False)
        notes += restored_notes(session.config, session.mirror())
        notes += [
            *meaning_notes(session.journal, session.account, session.segmentations),
            *refit_notes(session.config, session.journal, session.mirror()),
        ]
        return {**labelled, "plan": planned.as_dict(), "notes": notes, "exit_code": code}

    return each_account(config, options, "plan", work)


def show_plan(
    config: Config | Path | str,
    options: Options | None = None,
    number: int = 0,
    out: Path | None = None,
    page: Page | None = None,
) -> Answer:
    """What a person judges a plan by (``review``), and each of its changes with old and new value and the reason:
    in a CSV or JSON file (``out``), else those of a ``page``; by default the first 10,000.
    """
    from sync.views.plan_changes import show_plan as shown

    return each_account(
        config,
        options,
        "show_plan" if page is None or page.look is None else "look",
        lambda session: shown(session, number, out, page),
        journalled=False,
        owner=lambda journal: journal.plans.account_of(number),
    )


def apply(
    config: Config | Path | str,
    options: Options | None = None,
    number: int | None = None,
    first: int | None = None,
) -> Answer:
    """Carry out a plan: the one of that number, which says that somebody has looked at it, or the newest open
    one.
    """

    def work(session: Session) -> Answer:
        from sync.apply.apply import apply as carry_out
        from sync.apply.settle import settle
        from sync.plan.dynamic_lists import filter_notes, size_notes

        settle(session)
        plans = [plan for plan in session.journal.plans.unfinished(session.account) if plan.kind == "forward"]
        chosen = number or (plans[-1].plan if plans else None)
        if chosen is None:
            raise CommandError("There is no open plan. Create one with `crm-segments plan`")
        stored = session.journal.plans.get(chosen)
        if stored is not None and stored.kind == "retire":  # what goes has to be empty now
            pipeline.pulled(session)
        applied = carry_out(session, chosen, reviewed=number is not None, first=first)
        notes = [*filter_notes(session), *size_notes(session, written=True)]
        answer = {
            "applied": applied.as_dict(),
            **pipeline.reading_of_plan(session.journal, chosen),
            "notes": notes,
        }
        return {**answer, "exit_code": pipeline.exit_code_of(applied.as_dict())}

    return each_account(
        config, options, "apply", work, owner=lambda journal: journal.plans.account_of(number or 0)
    )


def run(config: Config | Path | str, options: Options | None = None, summary: Path | None = None) -> Answer:
    """The whole loop: settle, pull, label, plan, apply.

    ``report`` in the answer is null: a page about a million records takes seconds, so ``report`` writes it
    when it is wanted. ``summary``: a file that gets the answer as JSON, also where the run ends early.
    """
    try:
        answer = each_account(config, options, "run", lambda session: pipeline.loop(session, None))
    except (CommandError, ConnectorError, ConfigError) as error:
        _summarise(summary, stopped(error))
        raise
    _summarise(summary, answer)
    return answer


def _summarise(file: Path | None, answer: Answer) -> None:
    if file is not None:
        with private_file(file) as sink:
            json.dump({"command": "run", "ended_at": utc_now().isoformat(), **answer}, sink, default=str)


def backfill(
    config: Config | Path | str,
    options: Options | None = None,
    ids: Sequence[str] | None = None,
    since: date | None = None,
    segment: str | None = None,
) -> Answer:
    """Write every field, extra fields too, for everyone or for some; run it again to go on where it was cut
    off.
    """

    from sync.plan.selection import Selection

    selection = Selection(ids, segment, since.isoformat() if since else None, extra_fields=True)
    return each_account(config, options, "backfill", lambda session: pipeline.loop(session, selection))


def undo(
    config: Config | Path | str,
    options: Options | None = None,
    number: int = 0,
    confirm: Callable[[Answer], bool] = lambda _plan: True,
) -> Answer:
    """Plan to take a run back where the CRM still holds what it wrote, and after a yes carry that out and put
    what it labelled on hold.

    Without a yes the plan stays open, for ``apply``; exit code 1 says that nothing was written.
    """

    def work(session: Session) -> Answer:
        from sync.plan import undo as way_back

        pipeline.settled_and_pulled(session)
        planned = way_back.undo(session, number)
        answer = {"undoes": number, "held": [], **pipeline.after_a_yes(session, planned, confirm)}
        if planned.plan is None:
            answer["held"] = way_back.hold(session.config, session.journal, session.account, number)
        elif "declined" not in answer:
            answer["held"] = way_back.labelled_by(session.config, session.journal, session.account, number)
        return answer

    return each_account(config, options, "undo", work, owner=lambda journal: journal.runs.account_of(number))


def retire(
    config: Config | Path | str,
    options: Options | None = None,
    target: str = "",
    confirm: Callable[[Answer], bool] = lambda _plan: True,
) -> Answer:
    """Plan to clear a segmentation's fields and lists (or one of them) that the config no longer names, and to take them
    away where the CRM can, and carry that out after a yes.

    Without a yes the plan stays open, for ``apply``; exit code 1 says that nothing was written.
    """

    def work(session: Session) -> Answer:
        from sync.plan import retire as leaving

        pipeline.settled_and_pulled(session)
        return pipeline.after_a_yes(session, leaving.retire(session, target), confirm)

    return each_account(config, options, "retire", work)
