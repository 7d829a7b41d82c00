"""What do people read of a file of a segment's members, and of those that were written?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.local_time import local_time
from sync.terminal.output import done, say, table


def print_segment(answer: Mapping[str, Any]) -> None:
    """How many are in the file, and why others are not."""
    by = f" who may be reached by {answer['channel']}" if answer["channel"] else ""
    done(f"{answer['segment']}: {answer['records']:,} records{by} written to {answer['out']}")
    for why, count in answer["left_out"].items():
        say(f"Left out: {count:,}, {why}.")
    say("Who had it written is in the journal: crm-segments status. Delete the file after use.")


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
