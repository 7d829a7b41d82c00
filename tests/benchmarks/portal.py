"""Is a HubSpot portal read and written as fast as its rate limit allows, within its limits, and at what cost?

    python -m tests.benchmarks.portal --contacts 100000 --deals 300000
    python -m tests.benchmarks.portal --scale 0.05        a quick look: start-up and windows weigh more there

The portal is the stand-in of ``tests/servers/hubspot`` in a process of its own. The floor is the time that
the rate limit itself takes for the calls that nobody can do without: pages of 100 records, batches of 100
changes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.process import ROOT, Cost, measure, ours

_CONFIG = """\
as_of = "yesterday"
[accounts.portal]
crm = "hubspot"
api_url = "{url}"
token = "env:HUBSPOT_TOKEN"
time_zone = "Europe/Berlin"
currency = "EUR"
[accounts.portal.attributes]
city = "city"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""
_ALLOW = [
    part for guard in ("max_enter", "max_writes", "max_change", "max_calls") for part in ("--allow", guard)
] + ["--reason", "bench"]


@dataclass(frozen=True)
class Portal:
    """A server that runs."""

    url: str
    token: str

    def counters(self) -> dict[str, Any]:
        """Calls by path and by status, and the fullest window, since the server started."""
        with urllib.request.urlopen(self.url + "/__admin/counters") as answer:
            counts: dict[str, Any] = json.load(answer)
            return counts


@dataclass(frozen=True)
class Step:
    """What a command cost, and what the portal saw of it."""

    name: str
    cost: Cost
    calls: int
    refused: int
    paths: dict[str, int]


def main() -> int:
    """Serve, set up, pull, write, run again; exit code 1 where a bar is missed."""
    options = _options()
    contacts, deals = int(options.contacts * options.scale), int(options.deals * options.scale)
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _portal(contacts, deals, options) as portal:
        config = folder / "config.toml"
        config.write_text(_CONFIG.format(url=portal.url), encoding="utf-8")
        os.environ |= {"HUBSPOT_TOKEN": portal.token, "XDG_CACHE_HOME": str(folder / "cache")}
        commands = {
            "setup": ours("setup", "--yes"),
            "pull": ours("pull", *_ALLOW),
            "label": ours("label"),
            "plan": ours("plan", *_ALLOW),
            "apply": ours("apply", *_ALLOW),
            "echo": ours("run", *_ALLOW),
            "unchanged": ours("run"),
        }
        steps = {}
        for name, command in commands.items():
            steps[name] = _step(name, [*command, "--config", str(config)], portal)
            if steps[name].cost.code:
                print(steps[name].cost.output)
                return 1
        return _judge(steps, contacts, deals, options.limit, portal.counters())


def _step(name: str, command: list[str], portal: Portal) -> Step:
    before = portal.counters()
    cost = measure(command)
    after = portal.counters()
    paths = {path: number - before["paths"].get(path, 0) for path, number in after["paths"].items()}
    calls = after["calls"] - before["calls"]
    refused = after["statuses"].get("429", 0) - before["statuses"].get("429", 0)
    step = Step(name, cost, calls, refused, {path: number for path, number in paths.items() if number})
    print(f"{name:10} {cost}   {calls:6} calls, {refused} refused", flush=True)
    for path, number in sorted(step.paths.items(), key=lambda item: -item[1]):
        print(f"{'':12}{number:6}  {path}")
    return step


def _judge(steps: dict[str, Step], contacts: int, deals: int, limit: int, counters: dict[str, Any]) -> int:
    pull, apply, again = steps["pull"], steps["apply"], steps["unchanged"]
    reading, writing = (contacts + deals) / 100 / limit * 10, contacts / 100 / limit * 10
    peak = max(step.cost.peak for step in steps.values()) / 1e9
    writes = sum(number for path, number in again.paths.items() if "/batch/update" in path)
    rows = [
        (
            "full pull against the floor",
            pull.cost.wall / reading,
            1.15,
            f"{pull.cost.wall:.1f} s of {reading:.1f} s, {pull.calls} calls",
        ),
        ("CPU of the pull, ms a contact", pull.cost.cpu / contacts * 1000, 1.0, f"{pull.cost.cpu:.1f} s"),
        ("peak memory, GB", peak, 1.0, "largest of all steps"),
        (
            "429 answers in one step",
            max(step.refused for step in steps.values()),
            2,
            f"{counters['fullest_window']} calls in the fullest window",
        ),
        (
            "writing against the floor",
            apply.cost.wall / writing,
            1.15,
            f"{apply.cost.wall:.1f} s of {writing:.1f} s, {apply.calls} calls",
        ),
        ("write calls of an unchanged world", writes, 0, ""),
        (
            "read calls of an unchanged world",
            again.calls - writes,
            50 + contacts / 1000,
            "what was written minutes ago is looked at once more",
        ),
    ]
    print(f"\n{'':36}{'is':>10}{'bar':>10}")
    for name, value, bar, remark in rows:
        print(f"{name:36}{value:10.2f}{bar:10.2f}  {'' if value <= bar else 'MISSED'}  {remark}")
    return 0 if all(value <= bar for _, value, bar, _ in rows) else 1


@contextlib.contextmanager
def _portal(contacts: int, deals: int, options: argparse.Namespace) -> Iterator[Portal]:
    command = [
        sys.executable,
        "-m",
        "tests.servers.hubspot",
        "--contacts",
        str(contacts),
        "--deals",
        str(deals),
    ]
    command += ["--latency", str(options.latency), "--limit", str(options.limit), "--spread", options.spread]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, token = process.stdout.readline().strip(), process.stdout.readline().split()[-1]
            yield Portal(url, token)
        finally:
            process.terminate()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.portal", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--deals", type=int, default=300_000)
    parser.add_argument("--scale", type=float, default=1.0, help="of both numbers")
    parser.add_argument("--latency", type=float, default=0.08, help="seconds")
    parser.add_argument("--limit", type=int, default=190, help="calls in 10 s")
    parser.add_argument("--spread", default="gaps", help="how record ids lie: dense, gaps, two_ages")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/portal"), help="is emptied first")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
