"""Random faults over scheduled runs of an org: does it end like a quiet run, within six of them and without a
person?

    python -m tests.salesforce_schedule 1 200       seeds 1 to 199
    python -m tests.salesforce_schedule 17 18 bulk  one seed, by Bulk alone

Faults strike the first four runs; a person approved the first labelling, and nobody does anything afterwards.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import Shop, hasten, shop_of
from tests.world import ALLOWED

RUNS, STRUCK = 6, 4
SIZES = {"rest": 90, "bulk": 2_010}
SETTINGS: dict[str, dict[str, Any]] = {
    "rest": {"lists": "static"},
    "bulk": {"lists": "none", "reads": 2_000, "writes": 200},
}
ANY, WRITE, MEMBERS = (
    (".*", "/services/data/v"),
    ("PATCH", "composite/sobjects$"),
    ("POST", "composite/sobjects$"),
)
READ, TOKEN = ("GET", "query(All)?/"), ("POST", "oauth2/token")
JOB, POLL, UPLOAD = ("PATCH", "jobs/ingest"), ("GET", r"jobs/ingest/\w+$"), ("PUT", "batches")
PAGES, RESULTS, QUERY = (
    ("GET", r"jobs/query/\w+/results"),
    ("GET", r"jobs/ingest/\w+/\w+Results"),
    ("POST", "jobs/query"),
)
# What may go wrong with which calls; values that are pairs are drawn between them.
FAULTS: list[tuple[tuple[str, str], dict[str, Any]]] = [
    (ANY, {"do": "error", "status": 500}), (ANY, {"do": "html", "status": 502}), (ANY, {"do": "html", "status": 503}),
    (ANY, {"do": "expire"}), (ANY, {"do": "unauthorized"}), (ANY, {"do": "concurrent"}), (ANY, {"do": "daily"}),
    (ANY, {"do": "reset", "bytes": (0, 3_000)}), (("GET", "."), {"do": "truncate"}), (("GET", "."), {"do": "foreign", "body": "half"}),
    (ANY, {"do": "foreign", "body": "empty"}), (ANY, {"do": "foreign", "body": "page"}), (TOKEN, {"do": "html", "status": 503}),
    (READ, {"do": "error", "status": 400, "code": "QUERY_TIMEOUT"}), (READ, {"do": "stall", "seconds": 0.2}),
    (WRITE, {"do": "lost"}), (WRITE, {"do": "item", "ids": (0.05, 0.6)}), (WRITE, {"do": "error", "status": 500}),
    (MEMBERS, {"do": "lost"}), (MEMBERS, {"do": "reset", "bytes": (0, 200)}),
    (JOB, {"do": "job", "state": "Failed"}), (JOB, {"do": "job", "state": "Failed", "rows": 0}), (JOB, {"do": "job", "state": "Aborted"}),
    (JOB, {"do": "lost"}), (JOB, {"do": "item", "ids": (0.05, 0.5)}), (POLL, {"do": "html"}), (UPLOAD, {"do": "lost"}),
    (RESULTS, {"do": "truncate"}), (PAGES, {"do": "reset", "bytes": 9_000}), (QUERY, {"do": "job", "state": "Failed"}),
]  # fmt: skip


# the org of the test sells nothing new
STANDING = {name: reason for name, reason in ALLOWED.items() if name == "max_stale_days"}


def script(chance: random.Random) -> list[dict[str, Any]]:
    """Some faults of one run: each now and then, at one call, or for a long time."""
    faults = []
    for (method, path), fault in chance.sample(FAULTS, chance.randint(1, 4)):
        drawn = {name: (chance.uniform if isinstance(value[0], float) else chance.randint)(*value) if isinstance(value, tuple) else value
                 for name, value in fault.items()}  # fmt: skip
        ways: list[dict[str, Any]] = [
            {"nth": chance.randint(1, 12)}, {"probability": chance.uniform(0.02, 0.3)}, {"times": 10**6, "after": 4}
        ]  # fmt: skip
        when = chance.choice(ways)
        faults.append({"match": {"method": method, "path": path}, **drawn, **when})
    return faults


def _approved(shop: Shop) -> bool:
    """Whether the person's approval is with a plan that is under way, or done."""
    import sqlite3

    with sqlite3.connect(shop.folder / "state" / "journal.sqlite") as journal:
        return bool(
            journal.execute("SELECT count(*) FROM plans WHERE state IN ('applying', 'done')").fetchone()[0]
        )


def ended(folder: Path, way: str, seed: int, wanted: Any) -> str:
    """What is wrong with the end; "": nothing."""
    chance = random.Random(f"{way} {seed}")
    story: list[Any] = []
    with shop_of(folder, SIZES[way], True, SETTINGS[way], page_rows=400) as shop:
        shop.org.faults._chance.seed(seed)
        for number in range(RUNS):
            shop.strikes(*(script(chance) if number < STRUCK else []))
            faults = [
                f"{fault.rule['match']['method']} {fault.rule['match']['path']} {fault.rule['do']}"
                for fault in shop.org.faults.script
            ]
            try:
                code = shop.code(allow=STANDING if _approved(shop) else ALLOWED)
            except Exception:  # the traceback that must not be
                return f"{faults}\n{traceback.format_exc(limit=-6)}"
            story.append((faults, code, str(shop.said)[:240] if code not in (0, 75) else ""))
            # for good, as it seems: a person is told
            refused = any("expire" in fault or "unauthorized" in fault for fault in faults)
            if code not in (0, 75) and not (code == 1 and refused):
                return f"run {number + 1} ended with {code}: {story}"
            shop.rests()
            if number >= STRUCK and code == 0:
                break
        if shop.end() != wanted:
            return f"another end after {len(story)} runs: {story}"
        return (
            ""
            if all(len(ids) == len(set(ids)) for ids in shop.members().values())
            else f"somebody is a member twice: {story}"
        )


def quiet(folder: Path, way: str) -> Any:
    """The end of a run in which nothing goes wrong."""
    with shop_of(folder, SIZES[way], True, SETTINGS[way], page_rows=400) as shop:
        assert shop.code() == 0, shop.said
        return shop.end()


def main() -> int:
    """FIRST LAST [WAY]: the seeds; how many went wrong."""
    seeds = range(int(sys.argv[1]), int(sys.argv[2]))
    bad = total = 0
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        hasten(patch, Path(folder), 500.0)
        for way in sys.argv[3:] or SIZES:
            wanted = quiet(Path(folder) / f"quiet-{way}", way)
            for seed in seeds:
                begun = time.monotonic()
                wrong = ended(Path(folder) / f"{way}-{seed}", way, seed, wanted)
                total, bad = total + 1, bad + bool(wrong)
                print(
                    f"{way} {seed}: {time.monotonic() - begun:.1f} s {wrong or 'as it should be'}", flush=True
                )
    print(f"{total} seeds, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
