"""``kill -9`` at random moments of a real process: a few here, as many as you like with ``python -m
tests.benchmarks.kill``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks import kill, kill_sql


def test_a_run_killed_anywhere_and_run_again_ends_like_a_quiet_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ["--contacts", "2000", "--activities", "20000"]
    monkeypatch.setattr(
        sys, "argv", ["kill", "--times", "6", "--seed", "7", "--folder", str(tmp_path / "kill"), *sizes]
    )
    assert kill.main() == 0


@pytest.mark.parametrize("database", kill_sql.DATABASES)
def test_a_run_on_a_database_whose_process_or_server_is_killed_ends_like_a_quiet_one(database: str) -> None:
    assert kill_sql.main(database, times=2, seed=3, contacts=200) == 0
