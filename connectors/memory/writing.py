"""What does the CRM answer to a change of a field or a membership, and in which form does it keep a value?"""

from __future__ import annotations

from connectors.contract import FieldSpec
from connectors.memory.store import Store
from connectors.schemas import FIELD


def normal(spec: FieldSpec, value: str | None) -> str | None:
    """Without blanks around; a number without zeros behind its point; an empty text is nothing."""
    text = (value or "").strip()
    return (text.rstrip("0").rstrip(".") if spec.type == "number" and "." in text else text) or None


def write(
    store: Store, record_type: str, id: str, target: str, before: str | None, after: str | None
) -> tuple[str, str | None, str | None]:
    """Carry out one change: the status, and the kind and reason of a refusal (OUTCOME_SCHEMA)."""
    now, spec = store.value(record_type, id, target), store.fields.get((record_type, target))
    if not store.exists(record_type, id):
        return "rejected", "gone", f"there is no {record_type} {id}"
    if target in store.lists:  # adding a member, or removing a non-member, counts as done
        store.set_member(target, id, bool(after))
        return "done", None, None
    if spec is None:
        return "rejected", "permission", f"field {target} does not exist: run `crm-segments setup`"
    before, after = normal(spec, before), normal(spec, after)
    if after and spec.options and after not in {option.key for option in spec.options}:
        return "rejected", "data", f"{after!r} is no option of {target}: run `crm-segments setup`"
    if now not in (before, after):
        return "skipped", "conflict", "somebody changed it since it was read"
    if now != after:  # what is there already moves no stamp
        store.put(id, record_type, **{FIELD + target: after})
    return "done", None, None
