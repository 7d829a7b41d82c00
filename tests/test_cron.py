"""Does a real cron run the printed line? Slow: cron looks once a minute, so this takes a minute of waiting."""

from __future__ import annotations

import os
import pwd
import subprocess
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.config.config import load
from tests.test_cli import first, folder
from tests.test_schedulers import cron_lines

DAEMON, TABLES = Path("/usr/sbin/cron"), Path("/etc/cron.d")
LONGEST = 75  # seconds


def what_is_missing() -> str:
    """Why no cron can be started here; nothing where one can."""
    if not DAEMON.exists():
        return f"there is no {DAEMON}: apt-get install cron"
    if os.getuid() != 0:
        return "cron is started by root"
    pid = Path("/run/crond.pid")
    if pid.exists() and Path(f"/proc/{pid.read_text().strip()}/comm").exists():
        return "a cron works already on this machine"
    return ""


@contextmanager
def started(table: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real cron with one table more; both are gone afterwards."""
    path = TABLES / f"crm-segments-test-{os.getpid()}"
    path.write_text(table, encoding="utf-8")
    path.chmod(0o644)
    daemon = subprocess.Popen(
        [str(DAEMON), "-f"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait(10)
        path.unlink()


def test_a_real_cron_runs_the_printed_line(tmp_path: Path) -> None:
    """Slow (about a minute)."""
    if missing := what_is_missing():
        assert not os.environ.get("CI"), missing
        pytest.skip(missing)
    world = folder(tmp_path, 40)
    first(world)
    before = dict(world.held("seg_value"))
    world.buys("5", amount=900_000)
    world.buys("10", amount=900_000)
    world.store.save()  # type: ignore[attr-defined]
    run, _ = cron_lines(load(world.folder / "config.toml"), making=False)
    log, ended = world.folder / "cron.log", world.folder / "ended"
    command = f"( {run} ) > {log} 2>&1; echo $? > {ended}.new; mv {ended}.new {ended}".replace("%", "\\%")
    name = pwd.getpwuid(os.getuid()).pw_name
    table = f'MAILTO=""\nHOME={os.environ["XDG_CACHE_HOME"]}\n* * * * * {name} {command}\n'
    with started(table) as daemon:
        until = clock.monotonic() + LONGEST
        while not ended.exists() and clock.monotonic() < until and daemon.poll() is None:
            clock.sleep(0.2)
        assert daemon.poll() is None, "cron ended"
    assert ended.exists(), "cron started nothing within a minute"
    assert (ended.read_text().strip(), log.read_text()) == ("0", ""), "a good run prints nothing"
    world.store.load()  # type: ignore[attr-defined]
    assert world.held("seg_value") != before, "it wrote the new segments"
