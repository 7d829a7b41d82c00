"""How long does ``init`` take on a big folder of exports, and how much memory?

    python -m tests.benchmarks.init_scale                # a small folder: some 60 MB, 12 files
    python -m tests.benchmarks.init_scale --full         # 40 files and 2 GB, in a temporary folder that is
                                                         deleted afterwards

Prints one line of JSON: megabytes, files, seconds of the clock and of the processor, peak memory, and whether
orders and revenue came out as they were written.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sync.start.init import init

ROW = 62  # bytes of a row of orders, about
CHUNK = 1_000_000
STATUSES = ("paid", "paid", "paid", "completed", "cancelled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="40 files and 2 GB rather than 12 files and 60 MB"
    )
    parser.add_argument("--megabytes", type=int)
    arguments = parser.parse_args()
    megabytes = arguments.megabytes or (2000 if arguments.full else 60)
    files, decoys = (8, 31) if arguments.full else (3, 8)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = write(folder / "exports", megabytes, files, decoys)
        print(json.dumps(measured(folder, files + decoys + 1) | {"right": right(folder, expected)}))


def write(folder: Path, megabytes: int, files: int, decoys: int) -> tuple[int, int]:
    """Contacts, orders of one layout in several files, and files of other things.

    The right number of orders, and cents of revenue.
    """
    folder.mkdir()
    random = np.random.default_rng(7)
    orders_bytes = int(megabytes * 1e6 * 0.85)
    rows, customers = orders_bytes // ROW // files, max(1000, orders_bytes // ROW // 25)
    orders = revenue = 0
    for number in range(files):
        counted, cents = _orders(
            folder / f"orders_{2015 + number}.csv", random, rows, customers, number * rows, 2015 + number
        )
        orders, revenue = orders + counted, revenue + cents
    ids = pa.array(np.arange(1, customers + 1)).cast(pa.string())
    email = pc.binary_join_element_wise("customer", ids, "@example.com", "")
    pacsv.write_csv(pa.table({"customer_id": ids, "email": email,
                              "first_name": pa.repeat("Zoë", customers)}), folder / "contacts.csv")  # fmt: skip
    size = int(megabytes * 1e6 * 0.05 / decoys)
    for number in range(decoys):
        line = f"{number},page_view,/shop/article-{number}.html,Mozilla/5.0\n"
        (folder / f"weblog_{number:02}.csv").write_text(
            "session,action,path,agent\n" + line * (size // len(line))
        )
    return orders, revenue


def _orders(
    path: Path, random: np.random.Generator, rows: int, customers: int, first: int, year: int
) -> tuple[int, int]:
    counted = revenue = 0
    with path.open("wb") as file:
        file.write(b"order_id;customer_id;order_date;total;status;channel\n")
        for start in range(0, rows, CHUNK):
            count = min(CHUNK, rows - start)
            cents = random.integers(100, 500_000, count)
            status = random.integers(0, len(STATUSES), count)
            days = np.datetime64(f"{year}-01-01T00:00") + random.integers(0, 365 * 1440, count).astype(
                "timedelta64[m]"
            )
            numbers = pa.array(np.arange(first + start, first + start + count)).cast(pa.string())
            table = pa.table({
                "order": pc.binary_join_element_wise("ORD-", numbers, ""),
                "customer": pa.array(random.integers(1, customers + 1, count)).cast(pa.string()),
                "day": pc.strftime(pa.array(days.astype("datetime64[s]")), "%d.%m.%Y %H:%M"),
                "total": _amounts(cents),
                "status": pa.array(STATUSES).take(pa.array(status)),
                "channel": pa.repeat("webshop", count),
            })  # fmt: skip
            pacsv.write_csv(
                table, file, pacsv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
            )
            counted += int((status < 4).sum())
            revenue += int(cents[status < 4].sum())
    return counted, revenue


def _amounts(cents: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Array:
    """``1.234,56``"""
    whole, part = (
        pa.array(cents // 100).cast(pa.string()),
        pc.utf8_lpad(pa.array(cents % 100).cast(pa.string()), 2, "0"),
    )
    grouped = pc.replace_substring_regex(whole, r"^(\d)(\d{3})$", r"\1.\2")
    return pc.binary_join_element_wise(grouped, part, ",")


def measured(folder: Path, files: int) -> dict[str, object]:
    """What ``init`` takes."""
    size = sum(path.stat().st_size for path in (folder / "exports").iterdir())
    clock, processor = time.perf_counter(), time.process_time()
    init(folder / "config.toml", "files", folder / "exports", "rfm")
    return {
        "files": files, "megabytes": round(size / 1e6), "seconds": round(time.perf_counter() - clock, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "load": os.getloadavg()[0],
    }  # fmt: skip


def right(folder: Path, expected: tuple[int, int]) -> bool:
    """Whether the config reads what was written."""
    from connectors.files.preview import look
    from sync.config.config import load

    preview = look(load(folder / "config.toml").account("shop"))
    return (preview.orders, preview.revenue) == expected


if __name__ == "__main__":
    main()
