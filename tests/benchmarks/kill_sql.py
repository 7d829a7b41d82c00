"""Does ``kill -9`` of a run on a database, or of the database's server, and running again, end like a quiet run?

    python -m tests.benchmarks.kill --crm sql --database postgres --times 20 --seed 1      # or mariadb

Every second moment kills the server, and starts it again once the run has ended; the others kill the run. What is
compared: all tables of ours but for their clocks, all tables of the shop, and the labels of the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sql.address import address_of
from connectors.sql.engines.base import engine_of
from sync import commands
from sync.commands import Options
from sync.store.journal import Journal
from tests.benchmarks.process import ours, start
from tests.segment_databases import database_of

DATABASES = ("postgres", "mariadb")
_GUARDS = (
    "max_change",
    "max_enter",
    "max_leave",
    "min_size",
    "max_cleared",
    "max_overwrite",
    "max_writes",
    "max_calls",
)
_ALLOW = [text for guard in _GUARDS for text in ("--allow", guard)]
_OPTIONS = Options(
    allow=dict.fromkeys(_GUARDS, "bench"), clock=lambda: datetime(2026, 11, 28, 12, tzinfo=UTC)
)
_CONFIG = """
state_dir = "state"
as_of = 2026-11-27

[accounts.shop]
crm = "sql"
segments_schema = "SCHEMA"
WHERE
[accounts.shop.contacts]
table = "customers"
columns = { email = "email" }
[accounts.shop.activities]
table = "orders"
changed_at = "updated_at"
columns = { id = "id", contact_id = "customer", occurred_at = "bought_at", amount = "total" }

[[segmentations]]
name = "spender"
kind = "rules"
field = "seg_spender"
lists = "static"
extra_fields = ["reason", "since"]
segments = [
    {key = "big", when = {feature = "net_revenue", above = 50}},
    {key = "small", when = {feature = "orders", at_least = 1}},
]
"""
# what the segmentation leaves behind, without its clocks
_OURS = {
    "segment_values": "record_type, field, record_id, value",
    "list_members": "list_key, record_type, record_id",
    "segment_fields": "record_type, field, type, title, description",
    "segment_options": "record_type, field, segment, title",
    "segment_lists": "list_key, record_type, title, description",
}
State = dict[str, str]


def main(kind: str, times: int, seed: int, contacts: int) -> int:
    """Kill, run again, compare; exit code 1 where an end differs."""
    chance, fates = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        quiet = _Life(kind, Path(directory) / "quiet", contacts)
        began = time.monotonic()
        code = quiet.process().wait()
        seconds, wanted = time.monotonic() - began, quiet.state()
        quiet.end()
        print(f"{kind}: a quiet run takes {seconds:.1f} s and ends with {code}", flush=True)
        for number in range(times):
            life = _Life(kind, Path(directory) / str(number), contacts)
            victim = "server" if number % 2 else "run"
            moment = chance.uniform(0.05, seconds)
            fate, codes = life.survives(victim, moment, wanted)
            fates[fate] += 1
            print(f"{victim:6} killed at {moment:6.2f} s, exit codes {codes} → {fate}", flush=True)
            life.end()
    print(f"{fates['same']} of {times} ended as the quiet run did")
    return 0 if code == 0 and fates["same"] == times else 1


class _Life:
    """A database of its own with a shop, and a folder with config and state; its set-up is done."""

    def __init__(self, kind: str, folder: Path, contacts: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.config = folder, folder / "config.toml"
        database: Any = database_of(kind, folder)
        self.database: Any = database
        self.shop: Any = database.shop
        if kind == "mariadb":  # the tests' server forgets the last second in a crash; a real one does not
            self.shop.server.run("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        self.shop.run(*_rows(kind, contacts))
        where = self.shop.where
        os.environ["SECRET"] = str(where.get("url") or where.get("password"))
        named = {
            name: "env:SECRET" if name in ("url", "password") else value for name, value in where.items()
        }
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in named.items())
        self.config.write_text(_CONFIG.replace("SCHEMA", self.database.schema).replace("WHERE", lines))
        commands.setup(self.config, _OPTIONS, confirm=lambda _steps: True)

    def process(self) -> subprocess.Popen[str]:
        command = ours("run", *_ALLOW, "--reason", "bench", "--config", str(self.config))
        return start(command, stdout=subprocess.DEVNULL)

    def survives(self, victim: str, moment: float, wanted: State) -> tuple[str, list[int]]:
        """How it ends where somebody is killed so many seconds after the run began, and the exit codes on the way."""
        process = self.process()
        time.sleep(moment)
        if victim == "server":
            self.shop.server.kill()
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        codes = [process.wait()]
        if victim == "server":
            self.shop.server.start()
        codes.append(commands.run(self.config, _OPTIONS)["exit_code"])
        state = self.state()
        unlike = sorted(key for key in {*state, *wanted} if state.get(key) != wanted.get(key))
        again = commands.run(self.config, _OPTIONS)
        good = codes[0] in (0, 75, -signal.SIGKILL) and codes[1] == 0 and not unlike
        rests = again["exit_code"] == 0 and again["calls"]["write"] == 0
        return ("same" if good and rests else f"unlike: {unlike}, rests: {rests}"), codes

    def state(self) -> State:
        """A digest of each table, and of the labels."""
        engine = engine_of(address_of(self.shop.account()), 1)
        engine.begin()
        state = {}
        try:
            for table in ("customers", "orders"):
                state[table] = _digest(_asked(engine, f"SELECT * FROM {table}"))
            for table, columns in _OURS.items():
                state[table] = _digest(_asked(engine, f"SELECT {columns} FROM {self.database.table(table)}"))
        finally:
            engine.end()
        journal = Journal(self.folder / "state" / "journal.sqlite")
        try:
            days = journal.labels.days("shop", "spender")
            state["labels"] = _digest([[str(day), row] for day, table in days for row in table.to_pylist()])
        finally:
            journal.close()
        return state

    def end(self) -> None:
        self.database.close()
        self.shop.server.run(f"DROP DATABASE {self.shop.database}")
        if self.database.schema != "crm_segments":
            self.shop.server.run(f"DROP DATABASE `{self.database.schema}`")
        shutil.rmtree(self.folder)


def _rows(kind: str, contacts: int) -> list[str]:
    """Customers, each with one order; every third spends much."""
    series = f"generate_series(1, {contacts}) AS s(seq)" if kind == "postgres" else f"seq_1_to_{contacts}"
    day = "'2026-11-26 12:00:00'"
    return [
        f"INSERT INTO customers SELECT seq, concat('c', seq, '@example.org'), NULL, NULL, {day}, NULL FROM {series}",
        f"INSERT INTO orders SELECT seq, seq, {day}, CASE WHEN seq % 3 = 0 THEN 80 ELSE 5 END, {day} FROM {series}",
    ]


def _asked(engine: Any, query: str) -> list[Any]:
    return [
        [str(cell) for cell in row]
        for batch in engine.batches(query)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]


def _digest(rows: list[Any]) -> str:
    texts = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
    return f"{len(texts)} rows {hashlib.sha256(chr(10).join(texts).encode()).hexdigest()[:12]}"
