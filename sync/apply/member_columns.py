"""Which further columns do the lists of an account hold, such as an address, and of whom?

Only where its CRM keeps lists as files that can hold some, of a list that is for a channel, and of members who may be
reached by it today: of everybody else the cells are empty. It is done after each run, whether that changed members or
not, so that what a person takes back is gone with the next run. Plans and the journal's changes know ids alone; the
journal keeps who had which columns written, as of files of segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.contract import Destination, RemoteList
from sync.account.targets import Target, targets_of
from sync.apply.delivery import remote_list
from sync.config.config import Config
from sync.consent.consent import Consent, consent_of
from sync.consent.contact_columns import channels_of, channels_of_cells
from sync.consent.reach import unreached
from sync.plan.control_groups import held_out
from sync.store import segment_members
from sync.store.joined import Joined, with_attributes
from sync.store.journal import Journal
from sync.store.journal.exports import SegmentFile
from sync.store.mirror import AccountMirror
from sync.store.relation import Relation

WHY = "a list of the account"  # what the journal says such a file is for


@dataclass(frozen=True)
class _Lists:
    """What the lists of an account are filled from."""

    config: Config
    journal: Journal
    mirror: AccountMirror
    consent: Consent
    people: Relation

    def columns(self, target: Target) -> list[str]:
        """Those that a list may hold by their names: none without a channel."""
        account = self.config.accounts[self.mirror.name]
        wanted = getattr(account.settings, "export_columns", ())
        if not target.channel:
            return []
        served = {name: channels_of(name, account.known_attributes) for name in wanted}
        return [name for name, channels in served.items() if channels is None or target.channel in channels]

    def cells(self, target: Target, columns: Sequence[str]) -> pa.Table:
        """Type, id and columns of the members who may be reached; without columns whose cells serve another
        channel.
        """
        refused = unreached(self.mirror, self.consent, target.channel, target.unknown_reachable)
        rows = segment_members.reached(
            self.mirror, self.people, target.name, columns, [*refused.values()], held_out(target)
        )
        table = self.mirror.table(rows.sql)
        strange = [
            name
            for name in columns
            if (channels := channels_of_cells(table[name].combine_chunks()))
            and target.channel not in channels
        ]
        return table.drop_columns(strange)


def fill(
    config: Config,
    journal: Journal,
    mirror: AccountMirror,
    destination: Destination,
    joined: Sequence[Joined],
    run: int,
) -> None:
    """Bring the further columns of all lists up to date; note each file that changed in the journal."""
    if not destination.capabilities.member_columns:
        return
    written = journal.exports.columns_of_lists(mirror.name, WHY)
    targets = [target for target in targets_of(config, mirror.name) if target.kind == "list"]
    if not written and not getattr(config.accounts[mirror.name].settings, "export_columns", ()):
        return
    consent = consent_of(mirror, joined)
    members = Relation(f"({consent.people}) UNION ALL ({consent.test_contacts})")
    people = with_attributes(mirror, members, joined)
    lists = _Lists(config, journal, mirror, consent, people)
    there = {remote.id: remote for remote in destination.lists()}
    for target in targets:
        remote = remote_list(there, journal.objects, mirror.name, target.name)
        former, columns = written.get(target.name, []), lists.columns(target)
        if remote is not None and (columns or former):
            _fill(lists, destination, run, target, remote, columns, former)


def _fill(
    lists: _Lists,
    destination: Destination,
    run: int,
    target: Target,
    remote: RemoteList,
    columns: Sequence[str],
    former: Sequence[str],
) -> None:
    cells = lists.cells(target, columns)
    columns = cells.column_names[2:]
    file = destination.fill_members(remote, cells, [name for name in former if name not in columns])
    if file is None:
        return
    story = SegmentFile(target.name, file, ["id", *columns], cells.num_rows, target.channel, WHY)
    lists.journal.exports.add_segment_file(lists.mirror.name, run, story)
