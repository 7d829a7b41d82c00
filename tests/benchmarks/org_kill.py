"""Does ``kill -9`` at random moments of a bulk backfill into Salesforce, and running again, end like one quiet run, uploaded once?

    python -m tests.benchmarks.org_kill --times 20 --seed 1

The org is the stand-in of tests/servers/salesforce; its jobs take a second. Prints a line a kill; exit code 1 where an end differs, a
record was written twice by a job that ran, or a job that had its rows was uploaded again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import command_of, hasten, shop_of

SETTINGS = {"reads": 2_000, "writes": 200, "lists": "none"}


def main() -> int:
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        hasten(patch, Path(folder))
        with shop_of(Path(folder) / "quiet", options.contacts, settings=SETTINGS, job_seconds=1.0) as shop:
            start = time.monotonic()
            code = subprocess.run(command_of(shop), check=False).returncode
            seconds, wanted = time.monotonic() - start, shop.end()
        print(f"a quiet run takes {seconds:.1f} s and ends with {code}", flush=True)
        wrong = 0
        for number in range(options.times):
            wrong += not _survives(Path(folder) / str(number), options.contacts, chance.uniform(0.3, seconds), wanted)
    print(f"{options.times - wrong} of {options.times} ended as the quiet run did")
    return 1 if wrong or code else 0


def _survives(folder: Path, contacts: int, moment: float, wanted: Any) -> bool:
    with shop_of(folder, contacts, settings=SETTINGS, job_seconds=1.0) as shop:
        process = subprocess.Popen(command_of(shop), start_new_session=True)
        time.sleep(moment)
        called = shop.org.log[-1] if shop.org.log else {"method": "", "path": "nothing yet"}
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shop.org.clock.advance(2)
        code = shop.finish()
        twice = [id for id, times in Counter(shop.flow.runs).items() if times > 1]
        same, uploads = shop.end() == wanted, shop.org.ingest_jobs.uploads
        good = code == 0 and same and not twice and uploads == 1
        last = f"{called['method']} {called['path'].split('?')[0]}"
        verdict = "same, uploaded once" if good else f"exit {code}, same end: {same}, written twice: {len(twice)}, uploads: {uploads}"
        print(f"{'killed' if alive else 'ended '} at {moment:5.2f} s after {last} → {verdict}", flush=True)
        return good


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.org_kill", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contacts", type=int, default=3_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
