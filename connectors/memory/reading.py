"""How do the CRM's rows become pages of records and activity? A position is the clock up to which all is read,
and the form of the question: another one reads all again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from connectors.contract import Account, Page
from connectors.memory.store import Store
from connectors.schemas import ACTIVITY_SCHEMA, ATTRIBUTE, FIELD, RECORD_SCHEMA

_TYPES = {"number": pa.float64(), "date": pa.date32(), "bool": pa.bool_()}


def pages(store: Store, account: Account, stream: str, position: str | None, size: int) -> Iterator[Page]:
    """Pages after a position, the oldest change first; each is one call."""
    types = sorted(account.activity_types or ())  # without any, activity is not read at all, or all of it is
    form = [sorted(account.attributes), sorted({spec.name for spec in account.fields}), types]
    state = json.loads(position) if position else {}
    since = state["clock"] if state.get("form") == form else 0
    schema = _schema(store, account, stream)
    there = _activity(store, account) if stream == "activity" else _records(store, account, stream)
    rows = sorted((row for row in there if row["clock"] > since), key=lambda row: int(row["clock"]))
    while rows:
        clock = rows[:size][-1]["clock"]  # all rows of this clock belong together: they have one id
        chosen = [row for row in rows if row["clock"] <= clock]
        yield Page(pa.Table.from_pylist(chosen, schema=schema), json.dumps({"clock": clock, "form": form}))
        rows = rows[len(chosen) :]


def _records(store: Store, account: Account, record_type: str) -> Iterator[dict[str, Any]]:
    attributes = {ATTRIBUTE + name: attribute for name, attribute in account.attributes.items()}
    for (of_type, _id), row in store.records.items():
        if of_type == record_type:
            yield row | {n: v for n, a in attributes.items() if (v := row.get(a.field)) not in a.missing}


def _activity(store: Store, account: Account) -> list[dict[str, Any]]:
    """What some segmentation uses, under the clock of the latest row of its id; no campaigns that we fill."""
    latest = {row["id"]: row["clock"] for row in store.activity}  # the newest row stands last
    types = account.activity_types
    rows = [row for row in store.activity if types is None or row["kind"] in types]
    return [row | {"clock": latest[row["id"]]} for row in rows if row.get("campaign_id") not in account.lists]


def _schema(store: Store, account: Account, stream: str) -> pa.Schema:
    """Of records: the contract's columns, the attributes, and those of our fields that are there."""
    if stream == "activity":
        return ACTIVITY_SCHEMA
    attributes = [(ATTRIBUTE + n, _TYPES.get(a.type, pa.string())) for n, a in account.attributes.items()]
    ours = sorted({spec.name for spec in account.fields if (stream, spec.name) in store.fields})
    return pa.schema([*RECORD_SCHEMA, *attributes, *((FIELD + name, pa.string()) for name in ours)])
