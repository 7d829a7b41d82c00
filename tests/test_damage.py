"""Random damage to what lies on the disk and to what a CRM answers: a few here, as many as you like with
``python -m tests.benchmarks.damage``.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.damage import WHAT


@pytest.mark.parametrize("what", WHAT)
def test_no_damage_ends_in_a_traceback_or_a_signal_or_touches_what_is_foreign(what: str) -> None:
    words = [
        sys.executable,
        "-m",
        "tests.benchmarks.damage",
        "--what",
        what,
        "--trials",
        "10",
        "--seed",
        "12",
        "--small",
    ]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
