"""Does the web interface let in whoever has the token, and nobody else?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sync.ui.security import Door, Keys
from tests.ui_server import serving
from tests.world import World


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    world = World.of_files(tmp_path_factory.mktemp("door"))
    world.customers(30)
    world.first_run()
    with serving(world.folder / "config.toml") as address:
        yield address


@pytest.fixture(scope="module")
def session(address: str) -> requests.Session:
    """Whoever came in."""
    session = requests.Session()
    entered = session.get(address, allow_redirects=False)
    assert entered.status_code == 303 and entered.headers["Location"] == "/"
    session.headers["X-Entered"] = entered.headers["Set-Cookie"]
    return session


def origin_of(address: str) -> str:
    return address.partition("/enter")[0]


def test_the_cookie_is_for_this_site_and_for_no_script(address: str, session: requests.Session) -> None:
    entered = session.headers["X-Entered"]
    assert "HttpOnly" in entered and "SameSite=strict" in entered


@pytest.mark.parametrize(
    "path", ["/", "/portal/overview", "/portal/plans/1", "/static/ui.css", "/enter", "/nothing"]
)
def test_without_the_token_nothing_is_shown(address: str, session: requests.Session, path: str) -> None:
    answer = requests.get(origin_of(address) + path, allow_redirects=False)
    assert answer.status_code == 403 and "portal" not in answer.text


def test_the_token_works_once(address: str, session: requests.Session) -> None:
    assert requests.get(address, allow_redirects=False).status_code == 403
    assert session.get(origin_of(address) + "/portal/plans").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_host_or_origin_is_refused_with_the_cookie_too(
    address: str, session: requests.Session, headers: dict[str, str]
) -> None:
    assert session.get(origin_of(address) + "/portal/plans", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("origin", "key"), [("ours", "wrong"), ("ours", None), (None, "right"), ("https://evil.example", "right")]
)
def test_a_form_needs_our_origin_and_its_key(
    address: str, session: requests.Session, origin: str | None, key: str | None
) -> None:
    page = session.get(origin_of(address) + "/portal/plans/1").text
    right = page.partition('name="key" value="')[2].partition('"')[0]
    assert right
    headers = {} if origin is None else {"Origin": origin_of(address) if origin == "ours" else origin}
    form = {"decision": "all"} | ({} if key is None else {"key": right if key == "right" else key})
    answer = session.post(origin_of(address) + "/portal/plans/1/decide", data=form, headers=headers)
    assert answer.status_code == 403


def test_every_answer_allows_a_browser_our_own_files_alone(address: str, session: requests.Session) -> None:
    for path in ("/portal/plans", "/nothing", "/enter"):
        policy = session.get(origin_of(address) + path).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy


def test_nothing_listens_beyond_this_machine(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")


def test_behind_a_proxy_its_header_names_who_asks_and_without_it_nobody_comes_in() -> None:
    door = Door.on(8000, "https://segments.example.com", "X-User")
    headers = {"host": "segments.example.com", "origin": "https://segments.example.com"}
    assert door.refuses(headers, writes=True)
    assert not door.refuses({**headers, "X-User": "ann"}, writes=True)
    assert door.user_of({**headers, "X-User": "ann"}) == "ann"
    assert door.refuses({"host": "127.0.0.1:1", "X-User": "ann"}, writes=False)


def test_a_wrong_token_does_not_use_the_right_one_up() -> None:
    keys = Keys("right")
    assert not keys.exchanged("wrong") and keys.exchanged("right") and not keys.exchanged("right")
