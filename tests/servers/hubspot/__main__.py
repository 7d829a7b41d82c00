"""Start a portal by hand: python -m tests.servers.hubspot --help."""

from __future__ import annotations

import argparse
import contextlib
import gc
import threading
from pathlib import Path
from typing import get_args

from tests.servers.hubspot import Clock, Knobs, Portal, access, faults, generate, serving


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers.hubspot", description="A local stand-in for HubSpot."
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--contacts", type=int, default=1000)
    parser.add_argument("--deals", type=int, default=3000)
    parser.add_argument("--companies", type=int, default=0)
    parser.add_argument(
        "--spread", choices=get_args(generate.Spread), default="gaps", help="how record ids lie"
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--limit", type=int, default=190, help="calls in 10 s")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast the portal's clock runs")
    parser.add_argument("--faults", type=Path, help="a fault script: JSON or TOML")
    parser.add_argument(
        "--knob",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other knob, as Python would write its value",
    )
    options = parser.parse_args()
    knobs = Knobs(latency=options.latency, limit=options.limit)
    for setting in options.knob:
        name, _, value = setting.partition("=")
        kind = type(getattr(knobs, name))
        setattr(knobs, name, value.lower() in ("1", "true", "yes") if kind is bool else kind(value))
    portal = Portal(
        knobs, Clock(options.speed), options.seed, faults.load(options.faults) if options.faults else ()
    )
    generate.seed(portal, options.contacts, options.deals, options.companies, options.spread, options.seed)
    gc.freeze()
    with serving(portal, options.port) as running:
        print(running.url, flush=True)
        print(f"token {access.TOKEN}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
