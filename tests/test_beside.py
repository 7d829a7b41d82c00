"""While a run goes on, a second process is answered: from the journal, and from the mirror as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.account.lock import Busy, lock
from sync.account.session import Mirrors, locked
from sync.config.config import load
from sync.store import copies as copies_of_a_mirror
from sync.store.erase import Names, erase
from tests.portal_shop import KEY, Shop, hasten, portal_of
from tests.servers.hubspot import TOKEN, Fault
from tests.servers.hubspot.faults import Script

CONTACTS, DEALS, WRITES = "objects/contacts", "objects/deals|/0-3/", "contacts/batch/(update|upsert)"


@dataclass
class Gate(Script):
    """Holds calls to a path at the portal until it is opened."""

    path: str = ".*"
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def strike(self, method: str, path: str) -> list[Fault]:
        if re.search(self.path, path):
            self.reached.set()
            assert self.opened.wait(120)
        return super().strike(method, path)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A portal whose customers are labelled and written."""
    with portal_of(contacts=40, deals=90) as server:
        shop = Shop(tmp_path / "shop", server, lists="static")
        shop.folder.mkdir()
        hasten(monkeypatch, tmp_path)
        assert (shop.code("setup"), shop.code("run")) == (0, 0)
        shop.portal.settle(1800)
        yield shop


@contextmanager
def held(shop: Shop, command: str, path: str) -> Iterator[subprocess.Popen[str]]:
    """A command of another process that stands at such a call as long as the block lasts; it must end well then."""
    gate = Gate(path=path)
    shop.portal.script = gate
    process = begun(shop, command)
    try:
        assert gate.reached.wait(60), process.communicate()
        yield process
    finally:
        gate.opened.set()
        shop.portal.script = Script()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)


def begun(shop: Shop, command: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.portal_shop", str(shop.config), shop.day.isoformat(), command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def asked(shop: Shop, *words: str) -> tuple[int, str]:
    """Exit code and output of a command of a further process."""
    environment = {**os.environ, KEY: TOKEN}
    done = subprocess.run(
        [sys.executable, "-m", "sync", *words, "--config", str(shop.folder / "config.toml")],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def answered(shop: Shop, *words: str) -> dict[str, Any]:
    code, text = asked(shop, *words, "--json")
    assert code == 0, text
    answer: dict[str, Any] = json.loads(text)
    return answer


def someone(shop: Shop) -> str:
    return next(id for id, values in shop.fields("seg_rfm").items() if values)


def buys(shop: Shop, *contacts: str) -> None:
    """Each buys for more than anybody before: the next run reads it, and labels some of them otherwise."""
    for number, contact in enumerate(contacts):
        closed = f"{shop.day.isoformat()}T10:00:00.000Z"
        values = {"amount": str(90_000 + number), "dealstage": "closedwon", "closedate": closed}
        deal = shop.portal.put("deals", {**values, "dealname": "news", "pipeline": "default"})
        shop.portal.associate("deals", deal, "contacts", int(contact))
    shop.portal.settle(1800)


def copies(shop: Shop) -> list[Path]:
    return [*(shop.folder / "state").glob("mirror.snapshot*")]


def test_readers_are_answered_in_the_middle_of_a_pull(shop: Shop) -> None:
    id, out = someone(shop), shop.folder / "report.html"
    before = answered(shop, "show", id)
    with held(shop, "run", CONTACTS):
        told = answered(shop, "show", id)
        assert told["segmentations"] == before["segmentations"] and told["history"] == before["history"]
        assert told["going_on"]["command"] == "run"
        assert told["going_on"]["read_as_of"] < told["going_on"]["since"]
        state = answered(shop, "status")
        assert state["runs"][0]["summary"] == {"going_on": True} and state["last_good_run"]
        assert answered(shop, "history", "--last", "5")["history"]
        assert answered(shop, "report", "--out", str(out))["report"] == str(out) and out.exists()
        code, text = asked(shop, "show", id)
        when = r"\d{4}-\d\d-\d\d \d\d:\d\d \S+"
        assert code == 0 and re.search(
            f"As of {when}, before the run that goes on now, since {when}\\.", text
        )
        assert asked(shop, "pull")[0] == 75, "a command that writes does not come in between"
    assert not copies(shop)
    assert "going_on" not in answered(shop, "show", id)


def test_what_was_read_so_far_is_not_told_before_it_is_labelled(shop: Shop) -> None:
    id, other = list(shop.fields("seg_rfm"))[:2]
    before = answered(shop, "show", id)
    buys(shop, id, other)
    with held(shop, "run", WRITES):
        told = answered(shop, "show", id)
        assert told["going_on"]["read_as_of"] >= told["going_on"]["since"], "the labelling is finished"
        assert told["features"]["orders"] == before["features"]["orders"] + 1
        assert told["held"] == before["held"], "and nothing of it is written"
        assert "from the run that goes on now" in asked(shop, "show", id)[1]
        assert [path.stat().st_mode & 0o777 for path in copies(shop)] == [0o600]
    assert not copies(shop)


def test_between_a_changed_pull_and_the_labels_the_state_of_before_is_told(shop: Shop) -> None:
    id = someone(shop)
    before = answered(shop, "show", id)
    buys(shop, id)
    shop.portal.put("contacts", {"city": "Elsewhere"}, int(id))
    shop.portal.settle(1800)
    with held(shop, "run", DEALS):  # contacts are read
        told = answered(shop, "show", id)
        assert told["features"] == before["features"] and told["person"] == before["person"]
        assert told["going_on"]["read_as_of"] < told["going_on"]["since"]


def test_readers_are_answered_while_a_plan_is_carried_out(shop: Shop) -> None:
    id = someone(shop)
    buys(shop, *list(shop.fields("seg_rfm"))[:3])
    planned = shop.do("plan")["plan"]["plan"]
    with held(shop, "apply", WRITES):
        assert answered(shop, "plan", "show", str(planned))["state"] == "applying"
        assert answered(shop, "show", id)["going_on"]["command"] == "apply"


def test_a_killed_run_leaves_no_copy_that_anybody_takes_for_true(shop: Shop) -> None:
    id, other = list(shop.fields("seg_rfm"))[:2]
    buys(shop, id, other)
    gate = shop.portal.script = Gate(path=WRITES)
    process = begun(shop, "run")
    assert gate.reached.wait(60)
    process.kill()
    process.communicate()
    gate.opened.set()
    shop.portal.script = Script()
    assert copies(shop), "it could not tidy up"
    told = answered(shop, "show", id)
    assert "going_on" not in told and not copies(shop)
    assert answered(shop, "status")["runs"][0]["summary"] == {"interrupted": True}


def test_a_run_that_finds_nothing_new_makes_no_copy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.code("run") == 0  # its own writes come back
    shop.portal.settle(1800)
    made: list[int] = []
    monkeypatch.setattr(copies_of_a_mirror, "_copy", lambda source, target: made.append(source))
    assert shop.code("run") == 0
    assert not made


def test_where_there_is_no_room_for_a_copy_readers_are_told_who_works(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: int, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    id = someone(shop)
    buys(shop, id)
    with locked(load(shop.config), command="run") as journal:
        mirrors = Mirrors(load(shop.config), journal)
        with monkeypatch.context() as patch:
            patch.setattr(copies_of_a_mirror, "_copy", full)
            mirrors.before_a_change()
        mirrors.of("portal").touched()
        mirrors.file.connection.execute("CHECKPOINT")
        code, text = asked(shop, "show", id)
        assert code == 75 and "crm-segments run (process" in text and "since" in text
        assert asked(shop, "history")[0] == asked(shop, "status")[0] == 0, "the journal tells"
        mirrors.close()
    assert asked(shop, "show", id)[0] == 0


def test_no_copy_keeps_a_forgotten_person(shop: Shop) -> None:
    id = someone(shop)
    address = shop.portal.dump()[id]["email"].encode()
    with locked(load(shop.config), command="forget") as journal:
        mirrors = Mirrors(load(shop.config), journal)
        mirrors.before_a_change()
        assert any(address in path.read_bytes() for path in copies(shop))
        erase(mirrors.file, {"portal": Names({("contact", id)}, {address.decode()})})
        assert not copies(shop)
    state = [path for path in (shop.folder / "state").rglob("mirror*") if path.is_file()]
    assert not any(address in path.read_bytes() for path in state)


def test_who_comes_to_write_waits_for_who_only_reads(tmp_path: Path) -> None:
    taken, order = threading.Event(), list[str]()

    def read() -> None:
        with lock(tmp_path, "report"):
            taken.set()
            time.sleep(0.4)
            order.append("read")

    reader = threading.Thread(target=read)
    reader.start()
    assert taken.wait(5)
    named = r"crm-segments report \(process \d+, since \d{4}-\d\d-\d\d \d\d:\d\d \w+\)"
    with pytest.raises(Busy, match=named), lock(tmp_path, "show"):  # which goes beside it at once
        pass
    with lock(tmp_path, "run"):
        order.append("wrote")
    reader.join()
    assert order == ["read", "wrote"]
