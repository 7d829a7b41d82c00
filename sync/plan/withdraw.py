"""Withdraw: take away what consent forbids, before anything else is planned.

Neither guards nor holds stop it.
"""

from __future__ import annotations

from functools import partial

from sync.account.session import Session
from sync.account.targets import field_specs, targets_of
from sync.consent.consent import consent_of, held_against
from sync.log import stage
from sync.plan.decide import decide
from sync.plan.finish import Decision, Header, Planned, finish
from sync.plan.gather import compare, write_history
from sync.plan.remote_state import forms_of, made_targets, remote_state
from sync.plan.retire import cleared
from sync.plan.selection import Selection
from sync.store.relation import Relation
from sync.store.scratch import Scratch
from sync.store.write_history import catch_up


@stage("withdraw")
def withdraw(session: Session) -> Planned:
    """Plan to clear what we wrote on people who object to profiling, and to empty campaign lists of those who
    cannot be reached.

    Targets that the config no longer names are cleared too; those that set-up has not made yet hold nothing.
    """
    config, account, journal, mirror = session.config, session.account, session.journal, session.mirror()
    consent = consent_of(session.mirror(), session.joined())
    names = held_against(mirror, consent, targets_of(config, account))
    if not names:
        return Planned()
    catch_up(journal, mirror)
    objects = journal.objects.of(account)
    made = made_targets(
        config, account, objects, remote_state(session.destination(), lambda: session.lists, objects)
    )
    objecting = Selection(withdrawn=True)
    selections = {target: objecting for target in made.ready if target.name in names}
    with Scratch(mirror) as scratch:
        specs = field_specs(config, journal, account)
        differences = compare(
            scratch, consent, selections, made, partial(forms_of, session.destination(), specs)
        )
        moment = session.clock().isoformat(timespec="microseconds")
        history = write_history(scratch, journal.rejects.waiting(account, moment))
        overwrite = session.settings.on_conflict == "overwrite"
        decision = decide(scratch, differences, history, adopt=False, overwrite=overwrite)
        retired = [
            cleared(kind, name, "withdraw", consent.objectors) for kind, name in made.retired if name in names
        ]
        changes = scratch.table(
            Relation(" UNION ALL ".join(f"({part})" for part in (decision.changes, *retired)))
        )
        decision = Decision(changes, decision.conflicts)
        return finish(session, scratch, consent, decision, Header("consent"), Planned())
