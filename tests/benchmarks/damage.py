"""Does random damage to mirror, journal, exports or answers of a CRM ever end in a traceback, a signal, or a
value of somebody else that is touched?

    python -m tests.benchmarks.damage --trials 5000 --seed 1
    python -m tests.benchmarks.damage --what journal --trials 300 --workers 2
    python -m tests.benchmarks.damage --what journal --trial "1 217"

Every trial copies a folder in which a small company has lived, damages one file, and runs one command or two,
each in a process of its own (forked: that costs no start). A command may refuse; it may not end in a
traceback, by a signal, or with a code that the manual does not have. What people wrote in the CRM, columns,
values and members, stays as it was. A damaged mirror changes nothing at all: every command ends as it would
have without the damage. In a third of the trials on the state the damage is *rot*: the file looks as it did
when it was closed. Damage to answers is in ``damaged_answers``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, cast

import duckdb

from sync.store import engine, probe
from sync.store.soundness import note_closed
from tests.benchmarks import damaged_answers, damaged_files
from tests.benchmarks.forking import CODES, Verdict, forked, misbehaved, unheard

WHAT = ("mirror", "journal", "exports", "answers")
_ALLOW = ["--allow", "max_change", "--allow", "max_overwrite", "--allow", "max_cleared", "--reason", "damage"]
COMMANDS: dict[tuple[str, ...], int] = {
    ("run", *_ALLOW): 10,
    ("run",): 2,
    ("plan",): 3,
    ("apply",): 1,
    ("backfill", *_ALLOW): 2,
    ("undo", "3", "--yes", *_ALLOW): 4,
    ("undo", "3"): 1,
    ("status",): 3,
    ("status", "--salvage"): 3,
    ("check",): 3,
    ("setup", "--yes"): 2,
    ("pull",): 2,
    ("label",): 1,
    ("train",): 1,
    ("history",): 2,
    ("show", "7"): 2,
    ("plan", "show", "1"): 2,
    ("rejects",): 1,
    ("rejects", "retry"): 1,
    ("report",): 1,
    ("forget", "9", "--yes"): 2,
}


class Trials(Protocol):
    """What the damage is done to, ready to be damaged any number of times."""

    def trial(self, folder: Path, chance: random.Random) -> Verdict: ...


@dataclass
class OfFiles:
    """A folder in which a company has lived, and how commands end there where nothing is damaged."""

    what: str
    past: Path
    quiet: dict[tuple[str, ...], int] = field(default_factory=dict)  # exit codes
    settled: dict[str, bytes] = field(default_factory=dict)  # the CRM after a quiet run

    def trial(self, folder: Path, chance: random.Random) -> Verdict:
        """Copy, damage, run, compare."""
        _copied(self.past, folder)
        path = damaged_files.chosen(folder, self.what, chance)
        commands = chance.choices(list(COMMANDS), list(COMMANDS.values()), k=chance.choice((1, 1, 1, 2)))
        if self.what == "journal" and chance.random() < 0.2:
            commands[0] = ("status", "--salvage")
        how = damaged_files.damage(path, chance)
        if self.what != "exports" and chance.random() < 0.33 and damaged_files.rots(how):
            note_closed(path)
            how = f"rot: {how}"
        before = damaged_files.foreign(folder)
        verdict, where = Verdict(), f"{self.what}, {path.name}, {how}"
        deleted = not path.exists()
        for number, command in enumerate(commands):
            code, printed = forked(partial(cli, command, folder), folder / "printed.txt")
            verdict.ends.append(f"{self.what}: {command[0]} {code}")
            where += f" → {' '.join(command[:2])}: exit {code}"
            gone = deleted or "set aside as" in printed  # of the mirror: `show` then says to pull
            lost = command[0] == "show" and code == 1 and gone
            wrong = misbehaved(code, printed)
            wrong = wrong or self._wrong(folder, command, code, before, number == 0 and not lost)
            if wrong:
                verdict.problem = f"{wrong}: {where}\n{printed[-1800:]}"
                break
        return verdict

    def _wrong(
        self, folder: Path, command: tuple[str, ...], code: int, before: damaged_files.Foreign, first: bool
    ) -> str:
        """What is wrong with what a command left, or with how it ended."""
        if touched := damaged_files.touched(before, damaged_files.foreign(folder)):
            return f"a foreign value was touched ({touched})"
        if self.what == "mirror" and first:
            if code != self.quiet.get(command, code):
                return f"without the damage it ends with {self.quiet[command]}"
            if command[0] == "run" and damaged_files.crm(folder) != self.settled:
                return "another end than without the damage"
        return ""


def of_files(what: str, folder: Path, small: bool) -> OfFiles:
    """The folder, and unless ``small`` every command once in this process: what they import is there for all
    trials.
    """
    past = folder / "past"
    if not past.exists():
        with unheard(folder / "lived.txt"):
            damaged_files.lived(past, cli)
    made = OfFiles(what, past)
    for command in COMMANDS if what == "mirror" else ():
        life = folder / "quiet"
        _copied(past, life)
        made.quiet[command], printed = forked(partial(cli, command, life), life / "printed.txt")
        assert made.quiet[command] in CODES and "Traceback" not in printed, (command, printed)
        if command[0] == "run":
            made.settled = damaged_files.crm(life)
        shutil.rmtree(life)
    if small:
        return made
    _copied(past, folder / "warm")
    with unheard(folder / "warm.txt"):
        for command in COMMANDS:
            cli(command, folder / "warm")
    return made


def _copied(past: Path, folder: Path) -> None:
    """A copy whose journal and mirror look as they were left."""
    shutil.copytree(past, folder)
    for name in ("mirror.duckdb", "journal.sqlite"):
        note_closed(folder / "state" / name)


@cache
def _program() -> Any:
    from typer.main import get_command

    from sync.cli import app

    return get_command(app)


def cli(words: tuple[str, ...], folder: Path) -> int:
    """A command as the command line carries it out; its exit code."""
    try:
        return int(
            _program().main([*words, "--config", str(folder / "config.toml")], standalone_mode=False) or 0
        )
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if type(error).__name__ in ("Exit", "ClickException", "UsageError", "Abort"):
            return int(getattr(error, "exit_code", 1))
        raise


def _look(path: Path, memory_limit: str) -> tuple[int, str]:
    """As ``engine`` asks in a process of its own, without the start of Python."""
    with tempfile.NamedTemporaryFile("r", errors="replace") as answer:

        def work() -> int:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            return probe.look(str(path), memory_limit)

        code, _ = forked(work, Path(answer.name))
        return code, answer.read()


def _cheaper() -> None:
    """The same at less cost: the file is looked at in a copy of this process, and one thread does all."""
    connect: Any = duckdb.connect

    def alone(path: str = ":memory:", read_only: bool = False, config: Any = None) -> Any:
        return connect(path, read_only=read_only, config={**(config or {}), "threads": 1})

    duckdb.connect = cast("Any", alone)
    engine.asked = _look


def ready(what: str, folder: Path, small: bool) -> Trials:
    """What trials of this kind need, made once; ``small``: less of it."""
    folder.mkdir(parents=True, exist_ok=True)
    if what == "answers":
        return damaged_answers.of_crm(folder, small)
    return of_files(what, folder, small)


def one_trial(trials: Trials, folder: Path, seed: str) -> Verdict:
    """One damage; the same seed does the same."""
    verdict = trials.trial(folder / "life", random.Random(seed))
    shutil.rmtree(folder / "life", ignore_errors=True)
    return verdict


def _worker(trials: Trials, folder: Path, seeds: list[str], results: Path) -> None:
    """A process that does its share of the trials, a line of JSON for each."""
    folder.mkdir()
    gc.collect()
    gc.freeze()
    with results.open("w", encoding="utf-8") as file:
        for seed in seeds:
            verdict = one_trial(trials, folder, seed)
            if verdict.problem:
                print(f'trial "{seed}": {verdict.problem}', flush=True)
            file.write(json.dumps([seed, verdict.problem, verdict.ends]) + "\n")
            file.flush()


def damages(what: str, count: int, seed: int, workers: int, small: bool) -> tuple[list[str], Counter[str]]:
    """What went wrong in that many trials, and how often each command ended with which code."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        folder = Path(directory)
        seeds = [f"{seed} {number}" for number in range(count)]
        children = []
        for number in range(workers):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    mine = seeds[number::workers]
                    _worker(
                        ready(what, folder / f"ready {number}", small),
                        folder / str(number),
                        mine,
                        folder / f"{number}.json",
                    )
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0, "a worker broke down"
        rows = [
            json.loads(line)
            for number in range(workers)
            for line in (folder / f"{number}.json").read_text().splitlines()
        ]
    wrong = [f"trial {row[0]}: {row[1]}" for row in rows if row[1]]
    return wrong, Counter(end for row in rows for end in row[2])


def main() -> int:
    """Run the trials; exit code 1 where something went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.damage", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--trials", type=int, default=1000, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--what", choices=WHAT, action="append", help="default: all kinds")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--small", action="store_true", help="for a few trials: begin at once, with less variety"
    )
    parser.add_argument("--trial", metavar="'SEED NUMBER'", help="repeat one trial of the first kind")
    options = parser.parse_args()
    kinds = options.what or list(WHAT)
    _cheaper()
    if options.trial:
        with tempfile.TemporaryDirectory() as folder:
            verdict = one_trial(
                ready(kinds[0], Path(folder) / "ready", options.small), Path(folder), options.trial
            )
        print(verdict.problem or f"all is well: {', '.join(verdict.ends)}")
        return 1 if verdict.problem else 0
    bad = 0
    for what in kinds:
        began = time.monotonic()
        wrong, ends = damages(what, options.trials, options.seed, options.workers, options.small)
        bad += len(wrong)
        for end, number in sorted(ends.items()):
            print(f"{number:7,}  {end}")
        good = f"{options.trials - len(wrong):,} of {options.trials:,} damages to {what}"
        print(f"{good} went well, in {time.monotonic() - began:.0f} s", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
