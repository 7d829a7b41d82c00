"""How are very many rows read or written at once? Jobs of Bulk API 2.0, driven step by step so that a crash
loses none.

A job lives in Salesforce: who knows its id can find it again, wait for it, and fetch its results as often as
needed ("Bulk API 2.0 and Bulk API Developer Guide"). Results come as CSV, a page of many rows a call, and
Arrow parses them while the next ones arrive.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from csv import reader
from dataclasses import dataclass
from itertools import chain, dropwhile, pairwise
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import csv

from connectors.errors import QuotaError, TemporaryError
from connectors.rest.api_errors import shown
from connectors.rest.paging import pages
from connectors.salesforce import shapes
from connectors.salesforce.api_errors import Refused
from connectors.salesforce.client import Manner
from connectors.salesforce.session import Org
from connectors.salesforce.soql import Select

PAGE = 50_000  # rows of one page of results: some 20 MB
UPLOAD_LIMIT = 90_000_000  # bytes of one upload; Salesforce takes 150 MB in base64, which is 100 MB of text
NULL = "#N/A"  # in an upload: clear the field; a blank cell leaves it as it is

Kind = Literal["query", "ingest"]

_ROWS_A_SECOND = 50_000  # faster than this Salesforce takes none in
_LONGEST_LOOK = 20.0  # seconds between two looks at a job
# Seconds until the first look, and how much longer each of the next ones waits: a reader waits for a job, and
# loses a tenth at most; a writer spares the org's calls.
_LOOKS: dict[Kind, tuple[float, float]] = {"query": (0.3, 1.12), "ingest": (0.5, 1.6)}
_PATIENCE = 6 * 3600.0  # seconds until a job that does not end is left alone, for the next run to find
_WIDE = Manner(timeout=(5, 300))
_UPLOAD = Manner(writes=True, timeout=(5, 600))
_ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
_FORMAT = {"contentType": "CSV", "lineEnding": "LF"}
_UNABLE = re.compile("INVALIDENTITY|API_ERROR|FEATURE_?NOT_?ENABLED|LIMIT_EXCEEDED|EXCEEDED_QUOTA")


class Unable(Exception):
    """This cannot be asked of Bulk (an object or field that it does not read, or its own quota): ask REST."""


@dataclass(frozen=True)
class Status:
    """How a job is doing."""

    id: str
    state: str
    processed: int = 0
    failed: int = 0
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED


class Bulk:
    """The jobs of one org."""

    def __init__(self, org: Org, sleep: Callable[[float], object] = time.sleep) -> None:
        self._org = org
        self._sleep = sleep

    # Both kinds

    def status(self, kind: Kind, job: str) -> Status | None:
        """How a job is doing; None: Salesforce does not know it (any more)."""
        answer = self._org.ask_for(f"jobs/{kind}/{job}")
        return None if answer is None else _status(answer)

    def wait(self, kind: Kind, job: str, rows: int = 0) -> Status:
        """The status at its end; the more ``rows`` it has, the later is the first look.

        TemporaryError: it does not end within hours, or is gone; it is found again by its id.
        """
        waited, (pause, longer) = 0.0, _LOOKS[kind]
        pause = max(pause, min(rows / _ROWS_A_SECOND, _LONGEST_LOOK))
        while waited < _PATIENCE:
            status = self.status(kind, job)
            if status is None:
                raise TemporaryError(f"Bulk job {job} was deleted in Salesforce; run again")
            if status.ended:
                return status
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * longer, _LONGEST_LOOK)
        raise TemporaryError(
            f"Bulk job {job} has not finished after {waited / 3600:.0f} hours; run again to find it",
            retry_after=_LONGEST_LOOK,
        )

    def abort(self, kind: Kind, job: str) -> None:
        """End a job of which nothing ran; one that is gone or has ended is as well."""
        try:
            self._org.ask("PATCH", f"jobs/{kind}/{job}", body={"state": "Aborted"})
        except Refused:
            return

    # Reading

    def ask(self, statement: Select, deleted: bool) -> str:
        """Start a query; its job's id. Unable: Bulk cannot do this one."""
        operation = "queryAll" if deleted else "query"
        body = {"operation": operation, "query": str(statement), **_FORMAT}
        try:
            # a query that runs twice harms nobody
            answer = self._org.ask("POST", "jobs/query", body=body, repeatable=True)
        except Refused as error:
            if _UNABLE.fullmatch(error.refusal.code) or "ulk" in error.refusal.text:
                raise Unable(str(error)) from error
            raise
        return str(answer["id"])

    def results(self, job: str, start: str | None = None) -> Iterator[tuple[pa.Table, str | None]]:
        """Pages of a query's rows (all columns text, null where empty) in order, each with the locator that
        follows it.

        ``start``: a locator to go on from. Several pages are on their way at a time, where Salesforce lists
        them.
        """
        places = self._pairs(job, start)
        first = next(places, None)
        if first is None:
            yield from self._one_by_one(job, start)
            return
        behind: str | None = None
        for table, following, behind in self._org.many(
            lambda pair: self._listed_page(job, *pair), chain([first], places)
        ):
            yield table, following or behind
        if behind:  # the list broke off: its last page knows of one behind it
            yield from self._one_by_one(job, behind)

    def _pairs(self, job: str, start: str | None) -> Iterator[tuple[str | None, str | None]]:
        """(locator of a page, of the page behind it) from ``start`` on; none where Salesforce does not list
        them so.
        """
        locators = self._listed(job)
        if start is not None:
            locators = dropwhile(lambda locator: locator != start, locators)
        return pairwise(chain(locators, [None]))

    def _listed(self, job: str) -> Iterator[str | None]:
        """Locators of all pages, five a call; none where Salesforce does not list them."""
        path = f"jobs/query/{job}/resultPages"
        try:
            for answer in pages(lambda link: self._org.ask("GET", link or path), _following):
                for page in answer["resultPages"]:
                    yield _locator(page["resultUrl"])
        except Refused:
            return

    def _listed_page(
        self, job: str, locator: str | None, following: str | None
    ) -> tuple[pa.Table, str | None, str | None]:
        """A page as long as Salesforce cut it: (rows, locator listed behind it, the page's own word, asked
        only of the last).
        """
        table, behind = self._page(job, locator, whole=True)
        return table, following, None if following else behind

    def _one_by_one(self, job: str, locator: str | None) -> Iterator[tuple[pa.Table, str | None]]:
        return pages(lambda at: self._page(job, at), lambda page: page[1], locator)

    def _page(self, job: str, locator: str | None, whole: bool = False) -> tuple[pa.Table, str | None]:
        """Rows from a locator on, and the locator behind them; ``whole``: as many as Salesforce put into the
        listed page.
        """
        params = ({} if whole else {"maxRecords": str(PAGE)}) | ({"locator": locator} if locator else {})
        response = self._org.send(
            "GET", f"jobs/query/{job}/results", _WIDE, params, headers={"Accept": "text/csv"}
        )
        following = response.headers.get("Sforce-Locator", "null")
        table = parsed(response.content)
        promised = response.headers.get("Sforce-NumberOfRecords", "")
        if not table.column_names or (promised.isdigit() and int(promised) != table.num_rows):
            raise shapes.foreign("GET", f"jobs/query/{job}/results")
        return table, None if following in ("null", "") else following

    # Writing

    def open(self, table: str) -> str:
        """A new job that will update rows of an object; nothing runs yet. Its id."""
        body = {"object": table, "operation": "update", **_FORMAT, "columnDelimiter": "COMMA"}
        return str(self._org.ask("POST", "jobs/ingest", body=body, writes=True)["id"])

    def upload(self, job: str, content: bytes) -> None:
        """Give an open job its rows, once.

        Sent again after a lost reply: a job that has its rows says so, which is well.
        """
        try:
            path, headers = f"jobs/ingest/{job}/batches", {"Content-Type": "text/csv"}
            self._org.send("PUT", path, _UPLOAD, body=content, headers=headers)
        except Refused as error:
            status = self.status("ingest", job)
            has_rows = error.refusal.code in ("INVALIDJOBSTATE", "INVALID_JOB_STATE", "API_ERROR")
            if status is None or status.state != "Open" or not has_rows:
                raise

    def start(self, job: str) -> None:
        """Let an open job run; one that runs already is left to it."""
        try:
            self._org.ask("PATCH", f"jobs/ingest/{job}", body={"state": "UploadComplete"}, writes=True)
        except Refused:
            status = self.status("ingest", job)
            if status is None or status.state == "Open":
                raise

    def answers(self, job: str, rows: int) -> dict[str, pa.Table]:
        """What came of rows, in no order: ``successful``, and ``failed`` (with ``sf__Error``).

        One in neither was not processed.
        """
        tables = {"successful": self._rows(job, "successfulResults")}
        if tables["successful"].num_rows < rows:
            tables["failed"] = self._rows(job, "failedResults")
        return tables

    def _rows(self, job: str, which: str) -> pa.Table:
        path = f"jobs/ingest/{job}/{which}/"
        table = parsed(self._org.send("GET", path, _WIDE, headers={"Accept": "text/csv"}).content)
        if not {"sf__Id", "Id"} & set(table.column_names) or (
            which == "failedResults" and "sf__Error" not in table.column_names
        ):
            raise shapes.foreign("GET", path)
        return table


def parsed(content: bytes) -> pa.Table:
    """CSV as Salesforce writes it: every column text, an empty cell null, line breaks and NUL bytes within
    cells.

    TemporaryError where it is none.
    """
    if b"\0" in content:
        content = content.replace(b"\0", b"")
    names = next(reader([content.partition(b"\n")[0].decode("utf-8", "replace").strip()]), [])
    if not names:
        return pa.table({})
    try:
        return _read(content, names)
    except pa.ArrowInvalid:
        raise TemporaryError(
            "Salesforce's CSV was cut off, or does not come from Salesforce; try again later"
        ) from None


def _read(content: bytes, names: Sequence[str]) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(content),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
            check_utf8=False,
        ),
    )


def _status(answer: dict[str, Any]) -> Status:
    return Status(
        str(answer.get("id") or ""),
        str(answer.get("state") or ""),
        int(answer.get("numberRecordsProcessed") or 0),
        int(answer.get("numberRecordsFailed") or 0),
        shown(str(answer.get("errorMessage") or "")),
    )


def _following(answer: dict[str, Any]) -> str | None:
    return None if answer["done"] else answer.get("nextRecordsUrl") or answer.get("nextRecordUrl")


def _locator(url: str) -> str | None:
    return unquote(url.partition("locator=")[2].partition("&")[0]) or None


def refused_job(status: Status) -> Exception:
    """What a job that did not complete means for who waited for it."""
    text = status.error or f"job {status.id} was {status.state.lower()}"
    if "uota" in text or "LIMIT" in text.upper():
        return QuotaError(f"Salesforce ended Bulk job {status.id}: {text}")
    return TemporaryError(f"Salesforce ended Bulk job {status.id} ({status.state}): {text}; run again")
