"""A stand-in for Salesforce, started by hand: ``python -m tests.servers.salesforce --port 0 --seed 7
--contacts 1000``.

Prints its URL as the first line of standard output, then the credentials, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tests.servers.salesforce.http import Server
from tests.servers.salesforce.knobs import Knobs
from tests.servers.salesforce.org import Org
from tests.servers.salesforce.seeding import seed


def main() -> None:
    options = _options()
    knobs: dict[str, Any] = {}
    for text in options.knob:
        name, _, value = text.partition("=")
        knobs[name] = json.loads(value) if value[:1] in '{["-0123456789tfn' else value
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
    server = Server(org, options.port).start()
    print(server.url, flush=True)
    credentials = {
        name: getattr(org.login, name)
        for name in ("client_id", "client_secret", "username", "password", "security_token")
    }
    print(json.dumps({**credentials, "refresh_token": "refresh-1", "records": made}), flush=True)
    server.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers.salesforce", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--seed", type=int, default=0)
    for name in ("contacts", "orders", "campaigns"):
        parser.add_argument(f"--{name}", type=int, default=0)
    for name in ("accounts", "leads", "opportunities", "tasks", "members"):
        parser.add_argument(f"--{name}", type=int, help="default: follows from the contacts")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--speed", type=float, default=1.0, help="of the org's clock")
    parser.add_argument("--offset", type=float, default=0.0, help="seconds that the org's clock is ahead")
    parser.add_argument(
        "--faults", type=Path, help="a JSON list of rules, as tests/servers/salesforce/faults.py has them"
    )
    parser.add_argument("--public-key", type=Path, help="PEM: signatures of JWTs are verified with it")
    parser.add_argument(
        "--right",
        action="append",
        default=[],
        help="permission of the user, such as CustomizeApplication; repeatable",
    )
    parser.add_argument(
        "--knob",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"one of {', '.join(Knobs.__dataclass_fields__)}",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
