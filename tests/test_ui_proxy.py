"""Behind a proxy that logs people in: does each have a session of their own, and does all that they do stand under their
name?
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.ui_server import serving
from tests.world import World

HOST = "segments.example.com"
CONFIG = f"""
[ui]
user_header = "X-Forwarded-User"
origin = "https://{HOST}"
[approval]
above = 1000
four_eyes = true
"""


@dataclass
class Person:
    """Somebody whom the proxy has logged in."""

    port: str
    token: str
    name: str
    cookie: str = ""  # of their session

    def ask(self, path: str, name: str | None = None, **form: str) -> requests.Response:
        """What they get; ``name``: whom the proxy names in place of them."""
        headers = {"Host": HOST, "X-Forwarded-User": self.name if name is None else name}
        headers |= {"Origin": f"https://{HOST}"} if form else {}
        return requests.request(
            "POST" if form else "GET",
            self.port + path,
            headers={key: value for key, value in headers.items() if value},
            cookies={"crm_segments": self.cookie} if self.cookie else {},
            data=form or None,
            allow_redirects=False,
            timeout=60,
        )

    def enter(self) -> requests.Response:
        """By the address that the server printed."""
        answer = self.ask(f"/enter?token={self.token}")
        self.cookie = answer.cookies.get("crm_segments") or ""
        return answer

    def key(self, path: str) -> str:
        return self.ask(path).text.partition('name="key" value="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.of_files(tmp_path_factory.mktemp("proxy"))
    world.customers(30)
    world.first_run()
    world.more = CONFIG
    world.config()
    return world


@pytest.fixture(scope="module")
def people(world: World) -> Iterator[tuple[Person, Person]]:
    with socket.create_server(("127.0.0.1", 0)) as free:  # a proxy's config names the port
        port = free.getsockname()[1]
    with serving(world.folder / "config.toml", "--port", str(port)) as address:
        assert address.startswith(f"https://{HOST}/enter?token=")
        ann, bob = (
            Person(f"http://127.0.0.1:{port}", address.partition("=")[2], name) for name in ("ann", "bob")
        )
        wait(lambda: answers(port))
        yield ann, bob


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_each_person_of_the_proxy_has_a_session_of_their_own(people: tuple[Person, Person]) -> None:
    ann, bob = people
    assert ann.enter().status_code == 303 and bob.enter().status_code == 303
    assert ann.cookie != bob.cookie
    assert ann.ask("/portal/plans").status_code == 200 and bob.ask("/portal/plans").status_code == 200
    assert ann.ask("/portal/plans", name="bob").status_code == 403, "a session is nobody else's"


def test_without_the_header_or_with_two_of_them_nobody_comes_in(people: tuple[Person, Person]) -> None:
    ann, _ = people
    ann.enter()
    assert ann.ask("/portal/plans", name="").status_code == 403
    assert ann.ask(f"/enter?token={ann.token}", name="").status_code == 403
    host, _, port = ann.port.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.putrequest("GET", "/portal/plans", skip_host=True)
    for name, value in (("Host", HOST), ("X-Forwarded-User", "ann"), ("X-Forwarded-User", "bob")):
        connection.putheader(name, value)
    connection.putheader("Cookie", f"crm_segments={ann.cookie}")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 403 and b"several users" in answer.read()


def test_the_header_alone_opens_nothing(people: tuple[Person, Person]) -> None:
    ann, _ = people
    stranger = Person(ann.port, "no-token", "ann")
    assert stranger.ask("/portal/plans").status_code == 403
    assert stranger.enter().status_code == 403 and not stranger.cookie


def test_a_form_of_one_person_is_of_no_use_to_another(people: tuple[Person, Person]) -> None:
    ann, bob = people
    ann.enter()
    bob.enter()
    key = ann.key("/portal/plans/1")
    assert bob.ask("/portal/names", key=key, reason="mine", back="/portal/plans").status_code == 403


def test_two_people_of_the_proxy_are_two_people_and_each_act_has_its_name(
    world: World, people: tuple[Person, Person]
) -> None:
    ann, bob = people
    ann.enter()
    bob.enter()
    [run] = [row["run"] for row in world.journal("SELECT run FROM runs WHERE command = 'apply'")]
    assert ann.ask(f"/portal/runs/{run}/undo", key=ann.key("/portal/runs"), act="undo").status_code == 303
    wait(lambda: not ann.ask("/portal/state").json()["works"])
    number = finished_plan(world)
    page = f"/portal/plans/{number}"
    own = ann.ask(f"{page}/decide", key=ann.key(page), decision="all")
    assert f"plan {number} was created by ann" in own.text
    done = bob.ask(f"{page}/decide", key=bob.key(page), decision="all")
    assert done.status_code == 303
    wait(lambda: world.journal("SELECT state FROM plans WHERE plan = ?", number)[0]["state"] == "done")
    [plan] = world.journal("SELECT * FROM plans WHERE plan = ?", number)
    assert '"who": "bob"' in plan["allowed"] and '"made_by": "ann"' in plan["summary"]
    [approval] = world.journal("SELECT who FROM approvals WHERE plan = ?", number)
    assert approval["who"] == "bob"


def test_a_guard_that_somebody_lets_through_in_the_browser_stands_under_their_name(
    world: World, people: tuple[Person, Person]
) -> None:
    _, bob = people
    bob.enter()
    wait(lambda: not bob.ask("/portal/state").json()["works"])
    world.label = "dead_band = 0.0\n"
    world.more = CONFIG.replace("[ui]", "[guards]\nmax_writes = 1\n[ui]").replace("four_eyes = true", "")
    for number in range(1, 20):
        world.buys(str(number), 0, 90_000)
    plan = world.do("plan", allow={"undone": "again"})["plan"]
    page = f"/portal/plans/{plan['plan']}"
    guards = ",".join(trip["guard"] for trip in plan["trips"] if not trip["first_labelling"])
    form = {"key": bob.key(page), "decision": "all", "guards": guards, "why": "A big month"}
    assert guards and bob.ask(f"{page}/decide", **form).status_code == 303

    def allowed() -> bool:
        return bool(world.journal("SELECT * FROM allowances WHERE reason = 'A big month'"))

    wait(allowed)
    rows = world.journal("SELECT who, reason FROM allowances WHERE reason = 'A big month'")
    assert {row["who"] for row in rows} == {"bob"}
    wait(lambda: not bob.ask("/portal/state").json()["works"])


def finished_plan(world: World) -> int:
    wait(lambda: bool(world.journal("SELECT 1 FROM plans WHERE kind = 'undo' AND summary IS NOT NULL")))
    [row] = world.journal("SELECT plan FROM plans WHERE kind = 'undo'")
    return int(row["plan"])


def wait(holds: object, seconds: float = 60) -> None:
    """Until a command that a button started has done something."""
    assert callable(holds)
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "nothing came of it"
        time.sleep(0.2)


def test_no_command_line_takes_a_name(tmp_path: Path) -> None:
    from tests.test_cli import cli, folder

    world = folder(tmp_path, 5)
    for words in (["--who", "ann"], ["--as", "ann"], ["--user", "ann"]):
        assert cli(world, "approve", "1", *words).exit_code == 2
