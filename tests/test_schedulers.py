"""Do the printed entries hold in the schedulers' own eyes, and does the real program do its work from them?

A real Airflow runs the DAG in ``python -m tests.benchmarks.airflow``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from datetime import time
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sync.config.config import Config, load
from sync.start.schedule import schedule
from tests.loopback import Server
from tests.test_cli import first, folder
from tests.test_schedule import CLOUD, CONFIG, units
from tests.world import World

ROOT = Path(__file__).parent.parent
ALERTS = """
[alerts]
[[alerts.channels]]
name = "ops"
type = "slack"
url = "env:SLACK_HOOK"
[[alerts.channels]]
name = "mail"
type = "email"
host = "localhost"
user = "crm"
password = "file:mail-password"
sender = "crm@example.com"
to = ["ops@example.com"]
"""


def printed(path: Path, text: str) -> dict[str, str]:
    (path / "config.toml").write_text(text, encoding="utf-8")
    return schedule(load(path / "config.toml"), time(23, 50), Path("/opt/crm/bin/crm-segments"))


@pytest.mark.parametrize("text", [CONFIG, CLOUD, CLOUD + ALERTS])
def test_kubernetes_finds_nothing_wrong_with_its_objects(tmp_path: Path, text: str) -> None:
    for each in yaml.safe_load_all(printed(tmp_path, text)["kubernetes"]):
        kubernetes_validate.validate(each, "1.34", strict=True)


def test_the_schema_would_find_a_slip(tmp_path: Path) -> None:
    _, job, _ = yaml.safe_load_all(printed(tmp_path, CONFIG)["kubernetes"])
    job["spec"]["concurrencyPolice"] = job["spec"].pop("concurrencyPolicy")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.34", strict=True)


def test_with_a_channel_it_is_watched_every_hour_and_else_once_a_day(tmp_path: Path) -> None:
    def times(text: str) -> list[str]:
        lines = printed(tmp_path, text)["cron"].splitlines()
        return [" ".join(line.split(" ")[:5]) for line in lines if not line.startswith("#")]

    assert times(CLOUD) == ["50 23 * * *", "50 3 * * *"]
    assert times(CLOUD + ALERTS) == ["50 23 * * *", "5 * * * *"]
    assert "OnCalendar=*-*-* *:05:00 UTC" in printed(tmp_path, CLOUD + ALERTS)["systemd"]


def test_every_entry_brings_the_secrets_of_channels_or_says_how(tmp_path: Path) -> None:
    texts = printed(tmp_path, CLOUD + ALERTS)
    for kind, text in texts.items():
        assert "PORTAL_TOKEN" in text and "SLACK_HOOK" in text, kind
        assert "The config reads file:mail-password" in text, kind
    keyring = printed(tmp_path, CLOUD.replace("env:PORTAL_TOKEN", "keyring:portal/token"))
    assert all("no unlocked keyring" in text for text in keyring.values())
    _, job, _ = yaml.safe_load_all(texts["kubernetes"])
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"][0]["secretRef"]["optional"] is False


def test_a_unit_that_fails_starts_the_watch(tmp_path: Path) -> None:
    files = units(printed(tmp_path, CLOUD)["systemd"])
    [run, watch] = sorted((name for name in files if name.endswith(".service")), key=len)
    assert f"OnFailure={watch}\n" in files[run]
    assert "OnFailure=NAME" in files[watch], "without a channel, the user names who is told"


# -- a second run, for what waits for send_windows --------------------------------------------------------------

SENDS = '[automations]\n"Welcome" = 500\n'


def entries(path: Path, text: str, at: time = time(2, 30)) -> list[str]:
    (path / "config.toml").write_text(text, encoding="utf-8")
    lines = schedule(load(path / "config.toml"), at, Path("/opt/crm-segments"))["cron"].splitlines()
    return [
        f"{' '.join(line.split(' ')[:5])} {line.split('crm-segments ')[1].split()[0]}"
        for line in lines
        if line[0] != "#"
    ]


def test_a_second_run_comes_in_the_send_window_where_automations_may_start(tmp_path: Path) -> None:
    assert entries(tmp_path, CLOUD) == ["30 2 * * * run", "30 6 * * * watch"]
    assert entries(tmp_path, CLOUD + SENDS)[1] == "15 9 * * * run"
    assert entries(tmp_path, CLOUD + "[guards]\nmax_enrolled = 100\n")[1] == "15 9 * * * run"
    none = CLOUD + SENDS.replace("500", "0")
    assert len(entries(tmp_path, none)) == 2, "nothing may start, so nothing waits"
    assert len(entries(tmp_path, CLOUD + SENDS, time(10, 0))) == 2, "the run itself comes in the window"


def test_the_second_run_keeps_to_weekdays_and_to_writing_windows(tmp_path: Path) -> None:
    pace = '[pace]\nsend_windows = ["Mon-Fri 09:00-18:00"]\nwindows = ["12:00-13:00", "02:00-05:00"]\n'
    assert entries(tmp_path, CLOUD + SENDS + pace)[1] == "0 12 * * 1,2,3,4,5 run"
    late = '[pace]\nsend_windows = ["Sun 23:50-01:00"]\n'
    assert entries(tmp_path, CLOUD + SENDS + late)[1] == "5 0 * * 1 run"
    texts = printed(tmp_path, CLOUD + SENDS + pace)
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 12:00:00 UTC" in texts["systemd"]
    assert 'schedule: "0 12 * * 1,2,3,4,5"' in texts["kubernetes"]
    assert 'schedule="0 12 * * 1,2,3,4,5"' in texts["airflow"]
    assert all("a second run comes then" in text for text in texts.values())


def test_systemd_and_kubernetes_find_nothing_wrong_with_three_entries(tmp_path: Path) -> None:
    texts = printed(tmp_path, CLOUD + ALERTS + SENDS)
    objects = list(yaml.safe_load_all(texts["kubernetes"]))
    assert [each["kind"] for each in objects] == ["PersistentVolumeClaim", *["CronJob"] * 3]
    for each in objects:
        kubernetes_validate.validate(each, "1.34", strict=True)
    files = units(texts["systemd"])
    assert len(files) == 6 and "# Six files" in texts["systemd"]
    if shutil.which("systemd-analyze"):
        (tmp_path / "units").mkdir()
        for name, text in files.items():
            (tmp_path / "units" / name).write_text(text, encoding="utf-8")
        paths = map(str, (tmp_path / "units").iterdir())
        words = ["systemd-analyze", "verify", "--recursive-errors=no", *paths]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).splitlines()
        assert not [
            line
            for line in said
            if "crm-segments" in line and "not executable" not in line and "Failed to" not in line
        ]


# -- the real program from a printed line, in an empty environment ---------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """A shop that is set up, and tells a webhook."""
    hook = '[alerts]\n[[alerts.channels]]\nname = "ops"\ntype = "webhook"\nurl = "env:TEST_HOOK"\n'
    world = folder(tmp_path, 40)
    first(world)
    world.more = hook
    world.config()
    return world


def cron_lines(config: Config, making: bool = True) -> tuple[str, str]:
    """The commands of run and watch, as cron hands them to a shell. ``making``: the file of the secrets is made first."""
    program = config.folder / "crm-segments"
    program.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" -m sync "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    lines = schedule(config, time(2, 30), program)["cron"].splitlines()
    for line in [line.removeprefix("#") for line in lines if making and "umask" in line]:
        subprocess.run(["/bin/sh", "-c", line], check=True, env=os.environ)
    run, watch = (line.split(" ", 5)[5].replace("\\%", "%") for line in lines if not line.startswith("#"))
    return run, watch


def from_nothing(command: str) -> tuple[int, str]:
    """Exit code and output of a command in an empty environment."""
    words = ["env", "-i", f"HOME={os.environ['XDG_CACHE_HOME']}", "/bin/sh", "-c", command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_printed_lines_of_cron_run_and_watch_in_an_empty_environment(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        run, watch = cron_lines(load(shop.folder / "config.toml"))
        monkeypatch.delenv("TEST_HOOK")
        assert from_nothing(run) == (0, "") and from_nothing(watch) == (0, "")
        [contacts] = (shop.folder / "crm").glob("contacts*")
        contacts.rename(contacts.with_suffix(".aside"))
        code, output = from_nothing(run)
        assert code == 1 and "contacts" in output, "cron mails it"
        assert from_nothing(watch) == (0, "")
        bodies: list[dict[str, Any]] = [json.loads(body) for body in hook.done]
        assert [(body["cause"], body["state"]) for body in bodies] == [("failed", "open")]


def test_a_run_that_finds_another_one_wakes_nobody(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_HOOK", "http://127.0.0.1:9")
    run, _ = cron_lines(load(shop.folder / "config.toml"))
    with (shop.folder / "state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert from_nothing(run) == (0, "")
        program = [str(shop.folder / "crm-segments"), "run", "--config", str(shop.folder / "config.toml")]
        assert subprocess.run(program, capture_output=True, check=False).returncode == 75
