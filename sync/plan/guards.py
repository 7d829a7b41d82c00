"""Guards: what stops a plan before its first write, in shares and in counts. They read the table ``changes`` of a plan."""

from __future__ import annotations

from collections.abc import Iterator

from sync.account.session import Session
from sync.config.settings import Limit
from sync.stops import Trip
from sync.store.mirror import literal


def calls(session: Session) -> int:
    """Calls that the gathered changes cost, by the connector's cost model."""
    able, mirror = session.connector().capabilities, session.mirror()

    def cost(records: int, size: int, members: bool) -> int:
        full, rest = divmod(records, size)
        return full * able.write_calls(size, members) + (able.write_calls(rest, members) if rest else 0)

    total = 0
    for (records,) in mirror.rows(
        "SELECT count(DISTINCT record) FROM changes JOIN ids USING (record) WHERE kind = 'field' GROUP BY record_type"
    ):
        total += cost(records, able.batch_size, members=False)
    for (members,) in mirror.rows("SELECT count(*) FROM changes WHERE kind = 'list' GROUP BY target"):
        total += cost(members, able.member_batch_size, members=True)
    return total


def trips(session: Session, cost: int, undo: bool = False) -> list[Trip]:
    """Every guard that the gathered changes trip.

    Naming a run to ``undo`` settles shares (the run's own size is what goes back); counts hold all the same. What consent
    takes away is weighed by none.
    """
    session.mirror().run("CREATE OR REPLACE TEMP VIEW weighed AS SELECT * FROM changes WHERE action <> 'withdraw'")
    approved = _prepare_judged(session)
    if approved:
        return []
    found = [trip for trip in _trips(session, cost, undo) if trip.guard not in session.allow]
    return sorted(found, key=lambda trip: trip.guard)


def _prepare_judged(session: Session) -> bool:
    """Whether all of this was approved before: it is the rest of a plan that was being applied when it was cut off."""
    journal, mirror = session.journal, session.mirror()
    unfinished = journal.rows(
        "SELECT plan FROM plans WHERE account = ? AND state = 'applying' AND kind <> 'consent' ORDER BY plan DESC LIMIT 1",
        session.account,
    )
    if not unfinished:
        return False
    missing = mirror.value("SELECT count(*) FROM weighed")
    mirror.run("CREATE OR REPLACE TEMP TABLE approved (record BIGINT, target VARCHAR, after VARCHAR)")
    for batch in journal.batches(plan=unfinished[0]["plan"]):
        mirror.run("INSERT INTO approved SELECT record, target, after FROM frame JOIN ids USING (record_type, id)", frame=batch.changes())
    if missing:
        missing = mirror.value(
            """SELECT count(*) FROM weighed ANTI JOIN approved ON weighed.record = approved.record AND weighed.target = approved.target
               AND coalesce(weighed.after, '') = coalesce(approved.after, '') WHERE NOT companion"""
        )
    return bool(missing == 0)


def _trips(session: Session, cost: int, undo: bool) -> Iterator[Trip]:
    guards, mirror = session.config.guards, session.mirror()
    first = _first(session)
    new = f"segmentation IN ({', '.join(map(literal, first)) or 'NULL'})"
    yield from _by_segment(session, first, undo)
    for segmentation, holders, moved, cleared in mirror.rows(
        """SELECT segmentation, any_value(holders), count(*) FILTER (action IN ('set', 'restore') AND coalesce(before, '') <> '' AND
            coalesce(after, '') <> ''),
                   count(*) FILTER (coalesce(after, '') = '' AND coalesce(before, '') <> '')
            FROM weighed JOIN (SELECT target, count(*) AS holders FROM actual WHERE coalesce(value, '') <> '' GROUP BY target) USING
                (target)
            WHERE kind = 'field' AND NOT companion GROUP BY segmentation"""
    ):
        if over(guards.max_change, moved, holders, undo):
            yield Trip(
                "max_change",
                f"{moved:,} of the {holders:,} records labelled by {segmentation} would change their segment{_limits(guards.max_change)}",
            )
        if over(guards.max_cleared, cleared, holders, undo):
            yield Trip(
                "max_cleared",
                f"{cleared:,} of the {holders:,} records labelled by {segmentation} would lose their segment{_limits(guards.max_cleared)}",
            )
    overwritten = mirror.value("SELECT count(*) FROM weighed WHERE action = 'overwrite'")
    if over(guards.max_overwrite, overwritten, mirror.value("SELECT count(*) FROM records"), undo):
        yield Trip("max_overwrite", f"{overwritten:,} values that other people wrote would be overwritten{_limits(guards.max_overwrite)}")
    writes, rest = mirror.rows(f"SELECT count(*), count(*) FILTER (NOT coalesce({new}, false)) FROM weighed")[0]
    if over(guards.max_writes, writes, writes, undo):
        yield Trip(
            "max_writes", f"{writes:,} changes in one plan{_limits(guards.max_writes)}", first=not over(guards.max_writes, rest, rest, undo)
        )
    if over(guards.max_calls, cost, cost, undo):
        yield Trip("max_calls", f"applying this takes {cost:,} calls{_limits(guards.max_calls)}")


def _by_segment(session: Session, first: list[str], undo: bool) -> Iterator[Trip]:
    """Newcomers and leavers of each segment against its size, from the segmentations' own fields."""
    guards, mirror = session.config.guards, session.mirror()
    rows = mirror.rows(
        """WITH own AS (SELECT * FROM weighed WHERE kind = 'field' AND NOT companion),
           sizes AS (SELECT target, value AS segment, count(*) AS size FROM actual WHERE coalesce(value, '') <> '' GROUP BY ALL),
           enters AS (SELECT segmentation, target, after AS segment, count(*) AS number FROM own WHERE coalesce(after, '') <> '' GROUP BY
               ALL),
           leaves AS (SELECT segmentation, target, before AS segment, count(*) AS number FROM own WHERE coalesce(before, '') <> '' GROUP
               BY ALL)
           SELECT coalesce(e.segmentation, l.segmentation), segment, coalesce(e.number, 0), coalesce(l.number, 0), coalesce(s.size, 0)
           FROM enters AS e FULL JOIN leaves AS l USING (target, segment) LEFT JOIN sizes AS s USING (target, segment) ORDER BY ALL"""
    )
    for segmentation, segment, enters, leaves, size in rows:
        name = f"{segmentation}.{segment}"
        if segmentation in first:
            if enters:
                yield Trip("max_enter", f"{enters:,} records would enter {name} in the first labelling by {segmentation}", first=True)
            continue
        if over(guards.max_enter, enters, size, undo):
            yield Trip("max_enter", f"{enters:,} records would enter {name}, which holds {size:,}{_limits(guards.max_enter)}")
        if over(guards.max_leave, leaves, size, undo):
            yield Trip("max_leave", f"{leaves:,} of the {size:,} records in {name} would leave it{_limits(guards.max_leave)}")
        least = guards.min_size.count or 0
        if size - leaves + enters < least <= size:
            yield Trip("min_size", f"{name} would shrink from {size:,} to {size - leaves + enters:,} records, {least:,} is the least")


def _first(session: Session) -> list[str]:
    """Segmentations of which this account never held a value of ours: their first labelling is reviewed by a person."""
    mirror = session.mirror()
    return [
        name
        for (name,) in mirror.rows("SELECT DISTINCT segmentation FROM changes WHERE action <> 'restore'")
        if not mirror.value(
            "SELECT count(*) FROM written WHERE mine AND coalesce(after, '') <> '' AND target IN (SELECT target FROM changes WHERE "
            "segmentation = ? AND kind = 'field' AND NOT companion)",
            [name],
        )
    ]


def over(limit: Limit, number: int, of: int, undo: bool = False) -> bool:
    """Whether a number breaks a limit: its count, or its share of ``of`` where there are enough of them to judge."""
    if not number:
        return False
    if limit.count is not None and number > limit.count:
        return True
    return limit.share is not None and not undo and number >= limit.floor and number > limit.share * of


def _limits(limit: Limit) -> str:
    parts = [f"{limit.share:.0%}" if limit.share is not None else "", f"{limit.count:,}" if limit.count is not None else ""]
    allowed = " or ".join(part for part in parts if part)
    return f" (at most {allowed})" if allowed else ""
