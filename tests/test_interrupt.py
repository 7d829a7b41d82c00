"""Ctrl-C and SIGTERM at any moment of a real process: one sentence, exit code 130 or 143, and a state from
which the next run goes on.
"""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.benchmarks.exports import lay_out
from tests.benchmarks.kill import _ALLOW, _state
from tests.world import ALLOWED, World

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def begun(*words: str, **options: object) -> subprocess.Popen[str]:
    """A command that hears signals already: before that Python itself starts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sync", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )  # type: ignore[call-overload]
    wait_for_ears(process)
    return process  # type: ignore[no-any-return]


def wait_for_ears(process: subprocess.Popen[str]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Send the signal; the process must be gone soon, with its code and one sentence. True: it was through already."""
    process.send_signal(number)
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    if process.returncode in (0, 5):
        return True
    assert process.returncode == CODES[number], (process.returncode, out, err)
    assert err.count("\n") == 1 and err.startswith("Stopped"), err
    assert err.endswith("Finished work is saved; run again to continue.\n"), err
    assert time.monotonic() - began < 10
    return False


@pytest.mark.slow
def test_a_run_interrupted_anywhere_and_run_again_ends_like_a_quiet_one(tmp_path: Path) -> None:
    config = lay_out(
        tmp_path / "fresh", 1_000, 8_000, lines=2, extra='lists = "static"\nextra_fields = ["reason"]'
    )
    assert begun("setup", "--yes", "--config", str(config)).wait() == 0
    quiet = shutil.copytree(tmp_path / "fresh", tmp_path / "quiet") / config.name
    began, process = time.monotonic(), begun("run", *_ALLOW, "--config", str(quiet))
    process.communicate()
    assert process.returncode == 0
    seconds, wanted, chance = time.monotonic() - began, _state(quiet.parent), random.Random(12)
    for number in range(4):
        life = shutil.copytree(tmp_path / "fresh", tmp_path / f"life {number}") / config.name
        process = begun("run", *_ALLOW, "--config", str(life))
        time.sleep(chance.uniform(0, seconds * 0.8))
        ended(process, list(CODES)[number % 2])
        again = begun("run", *_ALLOW, "--config", str(life))
        assert (again.communicate(), again.returncode)[1] == 0
        assert _state(life.parent) == wanted


VERBS = {
    "check": [],
    "setup": ["--yes"],
    "pull": [],
    "label": [],
    "plan": [],
    "apply": _ALLOW,
    "run": _ALLOW,
    "undo": ["2", "--yes"],
}
_AFTER = {"check": "fresh", "setup": "fresh", "apply": "plan", "undo": "run"}  # the others: after set-up


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with a shop at each stage of its life: ``fresh``, ``setup``, ``plan`` and ``run``; only ever copied."""
    folder = tmp_path_factory.mktemp("stages")
    lay_out(folder / "fresh", 400, 3_000, lines=2, extra='lists = "static"')
    for before, verb in (("fresh", "setup"), ("setup", "plan"), ("setup", "run")):
        config = shutil.copytree(folder / before, folder / verb) / "config.toml"
        assert completed(verb, *VERBS[verb], "--config", str(config)) == 0
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_interrupted_at_any_moment(stages: Path, tmp_path: Path, verb: str) -> None:
    before = stages / _AFTER.get(verb, "setup")
    quiet, config = (
        shutil.copytree(before, tmp_path / life) / "config.toml" for life in ("quiet", "disturbed")
    )
    began = time.monotonic()
    assert completed(verb, *VERBS[verb], "--config", str(quiet)) == 0
    seconds, wanted, through = time.monotonic() - began, _state(quiet.parent), False
    for moment in (0, 0.35, 0.7):
        process = begun(verb, *VERBS[verb], "--config", str(config))
        time.sleep(seconds * moment)
        through |= ended(process, signal.SIGINT)
    assert through or completed(verb, *VERBS[verb], "--config", str(config)) == 0
    assert _state(config.parent) == wanted


def completed(*words: str) -> int:
    """Exit code of a command that nobody interrupts."""
    process = begun(*words)
    process.communicate(timeout=120)
    return int(process.returncode)


def portal(folder: Path, server: socket.socket) -> list[str]:
    """Words that choose a config of a portal which takes calls and never answers."""
    account = f'[accounts.portal]\ncrm = "hubspot"\ntoken = "file:token"\napi_url = "http://127.0.0.1:{server.getsockname()[1]}"\n'
    config = folder / "config.toml"
    config.write_text(
        account + '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n', encoding="utf-8"
    )
    (folder / "token").write_text("secret", encoding="utf-8")
    server.settimeout(60)
    return ["--config", str(config)]


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_imports_are_left(tmp_path: Path, delay: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = begun("pull", *portal(tmp_path, server))
        time.sleep(delay)
        assert not ended(process, signal.SIGINT)


def test_the_console_script_hears_from_its_first_import_on(tmp_path: Path) -> None:
    script = tmp_path / "segments"  # whatever it is called
    script.write_text("import sys\nfrom sync.cli import main\nsys.exit(main())\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, str(script), "pull", *portal(tmp_path, server)]
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        wait_for_ears(process)
        assert not ended(process, signal.SIGINT)


def test_a_question_is_left(stages: Path, tmp_path: Path) -> None:
    config = shutil.copytree(stages / "fresh", tmp_path / "asked") / "config.toml"
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "sync", "setup", "--config", str(config)]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        while b"[y/N]" not in text:
            text += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        said = os.read(ours, 4096).decode()
    os.close(ours)
    assert said.strip().endswith("Stopped. Finished work is saved; run again to continue."), said
    assert "Abort" not in said


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("verb", ["check", "pull"])
def test_a_call_that_hangs_is_left(tmp_path: Path, number: signal.Signals, verb: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = begun(verb, *portal(tmp_path, server))
        connection, _ = server.accept()
        with connection:
            time.sleep(0.2)
            ended(process, number)


WORK = {
    "a query of DuckDB": "import duckdb; duckdb.sql('SET threads = 2'); say(); duckdb.sql('SELECT sum(a.range * b.range % 7) "
    "FROM range(10000000) a, range(1000000) b').fetchall()",
    "threads": "from concurrent.futures import ThreadPoolExecutor as P\nwith P(4) as pool:\n    say(); "
    "list(pool.map(time.sleep, [60] * 8))",
    "cleaning up": "say()\ntry:\n    time.sleep(60)\nfinally:\n    time.sleep(60)",
}


@pytest.mark.parametrize("work", WORK)
def test_whatever_it_does_it_ends_at_once(work: str) -> None:
    code = "import sys, time\nsys.argv[0] = 'crm-segments'\nfrom sync.terminal import interrupt\n"
    code += f"def say():\n    print('at work', flush=True)\n{WORK[work]}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "at work\n"
    time.sleep(0.3)
    ended(process, signal.SIGINT)


def test_a_query_of_duckdb_that_a_program_interrupts_is_a_keyboard_interrupt(tmp_path: Path) -> None:
    """Where a program uses the library, its own signals reach DuckDB, which makes errors of its own of them."""
    world = World(tmp_path)
    world.customers(3)
    world.first_run()

    def busy(_what: str, _done: int, _total: int) -> None:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        duckdb.sql("SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(1000000) b").fetchall()

    world.buys("1")
    world.progress = busy
    with pytest.raises(KeyboardInterrupt):
        world.do("run")
    world.progress = lambda what, done, total: None
    assert not list((tmp_path / "state").glob("mirror.duckdb.*-*")), "a mirror is not damaged by Ctrl-C"
    assert world.do("status")["runs"][0]["summary"] == {"interrupted": True}
    assert world.do("run", allow=ALLOWED)["exit_code"] == 0


def test_json_says_it_in_json(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = begun("check", "--json", *portal(tmp_path, server))
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert json.loads(out)["exit_code"] == process.returncode == 130 and not err


def test_who_uses_the_library_keeps_their_own_signals() -> None:
    code = "import signal, sync.cli; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "True\n"
    )
