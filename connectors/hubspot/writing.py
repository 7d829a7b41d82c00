"""How do values get onto HubSpot's records? By batches of 100, of which HubSpot answers each record, or refuses
the whole call and perhaps names what it is about (developer documentation, "Error handling").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from connectors.contract import Ticket
from connectors.hubspot.api_errors import (
    INVALID_OPTION,
    READ_ONLY,
    UNKNOWN_PROPERTY,
    Denied,
    Refusal,
    Refused,
    of_records,
)
from connectors.hubspot.fields import normal
from connectors.hubspot.paths import OBJECTS
from connectors.hubspot.session import Portal
from connectors.hubspot.shapes import RECORDS, WRITTEN
from connectors.rest.batch_writer import Answer, BatchWriter, CompareBudget, Values
from connectors.rest.outcomes import Record

BATCH_SIZE = 4_000  # forty calls: with eight at a time, none of them waits long for the last one of a batch
_NEVER = "lifecyclestage"  # moves only forward, and starts things: it belongs to people and to HubSpot
_OPTION_LAG = 2.0  # seconds until a new option is accepted in values ...
_OPTION_PATIENCE = 5.0  # ... or some more


class Writing:
    """Writes values, and reads back what records hold."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._types = {(field.record_type, field.name): field.type for field in portal.account.fields}
        self._budget = CompareBudget(portal.settings.compare_up_to)

    def write(self, changes: pa.Table, _ticket: Ticket) -> pa.Table:
        """Carry out changes of fields; the answer to each, in their order. Errors: see ``BatchWriter.write``."""
        return _Batch(self._portal, self._types, changes).write(self._budget)

    def current(self, changes: pa.Table) -> list[str | None]:
        """What the records hold now, for each row, in normal form."""
        batch = _Batch(self._portal, self._types, changes)
        columns = (batch.outcomes.types, batch.outcomes.targets, batch.current())
        return [batch.normal(*cell) for cell in zip(*columns, strict=True)]


class _Batch(BatchWriter[Refusal]):
    """A table of changes on its way to a portal."""

    def __init__(self, portal: Portal, types: Mapping[tuple[str, str], str], changes: pa.Table) -> None:
        super().__init__(portal.transport, changes)
        self._portal = portal
        self._types = types
        self._absent: set[tuple[str, str]] = set()  # (record type, property) that HubSpot does not have
        self._late_since = 0.0  # when a new option was first refused

    def reject_unwritable(self) -> None:
        columns = (self.outcomes.types, self.outcomes.ids, self.outcomes.targets)
        for row, (record_type, id, target) in enumerate(zip(*columns, strict=True)):
            if record_type not in OBJECTS:
                reason = f"HubSpot has no {record_type} here; it has {' and '.join(OBJECTS)}"
                self.outcomes.reject([row], "data", reason)
            elif target == _NEVER:
                self.outcomes.reject([row], "permission", f"{_NEVER} is never written")
            elif not (id.isascii() and id.isdigit()):
                self.outcomes.reject([row], "gone", "there is no such record: HubSpot's ids are numbers")

    def read(self, record_type: str, targets: Sequence[str], ids: Sequence[str]) -> Values:
        path = self._portal.path("objects", OBJECTS[record_type], "batch/read")
        body = {
            "properties": sorted(targets),
            "propertiesWithHistory": [],
            "inputs": [{"id": id} for id in ids],
        }
        answer = self._portal.ask("POST", path, body=body, shape=RECORDS)
        return {str(record["id"]): record["properties"] for record in answer["results"]}

    def normal(self, record_type: str, target: str, value: str | None) -> str | None:
        return normal(self._types.get((record_type, target), "text"), value)

    def prepared(self, record_type: str, records: Sequence[Record]) -> list[Record]:
        """The records without the properties that another call found to be missing."""
        absent = {name for of_type, name in self._absent if of_type == record_type}
        for record in records:
            for name in absent & record.cells.keys():
                reason = f"property {name} does not exist: run `crm-segments setup`"
                self.outcomes.reject([record.cells[name]], "permission", reason)
        return [record.without(absent) for record in records] if absent else list(records)

    def send(self, record_type: str, records: Sequence[Record], happened: Callable[[], bool]) -> Any:
        after = self.outcomes.after
        inputs = [
            {
                "id": record.id,
                "objectWriteTraceId": record.id,
                "properties": {name: after[row] or "" for name, row in record.cells.items()},
            }
            for record in records
        ]
        path = self._portal.path("objects", OBJECTS[record_type], "batch/update")
        body = {"inputs": inputs}
        try:
            return self._portal.ask("POST", path, body=body, writes=True, happened=happened, shape=WRITTEN)
        except Denied as error:
            if (
                error.refusal.scopes or error.refusal.category == "MISSING_SCOPES"
            ):  # the key may not write at all
                raise
            raise Refused(str(error), error.refusal) from error

    def refused(self, record_type: str, records: Sequence[Record], refusal: Refusal) -> Answer[Refusal]:
        if self._late(record_type, refusal):
            return Answer(tuple(records), clean=False)
        if not self._culprits(records, refusal):
            return Answer(refusal=refusal)
        return Answer(tuple(self.blame(record_type, records, refusal)), clean=False)

    def take(self, record_type: str, records: Sequence[Record], answer: Any) -> Answer[Refusal]:
        """Read an answer that took some or all of the records."""
        open_ = {record.id: record for record in records}
        again: list[Record] = []
        nameless: list[Refusal] = []
        refusals = of_records(answer)
        late = any(self._late(record_type, refusal) for refusal in refusals)
        for refusal in refusals:
            named = [open_.pop(id) for id in refusal.ids if id in open_]
            again += named if late or not named else self.blame(record_type, named, refusal)
            nameless += [] if named else [refusal]
        for result in answer.get("results") or ():
            asked = open_.pop(str(result.get("objectWriteTraceId") or result.get("id")), None)
            if asked and asked.id != str(result.get("id")):
                self.outcomes.reject(asked.rows, "gone", "the record was merged into another one")
            elif asked:
                self.outcomes.done(asked.rows)
        left = list(open_.values())
        if len(left) == 1 and nameless:
            again += self.blame(record_type, left, nameless[0])
        elif nameless:  # some of these are refused: each is asked for alone
            for record in left:
                again += self._send(record_type, [record]).again
        else:
            for record in left:
                reason = "HubSpot did not answer for this record: it is merged or gone"
                self.outcomes.reject(record.rows, "gone", reason)
        return Answer(tuple(again), clean=not refusals)

    def blame(self, record_type: str, records: Sequence[Record], refusal: Refusal) -> list[Record]:
        """Reject the properties that the refusal is about."""
        blamed = self._culprits(records, refusal)
        self._absent.update(
            (record_type, detail.property)
            for detail in refusal.details
            if detail.code == UNKNOWN_PROPERTY and detail.property
        )
        remaining = []
        for record in records:
            names = blamed.get(record.id, set())
            for name in names:
                part = refusal.about(name)
                self.outcomes.reject([record.cells[name]], part.kind, part.reason)
            remaining.append(record.without(names))
        return [record for record in remaining if record.cells]

    def _culprits(self, records: Sequence[Record], refusal: Refusal) -> dict[str, set[str]]:
        """The properties by record that the refusal is about, as far as it tells; of a record alone, all of it."""
        alone = records if len(records) == 1 else []
        named = [record for record in records if record.id in refusal.ids] or alone
        blamed: dict[str, set[str]] = {}
        for detail in refusal.details:
            of_all = detail.code == UNKNOWN_PROPERTY or detail.code in READ_ONLY
            if not (named or of_all or detail.value is not None):
                continue
            for record in named or records:
                for name, row in record.cells.items():
                    same = detail.property == name if detail.property else detail.value is not None
                    if same and (of_all or detail.value is None or detail.value == self.outcomes.after[row]):
                        blamed.setdefault(record.id, set()).add(name)
        for record in named:
            blamed.setdefault(record.id, set(record.cells))
        return blamed

    def _late(self, record_type: str, refusal: Refusal) -> bool:
        """Was an option refused that is there? A new one is accepted after a moment: wait for it."""
        wanted = [
            detail
            for detail in refusal.details
            if detail.code == INVALID_OPTION and detail.property and detail.value is not None
        ]
        if not wanted or (self._late_since and time.monotonic() - self._late_since > _OPTION_PATIENCE):
            return False
        self._portal.forget(OBJECTS[record_type])
        properties = self._portal.properties(OBJECTS[record_type])
        for detail in wanted:
            options = properties.get(detail.property, {}).get("options") or ()
            if any(option.get("value") == detail.value for option in options):
                self._late_since = self._late_since or time.monotonic()
                time.sleep(_OPTION_LAG)
                return True
        return False
