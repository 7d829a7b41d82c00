"""Who may not be contacted by a file, whatever it is for: by a channel that it is meant for?

Who shares an e-mail address with somebody who refuses the channel, or objects, is not: in a file it is the address
that is written to.
"""

from __future__ import annotations

from sync.account.targets import Target
from sync.consent.consent import Consent
from sync.store import segment_members
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation


def unreached(mirror: AccountMirror, consent: Consent, channel: str, unknown: bool) -> dict[str, Relation]:
    """Why → who may not be reached. ``unknown``: of whom nothing is known may be."""
    refuse = refusing(consent, channel)
    return {
        f"may not be reached by {channel}": consent.withdrawn(_target(channel, unknown)),
        "shares an address with somebody who may not": segment_members.sharing_address(mirror, refuse),
    }


def refusing(consent: Consent, channel: str) -> Relation:
    """Who said no to a channel, or objects."""
    return consent.withdrawn(_target(channel, unknown_reachable=True))


def _target(channel: str, unknown_reachable: bool) -> Target:
    return Target("file", "list", "", channel=channel, unknown_reachable=unknown_reachable)
