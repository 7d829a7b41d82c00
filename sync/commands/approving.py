"""What do approve and reject do? Somebody decides about a plan; ``apply`` carries out what was approved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sync.config.config import Config
from sync.per_account import Answer, Options, Work, each_account
from sync.store.journal import Journal

if TYPE_CHECKING:
    from sync.plan.approval import Asked
    from sync.store.journal.approvals import PlanDecision


def approve(
    config: Config | Path | str,
    options: Options | None = None,
    number: int = 0,
    first: int | None = None,
    without: Sequence[str] = (),
    who: str | None = None,
) -> Answer:
    """Let a plan be carried out: all of it, the ``first`` records as a trial, or all but some segments
    (SEGMENTATION.SEGMENT, or SEGMENT where only one has it).

    ``who``: as a server that authenticated them knows them; None: the user that this process belongs to. It writes
    nothing to the CRM.
    """
    from sync.account.segment_catalog import named_in_full
    from sync.plan import approval
    from sync.store.journal.database import user

    return _decide(
        config,
        options,
        "approve",
        number,
        lambda session: _kept(
            *(session.journal, session.account, number),
            lambda about: approval.approve(
                session.config.approval,
                about,
                who or user(),
                session.clock(),
                first,
                [named_in_full(session.config, session.account, name) for name in without],
            ),
        ),
    )


def reject(
    config: Config | Path | str,
    options: Options | None = None,
    number: int = 0,
    reason: str = "",
    who: str | None = None,
) -> Answer:
    """Refuse a plan, with a reason: it is not carried out. ``who``: as in ``approve``."""
    from sync.plan import approval
    from sync.store.journal.database import user

    return _decide(
        config,
        options,
        "reject",
        number,
        lambda session: _kept(
            *(session.journal, session.account, number),
            lambda about: approval.reject(about, who or user(), session.clock(), reason),
        ),
    )


def _kept(journal: Journal, account: str, number: int, decided: Callable[[Asked], PlanDecision]) -> Answer:
    """What is decided about a plan, kept in the journal."""
    from sync.plan.approval import asked

    about = asked(journal, account, number)
    decision = decided(about)
    journal.approvals.add(decision)
    told = {key: value for key, value in asdict(decision).items() if key not in ("approval", "account")}
    return {**told, **{key: about.plan.summary.get(key) for key in ("changes", "records")}}


def _decide(
    config: Config | Path | str, options: Options | None, command: str, number: int, work: Work
) -> Answer:
    def owner(journal: Journal) -> str | None:
        return journal.plans.account_of(number)

    return each_account(config, options, command, work, journalled=False, owner=owner)
