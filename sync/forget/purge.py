"""How does the journal forget records, in everything that names them?"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from sync.store.journal import Journal
from sync.store.journal.people import People


def purge(journal: Journal, account: str, people: People, spelled: Set[str] = frozenset()) -> int:
    """Rewrite everything in the journal that names one of these (record type, id); returns how many rows
    went.

    ``spelled``: what else refused rows and the words of a CRM may name them by.
    """
    ids = {id for _type, id in people} | spelled
    with journal.transaction():
        count = journal.batches.forget(account, people) + journal.labels.forget(account, people)
        journal.rejects.forget(account, ids)
        journal.merged_consents.forget(account, people)
        journal.plans.clean(account, lambda summary: _without(summary, ids))
        journal.runs.clean(account, lambda summary: _without(summary, ids))
        journal.exports.clean(account, lambda reason: _naming(ids).sub("?", reason))
    journal.rewrite()
    return count


def _without(value: Any, ids: Set[str]) -> Any:
    """A summary without the entries that name one of these ids, and without the words of a CRM or an error
    that quote one.
    """
    quoted = _naming(ids)

    def cleaned(part: Any) -> Any:
        if isinstance(part, dict):
            kept = {key: inner for key, inner in part.items() if not quoted.search(key)}
            return {
                key: quoted.sub("?", inner) if key in ("stopped", "reason") else cleaned(inner)
                for key, inner in kept.items()
            }
        if isinstance(part, list):
            return [
                cleaned(inner) for inner in part if not (isinstance(inner, dict) and inner.get("id") in ids)
            ]
        return part

    return cleaned(value)


def _naming(ids: Set[str]) -> re.Pattern[str]:
    """Where a text names one of these ids."""
    return re.compile(r"(?<!\w)(" + "|".join(map(re.escape, ids)) + r")(?!\w)")
