"""Who is held out of a campaign list?

A control group is drawn by a hash of the record's id and the list's key: the same people on each day, other
people in each list. They are labelled like all others and stand in no campaign list, so that the difference
to the others is the campaign's doing.
"""

from __future__ import annotations

from sync.account.targets import Target
from sync.store.mirror import literal

_PARTS = 10_000


def held_out(target: Target) -> str:
    """SQL condition on ``ids``: is the record in the control group of a list?"""
    if not target.control:
        return "false"
    return f"md5_number(ids.id || {literal('|' + target.name)}) % {_PARTS} < {round(target.control * _PARTS)}"
