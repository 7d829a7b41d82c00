"""How near is reading a Salesforce org by Bulk to a bare download of the same CSV, and how many calls does
writing take?

    python -m tests.benchmarks.org --contacts 1000000
    python -m tests.benchmarks.org --contacts 100000        a quick look

The org is the stand-in of ``tests/servers/salesforce`` in a process of its own. The bare download asks for
the same query, waits for its job and fetches its pages one after the other into nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.benchmarks.process import ROOT, Cost, measure, ours

_CONFIG = """\
[accounts.org]
crm = "salesforce"
api_url = "{url}"
client_id = "{client_id}"
client_secret = "env:SALESFORCE_SECRET"
time_zone = "Europe/Berlin"
currency = "EUR"
[accounts.org.attributes]
city = "MailingCity"
[[segmentations]]
name = "place"
kind = "rules"
field = "seg_place"
[[segmentations.segments]]
key = "known"
when = {{ attribute = "city", is_set = true }}
[[segmentations.segments]]
key = "unknown"
when = {{ not = {{ attribute = "city", is_set = true }} }}
"""
_RIGHTS = ("CustomizeApplication", "ManageUsers", "ManagePublicListViews", "ViewSetup")
_ALLOW = [
    part for guard in ("max_enter", "max_writes", "max_change", "max_calls") for part in ("--allow", guard)
] + ["--reason", "bench"]
_API = "/services/data/v66.0"
# This process reads the stream of contacts as a pull does, and keeps nothing.
_READ = """
import os, sys, time
from pathlib import Path
from sync.config.config import load
from connectors import open_connector
from simple_salesforce import Salesforce  # which both import
connector = open_connector(load(Path(sys.argv[1])).account("org"))
begun, spent = time.monotonic(), time.process_time()
rows = sum(page.records.num_rows for page in connector.read("contact", None))
print(time.process_time() - spent, rows, time.monotonic() - begun)
"""
# The download of simple-salesforce, into files that nobody reads: the library writes https, the stand-in speaks http.
_SIMPLE = """
import sys, time
import requests
from simple_salesforce import Salesforce
url, token, fields, folder = sys.argv[1:]
class Plain(requests.adapters.HTTPAdapter):
    def send(self, request, **given):
        request.url = request.url.replace("https://", "http://")
        return super().send(request, **given)
session = requests.Session()
session.mount("https://", Plain())
org = Salesforce(session_id=token, instance=url.partition("//")[2], version="66.0", session=session)
spent = time.process_time()
org.bulk2.Contact.download(f"SELECT {fields} FROM Contact", path=folder, max_records=50_000)
print(time.process_time() - spent)
"""
_FIELDS = (
    "Id,CreatedDate,SystemModstamp,IsDeleted,MasterRecordId,Email,AccountId,HasOptedOutOfEmail,EmailBouncedDate,DoNotCall,"
    "IndividualId,MailingCity,seg_place__c"
)


def main() -> int:
    """Serve, download, read, write, run again; exit code 1 where a bar is missed."""
    options = _options()
    folder: Path = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _org(options) as (url, login):
        config = folder / "config.toml"
        config.write_text(_CONFIG.format(url=url, client_id=login["client_id"]), encoding="utf-8")
        os.environ |= {"SALESFORCE_SECRET": login["client_secret"], "XDG_CACHE_HOME": str(folder / "cache")}
        where = ["--config", str(config)]
        made = measure([*ours("setup", "--yes"), *where])
        if made.code:
            print(made.output)
            return 1
        bare, simple, read = _reading(url, login, config, options.rounds)
        writing = _written(where, tuple(size for size in (1_500, 100_000) if size <= options.contacts))
        again = measure([*ours("run", "--json"), *where])
    return _judge(bare, simple, read, writing, again)


def _reading(url: str, login: dict[str, Any], config: Path, rounds: int) -> tuple[float, float, Cost]:
    """Seconds of the quickest bare download, CPU seconds of the cheapest one of simple-salesforce, and the
    quickest reading, taken in turns.
    """
    session = requests.Session()
    form = {"grant_type": "client_credentials", **{key: login[key] for key in ("client_id", "client_secret")}}
    token = session.post(url + "/services/oauth2/token", data=form).json()["access_token"]
    session.headers["Authorization"] = "Bearer " + token
    downloads, simple, readings = [], [], []
    for _ in range(rounds):
        downloads.append(_download(session, url))
        library = measure([sys.executable, "-c", _SIMPLE, url, token, _FIELDS, str(config.parent)])
        simple.append(float(library.output.split()[-1]))
        readings.append(measure([sys.executable, "-c", _READ, str(config)]))
        spent, _rows, seconds = readings[-1].output.split()[-3:]
        print(
            f"bare {downloads[-1]:6.1f} s    simple-salesforce {simple[-1]:.2f} CPU-s    read {float(seconds):6.1f} s  {float(spent):.2f} "
            f"CPU-s    {readings[-1]}",
            flush=True,
        )
    return min(downloads), min(simple), min(readings, key=lambda cost: float(cost.output.split()[-1]))


def _download(session: requests.Session, url: str) -> float:
    begun = time.monotonic()
    body = {"operation": "queryAll", "query": f"SELECT {_FIELDS} FROM Contact"}
    job = session.post(f"{url}{_API}/jobs/query", json=body).json()["id"]
    while session.get(f"{url}{_API}/jobs/query/{job}").json()["state"] != "JobComplete":
        time.sleep(0.5)
    locator = ""
    while locator != "null":
        params = {"maxRecords": "50000"} | ({"locator": locator} if locator else {})
        page = session.get(f"{url}{_API}/jobs/query/{job}/results", params=params, stream=True)
        for _ in page.iter_content(1 << 20):
            pass
        locator = page.headers["Sforce-Locator"]
    return time.monotonic() - begun


def _written(where: list[str], sizes: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    """What carrying out so many records of one plan costs, one size after the other."""
    planned = measure([*ours("plan", "--json", *_ALLOW), *where])
    plan = str(json.loads(planned.output.splitlines()[-1])["plan"]["plan"])
    costs = {}
    for size in sizes:
        cost = measure([*ours("apply", plan, "--first", str(size), "--json", *_ALLOW), *where])
        summary: dict[str, Any] = json.loads(cost.output.splitlines()[-1])
        print(f"apply {size:7} {cost}   {summary['calls']}", flush=True)
        costs[size] = {
            "calls": summary["calls"]["read"] + summary["calls"]["write"],
            "done": summary["applied"]["done"],
        }
    return costs


def _judge(bare: float, simple: float, read: Cost, writing: dict[int, dict[str, Any]], again: Cost) -> int:
    taken = float(read.output.split()[-1])
    rows = [
        ("reading against a bare download", taken / bare, 1.3, f"{taken:.1f} s against {bare:.1f} s"),
        ("peak memory of reading, GB", read.peak / 1e9, 1.0, ""),
    ]
    count, spent = int(read.output.split()[-2]), float(read.output.split()[-3])
    if count >= 100_000:  # of fewer, the start of Python is most of it
        what = f"{spent:.2f} CPU-s against {simple:.2f}, which parses nothing"
        rows.append(("CPU of reading against simple-salesforce's download", spent / simple, 2.0, what))
        rows.append(
            ("CPU seconds of reading 100,000", read.cpu * 100_000 / count, 1.2, "with the start of Python")
        )
    for size, cost in writing.items():
        rows.append(
            (
                f"calls to write {size:,} records",
                cost["calls"],
                30 if size > 2_000 else 11,
                f"{cost['done']:,} done",
            )
        )
    rows.append(
        (
            "exit code of a run afterwards",
            again.code,
            5,
            again.output[-200:] if again.code not in (0, 5) else "",
        )
    )
    print(f"\n{'':52}{'is':>10}{'bar':>10}")
    for name, value, bar, remark in rows:
        print(f"{name:52}{value:10.2f}{bar:10.2f}  {'' if value <= bar else 'MISSED'}  {remark}")
    return 0 if all(value <= bar for _, value, bar, _ in rows) else 1


@contextlib.contextmanager
def _org(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    command = [
        sys.executable,
        "-m",
        "tests.servers.salesforce",
        "--contacts",
        str(options.contacts),
        "--latency",
        str(options.latency),
    ]
    command += ["--leads", "0", "--tasks", "0", "--opportunities", "0", "--members", "0"]
    command += [part for right in _RIGHTS for part in ("--right", right)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, login = process.stdout.readline().strip(), process.stdout.readline()
            yield url, json.loads(login)
        finally:
            process.terminate()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.org", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=3, help="of downloading and reading, in turns")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/org"), help="is emptied first")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
