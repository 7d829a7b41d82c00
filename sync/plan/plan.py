"""Plan: what does a run change?

First everything is gathered: what the CRM has (``sync.plan.remote_state``), what labels want and consent allows,
what the CRM holds, and what we wrote before (``sync.plan.gather``). What follows from it, ``sync.plan.decide``
says; ``sync.plan.finish`` weighs and saves it. Before set-up it is a preview (``sync.plan.preview``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sync.account.session import Session
from sync.account.targets import Target, field_specs, list_specs, targets_of
from sync.config.config import Config
from sync.consent.consent import Consent, consent_of
from sync.exit_codes import SetupNeeded
from sync.log import stage
from sync.plan.decide import decide
from sync.plan.finish import Header, Planned, basis, finish
from sync.plan.gather import compare, write_history
from sync.plan.orphans import marked_notes, note_owners, orphan_notes, orphans
from sync.plan.preview import named
from sync.plan.reading_guards import reading_trips
from sync.plan.remote_state import as_set_up, forms_of, made_targets, remote_state
from sync.plan.selection import Selection
from sync.store.journal import Journal
from sync.store.label_tables import labels_of
from sync.store.list_pages import keep_list_pages
from sync.store.mirror import AccountMirror
from sync.store.scratch import Scratch
from sync.store.write_history import catch_up


@stage("plan")
def plan(
    session: Session,
    selection: Selection | None = None,
    adopt: bool = False,
    preview: bool = False,
    split: bool = False,
) -> Planned:
    """Compare and decide; save what is to be done as a plan that ``apply`` carries out.

    ``preview``: where fields or lists are missing, plan as if set-up had made them; SetupNeeded otherwise. ``split``: as two
    plans, where only a part needs an approval.
    """
    config, account, journal, mirror = session.config, session.account, session.journal, session.mirror()
    catch_up(journal, mirror)
    consent, objects = consent_of(session.mirror(), session.joined()), journal.objects.of(account)
    remote = remote_state(session.destination(), lambda: session.lists, objects)
    lists_seen = list(remote.lists.values())
    keep_list_pages(mirror, list(remote.lists), lambda: session.destination().list_pages(lists_seen))
    made, targets = made_targets(config, account, objects, remote), targets_of(config, account)
    moment = session.clock().isoformat(timespec="seconds")
    note_owners(journal.objects, account, objects, targets, remote, moment)
    objects = journal.objects.of(account)
    missing = made.missing
    if missing and not preview:
        raise SetupNeeded(
            f"account {account} does not have {named(missing)} yet: run `crm-segments setup` (it asks before it creates anything)"
        )
    if missing:
        lists = list_specs(config, journal, account, remote.capabilities.dynamic_lists)
        made = as_set_up(made, targets, lists)
    on_hold = _on_hold(config, journal, account, release="undone" in session.allow)
    planned = Planned(
        preview=missing,
        deleted=made.deleted,
        retired=sorted({row.key for row in orphans(objects, targets)}),
        orphans=[
            *orphan_notes(account, objects, targets, session.settings.time_zone),
            *marked_notes(account, remote.fields, objects, targets),
        ],
        held=on_hold,
        withheld=_withheld(mirror, consent, [*made.ready, *made.filled]),
    )
    reading = reading_trips(session)
    chosen, objecting = selection or Selection(), Selection(withdrawn=True)
    selections = {target: objecting if target.segmentation in on_hold else chosen for target in made.ready}
    with Scratch(mirror) as scratch:
        specs = field_specs(config, journal, account)
        differences = compare(
            scratch, consent, selections, made, partial(forms_of, session.destination(), specs)
        )
        moment = session.clock().isoformat(timespec="microseconds")
        history = write_history(scratch, journal.rejects.waiting(account, moment))
        overwrite = session.settings.on_conflict == "overwrite"
        decision = decide(scratch, differences, history, adopt, overwrite)
        whole = [target for target in made.ready if chosen.whole and target.segmentation not in on_hold]
        header = Header("forward", basis(config, journal, account), whole)
        return finish(session, scratch, consent, decision, header, planned, reading, split)


def _withheld(mirror: AccountMirror, consent: Consent, targets: Sequence[Target]) -> dict[str, int]:
    """How many labelled records each segmentation's campaign lists leave out, because nobody may reach them
    there.
    """
    campaigns = {target.segmentation: target for target in targets if target.channel}
    withheld = {
        name: int(
            mirror.value(
                f"SELECT count(*) FROM ({labels_of(name)}) WHERE segment IS NOT NULL AND record IN ({consent.unreachable(target)})"
            )
        )
        for name, target in campaigns.items()
    }
    return {name: number for name, number in withheld.items() if number}


def _on_hold(config: Config, journal: Journal, account: str, release: bool) -> list[str]:
    """Segmentations that an undo put on hold; a changed config or ``release`` lets them go."""
    on_hold = []
    digests = {s.name: config.digest(s) for s in config.segmentations_of(account)}
    for hold in journal.holds.of(account):
        if release or digests.get(hold.segmentation) != hold.digest:
            journal.holds.release(account, hold.segmentation)
        else:
            on_hold.append(hold.segmentation)
    return on_hold
