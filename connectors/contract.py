"""READ THIS FIRST: what a source, a destination and a CRM must do for us, and nothing else.

A ``Source`` pages records and activity out (a shop, a database). A ``Destination`` takes values of fields and
members of lists (an ad platform, say, which has no records). A ``Connector`` is both: a CRM. None of them knows of segments.
Everything that crosses this line is an Arrow table of thousands of rows (``connectors.schemas``), so that a
million contacts cost seconds.

The nouns, one word each:
  account    one log-in to one CRM or other source, under the name that the config gives it
  stream     what can be read by itself: a record type, ``activity``, or ``value`` (where a CRM keeps our
             fields apart)
  part       a piece of a stream that is delivered whole (a file, an id range)
  page       a table of rows and the position after them: the unit of saved progress
  field      a typed column of ours on a record;  list: a named set of records
  change     one field or membership of one record, before and after
  ticket     where a writer leaves the CRM's job id before it uploads
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from connectors.naming import Limits as Limits
from connectors.reacting import Automation as Automation
from connectors.reacting import Automations as Automations
from connectors.reacting import Reference as Reference
from connectors.reacting import References as References
from connectors.schemas import OUTCOME_SCHEMA, RECORD_TYPES
from connectors.usage import Calls as Calls
from connectors.usage import Quota as Quota

# How two ids are compared. text: as they are; number: without leading zeros and a ".0" behind; email: without
# case; salesforce: by their first 15 characters (https://help.salesforce.com/s/articleView?id=000385585)
IdType = Literal["text", "number", "email", "salesforce"]


@dataclass(frozen=True)
class Page:
    """Rows of a stream, and the position that resumes after them. Positions are kept: they name no record.

    ``whole`` says that this reading delivers ``part`` from its beginning to its end: once its ``last`` page
    is in, rows that the part held before and that this reading did not repeat are gone. A page of a part
    that is not whole adds rows, or replaces those of the same id.
    """

    records: pa.Table
    position: str
    part: str = ""
    whole: bool = False
    first: bool = False  # first page of this reading of the part: what an unfinished reading left is void
    last: bool = True  # last page of this reading of the part
    rejects: pa.Table | None = None  # REJECT_SCHEMA
    rejected: int = 0  # rows refused whole, also beyond those listed in ``rejects``
    # reason → rows refused whole, without what the single row held
    refused: Mapping[str, int] = field(default_factory=dict)
    refused_minor: int = 0  # worth of the refused rows whose amount could be read, in minor units, no sign
    left_out: Mapping[str, int] = field(default_factory=dict)  # reason → rows that do not count
    ownerless: int = 0  # rows of activity that name no customer: guests, sales at a till
    voids: pa.Table | None = None  # VOID_SCHEMA: orders that do not count; used with ``newest_wins``


@dataclass(frozen=True)
class Attribute:
    """How an attribute of records is called in the CRM, and how its text is to be understood."""

    field: str
    type: Literal["text", "number", "date", "bool", "ordered", "set"] = "text"
    order: tuple[str, ...] = ()  # of an ordered attribute, lowest first
    missing: tuple[str, ...] = ()  # texts that mean "not known"
    exact: bool = False  # texts are compared letter by letter


@dataclass(frozen=True)
class Option:
    """One value of an enumerated field: the key is stored for ever, the label may change."""

    key: str
    label: str


@dataclass(frozen=True)
class FieldSpec:
    """A field of ours on one record type."""

    name: str
    record_type: str = "contact"
    type: Literal["enum", "number", "date", "bool", "text"] = "enum"
    label: str = ""
    description: str = ""  # help text for the people who look at the field
    options: tuple[Option, ...] = ()
    unit: str = ""  # of a number: a currency's code or %; its label says it too
    retired: bool = False  # the config names it no longer: it is read and cleared, and never made
    # where it is there already, a person made it: it gets the options that it lacks, all else stays as it is
    adopted: bool = False


@dataclass(frozen=True)
class FieldReference:
    """A field as the CRM knows it after ``ensure_field``."""

    name: str  # what the CRM calls it, which it may have chosen itself
    # whether it was there before, seen by this user or not, and so what it holds stands; None: not known
    existed: bool | None = None


@dataclass(frozen=True)
class ListSpec:
    """A list of ours: ``key`` is SEGMENTATION.SEGMENT and never changes, ``label`` is what people see.

    A dynamic one is filtered by the CRM itself: no membership is written.
    """

    key: str
    label: str = ""
    kind: Literal["dynamic", "static"] = "static"
    record_type: str = "contact"
    field: str = ""  # dynamic: the CRM filters on this field of ours ...
    value: str = ""  # ... for this value ...
    channel: str = ""  # ... and, of a campaign list, on who can be reached by this channel
    unknown_reachable: bool = False  # of a campaign list: may it hold records of unknown reachability?
    consent_basis: str = ""  # of a dynamic campaign list: the account's, because another is another filter
    description: str = ""
    id: str = ""  # the CRM's id of the list that we made for this key; "" before the first set-up


@dataclass(frozen=True)
class RemoteList:
    """A list as the CRM knows it."""

    id: str
    key: str  # equal to ListSpec.key where the CRM lets us recognise it, else ""
    label: str
    kind: Literal["dynamic", "static"]
    record_type: str = "contact"


@dataclass(frozen=True)
class Problem:
    """Something that a person must fix before a run: what is wrong, with which key or right, and what to do."""

    what: str
    remedy: str


@dataclass(frozen=True)
class AccountDefaults:
    """Where an account lives, as the CRM tells: "" where it does not."""

    time_zone: str = ""  # an IANA name
    currency: str = ""  # the CRM's own, in which it adds amounts up


@dataclass(frozen=True)
class Capabilities:
    """What a source or destination can do.

    Data, so that it survives wrapping, printing and testing; it tells the truth. A source has no use for what
    concerns writing, and the other way round.
    """

    streams: tuple[str, ...] = (*RECORD_TYPES, "activity")
    deletions: bool = True  # a record that is gone from the CRM is reported
    merges: bool = True
    dynamic_lists: bool = False
    counts: bool = False  # count() is the CRM's own exact number: a first pull that brings fewer was cut off
    compares_before: bool = False  # write_* skips a change whose ``before`` is no longer there
    # activity of several records stands under one id; False: an id that comes twice is a slip, the last row
    # wins
    shared_ids: bool = True
    batch_size: int = 100  # records in one batch of field changes: what a crash leaves to be settled
    member_batch_size: int = 100  # members in one batch of a list
    # The cost model: a call carries so many records; a batch of more than ``bulk_above`` is one job of
    # ``bulk_calls``.
    records_per_call: int = 100
    members_per_call: int = 100
    bulk_above: int | None = None
    bulk_calls: int = 0
    member_columns: bool = False  # its lists are files that can hold more of a member than the id
    id_type: IdType = "text"  # how ids in activity are compared with those of records
    # Of an order that stands in several parts, the rows of the newer part count; where that one says that the
    # order is void, none do.
    newest_wins: bool = False
    # minutes that a changed record may take to move into or out of a dynamic list
    list_lag_minutes: int = 0
    archives_fields: bool = False  # ``archive_field``; else a field of ours stays, empty
    deletes_lists: frozenset[str] = frozenset()  # kinds of lists: ``delete_list``; others stay, empty
    way_back: str = ""  # what brings back what was archived or deleted, and until when; a sentence

    def write_calls(self, records: int, members: bool = False) -> int:
        """API calls that writing one batch of so many records (or members) costs."""
        if self.bulk_above is not None and records > self.bulk_above:
            return self.bulk_calls
        return math.ceil(records / (self.members_per_call if members else self.records_per_call))


class Ticket(Protocol):
    """Memory of one batch, kept by the caller across crashes."""

    @property
    def job(self) -> str | None:
        """What ``save`` stored in this or an earlier process, or None."""

    def save(self, job: str) -> None:
        """Store the CRM's job id durably. Call it before the upload."""


@dataclass(frozen=True)
class Account:
    """What a connector is opened with: the account's settings as the config gives them, checked and typed."""

    name: str
    crm: str
    settings: Any  # the connector's own settings model, validated
    folder: Path = Path(".")  # relative paths in the settings start here
    time_zone: str = "UTC"
    currency: str = "EUR"  # base currency of every amount that leaves the connector
    # currency → first day (ISO) → worth of 1 in base currency
    rates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    fields: tuple[FieldSpec, ...] = ()  # ours: read back as FIELD columns
    # the lists that we made, id → key: being in them is no activity
    lists: Mapping[str, str] = field(default_factory=dict)
    activity_types: frozenset[str] | None = None  # those that some segmentation uses; None: all
    # whose purchase is a deal of several contacts
    deal_share: Literal["primary", "split", "full"] = "primary"
    quota_reserve: float = 0.3  # share of the CRM's daily budget of calls that is left to others
    # whether "did not opt out" alone makes a person reachable
    consent_basis: Literal["opt_in", "not_opted_out"] = "opt_in"


class Source(ABC):
    """One account that can be read. Four methods are enough: the others have an answer that fits most.

    Errors are those of ``connectors.errors``; time zones are the account's, instants are UTC.
    """

    capabilities: Capabilities
    calls: Calls

    @abstractmethod
    def check(self) -> list[Problem]:
        """Name every missing credential, scope, permission, file, column and limit at once. Changes nothing."""

    def check_reading(self) -> list[Problem]:
        """What of ``check`` stands in the way of reading: asked before each pull. Here: all of it."""
        return self.check()

    def diagnostics(self) -> list[str]:
        """What a person should know that is no problem: tier, limits and what is left of them, which source
        is read for what.

        Costs no call beyond those of ``check``; before it (or any reading), what is known without asking.
        """
        return []

    def server_time(self) -> datetime | None:
        """What the clock of the account's server said in its last answer; None: it has none, or was not asked."""
        return None

    def quota(self) -> Quota | None:
        """What the account said last of its calls of a day; None: it has no such limit, or did not say."""
        return None

    def account_defaults(self) -> AccountDefaults:
        """Time zone and currency of the account, for accounts that do not configure them."""
        return AccountDefaults()

    def use_defaults(self, defaults: AccountDefaults) -> None:
        """From now on, read days and amounts by these defaults. Needed where ``account_defaults`` has any."""

    def count(self, stream: str) -> int | None:
        """How many rows the account itself says a stream has, or None where it does not tell cheaply."""
        return None

    @abstractmethod
    def read(self, stream: str, position: str | None) -> Iterator[Page]:
        """Pages of a stream after ``position`` (None: from the beginning).

        May repeat a row, never skips one. Merges, conversions and deletions arrive as records. No page means
        that nothing changed. A position made under other attributes, types of activity or columns is void: it
        reads everything again.
        """

    def end_reading(self) -> None:
        """A pull has read what it needs: let go of what holds its pages together, such as a snapshot."""

    def close(self) -> None:
        """Let go of sessions and files."""


class Destination(ABC):
    """One account that can be written to. A table of changes holds values of fields, or members of one list, as the method says."""

    capabilities: Capabilities
    calls: Calls

    def check_writing(self) -> list[Problem]:
        """What stands in the way of writing and not of reading: asked before a plan is carried out.

        Here: nothing.
        """
        return []

    @abstractmethod
    def fields(self) -> dict[tuple[str, str], FieldSpec]:
        """All fields that exist, ours or not, by (record type, name)."""

    @abstractmethod
    def ensure_field(self, spec: FieldSpec) -> FieldReference:
        """Create the field, or add the options that it lacks. Removes none. Safe to repeat."""

    def normal(self, spec: FieldSpec, value: str | None) -> str | None:
        """The form in which the CRM gives a value back, so that comparing it does not differ for ever."""
        return value

    @abstractmethod
    def lists(self) -> list[RemoteList]:
        """All lists that exist, ours or not."""

    @abstractmethod
    def ensure_list(self, spec: ListSpec) -> RemoteList:
        """Create the list, or give it its present label and filter. Safe to repeat.

        A static list is answered where a dynamic one was asked for and the CRM has no room for more of those.
        """

    def list_pages(self, lists: Sequence[RemoteList]) -> dict[str, str]:
        """Id → the address of the page on which people see a list; a list without one is left out."""
        return {}

    def changed_lists(self, specs: Sequence[ListSpec]) -> dict[str, str]:
        """Key → what differs, of the dynamic lists that no longer hold whom ``ensure_list`` would make them hold.

        Told from what the CRM has now, in few calls; a list that is gone, or that we have not made, is left out.
        """
        return {}

    def list_sizes(self, specs: Sequence[ListSpec]) -> dict[str, int]:
        """Key → how many records a dynamic list holds now, where the CRM tells cheaply and is not at work on it.

        A record that changed within ``list_lag_minutes`` may not be counted where it belongs yet.
        """
        return {}

    @abstractmethod
    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """Members of a static list (MEMBER_SCHEMA), one whole part. No page: unchanged since ``position``."""

    @abstractmethod
    def write_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Carry out changes of fields (CHANGE_SCHEMA) and answer each (OUTCOME_SCHEMA). Safe to repeat.

        A change is done only on the CRM's own positive answer for that record.
        """

    @abstractmethod
    def write_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """As ``write_fields``, for members of one static list."""

    @abstractmethod
    def current_values(self, changes: pa.Table) -> pa.Array:
        """What the CRM holds now for each row's record and field: text in normal form, null for nothing."""

    @abstractmethod
    def current_members(self, remote: RemoteList, changes: pa.Table) -> pa.Array:
        """MEMBER for each row whose record is in the list now, else null."""

    def fill_members(self, remote: RemoteList, cells: pa.Table, dropped: Sequence[str]) -> str | None:
        """Fill columns of a list's rows from ``cells`` (record_type, id, texts by name; other rows get empty ones) and
        take ``dropped`` ones out, where ``capabilities.member_columns``. The path of the file if it changed.
        """
        raise NotImplementedError

    def settle_fields(self, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """Outcomes of a batch of fields whose end is unknown.

        Here: read back; what is there is done, the rest never happened.
        """
        return settled(changes, self.current_values(changes))

    def settle_members(self, remote: RemoteList, changes: pa.Table, ticket: Ticket) -> pa.Table:
        """As ``settle_fields``, for members of one static list."""
        return settled(changes, self.current_members(remote, changes))

    def caught_up(self, stream: str | RemoteList, position: str) -> str | None:
        """The position of a reader who stood at ``position`` and has taken every outcome of our writes since.

        None where somebody else may have changed the stream meanwhile: then it is read.
        """
        return None

    def export(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> dict[str, str]:
        """The same fields and lists as files (name → text), for an administrator where we may not make them."""
        return {}

    def automations(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> Automations:
        """What in the CRM reacts when these fields or lists change; never "none" by ignorance."""
        return Automations(unknown=f"{type(self).__name__} cannot tell")

    def references(self, fields: Sequence[FieldSpec], lists: Sequence[ListSpec]) -> References:
        """Which automations and lists of others name these fields or lists; never "none" by ignorance."""
        return References(unknown=f"{type(self).__name__} cannot tell")

    def archive_field(self, spec: FieldSpec) -> None:
        """Take away an empty field of ours. Safe to repeat. RequestError: the CRM keeps it."""
        raise NotImplementedError

    def delete_list(self, remote: RemoteList) -> None:
        """Take away an empty or dynamic list of ours. Safe to repeat. RequestError: the CRM keeps it."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of sessions and files."""


class Connector(Source, Destination):
    """One account of a CRM, whose records we read and label, and write the segments back to."""


def settled(changes: pa.Table, now: pa.Array) -> pa.Table:
    """Outcomes of changes of which only what stands there ``now`` is known (text, row by row)."""
    rows = [
        ("done", None, None)
        if (value or "") == (after or "")
        else ("rejected", "transient", "interrupted before the write")
        for value, after in zip(now.to_pylist(), changes["after"].to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist(
        [dict(zip(OUTCOME_SCHEMA.names, row, strict=True)) for row in rows], schema=OUTCOME_SCHEMA
    )
