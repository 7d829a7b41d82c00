"""How does a page of a table become records of the contract?

A broken cell becomes null, and its row goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import Attribute
from connectors.schemas import CHANNELS, REACHABLE, RECORD_SCHEMA
from connectors.tables.column_mapping import CHANNEL_NAMES, OPTED_OUT, attribute_column
from connectors.tables.column_reader import NO_TEXT, UNSOUND, ColumnReader, Columns, quoted, unmarked
from connectors.tables.rejects import Sieve
from connectors.values.spelling import found_in
from connectors.values.text import as_text, flat, trimmed
from connectors.values.timestamps import dates


class Buyers:
    """Whom the rows of a file of orders have named so far: whoever ordered is a record, and stands for one once."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def folded(self, ids: pa.Array) -> pa.Array:
        """Ann@x.org and ann@x.org are one buyer."""
        return pc.if_else(pc.match_substring(ids, "@"), pc.utf8_lower(ids), ids)

    def again(self, ids: pa.Array) -> pa.Array:
        """Which rows name somebody whom a row before them names."""
        again = []
        for id in ids.to_pylist():
            again.append(id in self._named)
            if id is not None:
                self._named.add(id)
        return pa.array(again, pa.bool_())


@dataclass(frozen=True)
class RecordPage:
    rows: ColumnReader
    buyers: Buyers | None = None

    def page(self, attributes: Columns) -> pa.Table:
        rows, stream = self.rows, self.rows.dialect.stream
        texts, unsound = as_text(rows.columns["id"])
        ids = unmarked(trimmed(texts))
        ids = self.buyers.folded(ids) if self.buyers else ids
        sieve = rows.sieve(ids)
        sieve.leave_out(rows.header_again("id"), "repeated headers")
        sieve.row(unsound, f"id {UNSOUND}")
        if self.buyers:
            sieve.leave_out(pc.is_null(ids), "orders that name nobody")
            sieve.leave_out(self.buyers.again(ids), "further orders of a customer")
        sieve.row(pc.is_null(ids), "has no id")
        done = {
            "record_type": pa.repeat(pa.scalar(stream, pa.string()), len(ids)),
            "id": ids,
            "line": rows.lines,
        }
        cells = {name: rows.cells(name, sieve) for name in rows.columns if name != "id"}
        done |= {
            CHANNEL_NAMES.get(name, name): column for name, column in cells.items() if name not in OPTED_OUT
        }
        done |= self._consent(cells)
        done |= self._person(done, ids)
        for name, column in attributes.items():
            attribute = rows.account.attributes.get(name, Attribute(name))
            done[attribute_column(name)] = self.attribute(name, column, attribute, sieve)
        order = [name for name in RECORD_SCHEMA.names if name in done]
        order += [name for name in done if name not in RECORD_SCHEMA.names]
        return sieve.through(pa.table({name: done[name] for name in order}))

    def _consent(self, cells: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Who opted out cannot be reached; who did not can only where the account says that this is enough."""
        enough = (
            pa.scalar(True)
            if self.rows.account.consent_basis == "not_opted_out"
            else pa.scalar(None, pa.bool_())
        )
        columns = {}
        for channel in CHANNELS:
            out = cells.get(f"opted_out_{channel}")
            if out is None:
                continue
            otherwise = (
                pc.coalesce(cells[f"reachable_{channel}"], enough)
                if f"reachable_{channel}" in cells
                else enough
            )
            answer = pc.if_else(
                pc.fill_null(out, False),
                pa.scalar(False),
                pc.if_else(pc.is_null(out), pa.scalar(None, pa.bool_()), otherwise),
            )
            if f"reachable_{channel}" in cells:
                answer = pc.if_else(pc.is_null(out), cells[f"reachable_{channel}"], answer)
            columns[REACHABLE + channel] = answer
        return columns

    def _person(self, done: Mapping[str, pa.Array], ids: pa.Array) -> dict[str, pa.Array]:
        """Name from its parts, the primary address from all, and all from the primary one."""
        columns: dict[str, pa.Array] = {}
        parts = [pc.fill_null(done[name], "") for name in ("first_name", "last_name") if name in done]
        if parts and "name" not in done:
            name = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " "))
            columns["name"] = pc.if_else(pc.equal(name, ""), NO_TEXT, name)
        if "email" not in done and "emails" not in done and pc.all(pc.match_substring(ids, "@")).as_py():
            columns["email"] = ids  # a shop that knows its customers by their address
        if "emails" in done:
            first = pc.list_element(
                pc.if_else(
                    pc.greater(pc.list_value_length(done["emails"]), 0),
                    done["emails"],
                    pa.scalar([None], pa.list_(pa.string())),
                ),
                0,
            )
            email = pc.coalesce(done["email"], first) if "email" in done else first
            columns |= {"email": email, "emails": _with_first(email, done["emails"])}
        return columns

    def attribute(self, name: str, column: pa.ChunkedArray, attribute: Attribute, sieve: Sieve) -> pa.Array:
        """An attribute in the type that the config gives it."""
        column = self.known(column, attribute)
        rows = replace(self.rows, columns={name: column})
        if attribute.type == "number":
            return rows.numbers(name, column, sieve)
        if attribute.type == "date":
            days, bad = dates(column, rows.way.habits.of(name))
            sieve.cell(bad, name, f"{{}} is not {rows.expected(name)}", quoted(column, bad))
            return days
        if attribute.type == "bool":
            return rows.truths(name, sieve)
        texts = unmarked(rows.text(name, sieve))
        if attribute.type == "ordered":
            texts = trimmed(texts)
            ranked = found_in(texts, attribute.order, attribute.exact)
            strange = pc.and_(pc.is_valid(texts), pc.is_null(ranked))
            sieve.cell(
                strange,
                name,
                f"{{}} is not in its order ({', '.join(attribute.order)[:200]})",
                quoted(texts, strange),
            )
            return ranked
        return texts

    def known(self, column: pa.ChunkedArray, attribute: Attribute) -> pa.Array:
        """Without the values that mean "not known"."""
        array = flat(column)
        if attribute.missing:
            missing = [text.strip() for text in attribute.missing]
            unknown = pc.is_valid(found_in(as_text(array)[0], missing, attribute.exact))
            array = pc.if_else(unknown, pa.scalar(None, array.type), array)
        return array


def _with_first(first: pa.Array, several: pa.Array) -> pa.Array:
    """Lists that begin with a value, and hold it once."""
    pairs = zip(first.to_pylist(), several.to_pylist(), strict=True)
    lists = [
        [value for value in dict.fromkeys([head, *(others or [])]) if value] or None for head, others in pairs
    ]
    return pa.array(lists, pa.list_(pa.string()))
