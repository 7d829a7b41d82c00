"""How long does the page of a plan of a million changes take to open in a browser?

python -m tests.benchmarks.review --contacts 500000 --folder DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.exports import lay_out
from tests.benchmarks.process import ours
from tests.browsing import SWITCHES
from tests.ui_server import Visit, serving

_BAR = 2.0  # seconds
_TIMES = 5


def main() -> int:
    """Make the plan (once), open its page once to warm up and then five times; exit code 1 where the bar is missed."""
    options = _options()
    config = lay_out(options.folder.resolve(), options.contacts, 4 * options.contacts)
    plan, changes = _plan(config)
    with serving(config) as address:
        seconds = _opened(address, f"/shop/plans/{plan}")
    median = statistics.median(seconds)
    print(f"plan {plan}, {changes:,} changes: " + " ".join(f"{second:.2f}" for second in seconds))
    print(f"median {median:.2f} s\nbar: under {_BAR} s")
    return 0 if median < _BAR else 1


def _plan(config: Path) -> tuple[int, int]:
    """Number and changes of an open plan of all customers."""
    made = config.parent / "plan.json"
    if not made.exists():
        shutil.rmtree(config.parent / "state", ignore_errors=True)
        for words in (("setup", "--yes"), ("plan",)):
            command = ours(*words, "--json", "--config", str(config))
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        made.write_text(answer, encoding="utf-8")
    plan = json.loads(made.read_text(encoding="utf-8"))["plan"]
    return plan["plan"], plan["changes"]


def _opened(address: str, path: str) -> list[float]:
    """Seconds until the page has loaded, without the first time."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser: Any = driver.chromium.launch(executable_path=chromium, args=SWITCHES.split())
        with Visit(browser, address, patience=300) as visit:
            seconds = []
            for _ in range(_TIMES + 1):
                begun = time.monotonic()
                if visit.go(path) != 200 or "customers" not in visit.text():
                    raise SystemExit(visit.text())
                seconds.append(time.monotonic() - begun)
        browser.close()
    return seconds[1:]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.review", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--contacts", type=int, default=500_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".benchmarks/review"),
        help="a plan that is there already is used again",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
