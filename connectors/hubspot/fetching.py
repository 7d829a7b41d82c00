"""How are the records of one source fetched: listed page by page, or read by id?

And what is in the recycle bin?
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa

from connectors.errors import AccessError, TemporaryError
from connectors.hubspot.associations import Associations, Links
from connectors.hubspot.parallel_scan import Listed
from connectors.hubspot.shapes import RECORDS
from connectors.hubspot.source import Result, Source
from connectors.hubspot.window import query
from connectors.values.api_columns import milliseconds, texts

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

PAGE = BATCH = 100  # records of a listing and of a batch (developer documentation, "CRM objects")
LONGEST = 7_000  # characters of the properties in an address: beyond, they travel in the body of a batch


class Fetching:
    """Fetches the records of one source."""

    def __init__(self, portal: Portal, source: Source) -> None:
        self._portal = portal
        self._source = source
        self._path = portal.path("objects", source.kind)
        self._wide = sum(len(name) + len("&properties=") for name in source.properties) > LONGEST
        self.associations = Associations(portal)
        self._shown = False  # whether HubSpot was seen to give what is essential

    def size(self) -> tuple[int, int]:
        """The highest id and the number of records, as far as search knows."""
        return self._portal.take_size(self._source.kind)

    def total(self) -> int:
        """The number of records, as far as search knows: asked once in a run."""
        return self._portal.take_size(self._source.kind)[1]

    def some_exist(self) -> bool:
        """Whether any of the first records that search tells of is there."""
        results = self._portal.search(self._source.kind, query([], [], BATCH))["results"]
        return bool(results) and bool(self.read([str(row["id"]) for row in results])[0])

    def holding(self, name: str) -> int:
        """How many records have a value of a property."""
        body = query([{"propertyName": name, "operator": "HAS_PROPERTY"}], [], 1)
        return int(self._portal.search(self._source.kind, body).get("total") or 0)

    def page(self, after: str | None) -> Listed:
        """One page of the listing, with associations."""
        source = self._source
        params = [
            ("limit", str(PAGE)),
            ("archived", "false"),
            *([("after", after)] if after is not None else []),
        ]
        params += [
            ("properties", name) for name in (source.properties if not self._wide else (source.stamp,))
        ]
        if source.targets:
            params.append(("associations", ",".join(source.targets)))
        answer = self._portal.ask("GET", self._path, params=params, shape=RECORDS)
        results, following = answer["results"], ((answer.get("paging") or {}).get("next") or {}).get("after")
        if self._wide and results:
            wide = {str(row["id"]): row for row in self.read([str(row["id"]) for row in results])[0]}
            results = [{**row, **wide[id]} for row in results if (id := str(row["id"])) in wide]
        self._check_shown(results)
        return Listed(results, str(following) if following is not None else None)

    def read(self, ids: Sequence[str]) -> tuple[list[Result], list[str]]:
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
                f"HubSpot tells nothing of the {self._source.kind} that it was asked for: try again later"
            )
        self._check_shown(answer["results"])
        return answer["results"], lost

    def _check_shown(self, results: Sequence[Result]) -> None:
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

    def links(self, results: Sequence[Result], listed: bool) -> dict[str, Links]:
        """The associations of records, which were ``listed`` with them or must be asked for."""
        kind, targets = self._source.kind, self._source.targets
        if listed:
            return {target: self.associations.within(kind, results, target) for target in targets}
        ids = [str(row["id"]) for row in results]
        return {target: self.associations.of(kind, ids, target) for target in targets}

    def recycled(self) -> Iterator[tuple[Result, int]]:
        """Every record in the recycle bin, and when it came there (milliseconds). In the order of ids."""
        after: str | None = None
        properties = [("properties", name) for name in self._source.properties if "merged" in name]
        while True:
            params = [
                ("limit", str(PAGE)),
                ("archived", "true"),
                *properties,
                *([("after", after)] if after is not None else []),
            ]
            answer = self._portal.ask("GET", self._path, params=params, shape=RECORDS)
            results = answer["results"]
            yield from zip(
                results,
                stamps_of(row.get("archivedAt") or row.get("updatedAt") for row in results),
                strict=True,
            )
            following = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if following is None or str(following) == after:
                return
            after = str(following)

    def now(self) -> int:
        """HubSpot's clock at its last answer, in milliseconds; where it does not tell: the time of the latest
        change.
        """
        try:
            moment = parsedate_to_datetime(self._portal.answers.date)
        except (TypeError, ValueError):
            stamp = self._source.stamp
            answer = self._portal.search(self._source.kind, query([], [stamp], 1, "DESCENDING", by=stamp))
            return max(self.stamps(answer.get("results") or []), default=0)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)

    def stamps(self, results: Sequence[Result]) -> list[int]:
        """When each record changed last, in milliseconds."""
        stamp = self._source.stamp
        return stamps_of((row.get("properties") or {}).get(stamp) or row.get("updatedAt") for row in results)

    def digests(self, results: Sequence[Result], links: dict[str, Links]) -> list[int]:
        """What a record holds, in 32 bits: to tell a record that came again from one that changed."""
        names = self._source.properties
        return [
            zlib.crc32(
                orjson.dumps(
                    [
                        [row["properties"].get(name) for name in names],
                        [of.get(str(row["id"])) for of in links.values()],
                    ]
                )
            )
            for row in results
        ]


def hidden(portal: Portal, source: Source) -> list[str]:
    """The essential properties of a source that the portal does not have, or hides from the key."""
    properties = portal.properties(source.kind)
    lacking = [group for group in source.essential if not any(name in properties for name in group)]
    return [f"the property {' or '.join(group)} of {source.kind}" for group in lacking]


def stamps_of(moments: Iterable[str | None]) -> list[int]:
    """Times as milliseconds since 1970; 0 for none."""
    column: pa.Array = milliseconds(texts(moments))
    stamps: list[int] = column.fill_null(0).to_pylist()
    return stamps
