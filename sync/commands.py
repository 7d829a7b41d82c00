"""The commands: each verb of the command line is one function here, and returns what ``--json`` prints.

Every function takes a config (or its path) and keyword options, works on each account that is written (or on the one
named), and gives a dictionary with stable keys; ``exit_code`` is among them. Stages are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors import open_connector
from connectors.errors import ConnectorError, QuotaError, TemporaryError
from sync import loop
from sync.account.session import Open, Progress, Session, locked, silent
from sync.config.config import Config, load
from sync.config.faults import ConfigError
from sync.stops import Stop, Usage, later, stopped, worst
from sync.stops import exit_code as exit_code

Answer = loop.Answer


@dataclass(frozen=True)
class Options:
    """What all commands share."""

    account: str | None = None
    allow: Mapping[str, str] = field(default_factory=dict)  # guard → reason
    as_of: date | None = None
    progress: Progress = silent
    clock: Callable[[], datetime] | None = None
    open: Open = open_connector


def _config(config: Config | Path | str) -> Config:
    return config if isinstance(config, Config) else load(Path(config))


def _accounts(config: Config, options: Options) -> list[str]:
    if options.account is None:
        return list(config.written)
    if options.account not in config.accounts:
        raise Stop(f"the config has no account {options.account!r}: it has {', '.join(config.accounts)}")
    return [options.account]


def _each(
    config: Config | Path | str,
    options: Options | None,
    command: str,
    work: Callable[[Session], Answer],
    journalled: bool = True,
    owner: str = "",
) -> Answer:
    """Do the work for each account under the lock; note begin and end of it in the journal.

    What ends the work for one of several accounts stands in its answer, and does not stop the others; the exit code is the worst of
    theirs, in the order 1, 2, 5, 75, 4, 3, 0 (``sync.stops``). ``owner``: SQL of the account
    that the command is about, where what it was given tells.
    """
    config, options = _config(config), options or Options()
    answers: list[Answer] = []
    with locked(config) as journal:
        accounts = _accounts(config, options)
        if options.account is None and owner and journal.value(owner) in accounts:
            accounts = [journal.value(owner)]
        for account in accounts:
            session = Session(config, account, journal, options.allow, options.progress, open=options.open, as_of_override=options.as_of)
            if options.clock:
                session.clock = options.clock
            session.run = journal.begin_run(account, command, options.allow) if journalled else 0
            try:
                answers.append(_finished(session, command, work, journalled))
            except (Stop, ConnectorError, ConfigError) as error:
                if len(accounts) == 1:
                    raise
                answers.append({"account": account, "run": session.run or None, **stopped(error)})
    if len(answers) == 1:
        return answers[0]
    return {"exit_code": worst([answer["exit_code"] for answer in answers]), "accounts": answers}


def _finished(session: Session, command: str, work: Callable[[Session], Answer], journalled: bool) -> Answer:
    from sync.account.home import settle_home

    try:
        settle_home(session, command, connected=journalled or command == "check")
        answer = {"account": session.account, "exit_code": 0, **work(session)}
    except (Stop, ConnectorError, ConfigError) as error:
        told = error
        if isinstance(error, (TemporaryError, QuotaError)):
            told = later(error, session.clock(), ZoneInfo(session.settings.time_zone))
        if journalled:
            calls = asdict(session.calls)
            session.journal.end_run(session.run, exit_code(told), {"stopped": str(told), "calls": calls})
        raise told from (error if told is not error else error.__cause__)
    finally:
        session.close()
    if journalled:
        answer = {"run": session.run, **answer, "calls": asdict(session.calls), "notes": [*answer.get("notes", []), *session.notes]}
        session.journal.end_run(session.run, answer["exit_code"], answer)
    return answer


# -- the commands ------------------------------------------------------------------------------------------


def check(config: Config | Path | str, options: Options | None = None) -> Answer:
    """Everything that is wrong at once: in the config, in the account's rights and files, in what set-up should have made."""

    def work(session: Session) -> Answer:
        from sync.plan.setup import plan_setup

        problems = []
        for account in session.sources():
            problems += [{"account": account, "what": p.what, "remedy": p.remedy} for p in session.connector(account).check()]
        setup_plan: Answer = {"steps": [], "refused": [], "notes": []}
        if not problems:
            setup_plan = plan_setup(session).as_dict()
            problems += [{"account": session.account, "what": r, "remedy": ""} for r in setup_plan["refused"]]
        notes = [*setup_plan["notes"], *session.notes]
        return {"problems": problems, "setup": setup_plan["steps"], "notes": notes, "exit_code": 1 if problems else 0}

    return _each(config, options, "check", work, journalled=False)


def setup(
    config: Config | Path | str,
    options: Options | None = None,
    confirm: Callable[[Answer], bool] = lambda _steps: True,
    adopt: Sequence[str] = (),
    export: Path | None = None,
) -> Answer:
    """Show the fields and lists to be made, and make them after a yes; with ``export`` only write them down."""

    def work(session: Session) -> Answer:
        from sync.plan.setup import apply_setup, plan_setup
        from sync.plan.setup import export as write_down

        steps = plan_setup(session, adopt)
        shown = {"setup": steps.as_dict()}
        if export is not None:
            files = [str(path) for path in write_down(session, steps, export)]
            return {**shown, "made": 0, "exported": files[0], "files": files}
        if steps.refused or not steps.steps or confirm(steps.as_dict()):
            return {**shown, "made": apply_setup(session, steps)}
        return {**shown, "made": 0, "exit_code": 1}

    return _each(config, options, "setup", work)


def pull(config: Config | Path | str, options: Options | None = None) -> Answer:
    """Read what changed in the CRM."""
    return _each(config, options, "pull", lambda session: {"pulled": loop.pulled(session)})


def train(config: Config | Path | str, options: Options | None = None, names: Sequence[str] = (), propose: bool = False) -> Answer:
    """Fit every segmentation (or those of ``names``) anew; the next labelling uses the new models.

    ``contests``: which score won where several could. With ``propose`` nothing is saved: ``proposals`` tell what would change.
    """

    def work(session: Session) -> Answer:
        from sync.label.label import train as fit
        from sync.views.card import check_names, proposals

        loop.pulled(session)
        check_names(session, names)
        if propose:
            return {"as_of": session.as_of, "models": {}, "contests": {}, "proposals": proposals(session, names)}
        return {"as_of": session.as_of, "models": fit(session, names), "contests": loop.contests(session)}

    return _each(config, options, "train", work)


def label(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    explain: bool = False,
    horizon: int | None = None,
) -> Answer:
    """Label every record; with ``out`` write id and one column per segmentation to a CSV file. Writes nothing to the CRM.

    The file tells forecasts over ``horizon`` days too, or over the data's own horizon (``sync.label.forecasts``).
    With ``explain`` the answer tells coverage of attributes, and per rule how many records it takes (``sync.views.explain``).
    """

    def work(session: Session) -> Answer:
        loop.pulled(session)
        labelled = loop.labelled(session)
        if out is not None:
            from sync.views.label_file import write

            labelled["rows"], labelled["forecast"] = write(session, out, horizon)
            labelled["out"] = str(out)
        if explain:
            from sync.views.explain import explain as tell

            labelled["explain"] = tell(session)
        return labelled

    return _each(config, options, "label", work)


def plan(config: Config | Path | str, options: Options | None = None, adopt: bool = False, exit_code: bool = False) -> Answer:
    """Pull, label and show what a run would write; saved under a number that ``apply`` takes. Writes nothing to the CRM."""

    def work(session: Session) -> Answer:
        from sync.plan.plan import plan as make
        from sync.plan.setup import new_names

        loop.settled_and_pulled(session)
        labelled = loop.labelled(session)
        planned = make(session, adopt=adopt)
        code = 3 if exit_code and planned.changes else 0
        return {**labelled, "plan": planned.as_dict(), "notes": new_names(session), "exit_code": code}

    return _each(config, options, "plan", work)


def apply(config: Config | Path | str, options: Options | None = None, number: int | None = None, first: int | None = None) -> Answer:
    """Carry out a plan: the one of that number, which says that somebody has looked at it, or the newest open one."""

    def work(session: Session) -> Answer:
        from sync.apply.apply import apply as carry_out
        from sync.apply.settle import settle

        settle(session)
        chosen = number or session.journal.value(
            "SELECT max(plan) FROM plans WHERE account = ? AND state IN ('open', 'applying') AND kind = 'forward'", session.account
        )
        if chosen is None:
            raise Stop("there is no open plan: `crm-segments plan` makes one")
        applied = carry_out(session, chosen, reviewed=number is not None, first=first)
        return {"applied": applied.as_dict(), "exit_code": 4 if applied.rejected or applied.skipped else 0}

    return _each(config, options, "apply", work, owner=f"SELECT account FROM plans WHERE plan = {int(number or 0)}")


def run(config: Config | Path | str, options: Options | None = None) -> Answer:
    """The whole loop: settle, pull, label, plan, apply.

    ``report`` in the answer is null: a page about a million records takes seconds, so ``report`` writes it when it is wanted.
    """
    return _each(config, options, "run", lambda session: loop.loop(session, None))


def backfill(
    config: Config | Path | str,
    options: Options | None = None,
    ids: Sequence[str] | None = None,
    since: date | None = None,
    segment: str | None = None,
) -> Answer:
    """Write every field, companions too, for everyone or for some; run it again to go on where it was cut off."""

    def work(session: Session) -> Answer:
        from sync.plan.plan import Selection

        return loop.loop(session, Selection(ids, segment, since.isoformat() if since else None, companions=True))

    return _each(config, options, "backfill", work)


def undo(config: Config | Path | str, options: Options | None = None, number: int = 0) -> Answer:
    """Take a run back where the CRM still holds what it wrote, and put what it labelled on hold."""

    def work(session: Session) -> Answer:
        from sync.apply.apply import apply as carry_out
        from sync.plan import undo as way_back

        loop.settled_and_pulled(session)
        planned = way_back.undo(session, number)
        held = way_back.hold(session, number)
        answer: Answer = {"undoes": number, "held": held, "plan": planned.as_dict(), "applied": loop.no_changes()}
        if planned.plan is not None:
            applied = carry_out(session, planned.plan, reviewed=True)
            answer["applied"] = applied.as_dict()
            answer["exit_code"] = 4 if applied.rejected or applied.skipped else 0
        return answer

    return _each(config, options, "undo", work, owner=f"SELECT account FROM runs WHERE run = {int(number)}")


def retire(config: Config | Path | str, options: Options | None = None, target: str = "") -> Answer:
    """Clear a field or list of ours that the config no longer names."""

    def work(session: Session) -> Answer:
        from sync.apply.apply import apply as carry_out
        from sync.plan import retire as leaving

        loop.settled_and_pulled(session)
        planned = leaving.retire(session, target)
        answer: Answer = {"plan": planned.as_dict(), "applied": loop.no_changes()}
        if planned.plan is not None:
            answer["applied"] = carry_out(session, planned.plan, reviewed=True).as_dict()
        return answer

    return _each(config, options, "retire", work)


def forget(config: Config | Path | str, options: Options | None = None, id: str = "") -> Answer:
    """Take a person out of every file of ours."""

    def work(session: Session) -> Answer:
        from sync.forget.forget import forget as erase

        return erase(session, id)

    return _each(config, options, "forget", work)


def history(config: Config | Path | str, options: Options | None = None, out: Path | None = None) -> Answer:
    """Every change that was tried, as a CSV file or (without ``out``) as rows."""

    def work(session: Session) -> Answer:
        from sync.views import history as past

        if out is not None:
            return {"changes": past.export(session, out), "out": str(out)}
        return {"history": [row for part in past.changes(session.journal, session.account) for row in part.to_pylist()]}

    return _each(config, options, "history", work, journalled=False)


def show(config: Config | Path | str, options: Options | None = None, id: str = "") -> Answer:
    """Why a record has its segments, since when, and every value before with its run."""

    def work(session: Session) -> Answer:
        from sync.views.history import show as story

        return story(session, id)

    return _each(config, options, "show", work, journalled=False)


def status(config: Config | Path | str, options: Options | None = None, max_age_hours: float | None = None) -> Answer:
    """Last runs, open plans, holds, rejects; exit code 1 where the last good run is older than ``max_age_hours``."""

    def work(session: Session) -> Answer:
        from sync.views.history import status as state

        found = state(session.journal, session.account)
        if max_age_hours is not None:
            last = found["last_good_run"]
            age = None if last is None else (session.clock() - datetime.fromisoformat(last)).total_seconds() / 3600
            found["age_hours"] = age
            found["exit_code"] = 1 if age is None or age > max_age_hours else 0
        return found

    return _each(config, options, "status", work, journalled=False)


def card(config: Config | Path | str, options: Options | None = None, names: Sequence[str] = (), composition: Sequence[str] = ()) -> Answer:
    """Report cards of the latest labelling: how good each segmentation is, and whether it still is. Reads only.

    ``composition``: attributes by which the answer tells who is in each segment, sensitive ones too. ``effects``: what campaigns
    with a control group changed.
    """

    def work(session: Session) -> Answer:
        from sync.views.card import card as judge

        return judge(session, names, composition)

    return _each(config, options, "card", work, journalled=False)


def report(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    cards: bool = False,
    composition: Sequence[str] = (),
) -> Answer:
    """One HTML page of everything that people look at, of all accounts; ``report`` in the answer is its path.

    ``cards``: report cards whatever they cost. ``composition``: attributes by which segments are told apart, sensitive ones too.
    """
    from sync.report import write

    config, gathered = _config(config), []

    def work(session: Session) -> Answer:
        from sync.report.gather import gather, summary
        from sync.report.insight import Wanted

        gathered.append((gather(session, Wanted(cards, composition)), session.clock()))
        return {"figures": summary(gathered[-1][0])}

    answer = _each(config, options, "report", work, journalled=False)
    if not gathered:
        return {**answer, "report": None}
    path = write([figures for figures, _ in gathered], out or config.state_dir / "report.html", gathered[0][1])
    return {**answer, "report": str(path)}


def rejects(config: Config | Path | str, options: Options | None = None, action: str = "list", numbers: Sequence[int] = ()) -> Answer:
    """Refused input rows and refused changes. ``retry`` gives changes a new budget of attempts, ``drop`` removes entries."""

    def work(session: Session) -> Answer:
        from sync.views.history import rejects as refused

        chosen = f" AND reject IN ({', '.join(str(int(n)) for n in numbers)})" if numbers else ""
        where = f"account = ?{chosen}"
        count = session.journal.value(f"SELECT count(*) FROM rejects WHERE {where}", session.account)
        if action == "retry":
            session.journal.execute(
                f"UPDATE rejects SET quarantined = 0, attempts = 0, next_at = NULL WHERE source = 'write' AND {where}", session.account
            )
        elif action == "drop":
            session.journal.execute(f"DELETE FROM rejects WHERE {where}", session.account)
        return {"action": action, "count": count, "rejects": refused(session.journal, session.account)}

    return _each(config, options, "rejects", work, journalled=False)


def init(
    config: Path | str,
    crm: str | None = None,
    path: Path | None = None,
    segmentations: str | None = None,
    force: bool = False,
    ask: Callable[[str, str], str] = lambda _question, proposed: proposed,
    access: Mapping[str, str | None] | None = None,
) -> Answer:
    """Write a first config, from what is given, asked for, and (for a folder of exports) found in its files.

    ``access``: how a CRM in the cloud is reached: api_url, client_id, and secret (the name of an environment variable).
    """
    from sync.start.init import init as write

    return write(Path(config), crm, path, segmentations, force, ask, access)


def schedule(
    config: Config | Path | str, options: Options | None = None, kind: str | None = None, at: str = "02:30", max_age_hours: float = 26
) -> Answer:
    """What schedulers need to run this config every day, and to notice when it did not: text by the scheduler's name."""
    from datetime import time

    from sync.start import schedule as schedulers

    if kind is not None and kind not in schedulers.KINDS:
        raise Usage(f"{kind!r} is no scheduler that we know: {', '.join(schedulers.KINDS)}")
    try:
        moment = time.fromisoformat(at)
    except ValueError:
        raise Usage(f"{at!r} is no time of day: write it like 02:30") from None
    texts = schedulers.schedule(_config(config), moment, max_age_hours)
    return {"exit_code": 0, "schedules": {name: text for name, text in texts.items() if kind in (None, name)}}
