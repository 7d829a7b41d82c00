"""What is an org?

Its schema, records, people, rights, rules, limits and jobs; and what its people do behind our back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.servers.garbling import Garbler
from tests.servers.salesforce import derived
from tests.servers.salesforce.access import Access
from tests.servers.salesforce.clock import Clock, stamp
from tests.servers.salesforce.compile import View
from tests.servers.salesforce.faults import Faults
from tests.servers.salesforce.ids import Ids
from tests.servers.salesforce.ingest_jobs import IngestJobs
from tests.servers.salesforce.knobs import Knobs
from tests.servers.salesforce.limits import Limits
from tests.servers.salesforce.list_views import ListViews
from tests.servers.salesforce.login import Login
from tests.servers.salesforce.query_jobs import QueryJobs
from tests.servers.salesforce.querying import Queries
from tests.servers.salesforce.rules import Rules
from tests.servers.salesforce.schema import Field, Schema, custom_field, person_copy
from tests.servers.salesforce.store import Row, Store
from tests.servers.salesforce.values import stored
from tests.servers.salesforce.writing import Asking, Writer

STAGES = (("Prospecting", 0, 0, 10.0), ("Qualification", 0, 0, 10.0), ("Proposal/Price Quote", 0, 0, 75.0),
          ("Negotiation/Review", 0, 0, 90.0), ("Closed Won", 1, 1, 100.0), ("Closed Lost", 1, 0, 0.0))  # fmt: skip
ADMIN_RIGHTS = ("ViewAllData", "ModifyAllData", "ViewSetup", "CustomizeApplication", "ModifyMetadata", "ManageUsers",
                "ManagePublicListViews", "BulkApiHardDelete", "ApiEnabled")  # fmt: skip


class Org:
    """One org.

    ``knobs`` are its settings, by name; ``rights`` those of the user whom the connector logs in as.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        rights: tuple[str, ...] = ("ApiEnabled",),
        clock: Clock | None = None,
        **knobs: Any,
    ) -> None:
        self.knobs = Knobs()
        self.knobs.update(knobs)
        self.chance = random.Random(seed)
        self.clock = clock or Clock()
        self.schema = Schema()
        self.schema_moved = self.clock.now()
        self._switch_off()
        self.store = Store(self.schema)
        self.ids = Ids()
        self.access = Access(self.schema, self.store, self.knobs, self.clock)
        self.limits = Limits(self.knobs, self.clock)
        self.faults = Faults(seed)
        self.rules = Rules(self)
        self.writer = Writer(self)
        self.queries = Queries(self)
        self.query_jobs = QueryJobs(self)
        self.ingest_jobs = IngestJobs(self)
        self.list_views = ListViews(self)
        self.everything = View(lambda entity: set(entity.fields), lambda entity, alias: "")
        self.log: list[dict[str, Any]] = []  # every request: method, path, status, user, bytes
        self.errors: list[Exception] = []  # faults of this server itself
        self.garbler: Garbler | None = None  # damages answers at random
        self._late: list[tuple[datetime, Callable[[], None]]] = []
        self._settle(rights)
        self.login = Login(self)

    def _switch_off(self) -> None:
        knobs = self.knobs
        if not knobs.marketing:
            self.schema.switch_off("CampaignMember", "CampaignMemberStatus", "Campaign")
        if not knobs.orders:
            self.schema.switch_off("OrderItem", "Order")
        if not knobs.individuals:
            self.schema.switch_off("Individual")
        if not knobs.person_accounts:
            of_account = (
                "IsPersonAccount",
                "PersonContactId",
                "FirstName",
                "LastName",
                "PersonEmail",
                "PersonMailingCity",
                "PersonHasOptedOutOfEmail",
            )
            self.schema.switch_off("Contact.IsPersonAccount", *(f"Account.{name}" for name in of_account))
        if not knobs.multi_currency:
            self.schema.switch_off("CurrencyType", "DatedConversionRate")
        else:
            for name in ("Opportunity", "Order", "OrderItem", "Account", "Campaign", "Lead", "Contact"):
                self.schema[name].add(
                    Field("CurrencyIsoCode", "picklist", 255, values=("EUR", "USD", "GBP"), restricted=True)
                )

    def _settle(self, rights: tuple[str, ...]) -> None:
        """The rows that every org has: people, profiles, stages."""
        profiles = {}
        for name, given in (("System Administrator", ADMIN_RIGHTS), ("Integration", rights)):
            flags = {f"Permissions{right.removeprefix('Permissions')}": 1 for right in given}
            profiles[name] = self.add("Profile", {"Name": name, **flags}, user="")
            self.add(
                "PermissionSet",
                {
                    "Name": f"X{profiles[name]}",
                    "Label": name,
                    "IsOwnedByProfile": 1,
                    "ProfileId": profiles[name],
                    **flags,
                },
            )
        self.admin = self._user("admin@example.org", "Admin", profiles["System Administrator"])
        self.user = self._user("sync@example.org", "Sync", profiles["Integration"])
        zone = {
            "TimeZoneSidKey": self.knobs.time_zone,
            "DefaultLocaleSidKey": "de_DE",
            "LanguageLocaleKey": "en_US",
        }
        kind = {
            "Name": "Local",
            "IsSandbox": int(self.knobs.sandbox),
            "InstanceName": "LOC1",
            "OrganizationType": "Enterprise Edition",
        }
        self.organization = self.add("Organization", zone | kind)
        for order, (name, closed, won, probability) in enumerate(STAGES, 1):
            row = {"MasterLabel": name, "ApiName": name, "IsActive": 1, "SortOrder": order}
            self.add(
                "OpportunityStage",
                row | {"IsClosed": closed, "IsWon": won, "DefaultProbability": probability},
            )
        if self.knobs.multi_currency:
            for code, rate in ((self.knobs.currency, 1.0), ("USD", 1.25), ("GBP", 0.8)):
                row = {"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": 2, "IsActive": 1}
                self.add("CurrencyType", row | {"IsCorporate": int(code == self.knobs.currency)})

    def _user(self, name: str, last: str, profile: str) -> str:
        zone = {
            "TimeZoneSidKey": self.knobs.time_zone,
            "LocaleSidKey": "de_DE",
            "DefaultCurrencyIsoCode": self.knobs.currency,
        }
        row = {
            "Username": name,
            "LastName": last,
            "Name": last,
            "Email": name,
            "IsActive": 1,
            "ProfileId": profile,
            "UserType": "Standard",
        }
        return self.add("User", {**row, **zone, "UserPermissionsMarketingUser": 1})

    # What the org's own hands do, without rights, rules and locks

    def add(self, name: str, values: Mapping[str, Any], *, user: str = "", moment: str = "") -> str:
        """One row as it is given, stored values by the schema's names; its id."""
        entity = self.schema[name]
        moment = moment or self.clock.stamp()
        row = {
            "Id": self.ids.next(entity.prefix),
            "CreatedDate": moment,
            "LastModifiedDate": moment,
            "SystemModstamp": moment,
            **values,
        }
        if not entity.plain:
            row = {"CreatedById": user or None, "LastModifiedById": user or None, **row}
            if entity.field("OwnerId"):
                row.setdefault("OwnerId", user or getattr(self, "admin", None))
        if row.get("LastName") and not row.get("Name") and entity.field("Name"):
            row["Name"] = " ".join(filter(None, (row.get("FirstName"), row["LastName"])))
        with self.store.lock:
            self.store.put(entity, row)
            if name == "Campaign":
                derived.after_save(self, entity, row, None, moment, user)
        if entity.plain:
            self.access.changed()
        return str(row["Id"])

    def create(self, name: str, **values: Any) -> str:
        """A person creates a record, as by REST; Refusal where the org says no."""
        (result,) = self.writer.save(self._person(), self.schema[name], "insert", [values])
        if result.error:
            raise result.error
        return str(result.id)

    def edit(self, name: str, id: str, **values: Any) -> None:
        """A person edits a record; Refusal where the org says no."""
        (result,) = self.writer.save(self._person(), self.schema[name], "update", [{"Id": id, **values}])
        if result.error:
            raise result.error

    def delete(self, name: str, id: str) -> None:
        """A person deletes a record: it goes into the recycle bin."""
        (result,) = self.writer.save(self._person(), self.schema[name], "delete", [{"Id": id}])
        if result.error:
            raise result.error

    def _person(self) -> Asking:
        return Asking(self.admin, allow_duplicates=True, sees_all=True)

    def undelete(self, name: str, id: str) -> None:
        """A person takes a record out of the recycle bin."""
        entity = self.schema[name]
        values: Row = {"IsDeleted": 0, "SystemModstamp": self.clock.stamp()}
        if entity.field("MasterRecordId"):
            values["MasterRecordId"] = None
        with self.store.lock:
            self.store.change(entity, id, values)

    def purge(self, name: str, *ids: str) -> None:
        """Records are erased: out of the recycle bin, or at once."""
        with self.store.lock:
            for id in ids:
                self.store.remove(self.schema[name], id)

    def merge(self, name: str, master: str, *losers: str) -> None:
        """A person merges records into ``master``; what hung on the losers hangs on it."""
        entity, moment = self.schema[name], self.clock.stamp()
        with self.store.lock, self.store.transaction():
            for loser in losers:
                old = self.store.get(entity, loser)
                if old:
                    for child in self.schema.entities.values():
                        self._reparent(child.name, name, loser, master, moment)
                    self.writer.bin(entity, old, moment, master)
            self.store.change(entity, master, {"SystemModstamp": moment, "LastModifiedDate": moment})

    def _reparent(self, child: str, parent: str, old: str, new: str, moment: str) -> None:
        entity = self.schema[child]
        for field in entity:
            if (
                field.type == "reference"
                and parent in field.targets
                and field.name != "MasterRecordId"
                and field.formula is None
            ):
                stamp_text = ', "SystemModstamp" = ?'
                self.store.run(
                    f'UPDATE "{child}" SET "{field.name}" = ?{stamp_text} WHERE "{field.name}" = ?',
                    (new, moment, old),
                )

    def convert(self, lead: str, contact: str | None = None, account: str | None = None) -> str:
        """A person converts a lead into a contact (a new one, or this one); consent is not carried over.

        The contact's id.
        """
        moment = self.clock.stamp()
        with self.store.lock, self.store.transaction():
            row = self.store.get(self.schema["Lead"], lead) or {}
            existing = self.store.get(self.schema["Contact"], contact) if contact else None
            account = (
                account
                or (existing or {}).get("AccountId")
                or self.add("Account", {"Name": row.get("Company")}, moment=moment)
            )
            if contact is None:
                same = ("FirstName", "LastName", "Email", "Phone", "HasOptedOutOfEmail", "IndividualId")
                values = {name: row.get(name) for name in same if self.schema["Contact"].field(name)}
                contact = self.add("Contact", values | {"AccountId": account}, moment=moment)
            converted = {
                "IsConverted": 1,
                "ConvertedDate": moment[:10],
                "ConvertedContactId": contact,
                "ConvertedAccountId": account,
            }
            self.store.change(
                self.schema["Lead"],
                lead,
                converted | {"Status": "Closed - Converted", "SystemModstamp": moment},
            )
            if self.schema.get("CampaignMember"):
                self.store.run(
                    "UPDATE CampaignMember SET ContactId = ?, SystemModstamp = ? WHERE LeadId = ?",
                    (contact, moment, lead),
                )
            for name in ("Task", "Event"):
                self.store.run(
                    f"UPDATE {name} SET WhoId = ?, SystemModstamp = ? WHERE WhoId = ?",
                    (contact, moment, lead),
                )
        return contact

    def touch(self, name: str, *ids: str) -> None:
        """Stamps move (a bounce, a roll-up, a renamed picklist value) though nothing that we read does.

        No ids: all records.
        """
        moment = self.clock.stamp()
        with self.store.lock:
            if not ids:
                self.store.run(f'UPDATE "{name}" SET SystemModstamp = ?', (moment,))
            for id in ids:
                self.store.change(self.schema[name], id, {"SystemModstamp": moment})

    def overwrite(self, name: str, id: str, **values: Any) -> None:
        """Stored columns of a record, as they are, without any stamp: what an import or a formula does."""
        with self.store.lock:
            self.store.change(self.schema[name], id, values)

    def late(self, seconds: float, name: str, id: str | None = None, **values: Any) -> str:
        """A long transaction stamps a record now and commits it only so many seconds later. The record's id."""
        entity, moment = self.schema[name], self.clock.stamp()
        key = id or self.ids.next(entity.prefix)
        kept = {column: stored(entity.fields[column.lower()], value) for column, value in values.items()}
        times = {"SystemModstamp": moment, "LastModifiedDate": moment}

        def commit() -> None:
            if id is None:
                self.add(name, {"Id": key, **kept}, moment=moment)
            else:
                self.store.change(entity, id, kept | times)

        self._late.append((self.clock.now() + timedelta(seconds=seconds), commit))
        return key

    def commit_late(self) -> None:
        """Commit what is due. The server calls it before every request."""
        now = self.clock.now()
        with self.store.lock:
            due = [commit for when, commit in self._late if when <= now]
            self._late = [(when, commit) for when, commit in self._late if when > now]
            for commit in due:
                commit()

    # Schema

    def add_field(
        self, entity: str, name: str, type: str = "string", *, hidden: bool = False, **settings: Any
    ) -> Field:
        """A custom field. ``hidden``: as one made by API is, until a permission set shows it.

        Takes what ``Field`` takes.
        """
        target = self.schema[entity]
        field = custom_field(name, type, **settings)
        with self.store.lock:
            target.add(field)
            self.store.add_column(target, field)
            if entity == "Contact" and self.knobs.person_accounts:
                self.schema["Account"].add(person_copy(field))
            if hidden:
                self.access.hidden.add((entity.lower(), name.lower()))
            self.schema.version += 1
            self.schema_moved = self.clock.now()
        return field

    def grant(self, *rights: str) -> None:
        """Give the connector's user permissions (``CustomizeApplication``)."""
        flags = {f"Permissions{right.removeprefix('Permissions')}": 1 for right in rights}
        self._flag(flags)

    def revoke(self, *rights: str) -> None:
        self._flag({f"Permissions{right.removeprefix('Permissions')}": 0 for right in rights})

    def _flag(self, flags: Row) -> None:
        with self.store.lock:
            profile = str((self.store.get(self.schema["User"], self.user) or {})["ProfileId"])
            self.store.change(self.schema["Profile"], profile, flags)
            rows = self.store.select(self.schema["PermissionSet"], "ProfileId = ?", profile)
            shared = {
                name: value for name, value in flags.items() if self.schema["PermissionSet"].field(name)
            }
            for row in rows if shared else ():
                self.store.change(self.schema["PermissionSet"], row["Id"], shared)
        self.access.changed()

    # Looking

    def rows(self, name: str, where: str = "IsDeleted = 0", *parameters: Any) -> list[Row]:
        """Stored rows by a condition of SQL."""
        with self.store.lock:
            return self.store.select(self.schema[name], where, *parameters)

    def row(self, name: str, id: str) -> Row:
        """One stored row; KeyError where there is none."""
        with self.store.lock:
            row = self.store.get(self.schema[name], id)
        if row is None:
            raise KeyError(id)
        return row

    def stamp(self, ago: float = 0.0) -> str:
        """The instant so many seconds ago, as records keep it."""
        return stamp(self.clock.now() - timedelta(seconds=ago))
