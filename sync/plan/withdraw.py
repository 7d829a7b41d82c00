"""Withdraw: take away what consent forbids, before anything else is planned.

Neither guards nor holds stop it.
"""

from __future__ import annotations

from sync.account import consent
from sync.account.session import Session
from sync.log import stage
from sync.plan.plan import Planned, Selection, begin_changes, compare, finish, made_targets, prepare_refused
from sync.plan.retire import gather
from sync.store.write_history import catch_up


@stage("withdraw")
def withdraw(session: Session) -> Planned:
    """Plan to clear what we wrote on people who object to profiling, and to empty campaign lists of those who
    cannot be reached.

    Targets that the config no longer names are cleared too; those that set-up has not made yet hold nothing.
    """
    mirror, planned = session.mirror(), Planned()
    consent.prepare(session)
    held = consent.held_against(session)
    if not held:
        return planned
    catch_up(session.journal, mirror)
    begin_changes(mirror)
    prepare_refused(session)
    found = made_targets(session)
    for target in (one for one in found.ready if one.name in held):
        compare(session, target, Selection(withdrawn=True), False, found)
    for kind, name in (one for one in found.retired if one[1] in held):
        gather(session, kind, name, "record IN (SELECT record FROM consents WHERE objects)", "withdraw")
    return finish(session, planned, "consent", {})
