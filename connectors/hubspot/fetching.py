"""How are the records of a source fetched: listed page by page, found by their change, or read by id?

And what is in the recycle bin?

A search gives at most 10,000 results, 200 a page, its body has at most 3,000 characters, and what changed is
found some seconds late (developer documentation, "Search the CRM"). So it is asked for ids and times only, in
the order of ids, each page a new search behind the last id: neither equal times nor any number of records are
too many, and nothing is paged past the cap.

HubSpot lists records in the order of their ids, 100 a call, and ``after`` is an id (developer documentation,
"Contacts guide").
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from connectors.errors import AccessError, TemporaryError
from connectors.hubspot.associations import Associations
from connectors.hubspot.shapes import RECORDS, following
from connectors.hubspot.source import Source, merged
from connectors.rest import paging
from connectors.rest.source import Found, Links, Listed, Row, Runner
from connectors.values.api_columns import milliseconds, texts

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

PAGE = BATCH = 100  # records of a listing and of a batch (developer documentation, "CRM objects")
LONGEST = 7_000  # characters of the properties in an address: beyond, they travel in the body of a batch
_FOUND = 200  # results of a page of a search
_MINUTE = 60_000


class Fetching:
    """Fetches the records of one source (``connectors.rest.source.Api``)."""

    crm = "HubSpot"
    lag = 2 * _MINUTE
    look_back = 10 * _MINUTE + lag
    batch = BATCH
    count_cap = 10_000  # whether a search counts on beyond it is not documented

    def __init__(self, portal: Portal, source: Source) -> None:
        self._portal = portal
        self._source = source
        self._path = portal.path("objects", source.kind)
        self._wide = sum(len(name) + len("&properties=") for name in source.properties) > LONGEST
        self.associations = Associations(portal)
        self._shown = False  # whether HubSpot was seen to give what is essential

    @property
    def run(self) -> Runner:
        return self._portal.many

    def size(self) -> tuple[int, int]:
        return self._portal.take_size(self._source.kind)

    def some_exist(self) -> bool:
        results = self._portal.search(self._source.kind, query([], [], BATCH))["results"]
        return bool(results) and bool(self.read([str(row["id"]) for row in results])[0])

    def holding(self, name: str) -> int:
        body = query([{"propertyName": name, "operator": "HAS_PROPERTY"}], [], 1)
        return int(self._portal.search(self._source.kind, body).get("total") or 0)

    def page(self, after: str | None) -> Listed:
        """One page of the listing, with associations."""
        source = self._source
        answer = self._listed(
            False, after, (source.stamp,) if self._wide else source.properties, source.targets
        )
        results = answer["results"]
        if self._wide and results:
            wide = {str(row["id"]): row for row in self.read([str(row["id"]) for row in results])[0]}
            results = [{**row, **wide[id]} for row in results if (id := str(row["id"])) in wide]
        self._check_shown(results)
        return Listed(results, following(answer))

    def recycled(self) -> Iterator[tuple[Row, int]]:
        properties = [name for name in self._source.properties if "merged" in name]
        for answer in paging.pages(lambda after: self._listed(True, after, properties), following):
            results = answer["results"]
            moments = (row.get("archivedAt") or row.get("updatedAt") for row in results)
            yield from zip(results, _milliseconds(moments), strict=True)

    def _listed(
        self, archived: bool, after: str | None, properties: Iterable[str], targets: Sequence[str] = ()
    ) -> dict[str, Any]:
        params = [("limit", str(PAGE)), ("archived", str(archived).lower())]
        params += [("after", after)] if after is not None else []
        params += [("properties", name) for name in properties]
        params += [("associations", ",".join(targets))] if targets else []
        answer: dict[str, Any] = self._portal.ask("GET", self._path, params=params, shape=RECORDS)
        return answer

    def changed(self, start: int, end: int, behind: int) -> Iterator[Found]:
        """A record that changes while its window is read is found once, or not at all and then in the next
        window.
        """

        def last(page: Found) -> int | None:
            return None if not page.ids or page.total == len(page.ids) else max(page.ids)

        return paging.pages(lambda id: self._found(start, end, id or 0, _FOUND), last, behind)

    def changed_total(self, start: int, end: int) -> int:
        return self._found(start, end, 0, 1).total

    def _found(self, start: int, end: int, behind: int, limit: int) -> Found:
        stamp = self._source.stamp
        filters = [
            {"propertyName": stamp, "operator": "GTE", "value": str(start)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": str(behind)},
        ]
        if end:
            filters.append({"propertyName": stamp, "operator": "LT", "value": str(end)})
        answer = self._portal.search(self._source.kind, query(filters, [stamp], limit))
        results = [row for row in answer["results"] if int(row["id"]) > behind]
        stamps = _milliseconds(_stamps(results, stamp), start)
        return Found([int(row["id"]) for row in results], stamps, int(answer.get("total", -1)))

    def read(self, ids: Sequence[str]) -> tuple[list[Row], list[str]]:
        """Records by id, at most 100 of them, and the ids that HubSpot does not find any more.

        An id that was merged away may be answered with the survivor: it is in neither.
        """
        body = {"properties": list(self._source.properties), "inputs": [{"id": id} for id in ids]}
        answer = self._portal.ask(
            "POST", f"{self._path}/batch/read", params=[("archived", "false")], body=body, shape=RECORDS
        )
        lost: list[str] = []
        for error in answer.get("errors") or []:
            if error.get("category") != "OBJECT_NOT_FOUND":
                raise TemporaryError(
                    f"HubSpot could not read some {self._source.kind} ({error.get('category')}): try again later"
                )
            lost += [str(id) for id in (error.get("context") or {}).get("ids") or ()]
        if not answer["results"] and not lost and ids:
            raise TemporaryError(
                f"HubSpot's answer does not mention the {self._source.kind} that were requested: try again later"
            )
        self._check_shown(answer["results"])
        return answer["results"], lost

    def _check_shown(self, results: Sequence[Row]) -> None:
        """AccessError where the key may see the records, and not what is essential of them: HubSpot leaves it
        out without a word.
        """
        if not results or self._shown:
            return
        given = {name for row in results for name in row["properties"]}
        lacking = [group for group in self._source.essential if not given.intersection(group)]
        hidden_ = hidden(self._portal, self._source) if lacking else []
        if hidden_:
            raise AccessError(
                f"HubSpot hides {' and '.join(hidden_)} from the key: allow it to view them, and run again"
            )
        self._shown = True

    def links(self, rows: Sequence[Row], listed: bool) -> dict[str, Links]:
        kind, targets = self._source.kind, self._source.targets
        if listed:
            return {target: self.associations.within(kind, rows, target) for target in targets}
        ids = [str(row["id"]) for row in rows]
        return {target: self.associations.of(kind, ids, target) for target in targets}

    def now(self) -> int:
        """HubSpot's clock at its last answer; where it does not tell: the time of the latest change."""
        try:
            moment = parsedate_to_datetime(self._portal.answers.date)
        except (TypeError, ValueError):
            stamp = self._source.stamp
            answer = self._portal.search(self._source.kind, query([], [stamp], 1, "DESCENDING", by=stamp))
            return max(self.stamps(answer.get("results") or []), default=0)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)

    def stamps(self, rows: Sequence[Row]) -> list[int]:
        return _milliseconds(_stamps(rows, self._source.stamp))

    def created(self, rows: Sequence[Row]) -> list[int]:
        return _milliseconds(row.get("createdAt") for row in rows)

    def digests(self, rows: Sequence[Row], links: Mapping[str, Links]) -> list[int]:
        names = self._source.properties
        held = (
            [
                [row["properties"].get(name) for name in names],
                [of.get(str(row["id"])) for of in links.values()],
            ]
            for row in rows
        )
        return [zlib.crc32(orjson.dumps(content)) for content in held]

    def merged(self, row: Row) -> list[str]:
        return merged(row)


def hidden(portal: Portal, source: Source) -> list[str]:
    """The essential properties of a source that the portal does not have, or hides from the key."""
    properties = portal.properties(source.kind)
    lacking = [group for group in source.essential if not any(name in properties for name in group)]
    return [f"the property {' or '.join(group)} of {source.kind}" for group in lacking]


def query(
    filters: Sequence[Mapping[str, Any]],
    properties: Sequence[str],
    limit: int,
    direction: str = "ASCENDING",
    by: str = "hs_object_id",
) -> dict[str, Any]:
    """The body of a search, in the order of ids if nothing else is said."""
    return {
        "filterGroups": [{"filters": list(filters)}] if filters else [],
        "sorts": [{"propertyName": by, "direction": direction}],
        "properties": list(properties),
        "limit": limit,
        "after": "0",
    }


def _stamps(rows: Iterable[Row], name: str) -> Iterator[str | None]:
    return ((row.get("properties") or {}).get(name) or row.get("updatedAt") for row in rows)


def _milliseconds(moments: Iterable[str | None], unknown: int = 0) -> list[int]:
    """Times as milliseconds since 1970."""
    column: pa.Array = milliseconds(texts(moments))
    stamps: list[int] = column.fill_null(unknown).to_pylist()
    return stamps
