"""What do status, show, report, rejects, forget, history and salvage do, with what is stored here?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sync.account.lock import lock
from sync.account.session import Session
from sync.commands.stated_months import beside_stated
from sync.config.config import Config
from sync.exit_codes import UsageError
from sync.per_account import Answer, Options, config_of, each_account
from sync.report import Reader
from sync.store.journal import Journal
from sync.store.journal.rejects import Rejects


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
    beside = beside_stated(reconcile, totals)

    def work(session: Session) -> Answer:
        from sync.account.targets import targets_of
        from sync.plan.orphans import orphan_notes
        from sync.views.status import status as state

        beside_us = session.mirrors.beside
        since = beside_us.began if beside_us else None
        account, journal = session.account, session.journal
        left = orphan_notes(
            account,
            journal.objects.of(account),
            targets_of(session.config, account),
            session.settings.time_zone,
        )
        mirror_file = session.config.state_dir / "mirror.duckdb"
        summary = state(journal, account, mirror_file, since, orphans=left)
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
    with lock(settings.state_dir, "salvage"):
        if not damaged.is_file():
            raise UsageError(f"There is no journal {damaged}")
        target = damaged.with_name("journal.salvaged.sqlite")
        return {
            "exit_code": 0,
            "salvaged": save(damaged, target),
            "journal": str(damaged),
            "out": str(target),
        }


def show(config: Config | Path | str, options: Options | None = None, id: str = "") -> Answer:
    """Why a record has its segments, since when, and every value before with its run."""

    from sync.views.history import show as story

    return each_account(config, options, "show", lambda session: story(session, id), journalled=False)


_PAGES: Mapping[Reader, str] = {"people": "report.html", "analyst": "report-analyst.html"}


def report(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    scorecards: bool = False,
    composition: Sequence[str] = (),
    reader: Reader = "people",
) -> Answer:
    """One HTML page of all accounts for a reader; ``report`` in the answer is its path.

    ``scorecards``: compute those that are not kept of today's facts; without it those that are kept are
    shown. ``composition``: attributes by which segments are told apart, sensitive ones too.
    """
    from sync.report import write

    config, gathered = config_of(config), []

    def work(session: Session) -> Answer:
        from sync.report.figures import gather, summary
        from sync.report.insight import Wanted

        gathered.append((gather(session, Wanted(scorecards, composition)), session.clock()))
        return {"figures": summary(gathered[-1][0])}

    answer = each_account(config, options, "report", work, journalled=False)
    if not gathered:
        return {**answer, "report": None}
    path = write(
        [figures for figures, _ in gathered], out or config.state_dir / _PAGES[reader], gathered[0][1], reader
    )
    return {**answer, "report": str(path)}


def rejects(
    config: Config | Path | str,
    options: Options | None = None,
    action: str = "list",
    numbers: Sequence[int] = (),
    each: bool = True,
) -> Answer:
    """Refused input rows and refused changes: ``groups`` of those with the same reason and, where ``each`` of them is
    asked for, ``rejects``.

    ``retry`` gives changes a new budget of attempts, ``drop`` removes entries.
    """
    from sync.views.reject_groups import grouped

    def work(refused: Rejects, account: str) -> Answer:
        count = refused.count(account, numbers)
        if action == "retry":
            refused.retry(account, numbers)
        elif action == "drop":
            refused.drop(account, numbers)
        groups = grouped(refused.by_sort(account))
        entries = {"rejects": refused.of(account)} if each else {}
        return {"action": action, "count": count, "groups": groups, **entries}

    return each_account(
        config,
        options,
        "rejects" if action == "list" else f"rejects {action}",
        lambda session: work(session.journal.rejects, session.account),
        journalled=False,
    )


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

    from sync.forget.forget import forget as erase

    def asked(traces: Answer) -> bool:
        shown.append(traces)
        return confirm(traces)

    answer = each_account(config, options, "forget", lambda session: erase(session, id, asked))
    answers = answer.get("accounts", [answer])
    if not any("error" in account_answer or account_answer["known"] for account_answer in answers):
        raise UsageError(
            f"Nothing is stored about {id!r}: no record, change, label or exported file names them. Nothing was done"
        )
    return {**answer, "shown": shown}


def history(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    id: str = "",
    run: int | None = None,
    last: int | None = None,
) -> Answer:
    """Every change that was tried, as a CSV file or (without ``out``) as rows: of one record (``id``), of one
    ``run``, only the ``last`` ones; ``of`` then tells of how many. UsageError: a file is asked for in part.
    """
    from sync.views import history as past

    if out is not None and (id or run is not None or last is not None):
        raise UsageError("--out writes all changes: leave out --id, --run and --last")

    def work(journal: Journal, account: str) -> Answer:
        if out is not None:
            return {"changes": past.export(journal, account, out), "out": str(out)}
        counted = {} if last is None or id else {"of": journal.batches.sent_rows(account, run)}
        return {"history": past.rows(journal, account, id, run, last), **counted}

    return each_account(
        config,
        options,
        "history",
        lambda session: work(session.journal, session.account),
        journalled=False,
    )
