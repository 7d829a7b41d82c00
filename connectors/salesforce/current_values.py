"""What does Salesforce hold in our fields now, and in which form does it give values back?"""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.contract import FieldSpec
from connectors.salesforce.api_errors import Refused
from connectors.salesforce.batch_rows import OBJECTS
from connectors.salesforce.session import Org

LENGTH = 255  # characters of a text field of ours
_READ = 2000  # records of one call ("sObject Collections", retrieve by POST)
_DECIMALS = 4


def api_name(field: str) -> str:
    """The name of a field of ours in Salesforce, which marks custom fields by their ending."""
    return field if field.endswith("__c") else f"{field}__c"


def short_label(label: str, length: int = 40) -> str:
    """A label that Salesforce takes: of a long one both ends, because labels of one segmentation begin alike."""
    if len(label) <= length:
        return label
    head = (length - 1) // 2
    return f"{label[:head].rstrip()}…{label[head + 1 - length :].lstrip()}"


def normal(spec: FieldSpec, value: str | None) -> str | None:
    """The form in which Salesforce gives a value back: one line, trimmed, cut at the field's length; empty is
    null.
    """
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
    """What each change's record holds in its field: text in normal form, null for nothing or for what this
    user does not see.
    """
    return pa.array(list(looked_up(org, changes)[0]), pa.string())


def looked_up(
    org: Org, changes: pa.Table, described: bool = True
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """As ``holding``, and of which changes the record and its field were seen.

    Not ``described``: it is not asked first which fields there are, which costs a call, but where one is
    refused.
    """
    try:
        return _looked_up(org, changes, described)
    except Refused as error:
        if described or error.refusal.code != "INVALID_FIELD":
            raise
        return _looked_up(org, changes, True)


def _looked_up(
    org: Org, changes: pa.Table, described: bool
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    types, ids, targets = (changes[name].to_pylist() for name in ("record_type", "id", "target"))
    values, seen = np.full(len(ids), None, object), np.zeros(len(ids), bool)
    for record_type in dict.fromkeys(types):
        table = OBJECTS[record_type]
        visible: Container[str] = org.fields(table) if described else {api_name(target) for target in targets}
        # a list's key has a point
        here = [at for at, row_type in enumerate(types) if row_type == record_type and "." not in targets[at]]
        names = [name for name in dict.fromkeys(api_name(targets[at]) for at in here) if name in visible]
        if not names:
            continue
        records_by_id: dict[str, dict[str, Any]] = {}
        for records in org.many(
            partial(_read, org, table, names, described), _slices(list(dict.fromkeys(ids[at] for at in here)))
        ):
            records_by_id.update(records)
        for at in here:
            name = api_name(targets[at])
            values[at] = as_text(records_by_id.get(ids[at], {}).get(name))
            seen[at] = ids[at] in records_by_id and name in visible
    return values, seen


def _slices(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _READ):
        yield ids[start : start + _READ]


def _read(
    org: Org, table: str, names: list[str], described: bool, ids: list[str]
) -> dict[str, dict[str, Any]]:
    """Records by id; those that are gone, or that this user does not see, are missing.

    One unsound id does not hide the others.
    """
    body = {"ids": ids, "fields": ["Id", *names]}
    try:
        records = org.ask("POST", f"composite/sobjects/{table}", body=body, repeatable=True)
    except Refused as error:
        if not described and error.refusal.code == "INVALID_FIELD":
            raise
        if len(ids) == 1:
            return {}
        middle = len(ids) // 2
        return _read(org, table, names, described, ids[:middle]) | _read(
            org, table, names, described, ids[middle:]
        )
    return {record["Id"]: record for record in records if record}
