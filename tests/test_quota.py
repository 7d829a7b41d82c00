"""Does a CRM never see more calls than it allows, on its own clock, from all our threads and processes
together?
"""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import QuotaError, TemporaryError
from connectors.http.rate_limit import Rate, RateLimit, Slot
from connectors.http.transport import Call, Transport, Verdict
from tests.loopback import Server

ROOT = Path(__file__).parent.parent


class Plain:
    """Only a 429 is tried again, by everybody."""

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        return Verdict("again", 0.2, everybody=True) if response.status_code == 429 else Verdict("answer")

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        pass


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1e-4)


def most(moments: list[float], seconds: float) -> int:
    """The largest number of moments in any half-open window."""
    moments = sorted(moments)
    first, largest = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        largest = max(largest, last - first + 1)
    return largest


@given(
    seed=st.integers(0, 2**32),
    calls=st.integers(1, 12),
    seconds=st.sampled_from([1.0, 10.0]),
    threads=st.integers(1, 9),
    jitter=st.floats(0, 3),
    offset=st.floats(-1, 1),
)
def test_no_window_of_the_crm_sees_more_than_the_limit_however_late_calls_arrive(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    calls: int,
    seconds: float,
    threads: int,
    jitter: float,
    offset: float,
) -> None:
    chance = random.Random(seed)
    time_ = Time()
    quota = RateLimit(
        f"{seed}",
        {"": Rate(calls, seconds)},
        folder=tmp_path_factory.getbasetemp() / "law",
        clock=time_.clock,
        sleep=time_.sleep,
    )
    open_: list[tuple[float, Slot]] = []
    arrivals = []
    for _ in range(60):
        while open_ and (len(open_) >= threads or chance.random() < 0.5):
            end, slot = open_.pop(chance.randrange(len(open_)))
            time_.now = max(time_.now, end)
            quota.answered(slot)
        time_.now += chance.choice([0, 0, 0.01, seconds / calls])
        slot = quota.take()
        arrived = time_.now + 0.02 + chance.random() * chance.choice([0, jitter])
        arrivals.append(arrived + offset)
        open_.append((arrived + 0.02 + chance.random() * jitter, slot))
    quota.close()
    assert most(arrivals, seconds) <= calls


@given(
    costs=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    limit=st.integers(5, 12),
    seed=st.integers(0, 99),
)
def test_calls_that_cost_more_never_pass_the_limit_of_units(
    tmp_path_factory: pytest.TempPathFactory, costs: list[int], limit: int, seed: int
) -> None:
    time_ = Time()
    folder = tmp_path_factory.getbasetemp() / "units"
    quota = RateLimit(
        f"{seed}{costs}{limit}", {"": Rate(limit, 1.0)}, folder=folder, clock=time_.clock, sleep=time_.sleep
    )
    arrivals = []
    for cost in costs:
        slot = quota.take(units=cost)
        arrivals += [time_.now + 0.01] * cost
        time_.now += 0.02
        quota.answered(slot)
    quota.close()
    assert most(arrivals, 1.0) <= limit


def test_a_call_that_costs_more_than_the_limit_goes_out_alone(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(4, 1.0)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    quota.answered(quota.take())
    begun = time_.now
    quota.answered(quota.take(units=9))
    assert time_.now - begun >= 1.0
    quota.close()


def test_a_limit_is_used_to_the_full(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(190, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    begun = time_.now
    for _ in range(190 * 30):
        slot = quota.take()
        time_.now += 0.08 / 8  # eight threads, 80 ms
        quota.answered(slot)
    assert time_.now - begun <= 29 * 10 * 1.02 + 2


def test_eight_threads_never_pass_the_limit(tmp_path: Path) -> None:
    with Server(latency=0.08, limit=90, window=1.0) as server:
        transport = Transport(Plain(), RateLimit("k", {"": Rate(90, 1.0)}, folder=tmp_path))
        calls = list(transport.run(lambda _: transport.send(Call("GET", server.url)), range(90 * 4)))
        transport.close()
    assert (len(calls), server.refused) == (360, 0)


WORKER = """
import sys, time
from pathlib import Path
from connectors.http.rate_limit import RateLimit, Rate
from connectors.http.transport import Call, Transport, Verdict
from tests.test_quota import Plain
url, folder, calls, lane = sys.argv[1:]
transport = Transport(Plain(), RateLimit("k", {"": Rate(40, 1.0), "search": Rate(4, 0.5)}, folder=Path(folder)), threads=4)
print(len(list(transport.run(lambda _: transport.send(Call("GET", url + "/" + lane, lane=lane)), range(int(calls))))), flush=True)
"""


def worker(server: Server, folder: Path, calls: int, lane: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, server.url, str(folder), str(calls), lane]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_share_every_limit_and_one_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    with Server(latency=0.02, limit=40, window=1.0) as server:
        victims = [worker(server, tmp_path, 10_000), worker(server, tmp_path, 10_000, "search")]
        others = [
            worker(server, tmp_path, 60),
            worker(server, tmp_path, 60),
            worker(server, tmp_path, 8, "search"),
        ]
        while len(server.seen) < 60:
            time.sleep(0.01)
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
        outputs = [other.communicate(timeout=60) for other in others]
        searches = [moment for moment, path, *_ in server.seen if path == "/search"]
        assert [(out.strip(), err) for out, err in outputs] == [("60", ""), ("60", ""), ("8", "")]
        assert server.refused == 0
        assert most([moment for moment, *_ in server.seen], 1.0) <= 40
        assert most(searches, 0.5) <= 4


def test_a_process_killed_while_it_writes_leaves_a_ledger_that_works(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from connectors.http.rate_limit import RateLimit, Rate\n"
    code += "quota = RateLimit('k', {'': Rate(10**6, 100.0)}, folder=Path(sys.argv[1]))\nprint(1, flush=True)\nwhile True: quota.take()"
    for moment in (0.01, 0.03, 0.08):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moment)
        process.kill()
        process.communicate()
        quota = RateLimit("k", {"": Rate(10**6, 100.0)}, folder=tmp_path)
        begun = time.monotonic()
        quota.answered(quota.take())
        assert time.monotonic() - begun < 1
        quota.close()
    taken = int(os.path.getsize(next(tmp_path.iterdir())) / 20)
    assert taken > 3, "what was taken is remembered"


def test_a_process_that_is_stopped_does_not_stop_the_others(tmp_path: Path) -> None:
    code = "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print(1, flush=True); time.sleep(60)"
    quota = RateLimit("k", {"": Rate(5, 10)}, folder=tmp_path)
    quota.take()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(next(tmp_path.iterdir()))], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = time.monotonic()
        quota.take()
        assert time.monotonic() - begun < 10
        assert not quota.shared
        holder.kill()


def test_a_removed_ledger_is_made_anew_for_all(tmp_path: Path) -> None:
    ours, theirs = (
        RateLimit("k", {"": Rate(2, 100)}, folder=tmp_path),
        RateLimit("k", {"": Rate(2, 100)}, folder=tmp_path),
    )
    ours.take()
    theirs.take()
    next(tmp_path.iterdir()).unlink()
    ours.take()
    theirs.take()
    with pytest.raises(TemporaryError):
        ours.take()


def test_a_forked_process_shares_the_limit_too(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(2, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    quota.take()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        quota.take()
        os.write(writer, b"x")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"x"
    quota.take()
    assert time_.now > 1010


def test_where_nothing_can_be_written_it_works_for_this_process_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made under a file")
    time_ = Time()
    quota = RateLimit(
        "k", {"": Rate(5, 10)}, folder=tmp_path / "file" / "below", clock=time_.clock, sleep=time_.sleep
    )
    for _ in range(11):
        quota.answered(quota.take())
    assert time_.now >= 1020
    assert not quota.shared


def test_a_full_disk_costs_nothing_but_the_sharing(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    time_ = Time()
    quota = RateLimit("k", {"": Rate(5, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    quota.take()
    file = next(tmp_path.iterdir())
    file.unlink()
    file.symlink_to("/dev/full")
    quota = RateLimit("k", {"": Rate(5, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    for _ in range(11):
        quota.take()
    assert time_.now >= 1020
    assert not quota.shared


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 300, b'{"boot": "another", "lanes": {"": {"live": [1e18]}}}\n', b"[]\n", b'{"lanes": '],
)
def test_a_ledger_of_another_boot_or_of_nobody_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    quota = RateLimit("k", {"": Rate(1, 100)}, folder=tmp_path)
    quota.take()
    next(tmp_path.iterdir()).write_bytes(content)
    begun = time.monotonic()
    quota.take()
    assert time.monotonic() - begun < 1


def test_the_ledger_is_for_the_user_alone_and_names_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "quota"
    RateLimit("https://api.example.com jane@example.com", {"": Rate(1, 1)}, folder=folder).take()
    file = next(folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "jane" not in file.name + file.read_text() and "example" not in file.name + file.read_text()


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    RateLimit("k", {"": Rate(1, 1)}).take()
    assert list((tmp_path / "crm-segments" / "quota").iterdir())


def test_a_narrow_lane_waits_without_holding_up_the_others(tmp_path: Path) -> None:
    quota = RateLimit("k", {"": Rate(1000, 1), "search": Rate(1, 5)}, folder=tmp_path)
    quota.take("search")
    threading.Thread(
        target=lambda: quota.take("search", sleep=lambda _: time.sleep(0.3)), daemon=True
    ).start()
    time.sleep(0.05)
    begun = time.monotonic()
    for _ in range(50):
        quota.take()
    assert time.monotonic() - begun < 0.25


def test_a_concurrent_budget_is_a_rate_of_zero_seconds(tmp_path: Path) -> None:
    with Server(latency=0.05) as server:
        transport = Transport(Plain(), RateLimit("k", {"": Rate(3, 0.0)}, folder=tmp_path), threads=12)
        begun = time.monotonic()
        list(transport.run(lambda _: transport.send(Call("GET", server.url)), range(12)))
        assert 0.19 <= time.monotonic() - begun < 2
        transport.close()


def test_a_learned_rate_holds_from_then_on_and_forgets_no_call(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(10, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    for _ in range(8):
        quota.take()
    quota.learn_rate("", Rate(4, 10))
    quota.learn_rate("", Rate(10, 10))
    quota.take()
    quota.take()
    assert time_.now == 1000.0
    quota.take()
    assert time_.now > 1010


def test_the_next_process_begins_with_the_rate_that_the_crm_told_this_one(tmp_path: Path) -> None:
    time_ = Time()
    first, second = (
        RateLimit("k", {"": Rate(2, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
        for _ in range(2)
    )
    first.take()
    first.learn_rate("", Rate(50, 10))
    for _ in range(40):
        second.take()
    assert time_.now == 1000.0
    assert second.rate() == Rate(50, 10)


def test_calls_that_others_made_count_once_the_crm_tells_what_is_left(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(100, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)
    quota.take()
    for _ in range(3):
        quota.learn_left(4)
    for _ in range(4):
        quota.take()
    assert time_.now == 1000.0
    quota.take()
    assert 1010 < time_.now < 1011


def test_a_pause_is_for_all_processes_and_ends(tmp_path: Path) -> None:
    ours, theirs = RateLimit("k", {}, folder=tmp_path), RateLimit("k", {}, folder=tmp_path)
    theirs.pause(0.3)
    begun = time.monotonic()
    ours.take()
    assert 0.29 <= time.monotonic() - begun < 1


def test_one_refusal_costs_its_pause_and_several_make_slower_for_a_while(tmp_path: Path) -> None:
    time_ = Time()
    quota = RateLimit("k", {"": Rate(100, 10)}, folder=tmp_path, clock=time_.clock, sleep=time_.sleep)

    def seconds(count: int) -> float:
        begun = time_.now
        for _ in range(count):
            quota.take()
        return time_.now - begun

    quota.pause(10)
    quota.pause(10)  # of the same moment
    assert seconds(100) < 10.2
    quota.pause(10)
    assert seconds(100) > 12
    time_.now += 600
    assert seconds(100) < 0.1


def test_two_machines_on_one_account_settle_below_its_limit(tmp_path: Path) -> None:
    with Server(latency=0.01, limit=40, window=0.5) as server:
        machines = [
            Transport(Plain(), RateLimit("k", {"": Rate(40, 0.5)}, folder=tmp_path / name), attempts=30)
            for name in ("a", "b")
        ]
        threads = [
            threading.Thread(
                target=lambda transport=machine: list(
                    transport.run(lambda _: transport.send(Call("GET", server.url)), range(120))
                )
            )
            for machine in machines
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(server.done) == 240
        assert server.refused < 60


def test_the_reserve_of_the_day_is_left_to_others(tmp_path: Path) -> None:
    quota = RateLimit("k", {}, reserve=0.3, folder=tmp_path)
    midnight = datetime.now(UTC) + timedelta(hours=3)
    quota.learn_daily(1000, 303, midnight)
    for _ in range(3):
        quota.take()
    with pytest.raises(QuotaError, match=r"used up for now: 300 left \(30% of 1,000") as raised:
        quota.take()
    assert abs((raised.value.resets_at or midnight) - midnight) < timedelta(seconds=1)
    everything = RateLimit("k", {}, reserve=0.0, folder=tmp_path)
    everything.learn_daily(1000, 300, midnight)
    everything.take()


def test_a_day_that_is_gone_is_gone_for_all_and_over_at_midnight(tmp_path: Path) -> None:
    quota, other = RateLimit("k", {}, folder=tmp_path), RateLimit("k", {}, folder=tmp_path)
    other.learn_daily(1000, 500)
    quota.exhausted(datetime.now(UTC) + timedelta(seconds=0.4))
    with pytest.raises(QuotaError):
        other.take()
    time.sleep(0.45)
    other.take()
    quota.exhausted()
    with pytest.raises(QuotaError, match="for now: 0 left"):
        other.take()


def test_a_new_process_asks_once_whether_the_day_is_still_gone(tmp_path: Path) -> None:
    RateLimit("k", {}, folder=tmp_path).exhausted(datetime.now(UTC) + timedelta(hours=3))
    new = RateLimit("k", {}, folder=tmp_path)
    new.take()
    new.learn_daily(1000, 1000)
    new.take()
    new.exhausted()
    with pytest.raises(QuotaError):
        new.take()


def test_who_must_wait_for_over_a_minute_is_told_so(tmp_path: Path) -> None:
    quota = RateLimit("k", {"log-in": Rate(2, 3600)}, folder=tmp_path)
    quota.take("log-in")
    quota.take("log-in")
    with pytest.raises(TemporaryError, match="used up") as raised:
        quota.take("log-in")
    assert (raised.value.retry_after or 0) > 3000


def test_taking_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    quota = RateLimit("k", {"": Rate(190, 0.2)}, folder=tmp_path)
    begun = time.process_time()
    for _ in range(1000):
        quota.answered(quota.take())
    assert time.process_time() - begun < 1.0
