"""What should a person know of the test contacts that the config names? An entry is told by its place: it may be an
address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.contract import Destination
from sync.account.targets import Target, targets_of
from sync.config.config import Config
from sync.consent.consent import Consent, consent_of
from sync.store.ids import PRESENT
from sync.store.joined import Joined
from sync.store.mirror import AccountMirror
from sync.store.test_contacts import fitting, named_by


def of_test_contacts(summary: Mapping[str, Any]) -> str:
    """``2 test contacts in every static list (26 changes)``; "" where no test contact changes."""
    tested = summary.get("test_contacts")
    if not tested:
        return ""
    number, changes = len(tested["records"]), tested["changes"]
    return f"{number} test contact{'s' * (number != 1)} in every static list ({changes:,} change{'s' * (changes != 1)})"


def test_contact_notes(
    config: Config,
    account: str,
    mirror: Callable[[], AccountMirror],
    joined: Callable[[], Sequence[Joined]],
    destination: Destination,
) -> list[str]:
    """A sentence for each entry that is not found, fits several contacts, or may not be written; and for lists that
    no test contact can be put into.

    Nothing is said of who is found before contacts were read.
    """
    named = config.accounts[account].test_contacts
    if not named:
        return []
    notes: list[str] = []
    if mirror().value(f"SELECT count(*) FROM ({PRESENT})"):
        notes += _unsuitable(mirror(), consent_of(mirror(), joined()), named, targets_of(config, account))
    dynamic = [s.name for s in config.segmentations_of(account) if s.lists == "dynamic"]
    if dynamic and destination.capabilities.dynamic_lists:
        notes.append(
            f"test contacts stand only in the dynamic lists of their own segments, because the CRM fills these by the field: "
            f'{", ".join(dynamic)}. lists = "static" puts them into every list'
        )
    return notes


def _unsuitable(
    mirror: AccountMirror, consent: Consent, named: Sequence[str], targets: list[Target]
) -> Iterator[str]:
    fits = fitting(mirror, named)
    refusing = set(named_by(mirror, fits, consent.objectors))
    for place, (text, records) in enumerate(fits.items(), 1):
        entry = f"entry {place} of test_contacts in [accounts.{mirror.name}]"
        if not records:
            yield f"{entry} is the id or address of no contact: correct it, or leave it out"
        elif len(records) > 1:
            yield f"{entry} fits {len(records)} contacts, so none of them is a test contact: name one by its id"
        elif text in refusing:
            yield f"{entry} objects to profiling, so the contact gets no segment and stands in no list"
        elif channels := _unreached(mirror, consent, targets, fits, text):
            by = " or ".join(channels)
            yield f"{entry} may not be reached by {by}, or nobody knows whether, so the contact stands in no list for {by}"


def _unreached(
    mirror: AccountMirror, consent: Consent, targets: list[Target], fits: Mapping[str, list[int]], text: str
) -> list[str]:
    """Channels of campaign lists by which a test contact may not be reached."""
    by_channel = {target.channel: target for target in targets if target.channel}
    return [
        channel
        for channel, target in by_channel.items()
        if named_by(mirror, {text: fits[text]}, consent.unreachable(target))
    ]
