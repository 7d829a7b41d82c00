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

import pyarrow as pa

from connectors.audience_files.layouts import LAYOUTS
from connectors.schemas import CHANNELS
from connectors.values.currency import exponent
from sync.account.segment_catalog import segments_of
from sync.account.targets import targets_of
from sync.config.config import Config
from sync.config.faults import one_of
from sync.config.sensitive_use import sensitive_attributes
from sync.config.settings import AccountSettings, SegmentationSettings
from sync.consent.consent import Consent
from sync.consent.contact_columns import channels_of, channels_of_cells
from sync.consent.reach import refusing, unreached
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
from sync.views.audience_file import CHANNEL, audience, post_code_column, require_installed
from sync.views.audience_file import COLUMNS as AUDIENCE_COLUMNS
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
    platform: str = ""  # an ad platform: the file is one to upload there, with its columns
    plain: bool = False  # identifiers as they are, which the platform hashes itself


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
    if wanted.platform:
        return _checked_for_platform(config, account, wanted)
    if wanted.plain:
        raise UsageError("--plain is of files for an ad platform: name it with --for")
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


def _checked_for_platform(config: Config, account: str, wanted: Wanted) -> Wanted:
    """The same of a file for an ad platform, which settles channel and columns."""
    if wanted.platform not in LAYOUTS:
        raise UsageError(f"there is no platform {wanted.platform!r}; {one_of(wanted.platform, LAYOUTS)}")
    if wanted.columns or wanted.channel not in ("", CHANNEL) or wanted.reason:
        raise UsageError(
            f"a file for {wanted.platform} has its columns, and holds who may be reached by ads: leave --columns, --channel and "
            "--reason out"
        )
    settings, _ = segmentation_of(config, account, wanted.segment)
    if names := sensitive_attributes(config, account, settings):
        raise UsageError(
            f"{settings.name} looks at {', '.join(names)}, which is sensitive: ad platforms take no audience that stands on it. "
            "Choose a segmentation that does not, or leave the attribute out of its rules"
        )
    return replace(wanted, channel=CHANNEL, reason=f"for {wanted.platform}")


def write(known: Known, run: int, wanted: Wanted) -> dict[str, Any]:
    """Write the file of what was ``checked``, and note it in the journal; what it holds, and who was left out."""
    if wanted.platform:
        return _write_audience(known, run, wanted)
    mirror = known.mirror
    _require_filled(known, wanted.columns)
    members = _members(known, wanted)
    counts = members.counts(mirror)
    rows = members.rows(mirror, wanted.columns, exponent(known.settings.currency))
    table = mirror.table(rows.sql)
    for name in wanted.columns:
        if channels_of(name, known.settings.known_attributes) is None:
            _require_channel(name, channels_of_cells(table[name].combine_chunks()), wanted.channel)
    _written(known, run, wanted, table, ("phone",))
    left_out = {why: count for why, count in sorted(counts.items()) if why}
    return _answer(wanted, table.num_rows, left_out)


def _write_audience(known: Known, run: int, wanted: Wanted) -> dict[str, Any]:
    """Write a file to upload to an ad platform; it says too how many numbers could not be read."""
    require_installed()
    mirror = known.mirror
    members = _members(known, wanted)
    post_code = post_code_column(known.settings.known_attributes)
    columns = [*AUDIENCE_COLUMNS, *filter(None, [post_code])]
    rows = mirror.table(members.rows(mirror, columns, exponent(known.settings.currency)).sql)
    refusing_ways = segment_members.ways_to_reach(mirror, refusing(known.consent, CHANNEL))
    made = audience(wanted.platform, rows, refusing_ways, post_code, not wanted.plain)
    named = replace(wanted, columns=made.layout.headers)
    _written(known, run, named, made.table, (made.layout.phone,))
    left_out = {why: count for why, count in sorted(members.counts(mirror).items()) if why} | made.left_out
    more = {"unread_numbers": made.unread_numbers, "least": made.layout.least, "hashed": not wanted.plain}
    return {**_answer(named, len(made.rows), left_out), "platform": wanted.platform, **more}


def _written(known: Known, run: int, wanted: Wanted, table: pa.Table, phones: Sequence[str]) -> None:
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
        write_csv(sink, wanted.columns, [table], phones=phones)
        known.journal.exports.add_segment_file(known.mirror.name, run, file)


def _answer(wanted: Wanted, records: int, left_out: dict[str, int]) -> dict[str, Any]:
    return {
        "segment": wanted.segment,
        "channel": wanted.channel,
        "columns": list(wanted.columns),
        "records": records,
        "left_out": left_out,
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
        left_out = _unreached(known, settings, wanted)
        lists = [
            target
            for target in targets_of(known.config, account)
            if target.kind == "list" and (target.segmentation, target.segment) == (settings.name, key)
        ]
        conditions = [f"ids.record_type = {literal(t.record_type)} AND {held_out(t)}" for t in lists]
        if conditions:
            left_out[CONTROL] = " OR ".join(f"({condition})" for condition in conditions)
    return Members(known.people, labels, key, left_out)


def _unreached(known: Known, settings: SegmentationSettings, wanted: Wanted) -> dict[str, Relation | str]:
    """Why → who may not be reached. Of whom nothing is known may be only where the segmentation's own lists,
    which are of that channel, say so; never on an ad platform.
    """
    own = settings.reachable_only and settings.channel == wanted.channel
    unknown = own and settings.unknown_reachable and not wanted.platform
    return {**unreached(known.mirror, known.consent, wanted.channel, unknown)}


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
