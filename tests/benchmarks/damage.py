"""Does random damage to mirror, journal or exports ever end in a traceback, a signal, or a value of somebody
else that is touched?

    python -m tests.benchmarks.damage --count 5000 --seed 1
    python -m tests.benchmarks.damage --count 300 --what journal

Every trial copies a folder in which a small company has lived, damages one file, and runs one command in a
process of its own (forked: that costs no start). A command may refuse; it may not end in a traceback or by a
signal. What people wrote in the CRM, columns, values and members, stays as it was; so does a journal that
cannot be used. After damage to the mirror the run must succeed.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from tests.world import World

WHAT = ("mirror", "journal", "exports")
COMMANDS = (
    ["run", "--allow", "max_change", "--reason", "damage"], ["undo", "3"], ["status"], ["history"], ["plan"], ["show", "7"],
    ["status", "--salvage"], ["rejects"], ["forget", "9", "--yes"],
)  # fmt: skip
_FOREIGN = ("7", "seg_rfm", "kept by a person")


def lived(folder: Path) -> World:
    """A company whose people wrote a value of their own into a field of ours, and have a column and a list of
    their own.
    """
    folder.mkdir(parents=True)
    world = World.of_files(folder, extra_fields='["reason"]')
    world.customers(40)
    world.first_run()
    segments = folder / "crm" / "segments.csv"
    with segments.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with segments.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "note"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    **row,
                    "note": f"of a person {row['id']}",
                    **({_FOREIGN[1]: _FOREIGN[2]} if row["id"] == _FOREIGN[0] else {}),
                }
            )
    (folder / "crm" / "lists" / "partners.csv").write_text("id\n3\n5\n", encoding="utf-8")
    return world


def foreign(folder: Path) -> dict[str, object]:
    """What belongs to people: nothing of ours may change it."""
    found: dict[str, object] = {"list": (folder / "crm" / "lists" / "partners.csv").read_bytes()}
    with (folder / "crm" / "segments.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    found["notes"] = {id: row["note"] for id, row in rows.items() if row["note"]}
    found["value"] = rows[_FOREIGN[0]][_FOREIGN[1]]
    return found


def damage(path: Path, chance: random.Random) -> str:
    """Change a file at random; says how."""
    content = bytearray(path.read_bytes())
    how = chance.choice(("bytes", "bytes", "zeros", "noise", "cut", "front", "twice", "empty"))
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice((1, 64, 4096, 70_000)))
    if how == "bytes":
        for _ in range(chance.choice((1, 1, 5, 50))):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif how == "zeros":
        content[start:end] = bytes(end - start)
    elif how == "noise":
        content[start:end] = chance.randbytes(end - start)
    elif how == "cut":
        del content[start:]
    elif how == "front":
        for _ in range(chance.choice((1, 3))):
            content[chance.randrange(min(len(content), 12_288))] = chance.randrange(256)
    elif how == "twice":
        content[start:start] = content[start:end]
    else:
        content.clear()
    path.write_bytes(content)
    return how


def trial(past: Path, folder: Path, what: str, chance: random.Random) -> tuple[str, str]:
    """("", what came of it) of one damage and one command; or what went wrong, with its circumstances."""
    shutil.copytree(past, folder)
    if what == "exports":
        path = chance.choice(
            sorted(
                p
                for p in (folder / "crm").rglob("*.csv")
                if p.parent.name != "lists" and p.name != "segments.csv"
            )
        )
    else:
        path = folder / "state" / {"mirror": "mirror.duckdb", "journal": "journal.sqlite"}[what]
    words, how, before = chance.choice(COMMANDS), damage(path, chance), foreign(folder)
    if what == "mirror":
        words = chance.choice([["run"], *COMMANDS])
    code, said = _forked(folder, words)
    wrong = ""
    if code < 0 or "Traceback" in said:
        wrong = "signal" if code < 0 else "traceback"
    elif foreign(folder) != before:
        wrong = "a foreign value was touched"
    elif what == "mirror" and words[0] == "run" and code not in (0, 4, 5):
        wrong = "the run did not heal it"
    elif what == "journal" and code not in (0, 1, 2, 4, 5):
        wrong = "exit code"
    where = f"{what}, {path.name}, {how}, {' '.join(words)}: exit {code}"
    return (f"{wrong}: {where}\n{said[-1500:]}" if wrong else ""), f"{what}: {words[0]} {code}"


def _forked(folder: Path, words: list[str]) -> tuple[int, str]:
    """Exit code (negative: a signal) and everything that a command printed, run in a copy of this process."""
    out = folder / "said.txt"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with out.open("w", buffering=1) as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                code = _command([*words, "--config", str(folder / "config.toml")])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), out.read_text(
        encoding="utf-8", errors="replace"
    ) if out.exists() else ""


def _command(words: list[str]) -> int:
    from sync.cli import app

    try:
        app(words, standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if type(error).__name__ in ("Exit", "ClickException", "UsageError"):
            return int(getattr(error, "exit_code", 1))
        raise
    return 0


def damages(count: int, seed: int, what: tuple[str, ...] = WHAT) -> tuple[list[str], Counter[str]]:
    """What went wrong in that many trials, and how often each command ended with which code."""
    wrong, ends = [], Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        past = lived(Path(place) / "past").folder
        for number in range(count):
            chance = random.Random(f"{seed} {number}")
            folder = Path(place) / "life"
            problem, end = trial(past, folder, what[number % len(what)], chance)
            shutil.rmtree(folder)
            ends[end] += 1
            if problem:
                wrong.append(f"trial {number}: {problem}")
                print(wrong[-1], flush=True)
    return wrong, ends


def main() -> int:
    """Run the trials; exit code 1 where something went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.damage", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--what", choices=WHAT, action="append")
    options = parser.parse_args()
    wrong, ends = damages(options.count, options.seed, tuple(options.what or WHAT))
    for end, number in sorted(ends.items()):
        print(f"{number:7,}  {end}")
    print(
        f"{options.count - len(wrong):,} of {options.count:,} damages ended in a sentence or an answer, with nothing foreign touched"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
