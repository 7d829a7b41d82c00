"""What does a journal not know that was restored from a backup?

What was written after the backup was made stands in the CRM, and counts as other people's: it is kept.
"""

from __future__ import annotations

from sync.account.targets import targets_of
from sync.config.config import Config
from sync.local_time import local_time
from sync.store.archive import restored_from
from sync.store.mirror import AccountMirror
from sync.store.write_history import unknown_values


def restored_notes(config: Config, mirror: AccountMirror) -> list[str]:
    """Until the account has run once since a restore: how much of what stands in our fields and lists we do not
    know.
    """
    made_at = restored_from(config.state_dir, mirror.name)
    if made_at is None:
        return []
    backed_up = local_time(made_at, config.accounts[mirror.name].time_zone)
    names = [target.name for target in targets_of(config, mirror.name)]
    unknown = unknown_values(mirror, names)
    shown = ", ".join(f"{number:,} in {target}" for target, number in unknown.items()) or "none"
    return [
        f"WARNING: the journal was restored from a backup of {backed_up}. Values and memberships in the CRM that "
        f"it does not know: {shown}. They count as other people's and are kept; `crm-segments plan --adopt` takes over those that "
        "the labels want. Repeat what `crm-segments forget` erased since then."
    ]
