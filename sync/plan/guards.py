"""Guards: what stops a plan before its first write, in shares and in counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import pyarrow as pa

from connectors.contract import Capabilities
from sync.config.settings import Guards, Limit
from sync.exit_codes import Trip
from sync.plan.usual_change import UsualChange, change_limit
from sync.store.actual import HELD
from sync.store.ids import IDS, PRESENT, numbered
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.scratch import Scratch, readable
from sync.store.test_contacts import without
from sync.store.write_history import WRITTEN

_ASKED_FOR = ("undo", "retire")


def calls(mirror: AccountMirror, changes: Relation, able: Capabilities) -> int:
    """Calls that changes cost, by the connector's cost model."""

    def cost(records: int, size: int, members: bool) -> int:
        full, remainder = divmod(records, size)
        return full * able.write_calls(size, members) + (
            able.write_calls(remainder, members) if remainder else 0
        )

    records_of_types = mirror.rows(
        f"SELECT count(DISTINCT record) FROM ({changes}) JOIN ({IDS}) USING (record) WHERE kind = 'field' GROUP BY record_type"
    )
    members_of_lists = mirror.rows(f"SELECT count(*) FROM ({changes}) WHERE kind = 'list' GROUP BY target")
    return sum(cost(records, able.batch_size, members=False) for (records,) in records_of_types) + sum(
        cost(members, able.member_batch_size, members=True) for (members,) in members_of_lists
    )


def weighed(scratch: Scratch, changes: Relation, approved: Iterable[pa.Table] | None) -> Relation | None:
    """The changes that guards judge: not what consent takes away, nor what was ``approved`` with a plan of that kind that
    was cut off (None: no plan was). None where nothing else is left to be changed.
    """
    judged = Relation(f"SELECT * FROM ({changes}) WHERE action <> 'withdraw'")
    if approved is None:
        return judged
    judged = not_approved(scratch, judged, approved)
    return judged if scratch.mirror.value(f"SELECT count(*) FROM ({judged}) WHERE NOT extra_field") else None


def trips(
    mirror: AccountMirror,
    judged: Relation,
    changes: Relation,
    limits: Guards,
    cost: int,
    kind: str,
    usual: Mapping[str, UsualChange],
) -> list[Trip]:
    """Every guard that the changes of a plan of that kind trip. ``judged``: those of the changes that are ``weighed``;
    ``cost``: calls that they take; ``usual``: what the last plans changed, by segmentation.

    Naming what to undo or to retire settles shares (its own size is what goes); counts hold all the same.
    """
    new = first_labelled(mirror, changes)
    asked_for = kind in _ASKED_FOR
    return [
        *_by_segment(mirror, judged, new, limits, asked_for),
        *_by_segmentation(mirror, judged, limits, asked_for, usual),
        *_of_all(mirror, judged, new, limits, cost, asked_for),
    ]


def not_approved(scratch: Scratch, changes: Relation, approved: Iterable[pa.Table]) -> Relation:
    """What of the changes was not approved before."""
    before = scratch.collection("record BIGINT, target VARCHAR, after VARCHAR")
    for part in approved:
        with readable(scratch.mirror, part) as frame:
            before.add(Relation(f"SELECT record, target, after FROM ({numbered(frame)})"))
    return Relation(
        f"""SELECT c.* FROM ({changes}) AS c WHERE NOT EXISTS (
               SELECT 1 FROM ({before.rows}) AS a WHERE a.record = c.record
               AND (c.extra_field OR (a.target = c.target AND coalesce(a.after, '') = coalesce(c.after, ''))))"""
    )


def _by_segmentation(
    mirror: AccountMirror,
    weighed: Relation,
    limits: Guards,
    asked_for: bool,
    usual: Mapping[str, UsualChange],
) -> Iterator[Trip]:
    """Who changes or loses a segment, against all that have one."""
    for segmentation, holders, moved, cleared in mirror.rows(
        f"""SELECT segmentation, any_value(holders), count(*) FILTER (action IN ('set', 'restore') AND coalesce(before, '') <> '' AND
            coalesce(after, '') <> ''),
                   count(*) FILTER (coalesce(after, '') = '' AND coalesce(before, '') <> '')
            FROM ({weighed}) JOIN (SELECT target, count(*) AS holders FROM ({without(mirror, HELD)}) GROUP BY target) USING (target)
            WHERE kind = 'field' AND NOT extra_field GROUP BY segmentation"""
    ):
        limit, why = change_limit(limits.max_change, usual.get(segmentation))
        if over(limit, moved, holders, asked_for):
            yield Trip(
                "max_change",
                f"{moved:,} of the {holders:,} records labelled by {segmentation} ({moved / holders:.1%}) would change their "
                f"segment (at most {_allowed(limit)}, {why})",
            )
        if over(limits.max_cleared, cleared, holders, asked_for):
            yield Trip(
                "max_cleared",
                f"{cleared:,} of the {holders:,} records labelled by {segmentation} would lose their segment{_limits(limits.max_cleared)}",
            )


def _of_all(
    mirror: AccountMirror, weighed: Relation, new: Collection[str], limits: Guards, cost: int, asked_for: bool
) -> Iterator[Trip]:
    """The plan as a whole: what it overwrites, how much it writes, what it costs."""
    overwritten = mirror.value(f"SELECT count(*) FROM ({weighed}) WHERE action = 'overwrite'")
    if over(
        limits.max_overwrite,
        overwritten,
        mirror.value(f"SELECT count(*) FROM ({without(mirror, PRESENT)})"),
        asked_for,
    ):
        yield Trip(
            "max_overwrite",
            f"{overwritten:,} values that somebody else wrote would be overwritten{_limits(limits.max_overwrite)}",
        )
    first = f"segmentation IN ({', '.join(map(literal, new)) or 'NULL'})"
    writes, later_writes = mirror.rows(
        f"SELECT count(*), count(*) FILTER (NOT coalesce({first}, false)) FROM ({weighed})"
    )[0]
    if over(limits.max_writes, writes, writes, asked_for):
        yield Trip(
            "max_writes",
            f"{writes:,} changes in one plan{_limits(limits.max_writes)}",
            first=not over(limits.max_writes, later_writes, later_writes, asked_for),
        )
    if over(limits.max_calls, cost, cost, asked_for):
        yield Trip("max_calls", f"applying this takes {cost:,} calls{_limits(limits.max_calls)}")


def _by_segment(
    mirror: AccountMirror, weighed: Relation, new: Collection[str], limits: Guards, asked_for: bool
) -> Iterator[Trip]:
    """Newcomers and leavers of each segment against its size, from the segmentations' own fields."""
    rows = mirror.rows(
        f"""WITH own AS (SELECT * FROM ({weighed}) WHERE kind = 'field' AND NOT extra_field),
           sizes AS (SELECT target, value AS segment, count(*) AS size FROM ({without(mirror, HELD)}) GROUP BY ALL),
           enters AS (SELECT segmentation, target, after AS segment, count(*) AS number FROM own WHERE coalesce(after, '') <> '' GROUP BY
               ALL),
           leaves AS (SELECT segmentation, target, before AS segment, count(*) AS number FROM own WHERE coalesce(before, '') <> '' GROUP
               BY ALL)
           SELECT coalesce(e.segmentation, l.segmentation), segment, coalesce(e.number, 0), coalesce(l.number, 0), coalesce(s.size, 0)
           FROM enters AS e FULL JOIN leaves AS l USING (target, segment) LEFT JOIN sizes AS s USING (target, segment) ORDER BY ALL"""
    )
    for segmentation, segment, enters, leaves, size in rows:
        name = f"{segmentation}.{segment}"
        if segmentation in new:
            if enters:
                yield Trip(
                    "max_enter",
                    f"{enters:,} records would enter {name} in the first labelling by {segmentation}",
                    first=True,
                )
            continue
        if over(limits.max_enter, enters, size, asked_for):
            yield Trip(
                "max_enter",
                f"{enters:,} records would enter {name}, which has {size:,}{_limits(limits.max_enter)}",
            )
        if over(limits.max_leave, leaves, size, asked_for):
            yield Trip(
                "max_leave",
                f"{leaves:,} of the {size:,} records in {name} would leave it{_limits(limits.max_leave)}",
            )
        least = limits.min_size.count or 0
        if size - leaves + enters < least <= size:
            yield Trip(
                "min_size",
                f"{name} would shrink from {size:,} to {size - leaves + enters:,} records; the minimum is {least:,}",
            )


def first_labelled(mirror: AccountMirror, changes: Relation) -> list[str]:
    """Segmentations of which this account never held a value of ours: their first labelling is reviewed by a
    person.
    """
    return [
        name
        for (name,) in mirror.rows(f"SELECT DISTINCT segmentation FROM ({changes}) WHERE action <> 'restore'")
        if not mirror.value(
            f"""SELECT count(*) FROM ({without(mirror, WRITTEN)}) WHERE mine AND coalesce(after, '') <> '' AND target IN (
                   SELECT target FROM ({changes}) WHERE segmentation = ? AND kind = 'field' AND NOT extra_field)""",
            [name],
        )
    ]


def newly_labelled(mirror: AccountMirror, judged: Relation, segmentations: Collection[str]) -> int:
    """How many records get a segment of one of these."""
    named = ", ".join(map(literal, segmentations)) or "NULL"
    entering = "kind = 'field' AND NOT extra_field AND coalesce(after, '') <> ''"
    sql = f"SELECT count(DISTINCT record) FROM ({judged}) WHERE {entering} AND segmentation IN ({named})"
    return int(mirror.value(sql))


def over(limit: Limit, number: int, of: int, asked_for: bool = False) -> bool:
    """Whether a number breaks a limit: its count, or its share of ``of`` where there are enough of them to
    judge.
    """
    if not number:
        return False
    if limit.count is not None and number > limit.count:
        return True
    return limit.share is not None and not asked_for and number >= limit.floor and number > limit.share * of


def moves(mirror: AccountMirror, changes: Relation) -> dict[str, dict[str, int]]:
    """By segmentation of the changes, how many records are ``moved`` to another segment, ``of`` how many that have one."""
    rows = mirror.rows(
        f"""WITH held AS (SELECT target, count(*) AS number FROM ({without(mirror, HELD)}) GROUP BY target)
            SELECT segmentation, count(*) FILTER (action IN ('set', 'restore') AND coalesce(before, '') <> '' AND
                coalesce(after, '') <> ''), coalesce(any_value(number), 0)
            FROM ({changes}) LEFT JOIN held USING (target) WHERE kind = 'field' AND NOT extra_field
                AND segmentation IS NOT NULL GROUP BY segmentation ORDER BY 1"""
    )
    return {segmentation: {"moved": moved, "of": held} for segmentation, moved, held in rows}


def _limits(limit: Limit) -> str:
    allowed = _allowed(limit)
    return f" (at most {allowed})" if allowed else ""


def _allowed(limit: Limit) -> str:
    parts = [
        f"{limit.share * 100:.3g}%" if limit.share is not None else "",
        f"{limit.count:,}" if limit.count is not None else "",
    ]
    return " or ".join(part for part in parts if part)
