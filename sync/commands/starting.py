"""What do init, config example, login, check, setup and schedule do, from a first config to a daily run?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sync import pipeline
from sync.account.session import Session
from sync.commands.stated_months import beside_stated
from sync.config.config import Config
from sync.context import utc_now
from sync.exit_codes import CommandError, UsageError, declined
from sync.per_account import Answer, Options, config_of, each_account
from sync.sentence import sentence


def init(
    config: Path | str,
    crm: str | None = None,
    path: Path | None = None,
    segmentations: str | None = None,
    force: bool = False,
    ask: Callable[[str, str], str] = lambda _question, proposed: proposed,
    access: Mapping[str, str | None] | None = None,
    described: Mapping[str, Any] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Answer:
    """Write a first config, from what is given, asked for, and found in the files of a folder; see
    ``sync.start.init``.
    """
    from sync.start.init import init as write
    from sync.start.tables import Described

    about = Described(**(described or {}))
    return write(Path(config), crm, path, segmentations, force, ask, access, about, clock)


def example() -> Answer:
    """A config that shows every setting there is, each with its reason."""
    package = Path(__file__).parents[1]
    places = (
        package / "config.example.toml",
        package.parent / "config.example.toml",
    )  # installed, or a clone
    for place in places:
        if place.exists():
            return {"exit_code": 0, "example": place.read_text(encoding="utf-8")}
    raise CommandError(
        f"The example is missing in this installation: {places[0]} is not there. Install crm-segments again."
    )


def login(
    config: Path | str,
    crm: str,
    account: str | None = None,
    secret: Callable[[str], str] | None = None,
    access: Mapping[str, str | None] | None = None,
    check: bool = True,
    ask: Callable[[str, str], str] = lambda _question, proposed: proposed,
    replace: Callable[[str], bool] = lambda _references: False,
    tell: Callable[[Mapping[str, Sequence[str]]], None] = lambda _steps: None,
) -> Answer:
    """Put the secrets of an account into the keyring of this user; see ``sync.start.login``.

    ``secret``: asked for the secret of a key. ``tell``: gets for each key how a person comes by its secret.
    """
    from sync.start.login import log_in, store

    wanted = log_in(Path(config), crm, account, access or {}, ask)
    tell(wanted.steps())
    secrets = {key: secret(key).strip() if secret else "" for key in wanted.keys}
    if empty := [key for key, text in secrets.items() if not text]:
        raise UsageError(f"Nothing was stored: {' and '.join(empty)} is empty.")
    return store(wanted, secrets, check, replace)


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
    beside = beside_stated(reconcile, totals)

    def work(session: Session) -> Answer:
        from sync.account import rates
        from sync.account.targets import field_specs, list_specs, targets_of
        from sync.plan.automation_impact import blind_notes
        from sync.plan.dynamic_lists import filter_notes
        from sync.plan.orphans import orphan_notes
        from sync.plan.setup import plan_setup
        from sync.plan.test_contacts import test_contact_notes
        from sync.pull.reading import kept, untaken, without_match

        problems = []
        for account in session.sources():
            problems += [_problem(account, p.what, p.remedy) for p in session.source(account).check()]
        problems += [
            _problem(session.account, p.what, p.remedy)
            for p in rates.problems(session.config, session.account)
        ]
        setup_plan: Answer = {"steps": [], "refused": [], "notes": []}
        if not problems and session.writes:
            setup_plan = plan_setup(session).as_dict()
            problems += [_problem(session.account, r) for r in setup_plan["refused"]]
            changed = filter_notes(session)
            problems += [_problem(session.account, note) for note in changed if note.startswith("WARNING")]
            tested = test_contact_notes(
                session.config, session.account, session.mirror, session.joined, session.destination()
            )
            destination, stores = session.destination(), (session.config, session.journal, session.account)
            dynamic = destination.capabilities.dynamic_lists
            specs = field_specs(*stores), list_specs(*stores, dynamic)
            blind = blind_notes(destination, *specs, session.config.guards.max_enrolled)
            setup_plan["notes"] += changed + tested + blind
        made, targets = (
            session.journal.objects.of(session.account),
            targets_of(session.config, session.account),
        )
        last = kept(session.journal, session.account, session.config.state_dir / "mirror.duckdb")
        problems += [
            _problem(session.account, p.what, p.remedy)
            for p in (without_match(last, session.settings) if last else ())
        ]
        cells = untaken(last) if last and session.settings.crm != "files" else []  # files are read just now
        notes = [
            *setup_plan["notes"],
            *orphan_notes(session.account, made, targets, session.settings.time_zone),
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


def _problem(account: str, what: str, remedy: str = "") -> Answer:
    return {"account": account, "what": sentence(what), "remedy": sentence(remedy)}


def setup(
    config: Config | Path | str,
    options: Options | None = None,
    confirm: Callable[[Answer], bool] = lambda _steps: True,
    adopt: Sequence[str] = (),
    export: Path | None = None,
    new_names: bool = False,
) -> Answer:
    """Show the fields and lists to create, and create them once confirmed; with ``export`` only write the steps."""

    def work(session: Session) -> Answer:
        from sync.plan.dynamic_lists import filter_notes
        from sync.plan.setup import apply_setup, plan_setup
        from sync.plan.setup import export as write_down

        steps = plan_setup(session, adopt, new_names)
        shown = {"setup": steps.as_dict()}
        if export is not None:
            files = [
                str(path)
                for path in write_down(
                    session.destination(), session.journal, session.account, session.run, steps, export
                )
            ]
            return {**shown, "made": 0, "exported": files[0], "files": files}
        if steps.refused or not steps.steps or confirm(steps.as_dict()):
            made = apply_setup(session, steps)
            return {**shown, "made": made, "notes": filter_notes(session) if made else []}
        return {**shown, "made": 0, **declined("Nothing created. Run again with --yes to create them.")}

    return each_account(config, options, "setup", work)


def schedule(
    config: Config | Path | str,
    options: Options | None = None,
    kind: str | None = None,
    at: str = "02:30",
) -> Answer:
    """What schedulers need to run this config every day, and to notice when it did not: text by the
    scheduler's name.
    """
    from datetime import time

    from sync.start import schedule as schedulers

    if kind is not None and kind not in schedulers.KINDS:
        raise UsageError(f"{kind!r} is an unknown scheduler: {', '.join(schedulers.KINDS)}")
    try:
        moment = time.fromisoformat(at)
    except ValueError:
        raise UsageError(f"{at!r} is not a time of day; write it as HH:MM, such as 02:30") from None
    texts = schedulers.schedule(config_of(config), moment)
    return {"exit_code": 0, "schedules": {name: text for name, text in texts.items() if kind in (None, name)}}
