"""Retire: clear what we wrote in a field or list that the config no longer names. Nothing else clears it."""

from __future__ import annotations

from sync.account.session import Session
from sync.account.targets import targets_of
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.log import stage
from sync.plan.plan import Planned, begin_changes, finish
from sync.store.mirror import literal
from sync.store.write_history import catch_up


@stage("plan retire")
def retire(session: Session, target: str) -> Planned:
    """Plan to clear our values in a target; those of other people are ``kept``. The empty field or list
    stays, for people to remove.

    CommandError where there is nothing that could be cleared, with the reason.
    """
    journal, mirror = session.journal, session.mirror()
    made = {row.key: row for row in journal.objects.of(session.account)}
    if target not in made:
        raise CommandError(
            f"{target!r} is no field or list of ours in account {session.account}: we have {', '.join(made) or 'none'}"
        )
    if target in {t.name for t in targets_of(session.config, session.account)}:
        raise CommandError(
            f"{target} is still in the config: take its segmentation out first, then retire it"
        )
    kind = made[target].kind
    _require_there(session, kind, target, made[target].remote)
    catch_up(journal, mirror)
    consent = consent_of(session)
    begin_changes(mirror)
    gather(session, kind, target, "true", "clear")
    mirror.run(
        f"""INSERT INTO conflicts SELECT record, {literal(target)}, NULL, value FROM actual WHERE target = {literal(target)}
            AND coalesce(value, '') <> '' AND record NOT IN (SELECT record FROM changes)"""
    )
    return finish(session, consent, Planned(), "retire", {})


def _require_there(session: Session, kind: str, target: str, remote: str) -> None:
    """CommandError where the CRM has the target no longer, or fills it by itself."""
    if kind == "field":
        if not any(name == target for _type, name in session.destination().fields()):
            raise CommandError(
                f"field {target} is no longer in account {session.account}, or hidden from us: there is nothing to clear"
            )
        return
    remote_list = session.lists.get(remote)
    if remote_list is None:
        raise CommandError(
            f"list {target} is no longer in account {session.account}: there is nothing to clear"
        )
    if remote_list.kind == "dynamic":
        raise CommandError(
            f"the CRM fills list {target} by itself, from a field of ours: delete the list there, or retire that field, which empties it"
        )


def gather(session: Session, kind: str, target: str, where: str, action: str) -> None:
    """Gather into ``changes`` the clearing of our values in a target, of the records that meet a SQL
    condition.

    What we wrote on a record that was merged stands on its survivor.
    """
    name, empty = literal(target), "NULL" if kind == "list" else "''"
    session.mirror().run(
        f"""INSERT INTO changes SELECT a.record, {name}, {literal(kind)}, {name}, false, a.value, {empty}, {literal(action)}, true, true
            FROM (SELECT * FROM actual WHERE {where}) AS a
            JOIN (SELECT coalesce(survivor, record) AS record, after, arg_max(mine, opened) AS mine
                  FROM written LEFT JOIN redirects USING (record) WHERE target = {name} GROUP BY ALL) AS w
            ON w.record = a.record AND w.after = a.value WHERE a.target = {name} AND w.mine AND coalesce(a.value, '') <> ''
            AND a.record NOT IN (SELECT record FROM redirects)"""
    )
