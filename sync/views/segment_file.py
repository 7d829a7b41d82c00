"""A file of a segment's members: who may stand in it, what it may tell of them, and who had it written?

With a channel it holds those who may be reached by it, without the control groups of the segment's lists;
without one it holds nothing by which a person can be contacted, and says why it is written. Who objects to
profiling is in none. Who shares an e-mail address with somebody who refuses the channel, or objects, is in none
with a channel: in a file it is the address that is written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connectors.schemas import CHANNELS
from connectors.values.currency import exponent
from sync.account.segment_catalog import segments_of
from sync.account.targets import targets_of
from sync.config.config import Config
from sync.config.faults import one_of
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.consent.consent import Consent
from sync.consent.contact_columns import channels_of, channels_of_cells
from sync.consent.reach import unreached
from sync.exit_codes import CommandError, UsageError
from sync.plan.control_groups import held_out
from sync.store import segment_members
from sync.store.features_table import kept_features
from sync.store.journal import Journal
from sync.store.journal.exports import SegmentFile
from sync.store.label_tables import LabelTables
from sync.store.mirror import AccountMirror, literal
from sync.store.relation import Relation
from sync.store.segment_members import Members
from sync.views.private_file import private_file, write_csv

CONTROL = "in the control group"
_DEFAULT = {"email": ("id", "email"), "phone": ("id", "phone"), "sms": ("id", "phone")}


@dataclass(frozen=True)
class Wanted:
    """A file that somebody asks for. ``segment``: SEGMENTATION.SEGMENT."""

    segment: str
    out: Path
    columns: Sequence[str] = ()
    channel: str = ""
    reason: str = ""
    who: str = ""  # the system's user where nobody else is named


@dataclass(frozen=True)
class Known:
    """What is known of an account's people."""

    config: Config
    journal: Journal
    mirror: AccountMirror
    consent: Consent
    people: Relation  # those who do not object, with all attributes

    @property
    def settings(self) -> AccountSettings:
        """The account's settings."""
        return self.config.accounts[self.mirror.name]


def checked(config: Config, account: str, wanted: Wanted) -> Wanted:
    """What is asked for, with its columns. UsageError: it is not known, or not allowed, whoever is in the file."""
    segmentation_of(config, account, wanted.segment)
    if wanted.out.suffix.lower() != ".csv":
        raise UsageError(f"{wanted.out.name}: members are written as .csv, by the file's ending")
    if wanted.channel and wanted.channel not in CHANNELS:
        raise UsageError(f"there is no channel {wanted.channel!r}; {one_of(wanted.channel, CHANNELS)}")
    if not wanted.channel and not wanted.reason.strip():
        raise UsageError(
            "say what the file is for: --channel, and it holds only who may be reached by it; or --reason, without "
            "anything by which people can be contacted"
        )
    attributes = config.accounts[account].known_attributes
    names = tuple(dict.fromkeys(wanted.columns)) or _DEFAULT.get(wanted.channel, ("id",))
    for name in names:
        if name not in segment_members.COLUMNS and name not in attributes:
            valid = [*segment_members.COLUMNS, *attributes]
            raise UsageError(f"account {account} has no column {name!r}; {one_of(name, valid)}")
        _require_channel(name, channels_of(name, attributes), wanted.channel)
    if not {"id", "email"} & set(names):
        raise UsageError(
            "add id or email to the columns: `forget` needs one of them to find a person in the file"
        )
    return replace(wanted, columns=names, reason=wanted.reason.strip())


def write(known: Known, run: int, wanted: Wanted) -> dict[str, Any]:
    """Write the file of what was ``checked``, and note it in the journal; what it holds, and who was left out."""
    mirror, account = known.mirror, known.mirror.name
    _require_filled(known, wanted.columns)
    members = _members(known, wanted)
    counts = members.counts(mirror)
    rows = members.rows(mirror, wanted.columns, exponent(known.settings.currency))
    table = mirror.table(rows.sql)
    for name in wanted.columns:
        if channels_of(name, known.settings.known_attributes) is None:
            _require_channel(name, channels_of_cells(table[name].combine_chunks()), wanted.channel)
    file = SegmentFile(
        wanted.segment,
        str(wanted.out),
        wanted.columns,
        table.num_rows,
        wanted.channel,
        wanted.reason,
        wanted.who,
    )
    with private_file(wanted.out) as sink:
        write_csv(sink, wanted.columns, [table], phones={"phone"})
        known.journal.exports.add_segment_file(account, run, file)
    return {
        "segment": wanted.segment,
        "channel": wanted.channel,
        "columns": list(wanted.columns),
        "records": table.num_rows,
        "left_out": {why: count for why, count in sorted(counts.items()) if why},
        "out": str(wanted.out),
    }


# -- who ---------------------------------------------------------------------------------------------------


def segmentation_of(config: Config, account: str, name: str) -> tuple[SegmentationSettings, str]:
    """The segmentation and the segment's key of SEGMENTATION.SEGMENT."""
    found = {
        f"{settings.name}.{segment.key}": (settings, segment.key)
        for settings in config.segmentations_of(account)
        for segment in segments_of(config, settings)
    }
    if name not in found:
        raise UsageError(f"account {account} has no segment {name!r}; {one_of(name, found)}")
    return found[name]


def _members(known: Known, wanted: Wanted) -> Members:
    account = known.mirror.name
    settings, key = segmentation_of(known.config, account, wanted.segment)
    labels = LabelTables(known.mirror, settings.name).restored(known.journal.labels)
    if not known.journal.labels.latest_day(account, settings.name, "9999-12-31"):
        raise CommandError(f"there are no segments of {settings.name} yet: run `crm-segments label` first")
    left_out: dict[str, Relation | str] = {}
    if wanted.channel:
        left_out = _unreached(known, settings, wanted.channel)
        lists = [
            target
            for target in targets_of(known.config, account)
            if target.kind == "list" and (target.segmentation, target.segment) == (settings.name, key)
        ]
        conditions = [f"ids.record_type = {literal(t.record_type)} AND {held_out(t)}" for t in lists]
        if conditions:
            left_out[CONTROL] = " OR ".join(f"({condition})" for condition in conditions)
    return Members(known.people, labels, key, left_out)


def _unreached(known: Known, settings: SegmentationSettings, channel: str) -> dict[str, Relation | str]:
    """Why → who may not be reached. Of whom nothing is known may be only where the segmentation's own lists,
    which are of that channel, say so.
    """
    own = settings.reachable_only and settings.channel == channel
    unknown = own and settings.unknown_reachable
    return {**unreached(known.mirror, known.consent, channel, unknown)}


# -- what --------------------------------------------------------------------------------------------------


def _require_channel(column: str, channels: tuple[str, ...] | None, channel: str) -> None:
    """UsageError where people can be contacted by a column, and not by that channel."""
    if channels is None or channel in channels:
        return
    ways = " or ".join(f"--channel {name}" for name in channels)
    has = f"the file is for {channel}" if channel else "no channel is named"
    raise UsageError(
        f"people can be contacted by the column {column}, and {has}. Say {ways}, or leave the column out: --columns"
    )


def _require_filled(known: Known, columns: Sequence[str]) -> None:
    """CommandError where nothing is known for a column: an empty column would look as if nobody had one."""
    if set(columns) & set(segment_members.OF_PURCHASES) and kept_features(known.mirror) is None:
        raise CommandError("purchases are not computed yet: run `crm-segments label` first")
    asked = [c for c in columns if c in segment_members.OF_PERSON or c not in segment_members.COLUMNS]
    filled = segment_members.filled(known.mirror, known.people, asked)
    empty = [name for name in asked if not filled[name]]
    if empty:
        account, crm = known.mirror.name, known.settings.crm
        raise CommandError(
            f"no record of {account} ({crm}) has a value for: {', '.join(empty)}. {_remedy(known.settings)}"
        )


def _remedy(settings: AccountSettings) -> str:
    name = settings.name
    if hasattr(settings.settings, "contacts"):
        return f"Name the columns that hold them under [accounts.{name}.contacts.columns], and pull again"
    return (
        f"See that the key or user of {name} may read them there; or map a field of yours as an attribute, under "
        f"[accounts.{name}.attributes], and name that as the column"
    )
