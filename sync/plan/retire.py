"""Retire: clear what we wrote in a field or list that the config no longer names. Nothing else clears it."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.contract import FieldSpec, RemoteList
from sync.account.session import Session
from sync.account.targets import targets_of
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.log import stage
from sync.plan.finish import Decision, Header, Planned, finish
from sync.store.actual import values_in
from sync.store.ids import MERGED
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch
from sync.store.write_history import WRITTEN, catch_up


@stage("plan retire")
def retire(session: Session, target: str) -> Planned:
    """Plan to clear our values in a target; those of other people are ``kept``. The empty field or list
    stays, for people to remove.

    CommandError where there is nothing that could be cleared, with the reason.
    """
    account, journal, mirror = session.account, session.journal, session.mirror()
    made = {row.key: row for row in journal.objects.of(account)}
    if target not in made:
        raise CommandError(
            f"{target!r} is not a field or list of crm-segments in account {account}; valid: {', '.join(made) or 'none'}"
        )
    if target in {t.name for t in targets_of(session.config, account)}:
        raise CommandError(f"{target} is still in the config: remove its segmentation first, then retire it")
    kind = made[target].kind
    if kind == "field":
        _require_field(session.destination().fields(), target, account)
    else:
        _require_list(session.lists.get(made[target].remote), target, account)
    catch_up(journal, mirror)
    consent = consent_of(session.mirror(), session.joined())
    with Scratch(mirror) as scratch:
        changes = scratch.table(cleared(kind, target, "clear"))
        others = f"coalesce(value, '') <> '' AND record NOT IN (SELECT record FROM ({changes}))"
        columns = f"record, {literal(target)} AS target, NULL::VARCHAR AS wanted, value AS actual"
        conflicts = Relation(f"SELECT {columns} FROM ({values_in(target)}) WHERE {others}")
        return finish(session, scratch, consent, Decision(changes, conflicts), Header("retire"), Planned())


def _require_field(fields: Mapping[tuple[str, str], FieldSpec], target: str, account: str) -> None:
    """CommandError where the CRM has the field no longer."""
    if not any(name == target for _type, name in fields):
        raise CommandError(
            f"Field {target} is no longer in account {account}, or hidden from crm-segments: there is nothing to clear"
        )


def _require_list(remote: RemoteList | None, target: str, account: str) -> None:
    """CommandError where the CRM has the list no longer, or fills it by itself."""
    if remote is None:
        raise CommandError(f"List {target} is no longer in account {account}: there is nothing to clear")
    if remote.kind == "dynamic":
        raise CommandError(
            f"The CRM fills list {target} by itself, from a field of crm-segments: delete the list there, or retire "
            "that field, which empties it"
        )


def cleared(kind: str, target: str, action: str, records: Relation | None = None) -> Relation:
    """The changes that clear our values in a target, of these records alone where they are given.

    What we wrote on a record that was merged stands on its survivor.
    """
    name, empty = literal(target), "NULL::VARCHAR" if kind == "list" else "''"
    among = "" if records is None else f"AND a.record IN ({records})"
    return Relation(
        f"""SELECT a.record, {name} AS target, {literal(kind)} AS kind, {name} AS segmentation, false AS extra_field,
                a.value AS before, {empty} AS after, {literal(action)} AS action, true AS mine_before, true AS mine_after
            FROM ({values_in(target)}) AS a
            JOIN (SELECT coalesce(survivor, record) AS record, after, arg_max(mine, opened) AS mine
                  FROM ({WRITTEN}) LEFT JOIN ({MERGED}) USING (record) WHERE target = {name} GROUP BY ALL) AS w
            ON w.record = a.record AND w.after = a.value WHERE w.mine AND coalesce(a.value, '') <> ''
            AND a.record NOT IN (SELECT record FROM ({MERGED})) {among}"""
    )
