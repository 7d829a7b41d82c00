"""Withdraw: take away what consent forbids, before anything else is planned.

Neither guards nor holds stop it.
"""

from __future__ import annotations

from sync.account.session import Session
from sync.account.targets import targets_of
from sync.consent.consent import consent_of, held_against
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
    consent = consent_of(session)
    target_names = held_against(mirror, consent, targets_of(session.config, session.account))
    if not target_names:
        return planned
    catch_up(session.journal, mirror)
    begin_changes(mirror)
    prepare_refused(session)
    made = made_targets(session)
    for target in (candidate for candidate in made.ready if candidate.name in target_names):
        compare(session, consent, target, Selection(withdrawn=True), False, made)
    for kind, name in (candidate for candidate in made.retired if candidate[1] in target_names):
        gather(session, kind, name, f"record IN ({consent.objectors})", "withdraw")
    return finish(session, consent, planned, "consent", {})
