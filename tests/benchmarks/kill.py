"""Does ``kill -9`` at any moment of a run, and running again, end in the same state as one quiet run?

    python -m tests.benchmarks.kill --times 30 --folder DIR
    python -m tests.benchmarks.kill --times 20 --crm hubspot      # or salesforce:
    tests/benchmarks/kill_remote.py
    python -m tests.benchmarks.kill --times 20 --crm sql --database mariadb      # tests/benchmarks/kill_sql.py

Every second time the mirror is deleted in between, as someone might who frees disk space. The same seed kills
at the same moments of a run of the same length.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from sync.store.journal import Journal
from tests.benchmarks import kill_remote, kill_sql
from tests.benchmarks.exports import lay_out
from tests.benchmarks.process import measure, ours, start
from tests.servers.databases import stop_all

_ALLOW = ["--allow", "max_enter", "--allow", "max_writes", "--reason", "bench"]
State = dict[str, str]


def main() -> int:
    """Kill, run again, compare; exit code 1 where one state differs or a run after the kill fails."""
    options = _options()
    if options.crm == "sql":
        try:
            return kill_sql.main(options.database, options.times, options.seed, options.contacts or 3_000)
        finally:
            stop_all()
    if options.crm != "files":
        return kill_remote.main(options.crm, options.times, options.seed, options.contacts or 1_500)
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    extra = 'lists = "static"\nextra_fields = ["reason", "since"]'
    config = lay_out(folder / "fresh", options.contacts or 20_000, options.activities, lines=2, extra=extra)
    _command("setup", "--yes", config=config)
    quiet = shutil.copytree(folder / "fresh", folder / "quiet") / config.name
    seconds = measure(ours("run", *_ALLOW, "--config", str(quiet))).wall
    wanted = _state(quiet.parent)
    print(
        f"a quiet run takes {seconds:.1f} s and leaves {len(wanted)} files and labels to compare", flush=True
    )
    moments = random.Random(options.seed)
    wrong = 0
    for number in range(options.times):
        victim = folder / "victim"
        shutil.rmtree(victim, ignore_errors=True)
        shutil.copytree(folder / "fresh", victim)
        wrong += not _survives(victim, moments.uniform(0.05, seconds), wanted, bool(number % 2))
    print(f"{options.times - wrong} of {options.times} ended as the quiet run did")
    return 1 if wrong else 0


def _survives(victim: Path, moment: float, wanted: State, without_mirror: bool) -> bool:
    config = victim / "config.toml"
    process = start(ours("run", *_ALLOW, "--config", str(config)), stdout=subprocess.DEVNULL)
    time.sleep(moment)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if without_mirror:
        for file in (victim / "state").glob("mirror.duckdb*"):
            file.unlink()
    again = measure(ours("run", *_ALLOW, "--config", str(config)))
    state = _state(victim)
    unlike = sorted(key for key in {*state, *wanted} if state.get(key) != wanted.get(key))
    after = json.loads(_command("run", "--json", config=config))
    rests = _empty(after)
    verdict = (
        "same"
        if again.code == 0 and not unlike and rests
        else f"exit {again.code}, unlike: {unlike}, rests: {rests}\n{again.output}"
    )
    print(
        f"{'killed' if killed else 'ended '} at {moment:6.2f} s {'without mirror ' if without_mirror else ''}→ {verdict}",
        flush=True,
    )
    return verdict == "same"


def _command(*arguments: str, config: Path) -> str:
    cost = measure(ours(*arguments, "--config", str(config)))
    if cost.code:
        raise SystemExit(f"{' '.join(arguments)} ended with exit code {cost.code}:\n{cost.output}")
    return cost.output


def _empty(answer: object) -> bool:
    """Does the answer of ``run --json`` say that nothing was planned?

    It may be one account's, or a list or table of accounts'.
    """
    if isinstance(answer, dict) and "plan" in answer:
        plan = answer["plan"]
        return not (plan or {}).get("changes")
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return all(_empty(part) for part in parts if isinstance(part, dict | list))


def _state(folder: Path) -> State:
    """A digest of every file of the CRM, and of the latest label of every record in the journal."""
    crm = folder / "crm"
    state = {
        str(file.relative_to(crm)): _digest(file.read_bytes()) for file in crm.rglob("*") if file.is_file()
    }
    journal = Journal(folder / "state" / "journal.sqlite")
    try:
        for name in ("rfm", "value"):
            rows = [(as_of, table.to_pylist()) for as_of, table in journal.labels.days("shop", name)]
            labels = {
                json.dumps([as_of, row], sort_keys=True, default=str)
                for as_of, table in rows
                for row in table
            }
            state[f"labels of {name}"] = _digest("\n".join(sorted(labels)).encode())
    finally:
        journal.close()
    return state


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.kill", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crm", choices=("files", "sql", *kill_remote.CRMS), default="files")
    parser.add_argument("--database", choices=kill_sql.DATABASES, default="postgres", help="of --crm sql")
    parser.add_argument(
        "--contacts", type=int, help="default: 20,000 of files, 3,000 of databases, else 1,500"
    )
    parser.add_argument("--activities", type=int, default=400_000)
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/kill"), help="is emptied first")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
