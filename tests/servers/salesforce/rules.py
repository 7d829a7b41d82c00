"""Which rules did the org's administrators make?

Validation and duplicate rules that refuse, and automation that runs and counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers.salesforce.compile import Compiler
from tests.servers.salesforce.refusals import Refusal
from tests.servers.salesforce.schema import Entity
from tests.servers.salesforce.soql import Query, parse_condition
from tests.servers.salesforce.store import Row

if TYPE_CHECKING:
    from tests.servers.salesforce.org import Org
    from tests.servers.salesforce.writing import Asking


@dataclass
class Validation:
    """A record for which the condition (SOQL, after WHERE) holds is refused with the message."""

    entity: str
    when: str
    message: str
    column: str = ""
    active: bool = True


@dataclass
class Duplicates:
    """A new record, or one whose fields move, that equals another in all these fields is refused; an alert
    can be overridden.
    """

    entity: str
    fields: tuple[str, ...]
    block: bool = False
    active: bool = True


@dataclass
class Automation:
    """A flow or trigger that runs for every saved record of an object, or only when one of its fields is in
    the change.
    """

    entity: str
    name: str
    column: str = ""
    kind: str = "flow"  # or trigger
    fails: str = ""  # with this message, where set
    sets: dict[str, object] = field(default_factory=dict)  # what it writes on the record
    active: bool = True
    runs: list[str] = field(default_factory=list)  # ids of the records, one a run


@dataclass
class Rules:
    """All rules of an org, and what their automation did."""

    org: Org
    validations: list[Validation] = field(default_factory=list)
    duplicates: list[Duplicates] = field(default_factory=list)
    automations: list[Automation] = field(default_factory=list)

    def runs(self) -> int:
        """How often automation ran: what every write sets off."""
        return sum(len(trigger.runs) for trigger in self.automations)

    def before(self, asking: Asking, entity: Entity, new: Row, old: Row | None, values: Row) -> None:
        """Duplicate rules, then automation that runs before or with the save."""
        for rule in self.duplicates:
            if rule.active and rule.entity == entity.name and (old is None or set(rule.fields) & set(values)):
                self._look_for_twins(asking, entity, new, rule)
        for trigger in self.automations:
            if (
                trigger.active
                and trigger.entity == entity.name
                and (not trigger.column or trigger.column in values)
            ):
                trigger.runs.append(str(new.get("Id") or ""))
                if trigger.fails:
                    code = (
                        "CANNOT_EXECUTE_FLOW_TRIGGER"
                        if trigger.kind == "flow"
                        else "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
                    )
                    raise Refusal(400, code, trigger.fails, [])
                new.update(trigger.sets)

    def _look_for_twins(self, asking: Asking, entity: Entity, new: Row, rule: Duplicates) -> None:
        test = " AND ".join(f'"{name}" = ?' for name in rule.fields) + " AND IsDeleted = 0 AND Id <> ?"
        twins = self.org.store.select(
            entity, test, *(new.get(name) for name in rule.fields), new.get("Id") or ""
        )
        if twins and (rule.block or not asking.allow_duplicates):
            matches = [{"record": {"attributes": {"type": entity.name}, "Id": twin["Id"]}} for twin in twins]
            verdict = {
                "allowSave": not rule.block,
                "duplicateRule": "rule",
                "matchResults": [{"matchRecords": matches, "success": True}],
            }
            message = (
                "Use one of these records?"
                if not rule.block
                else "You can't save this record: it is a duplicate."
            )
            raise Refusal(400, "DUPLICATES_DETECTED", message, [], duplicateResut=verdict)

    def after(self, entity: Entity, new: Row, old: Row | None) -> None:
        """Validation rules, over the record as it is now stored."""
        for rule in self.validations:
            if rule.active and rule.entity == entity.name and self._holds(entity, new["Id"], rule.when):
                raise Refusal(
                    400,
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                    rule.message,
                    [rule.column] if rule.column else [],
                )

    def _holds(self, entity: Entity, id: str, condition: str) -> bool:
        view = self.org.everything
        compiler = Compiler(
            Query([], entity.name, where=parse_condition(condition)),
            self.org.schema,
            view,
            self.org.clock.now(),
            True,
        )
        body = compiler.body(compiler.where())
        return bool(self.org.store.run(f'SELECT 1 {body} AND t0."Id" = ?', [*compiler.parameters, id]))
