"""Guards: what stops a plan before its first write, in shares and in counts.

They read the table ``changes`` of a plan.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.account.session import Session
from sync.config.settings import Limit
from sync.exit_codes import Trip
from sync.plan.reading_guards import reading_trips
from sync.store.mirror import literal


def calls(session: Session, table: str = "changes") -> int:
    """Calls that the gathered changes cost, by the connector's cost model; ``table``: only those of this view
    of them.
    """
    able, mirror = session.destination().capabilities, session.mirror()

    def cost(records: int, size: int, members: bool) -> int:
        full, remainder = divmod(records, size)
        return full * able.write_calls(size, members) + (
            able.write_calls(remainder, members) if remainder else 0
        )

    total = 0
    for (records,) in mirror.rows(
        f"SELECT count(DISTINCT record) FROM {table} JOIN ids USING (record) WHERE kind = 'field' GROUP BY record_type"
    ):
        total += cost(records, able.batch_size, members=False)
    for (members,) in mirror.rows(f"SELECT count(*) FROM {table} WHERE kind = 'list' GROUP BY target"):
        total += cost(members, able.member_batch_size, members=True)
    return total


_ASKED_FOR = ("undo", "retire")


def trips(session: Session, cost: int, kind: str = "forward") -> list[Trip]:
    """Every guard that the gathered changes of a plan of that kind trip; of a ``forward`` one, which is made
    from what was read, every guard on that too.

    Naming what to undo or to retire settles shares (its own size is what goes); counts hold all the same.
    What consent takes away is weighed by none.
    """
    session.mirror().run(
        "CREATE OR REPLACE TEMP VIEW weighed AS SELECT * FROM changes WHERE action <> 'withdraw'"
    )
    if _prepare_approved(session, kind):
        if not session.mirror().value("SELECT count(*) FROM weighed WHERE NOT extra_field"):
            return []
        cost = calls(session, "weighed")
    tripped = [trip for trip in _trips(session, cost, kind in _ASKED_FOR) if trip.guard not in session.allow]
    return sorted(
        [*tripped, *(reading_trips(session) if kind == "forward" else [])], key=lambda trip: trip.guard
    )


def _prepare_approved(session: Session, kind: str) -> bool:
    """Whether a plan of that kind was cut off while it was applied: then ``weighed`` is what of the changes was not
    approved with it.
    """
    journal, mirror = session.journal, session.mirror()
    unfinished = [
        plan
        for plan in journal.plans.unfinished(session.account)
        if plan.state == "applying" and plan.kind == kind
    ]
    if not unfinished:
        return False
    mirror.run("CREATE OR REPLACE TEMP TABLE approved (record BIGINT, target VARCHAR, after VARCHAR)")
    for batch in journal.batches.of(plan=unfinished[-1].plan):
        mirror.run(
            "INSERT INTO approved SELECT record, target, after FROM frame JOIN ids USING (record_type, id)",
            frame=batch.changes(),
        )
    mirror.run(
        """CREATE OR REPLACE TEMP VIEW weighed AS SELECT c.* FROM changes AS c WHERE action <> 'withdraw' AND NOT EXISTS (
               SELECT 1 FROM approved AS a WHERE a.record = c.record
               AND (c.extra_field OR (a.target = c.target AND coalesce(a.after, '') = coalesce(c.after, ''))))"""
    )
    return True


def _trips(session: Session, cost: int, asked_for: bool) -> Iterator[Trip]:
    guards, mirror = session.config.guards, session.mirror()
    first = _first(session)
    new = f"segmentation IN ({', '.join(map(literal, first)) or 'NULL'})"
    yield from _by_segment(session, first, asked_for)
    for segmentation, holders, moved, cleared in mirror.rows(
        """SELECT segmentation, any_value(holders), count(*) FILTER (action IN ('set', 'restore') AND coalesce(before, '') <> '' AND
            coalesce(after, '') <> ''),
                   count(*) FILTER (coalesce(after, '') = '' AND coalesce(before, '') <> '')
            FROM weighed JOIN (SELECT target, count(*) AS holders FROM actual WHERE coalesce(value, '') <> '' GROUP BY target) USING
                (target)
            WHERE kind = 'field' AND NOT extra_field GROUP BY segmentation"""
    ):
        if over(guards.max_change, moved, holders, asked_for):
            yield Trip(
                "max_change",
                f"{moved:,} of the {holders:,} records labelled by {segmentation} would change their segment{_limits(guards.max_change)}",
            )
        if over(guards.max_cleared, cleared, holders, asked_for):
            yield Trip(
                "max_cleared",
                f"{cleared:,} of the {holders:,} records labelled by {segmentation} would lose their segment{_limits(guards.max_cleared)}",
            )
    overwritten = mirror.value("SELECT count(*) FROM weighed WHERE action = 'overwrite'")
    if over(guards.max_overwrite, overwritten, mirror.value("SELECT count(*) FROM records"), asked_for):
        yield Trip(
            "max_overwrite",
            f"{overwritten:,} values that other people wrote would be overwritten{_limits(guards.max_overwrite)}",
        )
    writes, later_writes = mirror.rows(
        f"SELECT count(*), count(*) FILTER (NOT coalesce({new}, false)) FROM weighed"
    )[0]
    if over(guards.max_writes, writes, writes, asked_for):
        yield Trip(
            "max_writes",
            f"{writes:,} changes in one plan{_limits(guards.max_writes)}",
            first=not over(guards.max_writes, later_writes, later_writes, asked_for),
        )
    if over(guards.max_calls, cost, cost, asked_for):
        yield Trip("max_calls", f"applying this takes {cost:,} calls{_limits(guards.max_calls)}")


def _by_segment(session: Session, first: list[str], asked_for: bool) -> Iterator[Trip]:
    """Newcomers and leavers of each segment against its size, from the segmentations' own fields."""
    guards, mirror = session.config.guards, session.mirror()
    rows = mirror.rows(
        """WITH own AS (SELECT * FROM weighed WHERE kind = 'field' AND NOT extra_field),
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
                yield Trip(
                    "max_enter",
                    f"{enters:,} records would enter {name} in the first labelling by {segmentation}",
                    first=True,
                )
            continue
        if over(guards.max_enter, enters, size, asked_for):
            yield Trip(
                "max_enter",
                f"{enters:,} records would enter {name}, which holds {size:,}{_limits(guards.max_enter)}",
            )
        if over(guards.max_leave, leaves, size, asked_for):
            yield Trip(
                "max_leave",
                f"{leaves:,} of the {size:,} records in {name} would leave it{_limits(guards.max_leave)}",
            )
        least = guards.min_size.count or 0
        if size - leaves + enters < least <= size:
            yield Trip(
                "min_size",
                f"{name} would shrink from {size:,} to {size - leaves + enters:,} records, {least:,} is the least",
            )


def _first(session: Session) -> list[str]:
    """Segmentations of which this account never held a value of ours: their first labelling is reviewed by a
    person.
    """
    mirror = session.mirror()
    return [
        name
        for (name,) in mirror.rows("SELECT DISTINCT segmentation FROM changes WHERE action <> 'restore'")
        if not mirror.value(
            "SELECT count(*) FROM written WHERE mine AND coalesce(after, '') <> '' AND target IN (SELECT target FROM changes WHERE "
            "segmentation = ? AND kind = 'field' AND NOT extra_field)",
            [name],
        )
    ]


def over(limit: Limit, number: int, of: int, asked_for: bool = False) -> bool:
    """Whether a number breaks a limit: its count, or its share of ``of`` where there are enough of them to
    judge.
    """
    if not number:
        return False
    if limit.count is not None and number > limit.count:
        return True
    return limit.share is not None and not asked_for and number >= limit.floor and number > limit.share * of


def _limits(limit: Limit) -> str:
    parts = [
        f"{limit.share:.0%}" if limit.share is not None else "",
        f"{limit.count:,}" if limit.count is not None else "",
    ]
    allowed = " or ".join(part for part in parts if part)
    return f" (at most {allowed})" if allowed else ""
