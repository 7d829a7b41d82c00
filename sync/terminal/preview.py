"""What ``init`` took the files of a folder for, and what purchases come to when they are read so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.values.currency import major_units
from sync.terminal.output import say, table

_SHOWN = (
    "contact_id",
    "contact_email",
    "id",
    "email",
    "occurred_at",
    "date",
    "amount",
    "price",
    "quantity",
    "refunded",
    "order_id",
)


def print_preview(answer: Mapping[str, Any]) -> None:
    """Files, columns and figures, for a person to compare with what the shop itself says."""
    for file in answer.get("read_as", ()):
        say(f"{', '.join(file['files'][:3])}{' …' if len(file['files']) > 3 else ''}: {file['sure']}")
        say(
            "  "
            + ", ".join(f"{name} = {header!r}" for name, header in file["columns"].items() if name in _SHOWN)
        )
        if file["amounts"]:
            say(f"  amounts: {file['amounts']}")
    preview = answer.get("preview")
    if not preview:
        return
    currency = answer["currency"]

    def money(minor: int | None) -> str:
        return "" if minor is None else f"{major_units(minor, currency):,} {currency}"

    rows = [
        (_masked(sample["owner"]), sample["day"], money(sample["amount_minor"]))
        for sample in preview["samples"]
    ]
    table("The first rows, as read:", ("customer", "day", "amount"), rows)
    say(
        f"{preview['orders']:,} orders of {preview['buyers']:,} of {preview['contacts']:,} contacts, {money(preview['revenue'])} in all, "
        f"{preview['first_day']} to {preview['last_day']}"
    )
    total = preview["rows"] or 1
    for reason, number in preview["left_out"].items():
        say(f"  left out: {number:,} of {total:,} rows ({number / total:.1%}), {reason}")
    for reason, number in preview["refused"].items():
        say(f"  rejected: {number:,} of {total:,} rows ({number / total:.1%}), {reason}")
    lost = preview["unmatched"] + preview["ownerless"]
    if lost:
        say(f"  no customer: {lost:,} of {total:,} rows ({lost / total:.1%}) belong to no contact")
    if preview["overlapping"]:
        say(
            f"  in two files: {preview['overlapping']:,} orders; each counts once, as in the newer file, so a run adds up to less than this"
        )
    if preview["repeated"]:
        say(
            f"  repeated: {preview['repeated']:,} rows have an id that a later row repeats: only the last one counts"
        )
    if preview["ahead"]:
        say(f"  dated after today: {preview['ahead']:,} rows")


def _masked(owner: str) -> str:
    """An id as it is, an address without most of its name."""
    name, at, domain = owner.partition("@")
    return f"{name[:2]}…@{domain}" if at else owner
