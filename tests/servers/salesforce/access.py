"""Who asks, and what may they see and do?

Permissions come from the user's profile and permission sets. A field that was created by API is hidden from
everybody until a FieldPermissions row of an assigned permission set shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.servers.salesforce.clock import Clock, stamp
from tests.servers.salesforce.compile import View
from tests.servers.salesforce.knobs import Knobs
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.schema import Entity, Schema
from tests.servers.salesforce.store import Store

_VISIBLE_BY = ("PermissionsViewAllData", "PermissionsModifyAllData")
Key = tuple[str, str]


@dataclass
class Access:
    """Rights, as rows of the set-up objects and the sets below say."""

    schema: Schema
    store: Store
    knobs: Knobs
    clock: Clock
    # (object, field) in lower case: not seen without a FieldPermissions row
    hidden: set[Key] = field(default_factory=set)
    frozen: set[Key] = field(default_factory=set)  # seen, not edited without one
    # object in lower case → read, create, edit, delete
    denied: dict[str, set[str]] = field(default_factory=dict)
    version: int = 0  # moves when a right moves
    _known: dict[Any, set[str]] = field(default_factory=dict)
    _state: tuple[int, int] = (-1, -1)

    def changed(self) -> None:
        self.version += 1

    def hide(self, *names: str) -> None:
        """Take fields (``Contact.Email``) out of everybody's sight, also where a permission set shows them."""
        for name in names:
            key = self._key(name)
            self.hidden.add(key)
            entity, field = name.split(".")
            self.store.run("DELETE FROM FieldPermissions WHERE Field = ?", (f"{entity}.{field}",))
        self.changed()

    def show(self, *names: str) -> None:
        self.hidden -= {self._key(name) for name in names}
        self.frozen -= {self._key(name) for name in names}
        self.changed()

    def freeze(self, *names: str) -> None:
        """Fields that everybody may only read."""
        self.frozen |= {self._key(name) for name in names}
        self.changed()

    def deny(self, entity: str, *rights: str) -> None:
        self.denied.setdefault(entity.lower(), set()).update(rights)
        self.changed()

    def allow(self, entity: str) -> None:
        self.denied.pop(entity.lower(), None)
        self.changed()

    @staticmethod
    def _key(name: str) -> Key:
        entity, _, field = name.lower().partition(".")
        return entity, field

    def may(self, user: str, permission: str) -> bool:
        """Does the user's profile or one of the permission sets give this permission?"""
        sets = "SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = ?"
        by_profile = (
            f'SELECT p."{permission}" FROM Profile p JOIN User u ON u.ProfileId = p.Id WHERE u.Id = ?'
        )
        by_set = f'SELECT 1 FROM PermissionSet WHERE "{permission}" = 1 AND Id IN ({sets})'
        rows = self.store.run(by_profile, (user,))
        if rows and rows[0][0]:
            return True
        return (
            bool(self.store.connection.execute(by_set, (user,)).fetchone())
            if self.schema["PermissionSet"].field(permission)
            else False
        )

    def _granted(self, user: str, right: str) -> set[Key]:
        sets = "SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = ?"
        felt = stamp(self.clock.now() - timedelta(seconds=self.knobs.field_delay_seconds))
        test = f'"{right}" = 1 AND CreatedDate <= ? AND ParentId IN ({sets})'
        rows = self.store.run(f"SELECT Field FROM FieldPermissions WHERE {test}", (felt, user))
        return {self._key(name) for (name,) in rows}

    def _remember(self, what: str, user: str, entity: Entity) -> set[str]:
        state = (self.version, self.schema.version)
        if self._state != state or self.knobs.field_delay_seconds:
            self._known, self._state = {}, state
        key = (what, user, entity.name)
        if key not in self._known:
            name = entity.name.lower()
            away = {field for of, field in self.hidden - self._granted(user, "PermissionsRead") if of == name}
            if what == "edit":
                away |= {
                    field
                    for of, field in (self.frozen | self.hidden) - self._granted(user, "PermissionsEdit")
                    if of == name
                }
                away |= {field.name.lower() for field in entity if not (field.createable or field.updateable)}
            self._known[key] = {field.name.lower() for field in entity} - away
        return self._known[key]

    def fields(self, user: str, entity: Entity) -> set[str]:
        """Names, in lower case, of the fields that the user sees."""
        return self._remember("read", user, entity)

    def editable(self, user: str, entity: Entity) -> set[str]:
        """Names, in lower case, of the fields that the user may write."""
        return self._remember("edit", user, entity)

    def rows(self, user: str, entity: Entity, alias: str) -> str:
        """SQL of the rows that sharing lets the user see."""
        share = next(
            (part for name, part in self.knobs.visible.items() if name.lower() == entity.name.lower()), 1.0
        )
        if share >= 1 or any(self.may(user, permission) for permission in _VISIBLE_BY):
            return ""
        return f'bucket({alias}."Id") < {share}'

    def view(self, user: str) -> View:
        """What a query of this user is answered from."""
        return View(
            lambda entity: self.fields(user, entity), lambda entity, alias: self.rows(user, entity, alias)
        )

    def entity(self, user: str, name: str, tooling: bool = False) -> Entity | None:
        """The object, where it exists and the user may read it."""
        entity = self.schema.get(name)
        if entity is None or "read" in self.denied.get(entity.name.lower(), ()):
            return None
        if entity.tooling and not (tooling and self.may(user, "PermissionsViewSetup")):
            return None
        return entity

    def require(self, user: str, entity: Entity, right: str) -> None:
        """Refusal unless the user may create, edit or delete records of this object."""
        if entity.readonly or right in self.denied.get(entity.name.lower(), ()):
            code = (
                "INSUFFICIENT_ACCESS_OR_READONLY"
                if right != "create"
                else "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
            )
            raise Refusal(
                403, code, f"entity type {entity.name} does not support {right} for the running user"
            )
        setup = {
            "PermissionSet",
            "FieldPermissions",
            "PermissionSetAssignment",
            "ObjectPermissions",
            "User",
            "Profile",
        }
        if entity.name in setup and not self.may(user, "PermissionsManageUsers"):
            raise Refusal(
                403,
                "INSUFFICIENT_ACCESS_OR_READONLY",
                f"insufficient access rights on object id: {entity.name}",
            )
