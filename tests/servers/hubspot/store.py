"""Which records does the portal hold, and what happened to those that it holds no more?"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.servers.hubspot.clock import iso
from tests.servers.hubspot.errors import Conflict
from tests.servers.hubspot.schema import KINDS, Kind

WON, LOST = "closedwon", "closedlost"


class Version(NamedTuple):
    """A value that a property had, since when, and who set it."""

    value: str
    at: int
    source: str


@dataclass(slots=True)
class Record:
    """An object. ``values`` is replaced, never changed: the search index still holds the old ones."""

    id: int
    values: dict[str, str]
    changed: int
    archived: int = 0
    history: dict[str, list[Version]] | None = None


@dataclass
class Shelf:
    """All objects of one type. ``live`` and ``recycled`` are ids in ascending order."""

    kind: Kind
    records: dict[int, Record] = field(default_factory=dict)
    live: list[int] = field(default_factory=list)
    recycled: list[int] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)  # id that is no more → survivor
    emails: dict[str, int] = field(default_factory=dict)
    next_id: int = 1

    def page(self, after: int, limit: int, archived: bool) -> tuple[list[Record], int | None]:
        """Records with ids from ``after`` on, and the id of the one behind them."""
        ids = self.recycled if archived else self.live
        start = bisect_left(ids, after)
        chunk = ids[start : start + limit + 1]
        return [self.records[id] for id in chunk[:limit]], (chunk[limit] if len(chunk) > limit else None)

    def survivor(self, id: int) -> int:
        while id in self.merged:
            id = self.merged[id]
        return id


Observer = Callable[[Kind, Record, dict[str, str]], None]


class Store:
    """Objects of every type.

    Observers hear of each change: kind, record as it is now, values before ({} = new).
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self.shelves = {kind.name: Shelf(kind) for kind in KINDS}
        self.observers: list[Observer] = []
        self.merge_observers: list[Callable[[Kind, int, int], None]] = []
        self.rates = {"EUR": 1.0, "USD": 0.5, "GBP": 2.0}  # worth of 1 in the home currency
        self.now = now

    def create(
        self,
        kind: Kind,
        values: dict[str, str],
        id: int | None = None,
        at: int | None = None,
        source: str = "INTEGRATION",
    ) -> Record:
        """A new object; Conflict where its e-mail address is taken."""
        shelf = self.shelves[kind.name]
        self._claim_email(shelf, values, None)
        id = shelf.next_id if id is None else id
        if id in shelf.records:
            raise ValueError(f"there is a {kind.singular} {id}")
        shelf.next_id = max(shelf.next_id, id + 1)
        at = self.now() if at is None else at
        made = iso(at)
        full = {name: value for name, value in values.items() if value != ""}
        full = {
            "createdate": made,
            **full,
            "hs_object_id": str(id),
            kind.stamp: made,
            **self._derived(kind, values),
        }
        record = Record(id, full, at)
        shelf.records[id] = record
        insort(shelf.live, id)
        if "email" in full and kind.name == "contacts":
            shelf.emails[full["email"]] = id
        self._tell(kind, record, {})
        return record

    def write(
        self,
        kind: Kind,
        record: Record,
        values: dict[str, str],
        source: str = "INTEGRATION",
        bump: bool = True,
    ) -> None:
        """Set values; an empty text clears."""
        shelf = self.shelves[kind.name]
        before, now = record.values, self.now()
        self._claim_email(shelf, values, record.id)
        changed = {name: value for name, value in values.items() if before.get(name, "") != value}
        if not changed and not bump:
            return
        after = before | changed | self._derived(kind, before | changed)
        for name in [name for name, value in changed.items() if value == ""]:
            after.pop(name, None)
        record.changed = max(now, record.changed)
        after[kind.stamp] = iso(record.changed)
        if record.history is None:
            record.history = {}
        for name, value in changed.items():
            record.history.setdefault(name, _first(before, name)).insert(0, Version(value, now, source))
        record.values = after
        if "email" in changed and kind.name == "contacts":
            shelf.emails.pop(before.get("email", ""), None)
            if changed["email"]:
                shelf.emails[changed["email"]] = record.id
        self._tell(kind, record, before)

    def archive(self, kind: Kind, record: Record) -> None:
        """Into the recycle bin."""
        shelf = self.shelves[kind.name]
        record.archived = self.now()
        _remove(shelf.live, record.id)
        insort(shelf.recycled, record.id)
        if shelf.emails.get(record.values.get("email", "")) == record.id:
            del shelf.emails[record.values["email"]]
        self._tell(kind, record, record.values)

    def restore(self, kind: Kind, record: Record) -> None:
        """Out of the recycle bin: an edit, as far as stamps go."""
        shelf = self.shelves[kind.name]
        record.archived = 0
        _remove(shelf.recycled, record.id)
        insort(shelf.live, record.id)
        if record.values.get("email") and kind.name == "contacts":
            shelf.emails[record.values["email"]] = record.id
        self.write(kind, record, {}, "RESTORE")

    def erase(self, kind: Kind, record: Record) -> None:
        """Leave nothing."""
        shelf = self.shelves[kind.name]
        record.archived = record.archived or self.now()
        shelf.records.pop(record.id, None)
        _remove(shelf.live, record.id)
        _remove(shelf.recycled, record.id)
        if shelf.emails.get(record.values.get("email", "")) == record.id:
            del shelf.emails[record.values["email"]]
        self._tell(kind, record, record.values)

    def merge(self, kind: Kind, primary: Record, other: Record, keep: bool) -> Record:
        """One record of two: the primary's values win.

        ``keep``: under the primary's id, else under a new one.
        """
        shelf, now = self.shelves[kind.name], self.now()
        joined = other.values | primary.values
        former = [*_ids(primary), *_ids(other)]
        joined["hs_merged_object_ids"] = ";".join(str(id) for id in former if id != primary.id or not keep)
        joined["hs_calculated_merged_vids"] = ";".join(f"{id}:{now}" for id in former)
        if not keep:
            self.erase(kind, primary)
        self.erase(kind, other)
        if keep:
            self.write(
                kind,
                primary,
                {name: value for name, value in joined.items() if name not in _OWN},
                "MERGE_OBJECTS",
            )
            survivor = primary
        else:
            survivor = self.create(
                kind,
                {name: value for name, value in joined.items() if name not in _OWN},
                source="MERGE_OBJECTS",
            )
        for gone in (primary, other):
            if gone.id != survivor.id:
                shelf.merged[gone.id] = survivor.id
                for observer in self.merge_observers:
                    observer(kind, gone.id, survivor.id)
        return survivor

    def find(
        self, kind: Kind, id: str, by: str = "", archived: bool = False, through_merges: bool = True
    ) -> Record | None:
        """A record by its id or by its e-mail address; None where there is none of that state."""
        shelf = self.shelves[kind.name]
        if by and by != "hs_object_id":
            number = shelf.emails.get(id.lower()) if by == "email" else self._by_value(shelf, by, id)
        else:
            number = int(id) if id.isdigit() else None
        if number is None:
            return None
        record = shelf.records.get(shelf.survivor(number) if through_merges else number)
        return record if record is not None and bool(record.archived) == archived else None

    def all(self, kind: Kind) -> Iterator[Record]:
        shelf = self.shelves[kind.name]
        return (shelf.records[id] for id in shelf.live)

    def _by_value(self, shelf: Shelf, name: str, value: str) -> int | None:
        return next((id for id in shelf.live if shelf.records[id].values.get(name) == value), None)

    def _claim_email(self, shelf: Shelf, values: dict[str, str], owner: int | None) -> None:
        email = values.get("email") if shelf.kind.name == "contacts" else None
        holder = shelf.emails.get(email) if email else None
        if holder is not None and holder != owner:
            raise Conflict(holder)

    def _derived(self, kind: Kind, values: dict[str, str]) -> dict[str, str]:
        """What HubSpot computes of a deal by itself."""
        if kind.name != "deals":
            return {}
        stage, answer = values.get("dealstage"), {}
        answer["hs_is_closed_won"] = str(stage == WON).lower()
        answer["hs_is_closed"] = str(stage in (WON, LOST)).lower()
        if values.get("amount"):
            rate = self.rates.get(values.get("deal_currency_code") or "EUR", 1.0)
            answer["amount_in_home_currency"] = repr(round(float(values["amount"]) * rate, 6)).removesuffix(
                ".0"
            )
        return answer

    def _tell(self, kind: Kind, record: Record, before: dict[str, str]) -> None:
        for observer in self.observers:
            observer(kind, record, before)


_OWN = {"hs_object_id", "lastmodifieddate", "hs_lastmodifieddate"}


def _first(values: dict[str, str], name: str) -> list[Version]:
    from tests.servers.hubspot.clock import instant

    return [Version(values[name], instant(values["createdate"]), "IMPORT")] if name in values else []


def _ids(record: Record) -> list[int]:
    former = [int(id) for id in record.values.get("hs_merged_object_ids", "").split(";") if id]
    return [*former, record.id]


def _remove(ids: list[int], id: int) -> None:
    position = bisect_left(ids, id)
    if position < len(ids) and ids[position] == id:
        del ids[position]
