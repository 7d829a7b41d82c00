"""How long does labelling many contacts from features take, and how much memory, in bounded chunks?

    python -m tests.benchmarks.potential --contacts 10000000

A champion of 20,000 drawn customers labels the contacts chunk by chunk; kinds ``potential``, ``lifecycle``
and ``rfm`` in turn.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from segmentation.kinds.lifecycle import Lifecycle
from segmentation.kinds.potential import Potential
from segmentation.kinds.rfm import Rfm
from segmentation.models.buyer_features import COUNTS

AS_OF = date(2025, 6, 30)
CHUNK = 500_000
_BAR = "bar: memory does not grow with the number of contacts (peak under 4 GB at 10,000,000)"


def main() -> int:
    """Draw, fit, label, print; exit code 1 where the bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.potential", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--contacts", type=int, default=10_000_000)
    contacts = parser.parse_args().contacts
    kinds: list[Any] = [Potential().in_account(), Lifecycle().in_account(), Rfm().in_account()]
    fitted = [kind.fit(_drawn(20_000, 0, AS_OF), AS_OF, _Drawn()) for kind in kinds]
    seconds = [0.0] * len(kinds)
    for start in range(0, contacts, CHUNK):
        features = _drawn(min(CHUNK, contacts - start), start, AS_OF)
        for position, kind in enumerate(kinds):
            begun = time.process_time()
            kind.label(features, fitted[position], None, None, AS_OF)
            seconds[position] += time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for kind, spent in zip(kinds, seconds, strict=True):
        print(f"{kind.kind:10} {contacts:12,} contacts {spent:8.1f} s CPU")
    print(f"peak {peak:.2f} GB\n{_BAR}")
    return int(peak > 4)


class _Drawn:
    """A past that is drawn."""

    model = None
    first = date(2023, 1, 1)

    def features(self, day: date) -> pd.DataFrame:
        return _drawn(20_000, day.toordinal(), day)

    def outcomes(self, day: date, days: int, kinds: Any = (), campaigns: Any = ()) -> pd.DataFrame:
        bought = np.random.default_rng(day.toordinal()).poisson(
            self.features(day)["purchase_days_365"] * days / 365
        )
        return pd.DataFrame({"orders": bought, "purchase_days": bought, "net_revenue": bought * 4_000})

    def campaigns(self) -> pd.DataFrame:
        return pd.DataFrame()


def _drawn(count: int, seed: int, day: date) -> pd.DataFrame:
    """Features of ``count`` contacts, three in ten of them prospects."""
    rng = np.random.default_rng(seed)
    days = np.where(rng.random(count) < 0.3, 0, 1 + rng.geometric(0.3, count) - 1)
    since, span = rng.integers(0, 700, count), np.where(days > 1, rng.integers(1, 700, count), 0)
    today = np.datetime64(day)
    frame = pd.DataFrame({"record": np.arange(seed, seed + count)})
    money = np.round(rng.gamma(2.0, 2_000.0, count)).astype(np.int64)
    for name in COUNTS:
        inside = (
            days
            if not name[-1].isdigit()
            else np.where(since < int(name.rsplit("_", 1)[1]), np.minimum(days, 3), 0)
        )
        frame[name] = inside if name.startswith("purchase_days") else inside * money
    frame["last_purchase"] = np.where(days > 0, today - since.astype("timedelta64[D]"), np.datetime64("NaT"))
    frame["first_purchase"] = np.where(
        days > 0, today - (since + span).astype("timedelta64[D]"), np.datetime64("NaT")
    )
    frame["mean_gap_days"] = np.where(days > 1, span / np.maximum(days - 1, 1), np.nan)
    frame["horizon_days"] = 60.0
    return frame


if __name__ == "__main__":
    sys.exit(main())
