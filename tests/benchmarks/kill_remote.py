"""Does ``kill -9`` while a backfill writes into HubSpot or Salesforce, and running again, end like a quiet
run, with nothing sent twice?

    python -m tests.benchmarks.kill --crm hubspot --times 20 --seed 1

The CRM is a stand-in of tests/servers, slow enough that a process can be killed in the middle of its writes:
a moment counts only where the journal says that a batch was open or still planned. A change that was sent
twice must be one of the batch in flight; how many there were is told.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot.writing import BATCH_SIZE
from tests import org_shop, portal_shop
from tests.servers.hubspot import Knobs


class Crm(ABC):
    """A stand-in CRM, and a shop on it for each life."""

    def __init__(self, contacts: int) -> None:
        self.contacts = contacts

    @abstractmethod
    def hasten(self, patch: pytest.MonkeyPatch, folder: Path) -> None: ...

    @abstractmethod
    def shop(self, folder: Path) -> Any:
        """A context of a shop whose set-up is done."""

    @abstractmethod
    def command(self, shop: Any) -> list[str]: ...

    @abstractmethod
    def writes(self, shop: Any) -> bool:
        """Whether a change has arrived, or is on its way in a job."""

    @abstractmethod
    def twice(self, shop: Any) -> int:
        """How many records were sent the same value more than once."""

    @abstractmethod
    def wait(self, shop: Any) -> None:
        """Half an hour passes, as a scheduler would let it."""

    def uploads(self, _shop: Any) -> int:
        """Jobs whose rows were uploaded."""
        return 0

    @property
    def in_flight(self) -> int:
        """Records in one batch."""
        return self.contacts


class HubSpot(Crm):
    """Calls of a hundred records, each answered a fifth of a second late."""

    start = datetime.now(UTC)

    def hasten(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        portal_shop.hasten(patch, folder)

    @contextmanager
    def shop(self, folder: Path) -> Iterator[portal_shop.Shop]:
        folder.mkdir()
        with portal_shop.portal_of(Knobs(), self.contacts, self.contacts * 2, self.start) as server:
            shop = portal_shop.Shop(folder, server, lists="static", day=self.start.date() - timedelta(days=2))
            assert shop.code("setup") == 0, shop.said
            shop.portal.knobs.latency = 0.2
            yield shop

    def command(self, shop: portal_shop.Shop) -> list[str]:
        return [sys.executable, "-m", "tests.portal_shop", str(shop.config), shop.day.isoformat(), "backfill"]

    def writes(self, shop: portal_shop.Shop) -> bool:
        return bool(shop.portal.written)

    def twice(self, shop: portal_shop.Shop) -> int:
        times = Counter((write.id, write.name, write.value) for write in shop.portal.written)
        return len({id for (id, _name, _value), number in times.items() if number > 1})

    def wait(self, shop: portal_shop.Shop) -> None:
        shop.portal.knobs.latency = 0.0
        shop.portal.settle(1800)

    @property
    def in_flight(self) -> int:
        return BATCH_SIZE


class Salesforce(Crm):
    """Bulk jobs that take a second, and campaigns."""

    def hasten(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        org_shop.hasten(patch, folder)

    def shop(self, folder: Path) -> Any:
        settings = {"reads": 2_000, "writes": 200}
        return org_shop.shop_of(
            folder, self.contacts, settings=settings, job_seconds=1.0, latency_seconds=0.02
        )

    def command(self, shop: org_shop.Shop) -> list[str]:
        return org_shop.command_of(shop, "backfill")

    def writes(self, shop: org_shop.Shop) -> bool:
        return bool(shop.org.ingest_jobs.jobs)

    def twice(self, shop: org_shop.Shop) -> int:
        return sum(number > 1 for number in Counter(shop.flow.runs).values())

    def wait(self, shop: org_shop.Shop) -> None:
        shop.org.clock.advance(1800)

    def uploads(self, shop: org_shop.Shop) -> int:
        return shop.org.ingest_jobs.uploads


CRMS = {"hubspot": HubSpot, "salesforce": Salesforce}


def main(name: str, times: int, seed: int, contacts: int) -> int:
    """Kill, run again, compare; exit code 1 where an end differs, or more was sent twice than was in flight."""
    crm, chance = CRMS[name](contacts), random.Random(seed)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        folder = Path(directory)
        crm.hasten(patch, folder)
        with crm.shop(folder / "quiet") as shop:
            process = _begun(crm, shop)
            began = time.monotonic()
            code = process.wait()
            seconds, wanted, uploads = time.monotonic() - began, shop.end(), crm.uploads(shop)
        print(f"a quiet backfill writes for {seconds:.1f} s and ends with {code}", flush=True)
        fates: Counter[str] = Counter()
        lives = 0
        while sum(fates.values()) < times and lives < 5 * times:
            lives += 1
            fates[_fate(crm, folder / str(lives), chance.uniform(0, seconds), wanted, uploads)] += 1
            del fates["not while it wrote"]
    print(f"{fates['same']} of {sum(fates.values())} killed while they wrote ended as the quiet backfill did")
    return 0 if code == 0 and fates["same"] == times else 1


def _begun(crm: Crm, shop: Any) -> subprocess.Popen[bytes]:
    """A backfill that has begun to write."""
    process = subprocess.Popen(crm.command(shop), start_new_session=True)
    while not crm.writes(shop) and process.poll() is None:
        time.sleep(0.002)
    return process


def _fate(crm: Crm, folder: Path, moment: float, wanted: Any, uploads: int) -> str:
    """Of one life: how it ended, in a word where well."""
    with crm.shop(folder) as shop:
        process = _begun(crm, shop)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
        states = _batches(folder)
        if not {"open", "planned"} & set(states):
            return "not while it wrote"
        crm.wait(shop)
        code = shop.code("backfill")
        while code == 75:
            crm.wait(shop)
            code = shop.code("backfill")
        same, twice, sent = shop.end() == wanted, crm.twice(shop), crm.uploads(shop)
        rests = shop.code("plan", exit_code=True) == 0
        good = code == 0 and same and rests and twice <= crm.in_flight * states["open"] and sent <= uploads
        fate = (
            f"exit {code}, same end: {same}, rests: {rests}, uploads: {sent} of {uploads}"
            if not good
            else "same"
        )
        print(
            f"killed {moment:5.2f} s after the first write, batches {dict(states)} → {fate}, sent twice: {twice}",
            flush=True,
        )
        return "same" if good else "other"


def _batches(folder: Path) -> Counter[str]:
    """How many batches the journal has, by state."""
    with closing(sqlite3.connect(folder / "state" / "journal.sqlite")) as journal:
        return Counter(dict(journal.execute("SELECT state, count(*) FROM batches GROUP BY state").fetchall()))
