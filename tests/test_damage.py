"""Random damage to what lies on the disk: a few here, as many as you like with ``python -m
tests.benchmarks.damage``.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.damage import WHAT, damages


@pytest.mark.parametrize("what", WHAT)
def test_no_damage_ends_in_a_traceback_or_a_signal_or_touches_what_is_foreign(what: str) -> None:
    assert damages(40, 12, (what,))[0] == []
