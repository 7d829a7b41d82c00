"""The commands: each verb of the command line is one function here, and returns what ``--json`` prints.

Every function takes a config (or its path) and keyword options, works on each account that is written (or on
the one named), and gives a dictionary with stable keys; ``exit_code`` is among them. Stages are imported when
they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sync import pipeline
from sync.account.session import Session, lock
from sync.config.config import Config
from sync.exit_codes import CommandError, UsageError, declined
from sync.exit_codes import exit_code as exit_code
from sync.per_account import Answer, config_of, each_account
from sync.per_account import Options as Options

# -- the commands ------------------------------------------------------------------------------------------


def check(
    config: Config | Path | str,
    options: Options | None = None,
    reconcile: Path | None = None,
    totals: Sequence[str] = (),
) -> Answer:
    """Everything that is wrong at once: in the config, in the account's rights and files, in what set-up
    should have made.

    With ``reconcile`` (a file) or ``totals`` it reads the account too, and sets its months beside those
    (``sync.views.reconcile``).
    """
    beside = _reconciled(reconcile, totals)

    def work(session: Session) -> Answer:
        from sync.account import rates
        from sync.plan.dynamic_lists import filter_notes
        from sync.plan.setup import plan_setup
        from sync.pull.reading import kept, untaken

        problems = []
        for account in session.sources():
            problems += [
                {"account": account, "what": p.what, "remedy": p.remedy}
                for p in session.source(account).check()
            ]
        problems += [
            {"account": session.account, "what": p.what, "remedy": p.remedy}
            for p in rates.problems(session.config, session.account)
        ]
        setup_plan: Answer = {"steps": [], "refused": [], "notes": []}
        if not problems and session.writes:
            setup_plan = plan_setup(session).as_dict()
            problems += [{"account": session.account, "what": r, "remedy": ""} for r in setup_plan["refused"]]
            changed = filter_notes(session)
            problems += [
                {"account": session.account, "what": note, "remedy": ""}
                for note in changed
                if note.startswith("WARNING")
            ]
            setup_plan["notes"] += changed
        last = kept(session.journal, session.account, session.config.state_dir / "mirror.duckdb")
        cells = untaken(last) if last and session.settings.crm != "files" else []  # files are read just now
        notes = [
            *setup_plan["notes"],
            *rates.notes(session.config, session.account),
            *session.diagnostics,
            *cells,
        ]
        answer: Answer = {
            "problems": problems,
            "setup": setup_plan["steps"],
            "notes": notes,
            "exit_code": 1 if problems else 0,
        }
        if beside is not None and not problems:
            pipeline.pulled(session)
            answer |= beside(session)
        return answer

    return each_account(config, options, "check", work, journalled=False)


def _reconciled(file: Path | None, totals: Sequence[str]) -> Callable[[Session], Answer] | None:
    """What sets an account's months beside those that the user states; None where nothing is stated."""
    if file is None and not totals:
        return None
    from sync.views import reconcile as beside

    stated = beside.totals(file, totals)

    def work(session: Session) -> Answer:
        reconciled = beside.reconcile(session, stated)
        return {"reconcile": reconciled, "exit_code": 4 if reconciled["differ"] else 0}

    return work


def setup(
    config: Config | Path | str,
    options: Options | None = None,
    confirm: Callable[[Answer], bool] = lambda _steps: True,
    adopt: Sequence[str] = (),
    export: Path | None = None,
) -> Answer:
    """Show the fields and lists to be made, and make them after a yes; with ``export`` only write them down."""

    def work(session: Session) -> Answer:
        from sync.plan.dynamic_lists import filter_notes
        from sync.plan.setup import apply_setup, plan_setup
        from sync.plan.setup import export as write_down

        steps = plan_setup(session, adopt)
        shown = {"setup": steps.as_dict()}
        if export is not None:
            files = [str(path) for path in write_down(session, steps, export)]
            return {**shown, "made": 0, "exported": files[0], "files": files}
        if steps.refused or not steps.steps or confirm(steps.as_dict()):
            made = apply_setup(session, steps)
            return {**shown, "made": made, "notes": filter_notes(session) if made else []}
        return {**shown, "made": 0, **declined("nothing was made: say --yes to make them")}

    return each_account(config, options, "setup", work)


def pull(config: Config | Path | str, options: Options | None = None) -> Answer:
    """Read what changed in the CRM."""
    return each_account(
        config,
        options,
        "pull",
        lambda session: {"pulled": pipeline.pulled(session), **pipeline.reading(session)},
    )


def train(
    config: Config | Path | str,
    options: Options | None = None,
    names: Sequence[str] = (),
    propose: bool = False,
) -> Answer:
    """Fit every segmentation (or those of ``names``) again; the next labelling uses the new models.

    ``contests``: which score won where several could. With ``propose`` nothing is saved: ``proposals`` tell
    what would change.
    """

    def work(session: Session) -> Answer:
        from sync.label.label import train as fit
        from sync.views.scorecards import check_names, proposals

        pipeline.pulled(session)
        check_names(session, names)
        if propose:
            return {
                "as_of": session.as_of,
                "models": {},
                "contests": {},
                "proposals": proposals(session, names),
            }
        return {"as_of": session.as_of, "models": fit(session, names), "contests": pipeline.contests(session)}

    return each_account(config, options, "train", work)


def label(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    explain: bool = False,
    horizon: int | None = None,
) -> Answer:
    """Label every record; with ``out`` write id and one column per segmentation to a CSV file. Writes nothing
    to the CRM.

    The file tells forecasts over ``horizon`` days too, or over the data's own horizon
    (``sync.label.forecasts``). With ``explain`` the answer tells coverage of attributes, and per rule how
    many records it takes (``sync.views.rule_coverage``).
    """

    def work(session: Session) -> Answer:
        pipeline.pulled(session)
        labelled = {**pipeline.reading(session), **pipeline.labelled(session)}
        if out is not None:
            from sync.views.label_file import write

            labelled["rows"], labelled["forecast"] = write(session, out, horizon)
            labelled["out"] = str(out)
        if explain:
            from sync.views.rule_coverage import explain as tell

            labelled["explain"] = tell(session)
        return labelled

    return each_account(config, options, "label", work)


def plan(
    config: Config | Path | str, options: Options | None = None, adopt: bool = False, exit_code: bool = False
) -> Answer:
    """Pull, label and show what a run would write; saved under a number that ``apply`` takes.

    Writes nothing to the CRM.
    """

    def work(session: Session) -> Answer:
        from sync.plan.dynamic_lists import deleted_notes, filter_notes, size_notes
        from sync.plan.plan import plan as make
        from sync.plan.setup import new_names

        pipeline.settled_and_pulled(session)
        labelled = {**pipeline.reading(session), **pipeline.labelled(session)}
        planned = make(session, adopt=adopt)
        code = 3 if exit_code and planned.changes else 0
        notes = [*new_names(session), *filter_notes(session), *deleted_notes(planned.deleted)]
        notes += size_notes(session, written=False)
        return {**labelled, "plan": planned.as_dict(), "notes": notes, "exit_code": code}

    return each_account(config, options, "plan", work)


def show_plan(
    config: Config | Path | str, options: Options | None = None, number: int = 0, out: Path | None = None
) -> Answer:
    """Each change of a plan with its old and new value and the reason: in a CSV or JSON file (``out``), else
    the first 10,000.
    """

    def work(session: Session) -> Answer:
        from sync.views.plan_changes import show_plan as shown

        return shown(session, number, out)

    owner = f"SELECT account FROM plans WHERE plan = {int(number)}"
    return each_account(config, options, "show_plan", work, journalled=False, owner=owner)


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
        chosen = number or session.journal.value(
            "SELECT max(plan) FROM plans WHERE account = ? AND state IN ('open', 'applying') AND kind = 'forward'",
            session.account,
        )
        if chosen is None:
            raise CommandError("there is no open plan: `crm-segments plan` makes one")
        applied = carry_out(session, chosen, reviewed=number is not None, first=first)
        notes = [*filter_notes(session), *size_notes(session, written=True)]
        answer = {"applied": applied.as_dict(), **pipeline.reading_of_plan(session, chosen), "notes": notes}
        return {**answer, "exit_code": pipeline.exit_code_of(applied.as_dict())}

    return each_account(
        config, options, "apply", work, owner=f"SELECT account FROM plans WHERE plan = {int(number or 0)}"
    )


def run(config: Config | Path | str, options: Options | None = None) -> Answer:
    """The whole loop: settle, pull, label, plan, apply.

    ``report`` in the answer is null: a page about a million records takes seconds, so ``report`` writes it
    when it is wanted.
    """
    return each_account(config, options, "run", lambda session: pipeline.loop(session, None))


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

    def work(session: Session) -> Answer:
        from sync.plan.plan import Selection

        return pipeline.loop(
            session, Selection(ids, segment, since.isoformat() if since else None, extra_fields=True)
        )

    return each_account(config, options, "backfill", work)


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
            answer["held"] = way_back.hold(session, number)
        elif "declined" not in answer:
            answer["held"] = way_back.labelled_by(session, number)
        return answer

    return each_account(
        config, options, "undo", work, owner=f"SELECT account FROM runs WHERE run = {int(number)}"
    )


def retire(
    config: Config | Path | str,
    options: Options | None = None,
    target: str = "",
    confirm: Callable[[Answer], bool] = lambda _plan: True,
) -> Answer:
    """Plan to clear a field or list of ours that the config no longer names, and carry that out after a yes.

    Without a yes the plan stays open, for ``apply``; exit code 1 says that nothing was written.
    """

    def work(session: Session) -> Answer:
        from sync.plan import retire as leaving

        pipeline.settled_and_pulled(session)
        return pipeline.after_a_yes(session, leaving.retire(session, target), confirm)

    return each_account(config, options, "retire", work)


def forget(
    config: Config | Path | str,
    options: Options | None = None,
    id: str = "",
    confirm: Callable[[Answer], bool] = lambda _shown: True,
) -> Answer:
    """Take a person out of every file of ours, after ``confirm`` has been shown what that is.

    Usage where nobody is called that.
    """

    shown: list[Answer] = []

    def work(session: Session) -> Answer:
        from sync.forget.forget import forget as erase

        def asked(traces: Answer) -> bool:
            shown.append(traces)
            return confirm(traces)

        return erase(session, id, asked)

    answer = each_account(config, options, "forget", work)
    answers = answer.get("accounts", [answer])
    if not any("error" in account_answer or account_answer["known"] for account_answer in answers):
        raise UsageError(
            f"nobody here is called {id!r}: no record, no change, no label and no file of ours names them. Nothing was done"
        )
    return {**answer, "shown": shown}


def history(config: Config | Path | str, options: Options | None = None, out: Path | None = None) -> Answer:
    """Every change that was tried, as a CSV file or (without ``out``) as rows."""

    def work(session: Session) -> Answer:
        from sync.views import history as past

        if out is not None:
            return {"changes": past.export(session, out), "out": str(out)}
        return {
            "history": [
                row for part in past.changes(session.journal, session.account) for row in part.to_pylist()
            ]
        }

    return each_account(config, options, "history", work, journalled=False)


def show(config: Config | Path | str, options: Options | None = None, id: str = "") -> Answer:
    """Why a record has its segments, since when, and every value before with its run."""

    def work(session: Session) -> Answer:
        from sync.views.history import show as story

        return story(session, id)

    return each_account(config, options, "show", work, journalled=False)


def status(
    config: Config | Path | str,
    options: Options | None = None,
    max_age_hours: float | None = None,
    reconcile: Path | None = None,
    totals: Sequence[str] = (),
) -> Answer:
    """Last runs, open plans, holds, rejects, what was read; exit code 1 where the last good run is older than
    ``max_age_hours``.

    With ``reconcile`` or ``totals`` the months that were read stand beside those (``sync.views.reconcile``);
    4 where some differ.
    """
    beside = _reconciled(reconcile, totals)

    def work(session: Session) -> Answer:
        from sync.views.status import status as state

        summary = state(session.journal, session.account, session.config.state_dir / "mirror.duckdb")
        summary |= beside(session) if beside else {}
        if max_age_hours is not None:
            last = summary["last_good_run"]
            age = (
                None
                if last is None
                else (session.clock() - datetime.fromisoformat(last)).total_seconds() / 3600
            )
            summary["age_hours"] = age
            summary["exit_code"] = 1 if age is None or age > max_age_hours else summary.get("exit_code", 0)
        return summary

    return each_account(config, options, "status", work, journalled=False)


def salvage(config: Config | Path | str) -> Answer:
    """Write what can still be read of a damaged journal into a new file beside it; by table, how many rows
    are kept and lost.
    """
    from sync.store.salvage import salvage as save

    settings = config_of(config)
    damaged = settings.state_dir / "journal.sqlite"
    with lock(settings):
        if not damaged.is_file():
            raise UsageError(f"there is no journal {damaged}")
        target = damaged.with_name("journal.salvaged.sqlite")
        return {
            "exit_code": 0,
            "salvaged": save(damaged, target),
            "journal": str(damaged),
            "out": str(target),
        }


def evaluate(
    config: Config | Path | str,
    options: Options | None = None,
    names: Sequence[str] = (),
    composition: Sequence[str] = (),
) -> Answer:
    """Report cards of the latest labelling: how good each segmentation is, and whether it still is. Reads
    only.

    ``composition``: attributes by which the answer tells who is in each segment, sensitive ones too.
    ``effects``: what campaigns with a control group changed.
    """

    def work(session: Session) -> Answer:
        from sync.views.scorecards import card as judge

        return judge(session, names, composition)

    return each_account(config, options, "evaluate", work, journalled=False)


def report(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    cards: bool = False,
    composition: Sequence[str] = (),
) -> Answer:
    """One HTML page of everything that people look at, of all accounts; ``report`` in the answer is its path.

    ``cards``: report cards whatever they cost. ``composition``: attributes by which segments are told apart,
    sensitive ones too.
    """
    from sync.report import write

    config, gathered = config_of(config), []

    def work(session: Session) -> Answer:
        from sync.report.figures import gather, summary
        from sync.report.insight import Wanted

        gathered.append((gather(session, Wanted(cards, composition)), session.clock()))
        return {"figures": summary(gathered[-1][0])}

    answer = each_account(config, options, "report", work, journalled=False)
    if not gathered:
        return {**answer, "report": None}
    path = write(
        [figures for figures, _ in gathered], out or config.state_dir / "report.html", gathered[0][1]
    )
    return {**answer, "report": str(path)}


def rejects(
    config: Config | Path | str,
    options: Options | None = None,
    action: str = "list",
    numbers: Sequence[int] = (),
) -> Answer:
    """Refused input rows and refused changes.

    ``retry`` gives changes a new budget of attempts, ``drop`` removes entries.
    """

    def work(session: Session) -> Answer:
        from sync.views.history import rejects as refused

        chosen = f" AND reject IN ({', '.join(str(int(n)) for n in numbers)})" if numbers else ""
        where = f"account = ?{chosen}"
        count = session.journal.value(f"SELECT count(*) FROM rejects WHERE {where}", session.account)
        if action == "retry":
            session.journal.execute(
                f"UPDATE rejects SET quarantined = 0, attempts = 0, next_at = NULL WHERE source = 'write' AND {where}",
                session.account,
            )
        elif action == "drop":
            session.journal.execute(f"DELETE FROM rejects WHERE {where}", session.account)
        return {"action": action, "count": count, "rejects": refused(session.journal, session.account)}

    return each_account(config, options, "rejects", work, journalled=False)


def init(
    config: Path | str,
    crm: str | None = None,
    path: Path | None = None,
    segmentations: str | None = None,
    force: bool = False,
    ask: Callable[[str, str], str] = lambda _question, proposed: proposed,
    access: Mapping[str, str | None] | None = None,
    described: Mapping[str, Any] | None = None,
) -> Answer:
    """Write a first config, from what is given, asked for, and found in the files of a folder; see
    ``sync.start.init``.
    """
    from sync.start.init import Described
    from sync.start.init import init as write

    return write(Path(config), crm, path, segmentations, force, ask, access, Described(**(described or {})))


def schedule(
    config: Config | Path | str,
    options: Options | None = None,
    kind: str | None = None,
    at: str = "02:30",
    max_age_hours: float = 26,
) -> Answer:
    """What schedulers need to run this config every day, and to notice when it did not: text by the
    scheduler's name.
    """
    from datetime import time

    from sync.start import schedule as schedulers

    if kind is not None and kind not in schedulers.KINDS:
        raise UsageError(f"{kind!r} is no scheduler that we know: {', '.join(schedulers.KINDS)}")
    try:
        moment = time.fromisoformat(at)
    except ValueError:
        raise UsageError(f"{at!r} is no time of day: write it like 02:30") from None
    texts = schedulers.schedule(config_of(config), moment, max_age_hours)
    return {"exit_code": 0, "schedules": {name: text for name, text in texts.items() if kind in (None, name)}}
