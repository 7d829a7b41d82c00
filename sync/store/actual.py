"""What does the CRM hold in our fields and lists, as it was last read or written?"""

from __future__ import annotations

import pyarrow as pa

from connectors.schemas import FIELD
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation

ACTUAL = Relation("SELECT record, target, value FROM actual")
# the same of all that is not empty
HELD = Relation("SELECT record, target, value FROM actual WHERE coalesce(value, '') <> ''")


def values_in(target: str) -> Relation:
    """(record, value) of a target."""
    return Relation(f"SELECT record, value FROM actual WHERE target = {literal(target)}")


def of_record(mirror: AccountMirror, record_type: str, id: str) -> list[tuple[str, str]]:
    """(target, value) of all that stands on a record."""
    sql = "SELECT target, value FROM actual JOIN ids USING (record) WHERE record_type = ? AND id = ? ORDER BY target"
    return [(target, value) for target, value in mirror.rows(sql, [record_type, id])]


def moved(mirror: AccountMirror, changes: pa.Table) -> pa.Table:
    """(record_type, id, target) of changes whose value is no longer the one ``before``."""
    return mirror.table(
        """SELECT frame.record_type, frame.id, frame.target FROM frame JOIN ids USING (record_type, id)
           LEFT JOIN actual AS a ON a.record = ids.record AND a.target = frame.target
           WHERE coalesce(a.value, '') <> coalesce(frame.before, '')""",
        frame=changes.select(["record_type", "id", "target", "before"]),
    )


def add(mirror: AccountMirror, frame: pa.Table, part: int, whole: bool) -> None:
    """Values of a page, a column ``field.TARGET`` each: only those that exist become rows.

    Of a part that is not ``whole`` they take the place of older values of the same records.
    """
    targets = [name.removeprefix(FIELD) for name in frame.column_names if name.startswith(FIELD)]
    values = ", ".join(f"frame.{quoted(FIELD + target)} AS {quoted(target)}" for target in targets)
    mirror.run(
        f"CREATE OR REPLACE TEMP TABLE arrived AS SELECT ids.record, {values} FROM frame JOIN ids USING (record_type, id)",
        frame=frame,
    )
    for target in targets:
        if not whole:
            mirror.run(
                f"DELETE FROM actual WHERE target = {literal(target)} AND record IN (SELECT record FROM arrived)"
            )
        value = quoted(target)
        mirror.run(
            f"INSERT INTO actual SELECT record, {literal(target)}, {value}, {part} FROM arrived WHERE {value} IS NOT NULL"
        )


def as_written(mirror: AccountMirror, part: int) -> int:
    """How many values of a part came back as we wrote them."""
    return int(
        mirror.value(
            f"""SELECT count(*) FROM (SELECT * FROM actual WHERE part = {part}) AS held SEMI JOIN written AS w
                ON w.record = held.record AND w.target = held.target AND w.after = held.value"""
        )
    )


def forget(mirror: AccountMirror, target: str, kept_part: int = -1) -> None:
    """All values of a target, but those of one part."""
    mirror.run(f"DELETE FROM actual WHERE target = ? AND part <> {kept_part}", [target])
