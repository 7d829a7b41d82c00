"""How do rows of a statement arrive: by REST, or as a Bulk job? Either way as a table of texts, null where
empty.

REST gives 2,000 rows a call and is there at once; a job takes a few calls whatever its size. The account's
threshold decides, and a statement that is too long for an address goes as a job. What Bulk cannot read is
read by REST.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from connectors.salesforce import shapes, soql
from connectors.salesforce.api_errors import Denied, Refused
from connectors.salesforce.bulk import Bulk, Unable, refused_job
from connectors.salesforce.session import Org

_ADDRESS_ROOM = soql.URL_LIMIT - 2_048  # headers and the rest of the address need some
_COUNTED = (
    *("Contact", "Lead", "Account", "Opportunity", "OpportunityContactRole"),
    *("Task", "Event", "CampaignMember", "Order"),
)
_IN_LIST = 300  # ids of one statement: about 7,000 characters of an address


@dataclass(frozen=True)
class Batch:
    """Rows, and where a job goes on behind them ("": it cannot be gone on with)."""

    table: pa.Table
    job: str = ""
    locator: str | None = None
    last: bool = True


class Fetching:
    """Reads statements of one org.

    Every statement sees deleted and archived rows, and the caller judges them.
    """

    def __init__(self, org: Org) -> None:
        self._org = org
        self._bulk = Bulk(org)
        self._sizes: dict[str, int] | None = None

    def size(self, table: str) -> int | None:
        """How many rows the org itself counts of an object, whoever looks (deleted ones are not); None: it
        does not tell.
        """
        if self._sizes is None:
            try:
                self._sizes = self._org.record_counts(list(_COUNTED))
            except (Refused, Denied):
                self._sizes = {}
                return None
        return self._sizes.get(table, 0 if self._sizes and table in _COUNTED else None)

    def all(self, statement: soql.Select, expected: int | None) -> Iterator[Batch]:
        """All rows; ``expected`` is how many there may be, where the org tells."""
        if (expected or 0) > self._org.settings.bulk_reads_above or not self._fits(statement):
            try:
                job = self._bulk.ask(statement, deleted=True)
            except Unable:
                pass
            else:
                yield from self.job(job, statement.fields)
                return
        yield from _batches(statement, self._org.pages(statement, deleted=True))

    def job(self, job: str, fields: Sequence[str], locator: str | None = None) -> Iterator[Batch]:
        """The rows of a query job, from the beginning or from a page of it.

        TemporaryError: it gives other fields than were asked for.
        """
        status = self._bulk.wait("query", job)
        if status.state != "JobComplete":
            raise refused_job(status)
        for table, following in self._bulk.results(job, locator):
            if {name.lower() for name in table.column_names} != {name.lower() for name in fields}:
                raise shapes.foreign("GET", f"jobs/query/{job}/results")
            yield Batch(table, job, following, following is None)

    def known(self, job: str) -> bool:
        """Whether Salesforce still has a job, and it has not failed."""
        status = self._bulk.status("query", job)
        return status is not None and status.state not in ("Failed", "Aborted")

    def changed(self, statement: soql.Select) -> Iterator[Batch]:
        """The rows of a window: as a job where Salesforce says that they are many."""
        if not self._fits(statement):
            yield from self.all(statement, None)
            return
        pages = self._org.pages(statement, deleted=True)
        first, total = next(pages)
        if total > self._org.settings.bulk_reads_above:
            yield from self.all(statement, total)
        else:
            yield from _batches(statement, chain([(first, total)], pages))

    def among(
        self, fields: Sequence[str], table: str, key: str, ids: Sequence[str], where: Sequence[str] = ()
    ) -> pa.Table:
        """The rows of which a field is one of the ids."""
        tables = [texts([], fields)]
        for start in range(0, len(ids), _IN_LIST):
            statement = soql.Select(fields, table, [soql.among(key, ids[start : start + _IN_LIST]), *where])
            tables += [texts(rows, fields) for rows, _ in self._org.pages(statement, deleted=True)]
        return pa.concat_tables(tables)

    def _fits(self, statement: soql.Select) -> bool:
        return len(quote(str(statement))) <= _ADDRESS_ROOM


def _batches(
    statement: soql.Select, pages: Iterator[tuple[Sequence[dict[str, Any]], int]]
) -> Iterator[Batch]:
    """Pages of rows as batches of which the last one knows that it is."""
    pending, _ = next(pages)
    for rows, _ in pages:
        yield Batch(texts(pending, statement.fields), last=False)
        pending = rows
    yield Batch(texts(pending, statement.fields))


def texts(rows: Sequence[dict[str, Any]], fields: Sequence[str]) -> pa.Table:
    """Rows of JSON as a table of texts, one column a field; ``Parent.Field`` is taken from within."""
    return pa.table(
        {name: pa.array([_text(_within(row, name)) for row in rows], pa.string()) for name in fields}
    )


def _within(row: dict[str, Any], path: str) -> Any:
    if "." not in path:
        return row.get(path)
    value: Any = row
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else repr(value)
