"""How many threads may a fit use?

One: small problems take ten times as long when threads wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra and OpenMP on one thread for as long as this lasts."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
