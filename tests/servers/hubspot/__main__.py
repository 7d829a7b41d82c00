"""Start a portal by hand: python -m tests.servers.hubspot --help."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import get_args

from tests.servers.hubspot import Clock, Knobs, Portal, access, faults, generate, serving
from tests.servers.kit.settings import knobs_of, parser


def main() -> None:
    options = parser("hubspot", "A local stand-in for HubSpot.", Knobs)
    options.add_argument("--contacts", type=int, default=1000)
    options.add_argument("--deals", type=int, default=3000)
    options.add_argument("--companies", type=int, default=0)
    spreads = get_args(generate.Spread)
    options.add_argument("--spread", choices=spreads, default="gaps", help="how record ids lie")
    options.add_argument("--limit", type=int, default=190, help="calls in 10 s")
    given = options.parse_args()
    knobs = Knobs(latency=given.latency, limit=given.limit)
    knobs.update(knobs_of(given.knob))
    portal = Portal(knobs, Clock(given.speed), given.seed, faults.load(given.faults) if given.faults else ())
    generate.seed(portal, given.contacts, given.deals, given.companies, given.spread, given.seed)
    gc.freeze()
    with serving(portal, given.port) as running:
        print(running.url, flush=True)
        print(f"token {access.TOKEN}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
