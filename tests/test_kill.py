"""``kill -9`` at random moments of a real process: a few here, as many as you like with ``python -m
tests.benchmarks.kill``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks import kill


def test_a_run_killed_anywhere_and_run_again_ends_like_a_quiet_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ["--contacts", "2000", "--activities", "20000"]
    monkeypatch.setattr(
        sys, "argv", ["kill", "--times", "6", "--seed", "7", "--folder", str(tmp_path / "kill"), *sizes]
    )
    assert kill.main() == 0
