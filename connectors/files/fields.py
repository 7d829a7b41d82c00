"""What do the fields of ours hold? They are the columns of ``segments.csv``, one row per record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import FieldSpec, Page
from connectors.errors import RequestError
from connectors.files.csv_editor import ID, TYPE, Sheet, parsed
from connectors.files.cursor import begun, fingerprint, loads
from connectors.files.folder import Folder
from connectors.files.settings import SEGMENTS, WHITESPACE
from connectors.files.shared_file import Trail, change, glimpse, load, rows_of
from connectors.files.utf8_file import digest_of, stamp_of
from connectors.schemas import FIELD, RECORD_TYPES, VALUE_SCHEMA
from connectors.tables.rejects import Sieve, TableRejects
from connectors.values.rejects import LISTED

Rows = Callable[[Sheet, TableRejects], pa.Table]


class Fields:
    """The columns of ``segments.csv``."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.path = folder.path / SEGMENTS
        given = folder.account.settings.delimiter
        self.delimiter: str = given if given and given != WHITESPACE else ","

    def all(self) -> dict[tuple[str, str], FieldSpec]:
        """Every column but those that name the record, as a field of text."""
        sheet = glimpse(self.path, self.delimiter)
        if sheet is None:
            return {}
        types = RECORD_TYPES if sheet.column(TYPE) is not None else ("contact",)
        names = [name for name in sheet.names if name not in (ID, TYPE, "")]
        return {(type, name): FieldSpec(name, type, "text") for type in types for name in names}

    def ensure(self, spec: FieldSpec) -> None:
        """Add the column, and the one that tells record types apart where the field needs it."""
        if (
            spec.name in (ID, TYPE)
            or not spec.name.strip()
            or spec.name != spec.name.strip()
            or "\0" in spec.name
        ):
            raise RequestError(
                f"a field cannot be called {spec.name!r} in {SEGMENTS}: set another name as field"
            )
        typed = spec.record_type != "contact" or any(
            field.record_type != "contact" for field in self.folder.account.fields
        )
        if typed:
            change(
                self.path, self.delimiter, lambda sheet: (_with(sheet, TYPE, self.delimiter, "contact"), None)
            )
        change(self.path, self.delimiter, lambda sheet: (_with(sheet, spec.name, self.delimiter, ""), None))

    def read(self, position: str | None) -> Iterator[Page]:
        """The values of the fields of ours, one whole part; nothing where the file did not change."""
        if self.path.exists() or loads(position, "")[1]:
            yield from whole(self.folder, "value", SEGMENTS, self.delimiter, position, self._rows)

    def _rows(self, sheet: Sheet, rejects: TableRejects) -> pa.Table:
        table, kept = named_rows(sheet, rejects)
        for name in dict.fromkeys(spec.name for spec in self.folder.account.fields):
            column = sheet.column(name)
            if column is not None:
                texts = sheet.texts(column)
                bad = np.intersect1d(np.flatnonzero(texts.is_null()), kept)
                lines = rows_of(sheet) if len(bad) else None
                for row in bad.tolist():
                    if lines is not None:
                        rejects.add(lines[row].as_py(), "is not UTF-8", name, sheet.ids[row].as_py())
                table = table.append_column(FIELD + name, pc.fill_null(texts.take(pa.array(kept)), ""))
        return table


def _with(sheet: Sheet | None, name: str, delimiter: str, value: str) -> bytes | None:
    if sheet is None:
        return parsed(SEGMENTS, f"{ID}\n".encode(), delimiter).with_column(name, value)
    return None if sheet.column(name) is not None else sheet.with_column(name, value)


def named_rows(
    sheet: Sheet, rejects: TableRejects
) -> tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Record type and id of each row that names a record for the last time, and the numbers of those rows."""
    for position in sheet.ragged:
        rejects.add(
            sheet.text.count(b"\n", 0, position) + 1,
            f"does not have the {len(sheet.names)} cells of the header, or has a broken quote",
        )
    types, ids = sheet.types, sheet.ids
    strange = pc.and_(pc.is_valid(ids), pc.invert(pc.is_in(types, pa.array(RECORD_TYPES))))
    usable = pc.and_(pc.is_valid(ids), pc.invert(strange)).to_numpy(zero_copy_only=False)
    keys = sheet.keys(types, ids)
    last = sheet.find(types, ids) if pc.count_distinct(keys).as_py() < len(keys) else np.arange(len(keys))
    latest = last == np.arange(len(keys))
    if not (usable & latest).all():
        sieve = Sieve(rejects, rows_of(sheet), ids, LISTED)
        sieve.row(pc.is_null(ids), "has no id")
        sieve.row(strange, f"record_type is none of {', '.join(RECORD_TYPES)}")
        sieve.row(pa.array(~latest), "repeats an id; a later row with it counts")
    kept = np.flatnonzero(usable & latest)
    chosen = pa.array(kept)
    return pa.table([types.take(chosen), ids.take(chosen)], schema=VALUE_SCHEMA), kept


def caught_up(folder: Folder, stream: str, part: str, position: str, trail: Trail) -> str | None:
    """The position behind our own writes to a file, where it was read to its end before them and nobody else
    wrote.
    """
    path = folder.path / part
    state, _ = loads(position, fingerprint(folder.account, stream))
    old = state.files.get(part)
    stamp = trail.end(path, old.stamp) if old is not None and old.done and old.settled else None
    if stamp is None:
        return None
    progress = replace(begun(stamp), digest=digest_of(path, stamp[0]), hashed=stamp[0], done=True)
    return state.after(part, progress).dumps() if tuple(stamp_of(path)) == tuple(stamp) else None


def whole(
    folder: Folder, stream: str, part: str, delimiter: str, position: str | None, rows: Rows
) -> Iterator[Page]:
    """One file as one whole page, unless it is the file that ``position`` knows."""
    path = folder.path / part
    state, _ = loads(position, fingerprint(folder.account, stream))
    old = state.files.get(part)
    if not path.exists():
        yield Page(
            VALUE_SCHEMA.empty_table(),
            state.after(part, None).dumps(),
            part,
            whole=True,
            first=True,
            last=True,
        )
        return
    stamp = stamp_of(path)
    if old is not None and (
        old.unchanged(stamp) or (old.hashed == stamp[0] and digest_of(path, stamp[0]) == old.digest)
    ):
        return
    progress = replace(begun(stamp), digest=digest_of(path, stamp[0]), hashed=stamp[0], done=True)
    sheet, _ = load(path, delimiter)
    rejects = TableRejects(part)
    records = rows(sheet, rejects) if sheet is not None else VALUE_SCHEMA.empty_table()
    after = state.after(part, progress).dumps()
    yield Page(
        records,
        after,
        part,
        whole=True,
        first=True,
        last=True,
        rejects=rejects.table(),
        rejected=rejects.rejected,
    )
