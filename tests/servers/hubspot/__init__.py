"""A local stand-in for the part of HubSpot that we use: same paths, limits, refusals and delays.

By hand:      python -m tests.servers.hubspot --port 0 --seed 7 --contacts 1000 --deals 3000 --latency 0.08
              --limit 190 --faults FILE prints its URL, and the token that it takes. ``--knob NAME=VALUE``
              sets any field of ``Knobs``.
From a test:  with serving(Portal(Knobs(index_lag=2.0), seed=7)) as server: ... server.url, server.portal

``Knobs`` (knobs.py) holds every setting: latency, burst, search and daily limits, lags of search, lists and
options, and each behaviour that HubSpot's documentation leaves open (limit=101, meaning of ``after``, 400 or
207 for bad values, poison records, merges under a new or the old id, types of ids ...). They may be changed
while the portal serves. ``Portal`` plays its people: put, archive, restore, erase, join, associate; and
tells: dump, counts, log, written. ``Clock(speed, start)`` is its time: advance(seconds), set(moment). Limits,
lags and tokens live by it. ``Fault`` (faults.py) is a rule of the fault script; ``ACTIONS`` lists what can
happen. A script file is a JSON list of rules, or TOML with [[faults]]: {"method": "POST", "path":
"batch/update", "nth": 3, "do": "lost"}. Over HTTP the same is at /__admin/: GET state?kind=, counters,
log?from=, written, faults, clock, lists, enrolments; POST seed, knobs, clock, faults, edit, archive, restore,
erase, merge, associate, grant, workflow (bodies in admin.py). ``Portal.flows.add(name, property=...,
value=..., list_id=...)`` builds a workflow; flows.enrolments, busiest_hour(), entered() count.

Log-in: TOKEN (all scopes); Portal.grant(token, scopes) gives out others; OAuth by CLIENT_ID, CLIENT_SECRET,
REFRESH_TOKEN.
"""

from __future__ import annotations

from tests.servers.hubspot import (
    account_api,
    associations_api,
    consent,
    flows_api,
    lists_api,
    objects_api,
    properties_api,
    transfers,
)
from tests.servers.hubspot.access import ALL_SCOPES, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN
from tests.servers.hubspot.clock import Clock
from tests.servers.hubspot.faults import ACTIONS, Fault
from tests.servers.hubspot.generate import seed
from tests.servers.hubspot.knobs import Knobs
from tests.servers.hubspot.portal import Portal
from tests.servers.hubspot.wire import Running, serving

__all__ = [
    "ACTIONS",
    "ALL_SCOPES",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "REFRESH_TOKEN",
    "TOKEN",
    "Clock",
    "Fault",
    "Knobs",
    "Portal",
    "Running",
    "seed",
    "serving",
]
APIS = (
    account_api,
    associations_api,
    consent,
    flows_api,
    lists_api,
    objects_api,
    properties_api,
    transfers,
)  # importing them registers their routes
