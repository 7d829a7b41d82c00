"""Retire: clear what we wrote in a field or list that the config no longer names. Nothing else clears it."""

from __future__ import annotations

from sync.account import consent
from sync.account.session import Session
from sync.account.targets import targets_of
from sync.plan.plan import Planned, begin_changes, finish
from sync.stops import Stop
from sync.store.mirror import literal
from sync.store.ownership import catch_up


def retire(session: Session, target: str) -> Planned:
    """Plan to clear our values in a target. The empty field or list stays, for people to remove."""
    journal, mirror = session.journal, session.mirror()
    made = {row["key"]: row for row in journal.made(session.account)}
    if target not in made:
        raise Stop(f"{target!r} is no field or list of ours in account {session.account}: we have {', '.join(made) or 'none'}")
    if target in {t.name for t in targets_of(session.config, session.account)}:
        raise Stop(f"{target} is still in the config: take its segmentation out first, then retire it")
    catch_up(journal, mirror)
    consent.prepare(session)
    begin_changes(mirror)
    gather(session, made[target]["kind"], target, "true", "clear")
    return finish(session, Planned(), "retire", {})


def gather(session: Session, kind: str, target: str, where: str, action: str) -> None:
    """Gather into ``changes`` the clearing of our values in a target, of the records that meet a SQL condition."""
    name, empty = literal(target), "NULL" if kind == "list" else "''"
    session.mirror().run(
        f"""INSERT INTO changes SELECT a.record, {name}, {literal(kind)}, {name}, false, a.value, {empty}, {literal(action)}, true, true
            FROM (SELECT * FROM actual WHERE {where}) AS a
            JOIN (SELECT record, after, arg_max(mine, opened) AS mine FROM written WHERE target = {name} GROUP BY record, after) AS w
            ON w.record = a.record AND w.after = a.value WHERE a.target = {name} AND w.mine AND coalesce(a.value, '') <> ''"""
    )
