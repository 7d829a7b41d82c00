"""How do the records of a page get into the mirror, and which of them are gone?"""

from __future__ import annotations

import pyarrow as pa

from connectors.schemas import RECORD_SCHEMA
from sync.store import merged_consent, parts, record_columns
from sync.store.mirror import AccountMirror, quoted
from sync.store.record_numbers import WORTH_IT, record_numbers


def count(mirror: AccountMirror) -> int:
    """How many there are, in all parts."""
    return int(mirror.value("SELECT count(*) FROM records"))


def count_of(mirror: AccountMirror, named: pa.Table) -> int:
    """How many of the records that rows with ``record_type`` and ``id`` name are there."""
    sql = (
        "SELECT DISTINCT record FROM frame JOIN ids USING (record_type, id) SEMI JOIN records USING (record)"
    )
    return int(mirror.table(sql, frame=named).num_rows)


def missing(mirror: AccountMirror, named: pa.Table) -> set[tuple[str, str]]:
    """(record type, id) of those that such rows name, that are known, and that are not there."""
    sql = "SELECT DISTINCT record_type, id FROM frame JOIN ids USING (record_type, id) ANTI JOIN records USING (record)"
    rows = mirror.table(sql, frame=named)
    return set(zip(rows["record_type"].to_pylist(), rows["id"].to_pylist(), strict=True))


def take_out(mirror: AccountMirror, named: pa.Table) -> None:
    """Those that such rows name leave, as if their deletion had been read."""
    with mirror.transaction():
        for table in ("records", "actual"):
            mirror.run(
                f"DELETE FROM {table} WHERE record IN (SELECT record FROM frame JOIN ids USING (record_type, id))",
                frame=named,
            )
        mirror.touched()


def add(mirror: AccountMirror, frame: pa.Table, part: int, whole: bool) -> None:
    """Rows of registered ids, in columns that are ``record_columns.prepared``.

    Of a part that is not ``whole`` they take the place of older rows: a connector may give a record again.
    """
    merged_consent.gather(mirror, frame)
    if not whole:
        mirror.run(
            "DELETE FROM records WHERE record IN (SELECT record FROM frame JOIN ids USING (record_type, id))",
            frame=frame,
        )
    kept = mirror.columns("records")
    taken = [
        column
        for column in frame.column_names
        if (column in RECORD_SCHEMA.names and column in kept) or column.startswith(record_columns.PREFIXES)
    ]
    names = "".join(f", {quoted(column)}" for column in taken)
    values = "".join(f", frame.{quoted(column)}" for column in taken)
    numbers = _numbers_of(mirror, frame)
    if numbers is None:
        found = f"ids.record, {part}{values} FROM frame JOIN ids USING (record_type, id)"
    else:
        frame, found = frame.append_column("record", numbers), f"frame.record, {part}{values} FROM frame"
    mirror.run(f"INSERT INTO records (record, part{names}) SELECT {found}", frame=frame)


def _numbers_of(mirror: AccountMirror, frame: pa.Table) -> pa.Array | None:
    """The numbers of a page of registered ids of one type; None where SQL has to look for them."""
    types = frame["record_type"].unique().to_pylist()
    if frame.num_rows < WORTH_IT or len(types) != 1:
        return None
    numbers = record_numbers(mirror, "ids", types[0])
    return None if numbers is None else numbers.of(frame["id"])


def fold(mirror: AccountMirror, part: int, old: int | None) -> list[tuple[int, str]]:
    """Let the last row of an id win, now that a part is complete; (line, id) of the others.

    What a whole part no longer names is gone with the ``old`` part that it replaces, unless it may stand in a
    rejected row.
    """
    repeated = _fold_within(mirror, part)
    if old is not None:
        merged_consent.gather_missing(mirror, old, part)
        missing = f"part = {old} AND record NOT IN (SELECT record FROM records WHERE part = {part})"
        vanished = mirror.value(f"SELECT count(*) FROM records WHERE {missing}")
        if 0 < vanished <= parts.rejected(mirror, part):
            mirror.run(f"UPDATE records SET part = {part} WHERE {missing}")
    mirror.run(
        f"DELETE FROM records WHERE part <> {part} AND record IN (SELECT record FROM records WHERE part = {part}) AND {parts.LIVE}"
    )
    mirror.run(
        f"DELETE FROM records WHERE part = {part} AND deleted AND merged_into IS NULL AND converted_to IS NULL"
    )
    return repeated


def _fold_within(mirror: AccountMirror, part: int) -> list[tuple[int, str]]:
    if not mirror.value(f"SELECT count(*) <> count(DISTINCT record) FROM records WHERE part = {part}"):
        return []
    repeated = mirror.rows(
        f"""SELECT line, id FROM (
                SELECT line, record FROM records WHERE part = {part}
                QUALIFY row_number() OVER (PARTITION BY record ORDER BY line DESC NULLS LAST) > 1) JOIN ids USING (record) ORDER BY line"""
    )
    mirror.run(
        f"""DELETE FROM records WHERE part = {part} AND rowid NOT IN
            (SELECT arg_max(rowid, (coalesce(line, 0), rowid)) FROM records WHERE part = {part} GROUP BY record)"""
    )
    return repeated


def holds_records(mirror: AccountMirror) -> bool:
    """Whether the mirror knows of any record: it may have been deleted."""
    return bool(mirror.value("SELECT count(*) FROM records"))
