"""In which pieces was each stream delivered, and which of them count?

A part that is delivered whole is loaded beside the live one under a number of its own, and takes its place
with its last page: a reader never sees half a file, and a killed process leaves at most rows that nobody
reads.
"""

from __future__ import annotations

from sync.store.mirror import AccountMirror

LIVE = "part IN (SELECT part FROM parts WHERE live)"  # condition on rows of a part
_OF_PART = ("records", "activity", "parked", "actual", "reading", "parts")


def part_for(mirror: AccountMirror, stream: str, name: str, whole: bool, first: bool) -> int:
    """Number of the part that a page's rows go to. ``first`` page of a ``whole`` part: what an earlier
    attempt left is dropped.
    """
    if first and whole:
        for (stale,) in mirror.rows(
            "SELECT part FROM parts WHERE stream = ? AND name = ? AND NOT live", [stream, name]
        ):
            drop(mirror, stale)
    live = not whole
    part = mirror.value(
        "SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live = ?", [stream, name, live]
    )
    if part is not None:
        return int(part)
    number = int(mirror.value("SELECT coalesce(max(part), 0) + 1 FROM parts"))
    mirror.run("INSERT INTO parts VALUES (?, ?, ?, ?, 0)", [number, stream, name, live])
    return number


def live_part(mirror: AccountMirror, stream: str, name: str) -> int | None:
    """Number of the part of that name that counts."""
    part: int | None = mirror.value(
        "SELECT max(part) FROM parts WHERE stream = ? AND name = ? AND live", [stream, name]
    )
    return part


def set_live(mirror: AccountMirror, part: int) -> None:
    """Let a part count from now on."""
    mirror.run("UPDATE parts SET live = true WHERE part = ?", [part])


def drop(mirror: AccountMirror, part: int) -> None:
    """Take out a part with all its rows."""
    for table in _OF_PART:
        mirror.run(f"DELETE FROM {table} WHERE part = {part}")


def add_rejected(mirror: AccountMirror, part: int, number: int) -> None:
    """Count rows of a part that were refused."""
    mirror.run("UPDATE parts SET rejected = rejected + ? WHERE part = ?", [number, part])


def rejected(mirror: AccountMirror, part: int) -> int:
    """How many rows of a part were refused."""
    return int(mirror.value("SELECT rejected FROM parts WHERE part = ?", [part]))


def live_streams(mirror: AccountMirror) -> set[str]:
    """The streams of which something was read."""
    return {stream for (stream,) in mirror.rows("SELECT DISTINCT stream FROM parts WHERE live")}
