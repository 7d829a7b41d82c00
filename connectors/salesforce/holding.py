"""What does Salesforce hold in our fields now, and in which form does it give values back?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.contract import FieldSpec
from connectors.salesforce.refusals import Refused
from connectors.salesforce.rows import OBJECTS
from connectors.salesforce.session import Org

LENGTH = 255  # characters of a text field of ours
_READ = 2000  # records of one call ("sObject Collections", retrieve by POST)
_DECIMALS = 4


def api_name(field: str) -> str:
    """The name of a field of ours in Salesforce, which marks custom fields by their ending."""
    return field if field.endswith("__c") else f"{field}__c"


def normal(spec: FieldSpec, value: str | None) -> str | None:
    """The form in which Salesforce gives a value back: one line, trimmed, cut at the field's length; empty is null."""
    if value is None:
        return None
    text = " ".join(value.replace("\0", "").encode("utf-8", "replace").decode().splitlines()).strip()
    if spec.type == "bool":
        return "true" if text.lower() in ("true", "1", "yes") else "false"
    if spec.type == "number":
        try:
            return as_text(round(float(text), _DECIMALS)) if text else None
        except ValueError:
            return text or None
    return text[:LENGTH].strip() or None


def as_text(value: Any) -> str | None:
    """A value of Salesforce's JSON as text in its normal form."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))
    return str(value)


def holding(org: Org, changes: pa.Table) -> pa.Array:
    """What each change's record holds in its field: text in normal form, null for nothing or for what this user does not see."""
    types, ids, targets = (changes[name].to_pylist() for name in ("record_type", "id", "target"))
    held = np.full(len(ids), None, object)
    for record_type in dict.fromkeys(types):
        table = OBJECTS[record_type]
        visible = org.fields(table)
        here = [at for at, one in enumerate(types) if one == record_type and "." not in targets[at]]  # a list's key has a point
        names = [name for name in dict.fromkeys(api_name(targets[at]) for at in here) if name in visible]
        if not names:
            continue
        found: dict[str, dict[str, Any]] = {}
        for records in org.many(partial(_read, org, table, names), _slices(list(dict.fromkeys(ids[at] for at in here)))):
            found.update(records)
        for at in here:
            held[at] = as_text(found.get(ids[at], {}).get(api_name(targets[at])))
    return pa.array(list(held), pa.string())


def _slices(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _READ):
        yield ids[start : start + _READ]


def _read(org: Org, table: str, names: list[str], ids: list[str]) -> dict[str, dict[str, Any]]:
    """Records by id; those that are gone, or that this user does not see, are missing. One unsound id does not hide the others."""
    body = {"ids": ids, "fields": ["Id", *names]}
    try:
        records = org.ask("POST", f"composite/sobjects/{table}", body=body, repeatable=True)
    except Refused:
        if len(ids) == 1:
            return {}
        middle = len(ids) // 2
        return _read(org, table, names, ids[:middle]) | _read(org, table, names, ids[middle:])
    return {record["Id"]: record for record in records if record}
