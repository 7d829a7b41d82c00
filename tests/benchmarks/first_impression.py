"""What does the first impression cost? The demo, and the verbs that people ask first, each against its bar.

python -m tests.benchmarks.first_impression [--fresh | --python PYTHON] [--runs 3]

CPU seconds are of a command and all its processes. Byte code is kept, as it is where the package is installed: each
command runs once before it is measured, and of several runs the cheapest counts. Wall time has its meaning on two
quiet cores only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.exports import lay_out
from tests.benchmarks.process import ROOT, Cost, measure

CUSTOMERS, PURCHASES = 2_500, 50_000  # of the shop on which nothing has changed
_ALLOW = ["--allow", "max_enter", "--allow", "max_writes", "--reason", "bench"]


@dataclass(frozen=True)
class Asked:
    """A command and what it may cost: seconds of CPU, and of wall time. None: shown, not judged."""

    name: str
    words: Sequence[str]
    cpu: float | None = None
    wall: float | None = None
    runs: int | None = None  # where not as many as all others


def main() -> int:
    """Measure and print; exit code 1 where a command failed or a bar is missed."""
    options = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="first-impression-") as scratch:
        folder = Path(scratch)
        program = _installed(folder / "fresh") if options.fresh else _program(options.python)
        print(f"{'':26} {'CPU-s':>6} {'bar':>5} {'wall':>6} {'bar':>5}")
        for asked in _asked(folder, program):
            cost = _cheapest([*program, *asked.words], asked.runs or options.runs)
            if cost.code:
                print(f"{asked.name}: exit {cost.code}\n{cost.output}")
                return 1
            missed += _tell(asked, cost)
    return 1 if missed else 0


def _asked(folder: Path, program: Sequence[str]) -> Iterator[Asked]:
    """In an order in which each finds what it needs."""
    yield Asked("--help", ["--help"], cpu=0.2)
    yield Asked("demo, the first", ["demo", str(folder / "first")], runs=1)
    yield Asked("demo", ["demo", str(folder / "demo")], cpu=20, wall=15, runs=1)
    config = ["--config", str(folder / "demo" / "config.toml")]
    yield Asked("status", ["status", *config], cpu=0.6)
    yield Asked("schedule", ["schedule", *config], cpu=0.6)
    yield Asked("show", ["show", "2", *config], cpu=0.6)
    yield Asked("history", ["history", *config], cpu=0.6)
    yield Asked("report", ["report", *config])
    yield Asked("plan, demo's shop", ["plan", *config], cpu=2.5)
    unchanged = ["--config", str(lay_out(folder / "shop", CUSTOMERS, PURCHASES))]
    for verb in (["setup", "--yes"], ["run", *_ALLOW]):
        subprocess.run([*program, *verb, *unchanged], check=True, capture_output=True)
    yield Asked(f"plan, {CUSTOMERS:,} customers", ["plan", *unchanged], cpu=2.5)


def _cheapest(command: Sequence[str], runs: int) -> Cost:
    """The cheapest of so many runs; where there are several, the first one only fills caches."""
    costs = [measure(command) for _ in range(runs + (runs > 1))]
    failed = [cost for cost in costs if cost.code]
    return failed[0] if failed else min(costs[runs > 1 :], key=lambda cost: cost.cpu)


def _tell(asked: Asked, cost: Cost) -> bool:
    """Print a line; whether a bar is missed. Wall time is shown with its bar, and judged by the reader."""
    late = asked.cpu is not None and cost.cpu > asked.cpu
    bars = [f"{bar:5.1f}" if bar is not None else " " * 5 for bar in (asked.cpu, asked.wall)]
    print(
        f"{asked.name:26} {cost.cpu:6.2f} {bars[0]} {cost.wall:6.2f} {bars[1]}{'   MISSED' if late else ''}",
        flush=True,
    )
    return late


def _program(python: Path) -> list[str]:
    """The program that is installed beside an interpreter; without one, this checkout."""
    script = python.parent / "crm-segments"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "sync"]


def _installed(folder: Path) -> list[str]:
    """The program in a new environment, installed from this checkout as the README says."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"pip --python \S+ install '\.\[demo\]'", readme), "the README installs in another way"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", f"{ROOT}[demo]"]
    subprocess.run(install, check=True)
    return _program(python)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.first_impression",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--fresh", action="store_true", help="install into a new environment first (789 MB)")
    where.add_argument(
        "--python",
        type=Path,
        default=Path(sys.executable),
        help="the interpreter beside which it is installed",
    )
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each command but the demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
