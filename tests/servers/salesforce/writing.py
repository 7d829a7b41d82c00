"""How does the org take a change?

Rights, types, locks, rules and automation, record by record, in transactions of 200.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.salesforce import derived
from tests.servers.salesforce.ids import is_id, long_id
from tests.servers.salesforce.refusals import Refusal, not_found, unknown_id
from tests.servers.salesforce.schema import PERSON_FIELDS, Entity, Field
from tests.servers.salesforce.store import Row, bucket
from tests.servers.salesforce.values import of_cell, stored

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org

TRANSACTION = 200


@dataclass
class Result:
    """What became of one record."""

    id: str | None = None
    created: bool = False
    error: Refusal | None = None

    def item(self, tell_created: bool = False) -> dict[str, Any]:
        """As a collection answers it."""
        if self.error:
            return {**({"id": self.id} if self.id else {}), "success": False, "errors": [self.error.item()]}
        return {
            "id": self.id,
            "success": True,
            "errors": [],
            **({"created": self.created} if tell_created else {}),
        }


@dataclass
class Asking:
    """Who writes, and how."""

    user: str
    allow_duplicates: bool = False
    all_or_none: bool = False
    cells: bool = False  # values are cells of CSV
    sees_all: bool = False  # field-level security hides nothing


@dataclass
class Writer:
    """Changes of records, as users make them."""

    org: Org
    attempts: dict[str, int] = field(default_factory=dict)  # account → how often its lock was met
    _held: dict[str, int] = field(default_factory=dict)  # account → thread that holds it

    def save(
        self, asking: Asking, entity: Entity, operation: str, rows: Sequence[Mapping[str, Any]], key: str = ""
    ) -> list[Result]:
        """Insert, update, upsert or delete records; a result a row, in order.

        ``key``: the external id of an upsert.
        """
        results: list[Result] = []
        for start in range(0, len(rows), TRANSACTION):
            chunk = rows[start : start + TRANSACTION]
            results += self._transaction(asking, entity, operation, chunk, key)
        if asking.all_or_none and any(result.error for result in results):
            results = [
                result if result.error else Result(result.id, error=_rolled_back()) for result in results
            ]
        return results

    def _transaction(
        self, asking: Asking, entity: Entity, operation: str, rows: Sequence[Mapping[str, Any]], key: str
    ) -> list[Result]:
        with self.org.store.lock:
            plan = [self._target(asking, entity, operation, row, key) for row in rows]
            old = self.org.store.many(
                entity, sorted({result.id for result in plan if result.id and not result.error})
            )
        with self._locks(entity, plan, old, rows), self.org.store.lock, self.org.store.transaction() as undo:
            self._carry_out(asking, entity, operation, rows, plan)
            if asking.all_or_none and any(result.error for result in plan):
                undo()
        return plan

    def _carry_out(
        self,
        asking: Asking,
        entity: Entity,
        operation: str,
        rows: Sequence[Mapping[str, Any]],
        plan: list[Result],
    ) -> None:
        moment = self.org.clock.stamp()
        seen: set[str] = set()
        for row, result in zip(rows, plan, strict=True):
            if result.error:
                continue
            try:
                if result.id and result.id in seen and operation != "delete":
                    raise Refusal(400, "DUPLICATE_VALUE", f"Duplicate id specified: {result.id}", ["Id"])
                self._one(asking, entity, operation, row, result, moment)
            except Refusal as refusal:
                result.error = refusal
            seen.add(result.id or "")

    # Which record is meant

    def _target(
        self, asking: Asking, entity: Entity, operation: str, row: Mapping[str, Any], key: str
    ) -> Result:
        try:
            if operation == "insert":
                return Result(created=True)
            if operation == "upsert" and key.lower() != "id":
                return self._by_key(asking, entity, row, key)
            id = next((value for name, value in row.items() if name.lower() == "id"), None)
            if operation == "upsert" and not id:
                return Result(created=True)
            if not id:
                raise Refusal(400, "MISSING_ARGUMENT", "Id not specified in an update call", ["Id"])
            return Result(self.identified(entity, id))
        except Refusal as refusal:
            given = next((value for name, value in row.items() if name.lower() == "id"), None)
            return Result(given if is_id(given) else None, error=refusal)

    def identified(self, entity: Entity, id: Any) -> str:
        """The full form of an id of this object."""
        if not is_id(id) or str(id)[:3] != entity.prefix:
            raise Refusal(400, "MALFORMED_ID", f"{entity.name} ID: id value of incorrect type: {id}", ["Id"])
        return long_id(str(id))

    def _by_key(self, asking: Asking, entity: Entity, row: Mapping[str, Any], key: str) -> Result:
        field = entity.field(key)
        if (
            field is None
            or not field.external_id
            or field.name.lower() not in self.org.access.fields(asking.user, entity)
        ):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {key}")
        value = next((value for name, value in row.items() if name.lower() == key.lower()), None)
        if value in (None, ""):
            raise Refusal(400, "MISSING_ARGUMENT", f"{field.name} not specified", [field.name])
        matches = self.org.store.select(entity, f'"{field.name}" = ? AND IsDeleted = 0', value)
        if len(matches) > 1:
            raise Refusal(
                300,
                "DUPLICATE_EXTERNAL_ID",
                f"{field.name}: more than one record found for external id field",
                [field.name],
            )
        return Result(matches[0]["Id"]) if matches else Result(created=True)

    # Locks

    @contextmanager
    def _locks(
        self, entity: Entity, plan: list[Result], old: dict[str, Row], rows: Sequence[Mapping[str, Any]]
    ) -> Iterator[None]:
        """Hold the accounts of the records; rows whose account somebody else holds are refused."""
        parents = [
            self._parent(entity, old.get(result.id or ""), row)
            for result, row in zip(plan, rows, strict=True)
        ]
        mine = threading.get_ident()
        with self.org.store.lock:
            busy = {parent for parent in set(parents) if parent and self._is_locked(parent, mine)}
            taken = {parent for parent in parents if parent and parent not in busy}
            self._held.update(dict.fromkeys(taken, mine))
        for result, parent in zip(plan, parents, strict=True):
            if parent in busy and not result.error:
                result.error = Refusal(
                    self.org.knobs.lock_status,
                    "UNABLE_TO_LOCK_ROW",
                    f"unable to obtain exclusive access to this record or {len(plan)} records: {result.id or parent}",
                )
        try:
            yield
            if self.org.knobs.write_seconds:
                time.sleep(self.org.knobs.write_seconds)
        finally:
            with self.org.store.lock:
                for parent in taken:
                    self._held.pop(parent, None)

    def _parent(self, entity: Entity, old: Row | None, row: Mapping[str, Any]) -> str:
        """The account (of a member: the campaign) that a change locks; of a record without one, the record."""
        if entity.plain:
            return ""
        for name in ("AccountId", "Id"):
            if old and old.get(name):
                return str(old[name])
        return str(next((value for name, value in row.items() if name.lower() == "accountid"), "") or "")

    def _is_locked(self, parent: str, mine: int) -> bool:
        if self._held.get(parent, mine) != mine:
            return True
        if self.org.knobs.lock_fraction and bucket(parent) < self.org.knobs.lock_fraction:
            self.attempts[parent] = self.attempts.get(parent, 0) + 1
            return self.attempts[parent] <= self.org.knobs.lock_times
        return False

    # One record

    def _one(
        self,
        asking: Asking,
        entity: Entity,
        operation: str,
        row: Mapping[str, Any],
        result: Result,
        moment: str,
    ) -> None:
        old = self._existing(asking, entity, result.id) if result.id else None
        if operation == "delete" and old:
            derived.before_delete(self.org, entity, old)
            self.bin(entity, old, moment)
            return
        values = self._values(asking, entity, row, old is None)
        if old is None:
            derived.required(entity, values)
            result.id = self.org.ids.next(entity.prefix)
            new = dict.fromkeys(f.name for f in entity if f.formula is None) | self._empty(entity) | values
        else:
            new = {**old, **values}
        self._check_references(asking, entity, values)
        derived.before_save(self.org, entity, new, old, moment)
        self.org.rules.before(asking, entity, new, old, values)
        self._stamp(asking.user, entity, new, old, result.id or "", moment)
        new = {
            name: value
            for name, value in new.items()
            if (kept := entity.field(name)) is None or kept.formula is None
        }
        if old is None:
            self.org.store.connection.execute(*_insert(entity, new))
        else:
            self.org.store.change(
                entity, old["Id"], {name: value for name, value in new.items() if value != old.get(name)}
            )
        try:
            self.org.rules.after(entity, new, old)
        except Refusal:
            self.org.store.remove(entity, str(new["Id"]))
            if old is not None:
                self.org.store.connection.execute(*_insert(entity, old))
            raise
        derived.after_save(self.org, entity, new, old, moment, asking.user)
        self._person(entity, new, values, moment)

    def _existing(self, asking: Asking, entity: Entity, id: str) -> Row:
        old = self.org.store.get(entity, id)
        if old is None or not self._sees(asking.user, entity, id):
            raise unknown_id()
        if old.get("IsDeleted"):
            raise Refusal(404, "ENTITY_IS_DELETED", "entity is deleted")
        return old

    def _sees(self, user: str, entity: Entity, id: str) -> bool:
        test = self.org.access.rows(user, entity, "t")
        return not test or bool(
            self.org.store.run(f'SELECT 1 FROM "{entity.name}" t WHERE t."Id" = ? AND {test}', (id,))
        )

    def _empty(self, entity: Entity) -> Row:
        return {field.name: 0 for field in entity if field.type == "boolean" and field.formula is None}

    def _values(self, asking: Asking, entity: Entity, row: Mapping[str, Any], new: bool) -> Row:
        """The given values as they are stored, by the schema's names."""
        values: Row = {}
        editable = set(entity.fields) if asking.sees_all else self.org.access.editable(asking.user, entity)
        for name, value in row.items():
            if name.lower() in ("id", "attributes") or isinstance(value, dict):
                continue
            field = entity.field(name) if asking.sees_all else None
            field = field or self.known_field(asking.user, entity, name)
            may = field.createable if new else field.updateable
            if field.name.lower() not in editable or not may:
                where = (
                    "Please check the security settings of this field"
                    " and verify that it is read/write for your profile or permission set."
                )
                message = f"Unable to create/update fields: {field.name}. {where}"
                raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, [field.name])
            if asking.cells and value == "":
                continue
            values[field.name] = of_cell(field, value) if asking.cells else stored(field, value)
        return values

    def known_field(self, user: str, entity: Entity, name: str) -> Field:
        """The field of that name, if the user sees it."""
        field = entity.field(name)
        if field is None or field.name.lower() not in self.org.access.fields(user, entity):
            raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {entity.name}")
        return field

    def _check_references(self, asking: Asking, entity: Entity, values: Row) -> None:
        for name, value in values.items():
            field = entity.field(name)
            if field is None or field.type != "reference" or not value:
                continue
            target = self.org.schema.of_id(value)
            if target is None or target.name not in field.targets:
                raise Refusal(
                    400,
                    "FIELD_INTEGRITY_EXCEPTION",
                    f"{field.name}: id value of incorrect type: {value}",
                    [field.name],
                )
            rows = self.org.store.run(
                f'SELECT {"0" if target.plain else "IsDeleted"} FROM "{target.name}" WHERE Id = ?', (value,)
            )
            if not rows or not self._sees(asking.user, target, value):
                raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
            if rows[0][0]:
                raise Refusal(400, "ENTITY_IS_DELETED", "entity is deleted")

    def _stamp(self, user: str, entity: Entity, new: Row, old: Row | None, id: str, moment: str) -> None:
        new["Id"] = id
        times = ("LastModifiedDate", "SystemModstamp") + (("CreatedDate",) if old is None else ())
        new.update(dict.fromkeys(times, moment))
        if not entity.plain:
            new["LastModifiedById"] = user
            if old is None:
                new["CreatedById"] = user
                if entity.field("OwnerId") and not new.get("OwnerId"):
                    new["OwnerId"] = user

    def _person(self, entity: Entity, new: Row, values: Row, moment: str) -> None:
        """A person account and its contact are one person: both rows move."""
        if not new.get("IsPersonAccount"):
            return
        if entity.name == "Contact" and new.get("AccountId"):
            self.org.store.change(
                self.org.schema["Account"],
                new["AccountId"],
                {"SystemModstamp": moment, "LastModifiedDate": moment},
            )
        if entity.name == "Account" and new.get("PersonContactId"):
            names = {**PERSON_FIELDS, "FirstName": "FirstName", "LastName": "LastName"}
            moved = {names[name]: value for name, value in values.items() if name in names}
            moved |= {name[:-4] + "__c": value for name, value in values.items() if name.endswith("__pc")}
            self.org.store.change(
                self.org.schema["Contact"], new["PersonContactId"], moved | {"SystemModstamp": moment}
            )

    # Recycle bin

    def bin(self, entity: Entity, old: Row, moment: str, master: str | None = None) -> None:
        """Put a record and its dependants into the recycle bin; set-up records vanish."""
        if entity.plain:
            self.org.store.remove(entity, old["Id"])
            self.org.access.changed()
            return
        values: Row = {"IsDeleted": 1}
        if self.org.knobs.delete_moves_stamp:
            values |= {"SystemModstamp": moment, "LastModifiedDate": moment}
        if entity.field("MasterRecordId"):
            values["MasterRecordId"] = master
        self.org.store.change(entity, old["Id"], values)
        if master is None:
            for child, name in derived.DEPENDANTS.get(entity.name, ()):
                below = self.org.schema[child]
                for row in (
                    self.org.store.select(below, f"{name} = ? AND IsDeleted = 0", old["Id"])
                    if below.field(name)
                    else ()
                ):
                    self.bin(below, row, moment)
        derived.after_delete(self.org, entity, old)


def _rolled_back() -> Refusal:
    message = (
        "Record rolled back because not all records were valid and the request was using AllOrNone header"
    )
    return Refusal(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", message)


def _insert(entity: Entity, row: Row) -> tuple[str, tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in row)
    return f'INSERT INTO "{entity.name}" ({names}) VALUES ({", ".join("?" * len(row))})', tuple(row.values())
