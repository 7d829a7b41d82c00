"""What do people read of a file of a segment's members, and of those that were written?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.local_time import local_time
from sync.terminal.output import done, say, table, warn


def print_segment(answer: Mapping[str, Any]) -> None:
    """How many are in the file, and why others are not."""
    by = f" who may be reached by {answer['channel']}" if answer["channel"] else ""
    done(f"{answer['segment']}: {answer['records']:,} records{by} written to {answer['out']}")
    for why, count in answer["left_out"].items():
        say(f"Left out: {count:,}, {why}.")
    if "platform" in answer:
        _print_audience(answer)
    say("Who had it written is in the journal: crm-segments status. Delete the file after use.")


def _print_audience(answer: Mapping[str, Any]) -> None:
    """What a file for an ad platform may lack, and whether the platform will show anything to so few."""
    from connectors.audience_files.layouts import LAYOUTS

    platform = LAYOUTS[answer["platform"]].title
    if answer["unread_numbers"]:
        say(
            f"Phone numbers that could not be read: {answer['unread_numbers']:,}. A number needs + and the country's code, or the "
            "country of the contact."
        )
    if answer["records"] < 2 * answer["least"]:  # about half of those who are uploaded are found, as a rule
        warn(
            f"{platform} shows no advertisement to an audience of fewer than {answer['least']} people whom it finds, and it finds "
            "about half of those in a file."
        )


def print_segment_files(files: Sequence[Mapping[str, Any]], time_zone: str) -> None:
    """Who had which members written, when, and for what."""
    table(
        "Files of segments:",
        ("written", "by", "segment", "records", "columns", "for", "file"),
        [
            (
                local_time(file["at"], time_zone),
                file["who"],
                file["segment"],
                file["records"],
                ", ".join(file["columns"]),
                ": ".join(filter(None, (file["channel"], file["reason"]))),
                file["path"],
            )
            for file in files
        ],
    )
