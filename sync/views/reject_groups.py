"""Which rejects have the same reason? What it says of the value of a cell tells no two apart."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sync.store.journal.rejects import IDS, RejectsBySort

_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|a text of [\d,]+ characters")


def without_values(reason: str) -> str:
    """A reason without the values in it."""
    return _VALUE.sub("…", reason)


def grouped(sorts: Iterable[RejectsBySort]) -> list[RejectsBySort]:
    """Sorts whose reasons differ in values alone become one; the largest first."""
    groups: dict[tuple[str, ...], RejectsBySort] = {}
    for sort in sorts:
        general = without_values(sort["reason"])
        key = (sort["source"], sort["place"], sort["about"], general)
        before = groups.get(key)
        groups[key] = sort if before is None else _together(before, sort, general)
    return sorted(groups.values(), key=lambda group: -group["rows"])


def _together(one: RejectsBySort, other: RejectsBySort, reason: str) -> RejectsBySort:
    ids = list(dict.fromkeys([*one["ids"], *other["ids"]]))[:IDS]
    counts = {"rows": one["rows"] + other["rows"], "quarantined": one["quarantined"] + other["quarantined"]}
    return {**one, "reason": reason, "rows": counts["rows"], "quarantined": counts["quarantined"], "ids": ids}
