"""Can each scheduler read what is printed for it, does it start the right thing, and whom does which exit
code wake?
"""

from __future__ import annotations

import ast
import getpass
import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sync.cli import app
from sync.config.config import Config, load
from sync.config.secret import SecretError, secret
from sync.exit_codes import CommandError
from sync.start.schedule import KINDS, schedule
from tests.loopback import Server

FOLDERS = ["plain", "with blank", "100% $HOME", 'quo"te', "it's", "back\\slash", "{{ braces }}", "ünï"]
CONFIG = """
state_dir = "memory"
[accounts.web_shop]
crm = "files"
path = "ex ports"
time_zone = "Europe/Berlin"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""


@pytest.fixture(params=FOLDERS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    folder = tmp_path / request.param
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    return load(folder / "config.toml")


def texts(config: Config) -> tuple[Path, dict[str, str]]:
    """A program that writes down its arguments and ends with the code in $CODE, and the entries that call it."""
    program = config.folder / "crm-segments"
    program.write_text(
        '#!/bin/sh\nfor word in "$@"; do echo "$word"; done > "$(dirname "$0")/called"\necho words\nexit ${CODE:-0}\n',
        "utf-8",
    )
    program.chmod(0o755)
    return program, schedule(config, time(2, 30), program)


def expected(config: Config) -> list[list[str]]:
    options = ["--config", str(config.path)]
    return [["run", *options], ["watch", *options]]


def shell(config: Config, command: str | list[str], code: int = 0) -> tuple[int, str, list[str]]:
    """Run a command as a scheduler would: exit code, what it prints, what the program was called with."""
    words = command if isinstance(command, list) else ["/bin/sh", "-c", command]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "CODE": str(code)}, check=False
    )
    called = config.folder / "called"
    arguments = called.read_text(encoding="utf-8").splitlines() if called.exists() else []
    called.unlink(missing_ok=True)
    return done.returncode, done.stdout + done.stderr, arguments


def test_a_crontab_line_runs_the_config_and_prints_only_failures(config: Config) -> None:
    lines = [line for line in texts(config)[1]["cron"].splitlines() if not line.startswith("#")]
    assert [line.split(" ", 5)[:5] for line in lines] == [
        ["30", "2", "*", "*", "*"],
        ["30", "6", "*", "*", "*"],
    ]
    for line, words in zip(lines, expected(config), strict=True):
        command = line.split(" ", 5)[5]
        assert "%" not in command.replace("\\%", "")
        command = command.replace("\\%", "%")  # as cron does
        assert shell(config, command) == (0, "", words)
        assert shell(config, command, 75)[:2] == (0, "")
        assert shell(config, command, 1)[:2] == (1, "words\n")
    assert shell(config, lines[0].split(" ", 5)[5].replace("\\%", "%"), 4)[:2] == (0, "")
    assert shell(config, lines[0].split(" ", 5)[5].replace("\\%", "%"), 5)[0] == 5


def units(text: str) -> dict[str, str]:
    """The files in what is printed for systemd, by their names."""
    parts = text.split("# /etc/systemd/system/")[1:]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts}


def unit_words(line: str) -> list[str]:
    """A command line as systemd reads it."""
    assert line.startswith("ExecStart=")
    return [
        word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line.removeprefix("ExecStart="))
    ]


def test_systemd_gets_two_services_and_their_timers(config: Config, tmp_path: Path) -> None:
    _, schedules = texts(config)
    files = units(schedules["systemd"])
    assert len(files) == 4 and {Path(name).suffix for name in files} == {".service", ".timer"}
    services = [text for name, text in files.items() if name.endswith(".service")]
    calls = [
        unit_words(next(line for line in text.splitlines() if line.startswith("ExecStart=")))
        for text in services
    ]
    for call, words in zip(calls, expected(config), strict=True):
        assert shell(config, call) == (0, "words\n", words)
    assert "SuccessExitStatus=4 75" in services[0] and "SuccessExitStatus=75" in services[1]
    timers = [text for name, text in files.items() if name.endswith(".timer")]
    assert (
        "OnCalendar=*-*-* 02:30:00 Europe/Berlin" in timers[0]
        and "OnCalendar=*-*-* 06:30:00 Europe/Berlin" in timers[1]
    )
    if shutil.which("systemd-analyze"):
        folder = tmp_path / "units"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        words = [
            "systemd-analyze",
            "verify",
            "--recursive-errors=no",
            *(str(folder / name) for name in files),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        ours = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if "crm-segments" in line and "Failed to" not in line
        ]
        assert not ours, ours


def test_kubernetes_gets_a_claim_and_two_jobs_that_never_overlap(config: Config) -> None:
    _, schedules = texts(config)
    claim, *jobs = yaml.safe_load_all(schedules["kubernetes"])
    assert (claim["kind"], claim["spec"]["accessModes"]) == ("PersistentVolumeClaim", ["ReadWriteOnce"])
    assert [job["kind"] for job in jobs] == ["CronJob", "CronJob"]
    assert [job["spec"]["schedule"] for job in jobs] == ["30 2 * * *", "30 6 * * *"]
    for job, words in zip(jobs, expected(config), strict=True):
        assert (job["spec"]["concurrencyPolicy"], job["spec"]["timeZone"]) == ("Forbid", "Europe/Berlin")
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        [container] = pod["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["state"] == str(config.state_dir) and mounts["config"] == str(config.path)
        assert mounts["account-0"] == str(config.folder / "ex ports")
        volumes: dict[str, Any] = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert volumes.keys() == mounts.keys()
        assert shell(config, container["command"])[2] == words
        assert shell(config, container["command"], 75)[0] == 0
        assert shell(config, container["command"], 1)[0] == 1
        assert len(job["metadata"]["name"]) <= 52


def test_airflow_gets_two_dags_that_start_the_program(config: Config) -> None:
    _, schedules = texts(config)
    tree = ast.parse(schedules["airflow"])
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"pendulum"}, "nothing of ours is imported"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    operators = [call for call in calls if getattr(call.func, "id", "") == "BashOperator"]
    options = [{word.arg: ast.literal_eval(word.value) for word in call.keywords} for call in operators]
    for option, words in zip(options, expected(config), strict=True):
        command = option["bash_command"].removeprefix("{% raw %}").removesuffix("{% endraw %}")
        assert (option["task_id"], option["skip_on_exit_code"]) == (words[0], 75)
        assert shell(config, ["bash", "-c", command])[0::2] == (0, words)
        assert [shell(config, ["bash", "-c", command], code)[0] for code in (4, 75, 1)] == [0, 75, 1]
    assert [
        ast.literal_eval(word.value) for call in calls for word in call.keywords if word.arg == "schedule"
    ] == [
        "30 2 * * *",
        "30 6 * * *",
    ]


def test_the_dag_loads_where_there_is_an_airflow(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    made: list[str] = []

    class Dag:
        def __init__(self, name: str, **_options: Any) -> None:
            made.append(name)

        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    stand_ins = {
        "pendulum": SimpleNamespace(datetime=lambda *_numbers, tz: tz),
        "airflow": SimpleNamespace(DAG=Dag),
        "airflow.providers.standard.operators.bash": None,
        "airflow.operators.bash": SimpleNamespace(BashOperator=lambda **_options: None),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        exec(compile(texts(load(folder / "config.toml"))[1]["airflow"], "dag.py", "exec"), {})
    assert made == ["crm-segments-one", "crm-segments-one-watch"]


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")
    with pytest.raises(CommandError, match="line break"):
        schedule(load(folder / "config.toml"), time(2, 30))


def test_the_command_prints_all_or_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    options = ["--config", str(tmp_path / "config.toml")]

    def printed(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["schedule", *options, *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    assert all(f"### {kind}" in printed()[1] for kind in KINDS)
    code, text = printed("--kind", "cron", "--at", "23:05")
    assert code == 0 and "5 23 * * * " in text and "5 3 * * * " in text and "systemd" not in text
    assert list(yaml.safe_load_all(printed("--kind", "kubernetes")[1]))
    assert json.loads(printed("--json")[1])["schedules"].keys() == KINDS.keys()
    assert printed("--max-age", "30")[0] == 2, "it is a key of the config now"
    assert printed("--kind", "crown")[0] == 2 and printed("--at", "noon")[0] == 2
    assert not (tmp_path / "memory").exists(), "it only prints"


CLOUD = """
state_dir = "memory"
[accounts.portal]
crm = "hubspot"
token = "env:PORTAL_TOKEN"
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
"""
SECRET = 'pat-1 $HOME %x \\ "q" it\'s `id`'


@pytest.fixture(params=FOLDERS)
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    folder = tmp_path / request.param
    folder.mkdir()
    (folder / "config.toml").write_text(CLOUD, encoding="utf-8")
    return load(folder / "config.toml")


def with_secrets(config: Config) -> dict[str, str]:
    """The entries, and the file of the secrets made as they say; the program writes down the secret that it
    sees.
    """
    program, schedules = texts(config)
    program.write_text('#!/bin/sh\nprintf %s "$PORTAL_TOKEN" > "$(dirname "$0")/called"\n', "utf-8")
    line = next(line for line in schedules["cron"].splitlines() if "umask" in line)
    subprocess.run(
        ["/bin/sh", "-c", line.removeprefix("#")], check=True, env={**os.environ, "PORTAL_TOKEN": SECRET}
    )
    assert (
        line in schedules["airflow"]
        and '--from-literal=PORTAL_TOKEN="$PORTAL_TOKEN"' in schedules["kubernetes"]
    )
    [file] = config.folder.glob("*.env")
    assert file.stat().st_mode & 0o777 == 0o600
    return schedules


def seen(config: Config, words: list[str]) -> str:
    """What the program sees of the secret where the environment is empty."""
    subprocess.run(["env", "-i", *words], check=True)
    return (config.folder / "called").read_text("utf-8")


def test_a_crontab_line_brings_the_secrets_into_an_empty_environment(cloud: Config) -> None:
    for line in with_secrets(cloud)["cron"].splitlines():
        if not line.startswith("#"):
            assert seen(cloud, ["/bin/sh", "-c", line.split(" ", 5)[5].replace("\\%", "%")]) == SECRET


def test_an_airflow_command_brings_the_secrets(cloud: Config) -> None:
    tree = ast.parse(with_secrets(cloud)["airflow"])
    commands = [
        ast.literal_eval(w.value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Call)
        for w in n.keywords
        if w.arg == "bash_command"
    ]
    for command in commands:
        assert (
            seen(cloud, ["bash", "-c", command.removeprefix("{% raw %}").removesuffix("{% endraw %}")])
            == SECRET
        )


def credentials(config: Config, text: str) -> Path:
    """The files of the secrets, made as the text for systemd says."""
    making = next(line for line in text.splitlines() if "umask" in line and "systemd-creds" not in line)
    words = ["/bin/sh", "-c", making.removeprefix("#")]
    subprocess.run(words, check=True, env={**os.environ, "PORTAL_TOKEN": SECRET})
    [folder] = config.folder.glob("*.credentials")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    return folder


def test_the_program_reads_the_credentials_that_systemd_hands_to_it(
    cloud: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = credentials(
        cloud, texts(cloud)[1]["systemd"]
    )  # as LoadCredential= puts them into a folder of the service
    monkeypatch.delenv("PORTAL_TOKEN", raising=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    assert secret("env:PORTAL_TOKEN") == SECRET
    with pytest.raises(SecretError, match="nor a credential of that name; write `LoadCredential=OTHER:PATH`"):
        secret("env:OTHER")
    monkeypatch.setenv("PORTAL_TOKEN", "of the environment")
    assert secret("env:PORTAL_TOKEN") == "of the environment", "what a person sets counts"


def test_a_real_process_reads_its_credentials(tmp_path: Path) -> None:
    config = CLOUD.replace(
        "[[segm", '[alerts]\n[[alerts.channels]]\nname = "ops"\ntype = "webhook"\nurl = "env:HOOK"\n[[segm'
    )
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    words = [sys.executable, "-m", "sync", "watch", "--test", "--config", str(tmp_path / "config.toml")]
    root = Path(__file__).parent.parent
    with Server() as hook:
        (tmp_path / "HOOK").write_text(f"{hook.url}\n", encoding="utf-8")
        env = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}
        done = subprocess.run(words, env=env, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(hook.done) == 1


def test_a_unit_has_a_user_and_the_credentials(cloud: Config, tmp_path: Path) -> None:
    text = texts(cloud)[1]["systemd"]
    files, folder = units(text), credentials(cloud, text)
    services = {name: text for name, text in files.items() if name.endswith(".service")}
    for service in services.values():
        assert f"User={getpass.getuser()}\n" in service
        assert f"LoadCredential=PORTAL_TOKEN:{str(folder).replace('%', '%%')}/PORTAL_TOKEN\n" in service
    if shutil.which("systemd-analyze"):
        (tmp_path / "units").mkdir()
        for name, text in files.items():
            (tmp_path / "units" / name).write_text(text, encoding="utf-8")
        words = [
            "systemd-analyze",
            "verify",
            "--recursive-errors=no",
            *map(str, (tmp_path / "units").iterdir()),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        ours = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if "crm-segments" in line and "Failed to" not in line
        ]
        assert not ours, ours


def test_a_config_without_secrets_gets_no_file_of_them(config: Config) -> None:
    assert not any(".env" in text or "LoadCredential" in text for text in texts(config)[1].values())
