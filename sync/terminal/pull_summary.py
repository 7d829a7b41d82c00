"""What do people read of what was read: rows of each stream, what of them counts, and do the months add up?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.pull import reading as words
from sync.terminal.output import done, say, say_note, table, warn


def print_reading(reading: Mapping[str, Any] | None) -> None:
    """The summary of all readings, before anything is made of it; nothing where there is none."""
    if reading is None:
        return
    table("What was read, in all:", words.COLUMNS, words.table(reading))
    for sentence in words.sentences(reading):
        say_note(sentence, "")
    say(f"{words.data_through(reading)}\n")


def print_reconciled(answer: Mapping[str, Any]) -> None:
    """Months beside the user's own; those that differ by name."""
    rows = []
    for month in answer["months"]:
        rows.append(
            (month["month"], "orders", month["orders_stated"], month["orders"], month["orders_difference"])
        )
        money = tuple(month[key] for key in ("net_revenue_stated", "net_revenue", "net_revenue_difference"))
        rows.append((month["month"], f"net revenue, {answer['currency']}", *money))
    shown = [tuple("" if cell is None else str(cell) for cell in row) for row in rows if row[2] is not None]
    table("Your totals and what was read:", ("month", "figure", "yours", "read", "difference"), shown)
    for month in answer["months"]:
        if month["orders_of_nobody"] or float(month["net_revenue_of_nobody"]):
            say(
                f"{month['month']}: {month['orders_of_nobody']:,} of these orders ({month['net_revenue_of_nobody']} {answer['currency']}) "
                f"belong to no known contact, so segments ignore them."
            )
    differ = answer["differ"]
    if differ:
        warn(f"Different: {', '.join(differ)} (orders up to {answer['as_of']} are counted).")
    else:
        done("Every month agrees.")
