"""How much more than the bare query does a run cost, and a second one on an unchanged world?

python -m tests.benchmarks.scale --contacts 1000000 --activities 20000000 --folder DIR
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.benchmarks.exports import lay_out
from tests.benchmarks.process import Cost, measure, ours

_BARS = "bars: first run under 3.0 of bare, second under 0.10 of first, peak under 4 GB"


def main() -> int:
    """Generate (once), run, print; exit code 1 where a command failed or a bar is missed."""
    options = _options()
    folder: Path = options.folder.resolve()
    config = str(lay_out(folder, options.contacts, options.activities, options.lines))
    for made in ("state", "crm/lists"):
        shutil.rmtree(folder / made, ignore_errors=True)
    (folder / "crm" / "segments.csv").unlink(missing_ok=True)
    allow = ["--allow", "max_enter", "--allow", "max_writes", "--reason", "bench"]
    commands = {
        "bare": [sys.executable, "-m", "tests.benchmarks.bare", str(folder), str(options.lines)],
        "setup": ours("setup", "--yes", "--config", config),
        "first run": ours("run", *allow, "--config", config),
        "second run": ours("run", "--config", config),
    }
    costs: dict[str, Cost] = {}
    for name, command in commands.items():
        costs[name] = measure(command)
        print(f"{name:10} {costs[name]}", flush=True)
        if costs[name].code:
            print(costs[name].output)
            return 1
    first, second = (
        costs["first run"].cpu / costs["bare"].cpu,
        costs["second run"].cpu / costs["first run"].cpu,
    )
    peak = max(costs[name].peak for name in ("setup", "first run", "second run")) / 1e9
    print(f"first/bare {first:.2f}   second/first {second:.3f}   peak {peak:.2f} GB\n{_BARS}")
    return 0 if first < 3 and second < 0.1 and peak < 4 else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scale", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--activities", type=int, default=20_000_000)
    parser.add_argument(
        "--lines", type=int, default=1, help="lines of one order (1: each row is an order of its own)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".benchmarks/scale"),
        help="exports that are there already are used again",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
