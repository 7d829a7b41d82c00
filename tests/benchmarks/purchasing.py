"""How long does a purchase model of a million customers take, and how much memory, against ``lifetimes``?

python -m tests.benchmarks.purchasing --customers 1000000
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.process import measure

_BARS = "bars: our fit at most 1/8 of lifetimes' CPU, peak at most 400 MB"
_DRAW = """
import numpy as np, sys, time
n = int(sys.argv[1])
rng = np.random.default_rng(7)
age = rng.integers(7, 547, n) / 7
rate, leave = rng.gamma(0.25, 1 / 4.4, n), rng.beta(0.8, 2.4, n)
life = rng.geometric(np.clip(leave, 1e-9, 1))
x = np.minimum(rng.poisson(rate * age), life)
recency = np.where(x > 0, np.ceil(7 * age * rng.random(n) ** (1 / np.maximum(x, 1))) / 7, 0.0)
recency = np.minimum(recency, age)
"""
_OURS = """
from segmentation import purchasing
from segmentation.models.bg_nbd import History
import scipy.special, scipy.optimize, threadpoolctl
history = History(x, recency, age)
start = time.process_time()
model = purchasing.fit(history, "bg")
print(time.process_time() - start, model.r, model.alpha, model.a, model.b, model.converged)
"""
_THEIRS = """
import lifetimes
start = time.process_time()
model = lifetimes.BetaGeoFitter().fit(x, recency, age)
print(time.process_time() - start, *model.params_[["r", "alpha", "a", "b"]])
"""


def main() -> int:
    """Draw, fit twice, print; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.purchasing", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    number = str(parser.parse_args().customers)
    seconds, peaks = {}, {}
    for name, code in (("ours", _OURS), ("lifetimes", _THEIRS)):
        cost = measure([sys.executable, "-W", "ignore", "-c", _DRAW + code, number])
        if cost.code:
            print(cost.output)
            return 1
        seconds[name], peaks[name] = float(cost.output.split()[0]), cost.peak / 1e6
        print(
            f"{name:10} fit {seconds[name]:6.2f} s CPU   peak {peaks[name]:5.0f} MB   {cost.output.strip()}",
            flush=True,
        )
    print(f"ours / lifetimes {seconds['ours'] / seconds['lifetimes']:.3f}\n{_BARS}")
    return 0 if seconds["ours"] <= seconds["lifetimes"] / 8 and peaks["ours"] <= 400 else 1


if __name__ == "__main__":
    sys.exit(main())
