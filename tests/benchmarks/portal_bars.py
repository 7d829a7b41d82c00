"""What do a first pull, an unchanged run and 20,000 changes cost on a HubSpot portal, beside what nobody can
do without?

    python -m tests.benchmarks.portal_bars
    python -m tests.benchmarks.portal_bars --contacts 4000 --latency 0.05     a quick look

A first pull may make 5% more calls than there are pages; an unchanged run at most 12 calls, and one for each
static list; writing may take 1.25 times as long as eight threads that do nothing but send full batches.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from connectors import open_connector, settings_model
from connectors.contract import Account
from tests.benchmarks.portal import _CONFIG, Portal, _portal, _step
from tests.benchmarks.process import ours
from tests.contract_suite import Paper, changes
from tests.hubspot_account import SEGMENT

_ALLOW = [
    part for guard in ("max_enter", "max_writes", "max_change", "max_calls") for part in ("--allow", guard)
] + ["--reason", "bench"]


def main() -> int:
    """Exit code 1 where a bar is missed."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, _portal(options.contacts, options.deals, options) as portal:
        os.environ |= {"HUBSPOT_TOKEN": portal.token, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        config = Path(folder) / "config.toml"
        config.write_text(_CONFIG.format(url=portal.url), encoding="utf-8")
        steps = {}
        for name, command in {
            "setup": ours("setup", "--yes"),
            "pull": ours("pull", *_ALLOW),
            "run": ours("run", *_ALLOW),
            "echo": ours("run", *_ALLOW),
            "unchanged": ours("run"),
        }.items():
            steps[name] = _step(name, [*command, "--config", str(config)], portal)
            if steps[name].cost.code:
                print(steps[name].cost.output)
                return 1
        pages = (options.contacts + options.deals) / 100
        plain, own = _written(portal, options.contacts)
    rows = [
        ("calls of a first pull against its pages", steps["pull"].calls / pages, 1.05),
        ("calls of an unchanged run", steps["unchanged"].calls, 12),
        (
            f"writing {options.contacts:,} values against plain threads ({own:.1f} s of {plain:.1f} s)",
            own / plain,
            1.25,
        ),
    ]
    for name, value, bar in rows:
        print(f"{name:70}{value:8.2f}{bar:8.2f}  {'' if value <= bar else 'MISSED'}")
    return 0 if all(value <= bar for _, value, bar in rows) else 1


def _written(portal: Portal, most: int) -> tuple[float, float]:
    """Seconds that plain threads and the connector take to change one value of each contact."""
    session, headers = requests.Session(), {"Authorization": f"Bearer {portal.token}"}
    ids: list[str] = []
    after = "0"
    while after and len(ids) < most:
        page = session.get(
            f"{portal.url}/crm/v3/objects/contacts", params={"limit": "100", "after": after}, headers=headers
        ).json()
        ids += [contact["id"] for contact in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after", "")
    time.sleep(11)  # the window of the limit is empty again

    def send(chunk: list[str]) -> None:
        body = {"inputs": [{"id": id, "properties": {"city": "Ulm"}} for id in chunk]}
        while (
            session.post(
                f"{portal.url}/crm/v3/objects/contacts/batch/update", json=body, headers=headers
            ).status_code
            == 429
        ):
            time.sleep(0.2)

    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, [ids[start : start + 100] for start in range(0, len(ids), 100)]))
    plain = time.perf_counter() - began
    time.sleep(11)
    settings = settings_model("hubspot")(api_url=portal.url, token=portal.token)
    connector = open_connector(Account("bench", "hubspot", settings, fields=(SEGMENT,)))
    size = connector.capabilities.batch_size
    began = time.perf_counter()
    for start in range(0, len(ids), size):
        connector.write_fields(
            changes(*((id, "city", "Ulm", "Bonn") for id in ids[start : start + size])), Paper()
        )
    own = time.perf_counter() - began
    connector.close()
    return plain, own


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.portal_bars",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--deals", type=int, default=30_000)
    parser.add_argument("--latency", type=float, default=0.08, help="seconds")
    parser.add_argument("--limit", type=int, default=190, help="calls in 10 s")
    parser.add_argument("--spread", default="gaps", help="how record ids lie: dense, gaps, two_ages")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
