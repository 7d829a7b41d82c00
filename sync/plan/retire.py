"""Retire: clear what we wrote in fields and lists that the config no longer names, and take them away where the CRM
can. Nothing else clears them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.contract import Capabilities, FieldSpec, RemoteList
from sync.account.session import Session
from sync.account.targets import targets_of
from sync.config.config import Config
from sync.consent.consent import consent_of
from sync.exit_codes import CommandError
from sync.log import stage
from sync.plan.finish import Decision, Header, Planned, finish
from sync.plan.references import referring, require_none, unknown_trips
from sync.store.actual import values_in
from sync.store.ids import MERGED
from sync.store.journal.objects import MadeObject
from sync.store.mirror import literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch
from sync.store.write_history import WRITTEN, catch_up


@stage("plan retire")
def retire(session: Session, name: str) -> Planned:
    """Plan to clear our values in a segmentation's fields and lists (or in one field or list), and to archive or
    delete what is empty then, where the CRM can. Values of other people are ``kept``, and what holds them stays.

    CommandError where there is nothing to retire, GuardTripped where something of others refers to it.
    """
    account, journal, mirror = session.account, session.journal, session.mirror()
    rows = leaving(session.config, account, journal.objects.of(account), name)
    destination, lists = session.destination(), any(row.kind == "list" for row in rows)
    remotes = session.lists if lists else {}
    rows = _standing(account, name, rows, destination.fields(), remotes)
    referred = referring(destination, rows, remotes)
    require_none(referred, name)
    catch_up(journal, mirror)
    consent = consent_of(session.mirror(), session.joined())
    filled = {row.key for row in rows if row.kind == "list" and remotes[row.remote].kind == "dynamic"}
    targets = {row.key: row.kind for row in rows if row.key not in filled}
    with Scratch(mirror) as scratch:
        changes = scratch.table(_all(cleared(kind, target, "clear") for target, kind in targets.items()))
        others = (
            f"coalesce(value, '') <> '' AND (record, target) NOT IN (SELECT record, target FROM ({changes}))"
        )
        columns = "record, target, NULL::VARCHAR AS wanted, value AS actual"
        held = _all(
            Relation(f"SELECT *, {literal(target)} AS target FROM ({values_in(target)})")
            for target in targets
        )
        conflicts = scratch.table(Relation(f"SELECT {columns} FROM ({held}) WHERE {others}"))
        kept = dict(mirror.rows(f"SELECT target, count(*) FROM ({conflicts}) GROUP BY target"))
        able = destination.capabilities
        steps = [_step(row, able, remotes, int(kept.get(row.key, 0))) for row in _in_order(rows)]
        limits = [text for text in (able.way_back, referred.unseen) if text]
        over = all(row.retired for row in rows) and not mirror.value(f"SELECT count(*) FROM ({changes})")
        planned = Planned(retires={} if over else {"name": name, "steps": steps, "limits": limits})
        decision, trips = Decision(changes, conflicts), unknown_trips(referred, name)
        return finish(session, scratch, consent, decision, Header("retire"), planned, trips)


def leaving(config: Config, account: str, objects: Sequence[MadeObject], name: str) -> list[MadeObject]:
    """The fields and lists of a segmentation that the config no longer has, or the one field or list of that name."""
    named = {target.name for target in targets_of(config, account)}
    rows = _owned(objects, name) or [row for row in objects if row.key == name]
    still = any(settings.name == name for settings in config.segmentations)
    if all(row.key in named for row in rows) and (rows or still):
        raise CommandError(
            f"nothing was retired, because {name} is still in the config: remove its segmentation first, then retire it"
        )
    if not rows:
        valid = dict.fromkeys(
            part for row in objects if row.key not in named for part in (row.segmentation, row.key) if part
        )
        raise CommandError(
            f"{name!r} is not a field or list of crm-segments in account {account}, nor a segmentation that left the "
            f"config; valid: {', '.join(valid) or 'none'}"
        )
    return [row for row in rows if row.key not in named]


def _owned(objects: Sequence[MadeObject], segmentation: str) -> list[MadeObject]:
    """All of a segmentation. A field that an earlier version made is told by the lists that filter on it."""
    filtered = {row.form.get("field") for row in objects if row.segmentation == segmentation}
    endings = ("", "_reason", "_since", "_previous", "_score")
    fields = {f"{field}{ending}" for field in filtered if field for ending in endings}
    return [
        row
        for row in objects
        if row.segmentation == segmentation
        or (row.kind == "field" and not row.segmentation and row.key in fields)
    ]


def _standing(
    account: str,
    name: str,
    rows: Sequence[MadeObject],
    fields: Mapping[tuple[str, str], FieldSpec],
    lists: Mapping[str, RemoteList],
) -> list[MadeObject]:
    """Those that the CRM still has. CommandError: none."""
    there = [
        row
        for row in rows
        if (row.remote in lists if row.kind == "list" else (row.record_type, row.key) in fields)
    ]
    if there:
        return there
    runs = {row.retired["run"] for row in rows if row.retired}
    how = f"retired by run {max(runs)}" if runs else "deleted there, or hidden from crm-segments"
    what = "is" if len(rows) == 1 else "and all of its fields and lists are"
    raise CommandError(
        f"there is nothing to clear: {name} {what} no longer in account {account} ({how}). `crm-segments status` lists the "
        "runs"
    )


def _in_order(rows: Iterable[MadeObject]) -> list[MadeObject]:
    """Lists before the fields by which the CRM fills them."""
    return sorted(rows, key=lambda row: (row.kind != "list", row.key, row.record_type))


def _step(row: MadeObject, able: Capabilities, lists: Mapping[str, RemoteList], kept: int) -> dict[str, Any]:
    """What becomes of a field or list once our values are out of it."""
    is_list = row.kind == "list"
    action, why = ("delete", "") if is_list else ("archive", "")
    can = lists[row.remote].kind in able.deletes_lists if is_list else able.archives_fields
    if row.adopted:
        action, why = "stays", "somebody else made it"
    elif kept:
        action, why = "stays", f"it holds {kept:,} {'members' if is_list else 'values'} of other people"
    elif not can:
        action, why = "stays", "the CRM keeps it, empty"
    return {"kind": row.kind, "name": row.key, "record_type": row.record_type, "action": action, "why": why}


def _all(parts: Iterable[Relation]) -> Relation:
    """One relation of several of the same columns."""
    listed = [f"({part})" for part in parts]
    return Relation(" UNION ALL ".join(listed) if listed else str(cleared("field", "", "clear")))


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
