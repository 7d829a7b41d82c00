"""A stand-in for Salesforce, started by hand: ``python -m tests.servers.salesforce --port 0 --seed 7
--contacts 1000``.

Prints its URL as the first line of standard output, then the credentials, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.servers.kit.settings import knobs_of, parser
from tests.servers.salesforce.http import Server
from tests.servers.salesforce.knobs import Knobs
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.seeding import seed


def main() -> None:
    options = _options()
    knobs = knobs_of(options.knob)
    if options.latency:
        knobs["latency_seconds"] = options.latency
    org = Org(options.seed, rights=("ApiEnabled", *options.right), **knobs)
    org.clock.speed = options.speed
    org.clock.advance(options.offset)
    counts = {
        name: getattr(options, name) for name in ("accounts", "leads", "opportunities", "tasks", "members")
    }
    made = seed(org, options.contacts, orders=options.orders, campaigns=options.campaigns, **counts)
    if options.faults:
        org.faults.add(*json.loads(options.faults.read_text()))
    if options.public_key:
        org.login.public_key = options.public_key.read_text()
    server = Server(org, options.port)
    print(server.url, flush=True)
    credentials = {
        name: getattr(org.login, name)
        for name in ("client_id", "client_secret", "username", "password", "security_token")
    }
    print(json.dumps({**credentials, "refresh_token": "refresh-1", "records": made}), flush=True)
    server.wait()


def _options() -> argparse.Namespace:
    options = parser("salesforce", (__doc__ or "").splitlines()[0], Knobs)
    for name in ("contacts", "orders", "campaigns"):
        options.add_argument(f"--{name}", type=int, default=0)
    for name in ("accounts", "leads", "opportunities", "tasks", "members"):
        options.add_argument(f"--{name}", type=int, help="default: follows from the contacts")
    options.add_argument("--offset", type=float, default=0.0, help="seconds that the org's clock is ahead")
    options.add_argument("--public-key", type=Path, help="PEM: signatures of JWTs are verified with it")
    what = "permission of the user, such as CustomizeApplication; repeatable"
    options.add_argument("--right", action="append", default=[], help=what)
    return options.parse_args()


if __name__ == "__main__":
    main()
