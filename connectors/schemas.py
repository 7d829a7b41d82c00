"""What does a table hold that crosses the line between a connector and the sync? Arrow schemas, column by column."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

RecordType = Literal["contact", "lead", "company"]
RECORD_TYPES: tuple[RecordType, ...] = ("contact", "lead", "company")
CHANNELS = ("email", "phone", "sms", "post", "ads")

ATTRIBUTE = "attribute."  # column prefix: an attribute of the record, typed by the config
# column prefix: a text attribute as people read it, where it is compared without case and blanks
SPELLING = "spelling."
FIELD = "field."  # column prefix: what the CRM holds in a field of ours, as text in its normal form
REACHABLE = "reachable."  # column prefix: may this channel be used? true, false, null = unknown

MEMBER = "member"  # the value of a membership: before or after is MEMBER (in the list) or null (not in it)

_INSTANT = pa.timestamp("us", tz="UTC")

# One row per record. A page may leave columns out (they are unknown) and adds ATTRIBUTE and FIELD columns.
RECORD_SCHEMA = pa.schema(
    [
        pa.field("record_type", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        ("changed_at", _INSTANT),
        ("created_at", _INSTANT),
        ("email", pa.string()),
        # every address of the person, the primary one first; null: only ``email`` is known
        ("emails", pa.list_(pa.string())),
        ("phones", pa.list_(pa.string())),  # every number, the primary one first
        ("name", pa.string()),  # whole, as people read it
        ("first_name", pa.string()),  # these two where the source tells them apart
        ("last_name", pa.string()),
        ("country", pa.string()),
        ("company_id", pa.string()),
        ("merged_into", pa.string()),  # id of the survivor, of the same record type
        ("converted_to", pa.string()),  # of a lead: the contact that it became
        ("deleted", pa.bool_()),
        ("objects_to_profiling", pa.bool_()),
        *[(REACHABLE + channel, pa.bool_()) for channel in CHANNELS],
        ("consented_at", _INSTANT),  # when the person agreed to be reached, where the source knows
        ("consent_source", pa.string()),  # and where: a form, a till, an import
        ("line", pa.int64()),  # place within the part, for messages only
    ]
)

# One row per thing that a record did. Refunds are negative; lines of one order share its order_id.
# What several records did together (a deal) is one row for each, under one id: a page that holds an id holds
# all of its rows, and they replace those that were known under it. A row that is ``deleted`` ends all rows of
# its id.
ACTIVITY_SCHEMA = pa.schema(
    [
        ("id", pa.string()),  # null: known by its content and its n-th occurrence within its part; see below
        pa.field("record_type", pa.string(), nullable=False),
        # null where only ``record_email`` tells whose it is, or nothing does
        pa.field("record_id", pa.string()),
        # an address of the record: looked for where no record has ``record_id``
        ("record_email", pa.string()),
        ("share", pa.float64()),  # part of the amount that is this record's; null = 1
        ("order_id", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("occurred_at", _INSTANT, nullable=False),
        ("recorded_at", _INSTANT),
        # when the source changed it last: tells which of two exports of one order is the newer
        ("updated_at", _INSTANT),
        ("amount_minor", pa.int64()),  # minor units of the account's base currency
        ("currency", pa.string()),  # as it was before conversion
        ("quantity", pa.float64()),
        ("product", pa.string()),
        ("category", pa.string()),
        ("channel", pa.string()),
        ("campaign", pa.string()),
        ("answer", pa.string()),
        ("deleted", pa.bool_()),
        ("line", pa.int64()),
    ]
)

# An order or a row, by ``order_id`` or ``id``, of which a part says that it does not count. No time: it takes
# back the whole order.
VOID_SCHEMA = pa.schema(
    [
        ACTIVITY_SCHEMA.field(name)
        for name in ("id", "record_type", "record_id", "record_email", "order_id", "updated_at", "line")
    ]
)

# What the CRM holds in our fields, where that does not come with the record: adds FIELD columns.
# Null: the CRM has no such value. "": it has one, and it is empty. Only files tell these apart.
VALUE_SCHEMA = pa.schema(
    [pa.field("record_type", pa.string(), nullable=False), pa.field("id", pa.string(), nullable=False)]
)

MEMBER_SCHEMA = pa.schema(
    [pa.field("record_type", pa.string(), nullable=False), pa.field("id", pa.string(), nullable=False)]
)

# Input that was refused or fixed: the row (column is null) or one cell of it (the rest of the row goes
# through).
REJECT_SCHEMA = pa.schema(
    [
        pa.field("part", pa.string(), nullable=False),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("id", pa.string()),  # of the record, where it could be read
        pa.field("reason", pa.string(), nullable=False),  # never quotes personal data
    ]
)

# The unit of writing. One batch holds all changes of a record, and a record stands in one batch only.
CHANGE_SCHEMA = pa.schema(
    [
        pa.field("record_type", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),  # name of a field, or key of a list
        ("before", pa.string()),
        ("after", pa.string()),  # null clears, "" leaves an empty cell where the CRM has cells
    ]
)

# Row by row the answer to a table of changes, in its order.
#   status  done | rejected | skipped (what the CRM holds is no longer ``before``)
#   kind    of a rejection: transient | data | permission | gone | conflict
#   reason  for people; an id for the CRM's support stands at its end, in square brackets
OUTCOME_SCHEMA = pa.schema(
    [pa.field("status", pa.string(), nullable=False), ("kind", pa.string()), ("reason", pa.string())]
)


def done(count: int) -> pa.Table:
    """Outcomes that say ``done`` of ``count`` changes."""
    nothing = pa.nulls(count, pa.string())
    return pa.table(
        [pa.array(["done"]).take(pa.array([0] * count, pa.int64())), nothing, nothing], schema=OUTCOME_SCHEMA
    )
