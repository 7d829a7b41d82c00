"""Does a call arrive once, whole and signed, whatever the network and the CRM do; and does no message tell
secrets?
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import AccessError, ConnectorError, QuotaError, RequestError, TemporaryError
from connectors.http import response_bodies
from connectors.http.credentials import Token
from connectors.http.rate_limit import Rate, RateLimit
from connectors.http.transport import Call, Transport, Verdict, api_url
from tests.loopback import (
    Handler,
    Server,
    cut,
    cut_gzip,
    dripping,
    late,
    page_of_a_proxy,
    reset_after,
    reset_before,
    status,
)


class Plain:
    """How a simple CRM's answers are read."""

    def judge(self, call: Call, response: requests.Response, attempt: int) -> Verdict:
        if response.status_code == 401:
            return Verdict("renew")
        if response.status_code == 429:
            retry_after = response.headers.get("Retry-After")
            return Verdict("again", float(retry_after) if retry_after else None, everybody=True)
        if response.status_code >= 500:
            return Verdict("again")
        return Verdict("answer")

    def learn(self, call: Call, response: requests.Response, quota: RateLimit) -> None:
        if left := response.headers.get("X-Left"):
            quota.learn_daily(1000, int(left))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[Transport]:
    opened = Transport(Plain(), RateLimit("k", {}, folder=tmp_path), backoff=0.01, attempts=5)
    yield opened
    opened.close()


def call(server: Server, **changes: object) -> Call:
    return replace(Call("GET", server.url + "/things", timeout=(2, 2)), **changes)  # type: ignore[arg-type]


FAULTS = [
    status(429),
    status(429, Retry_After="0.05"),
    status(500),
    status(503),
    status(524),
    reset_before,
    reset_after,
    late(0.5),
    cut,
    cut_gzip,
    page_of_a_proxy,
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_call_gets_its_answer_in_spite_of_a_fault(
    server: Server, transport: Transport, number: int
) -> None:
    server.script.append(FAULTS[number])
    assert transport.send(call(server)).json() == {"path": "/things"}
    assert transport.calls.read == 2


def test_all_faults_in_a_row_are_more_than_it_tries(server: Server, transport: Transport) -> None:
    server.script.extend([status(503, b"<html>jane@example.com</html>")] * 5)
    with pytest.raises(TemporaryError, match=r"GET 127\.0\.0\.1/things: HTTP 503, 5 times") as raised:
        transport.send(call(server, params=[("email", "jane@example.com")]))
    assert "jane" not in str(raised.value)


def test_a_pause_of_over_a_minute_is_told_and_not_slept(server: Server, transport: Transport) -> None:
    server.script.append(status(429, Retry_After="3600"))
    with pytest.raises(TemporaryError, match="3600 s") as raised:
        transport.send(call(server))
    assert raised.value.retry_after == 3600
    assert transport.send(call(server)).ok


@pytest.mark.parametrize("fault", [reset_before, reset_after, late(0.5, taking_effect=True), cut])
def test_what_may_not_be_repeated_is_sent_once_and_its_end_is_said_to_be_unknown(
    server: Server, transport: Transport, fault: object
) -> None:
    server.script.append(fault)  # type: ignore[arg-type]
    with pytest.raises(TemporaryError, match="it is unknown whether the call took effect"):
        transport.send(
            call(server, method="POST", body=b"{}", writes=True, repeatable=False, timeout=(2, 0.3))
        )
    assert len(server.seen) == transport.calls.write == 1


def test_a_body_that_drips_is_not_waited_for(server: Server, transport: Transport) -> None:
    server.script.append(dripping)
    begun = time.monotonic()
    assert transport.send(call(server, timeout=(2, 0.3))).json() == {"path": "/things"}
    assert time.monotonic() - begun < 2


def test_a_write_whose_answer_was_lost_is_repeated_with_the_same_body(
    server: Server, transport: Transport
) -> None:
    server.script.append(reset_after)
    transport.send(call(server, method="POST", body=b'{"id":1}', headers={"X-Kind": "a"}, writes=True))
    assert server.done == [b'{"id":1}'] * 2
    assert [headers["X-Kind"] for _, _, headers, _ in server.seen] == ["a", "a"]


@given(
    text=st.text(max_size=300),
    members=st.integers(1, 3),
    chunked=st.booleans(),
    missing=st.integers(0, 30),
    size=st.sampled_from([1, 7, 9999]),
)
def test_a_compressed_body_arrives_whole_or_not_at_all(
    text: str, members: int, chunked: bool, missing: int, size: int
) -> None:
    parts = [gzip.compress((text + str(n)).encode("utf-8", "replace")) for n in range(members)]
    sent = b"".join(parts)
    sent = sent[: max(1, len(sent) - missing)]
    wanted = "".join(text + str(n) for n in range(members)).encode("utf-8", "replace")

    def fault(handler: Handler) -> None:
        if not chunked:
            handler.answer(200, sent, {"Content-Encoding": "gzip"})
            return
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n0\r\n\r\n")

    with requests.Session() as session:
        _SERVER.script.append(fault)
        response = session.get(_SERVER.url, stream=True)
        try:
            body = b"".join(response_bodies.chunks(response, size))
        except response_bodies.CutError:
            assert missing
        else:
            assert wanted.startswith(body)
            assert body == wanted or sent in (b"".join(parts[:n]) for n in range(members))


_SERVER = Server()


def test_padding_behind_a_compressed_body_is_no_fault(server: Server, transport: Transport) -> None:
    server.script.append(
        lambda handler: handler.answer(200, gzip.compress(b"{}") + b"\0" * 8, {"Content-Encoding": "gzip"})
    )
    assert transport.send(call(server)).content == b"{}"
    assert len(server.seen) == 1


def test_a_streamed_answer_that_is_cut_says_so(server: Server, transport: Transport) -> None:
    server.script.extend([cut, cut_gzip, None])
    for _ in range(2):
        with pytest.raises(TemporaryError, match="cut off"):
            list(response_bodies.chunks(transport.send(call(server, stream=True))))
    assert (
        b"".join(response_bodies.chunks(transport.send(call(server, stream=True)))) == b'{"path": "/things"}'
    )


def test_a_refusal_of_a_streamed_call_can_be_read_by_who_judges(server: Server, transport: Transport) -> None:
    server.script.append(status(400, b"why not"))
    assert transport.send(call(server, stream=True)).content == b"why not"


def test_connections_are_reused(server: Server, transport: Transport) -> None:
    made: set[str] = set()

    def note(handler: Handler) -> None:
        made.add(str(handler.client_address))
        handler.answer(200, b"{}")

    server.script.extend([note] * 20)
    list(transport.run(lambda _: transport.send(call(server)), range(20)))
    assert len(made) <= transport.threads


def test_the_token_is_renewed_once_for_sixteen_threads_however_often_it_expires(
    server: Server, tmp_path: Path
) -> None:
    transport = Transport(Plain(), RateLimit("k", {}, folder=tmp_path), threads=16, backoff=0.01)
    transport.token = Token(lambda: (server.new_token(0.3), None))  # nobody says how long it lives
    answers = list(
        transport.run(
            lambda n: transport.send(call(server, headers={"X-Number": str(n)})).status_code, range(600)
        )
    )
    assert answers == [200] * 600
    moments = [moment for moment, *_ in server.seen]
    assert server.logins <= (moments[-1] - moments[0]) / 0.3 + 1
    assert all("X-Number" in headers for _, _, headers, _ in server.seen)
    transport.close()


def test_a_token_of_known_life_is_renewed_before_it_ends(server: Server, tmp_path: Path) -> None:
    transport = Transport(Plain(), RateLimit("k", {}, folder=tmp_path), threads=16)
    transport.token = Token(lambda: (server.new_token(0.6), 0.5))
    codes = [
        response.status_code
        for response in transport.run(lambda _: transport.send(call(server)), range(1500))
    ]
    assert codes == [200] * 1500
    assert transport.calls.read == 1500, "no call was refused for an expired token"
    transport.close()


def test_a_token_rejected_though_fresh_is_an_error_and_not_a_loop(server: Server, tmp_path: Path) -> None:
    server.tokens = {}
    fetched: list[str] = []

    def fetch() -> tuple[str, float | None]:
        fetched.append(f"t{len(fetched)}")
        return fetched[-1], None

    transport = Transport(Plain(), RateLimit("k", {}, folder=tmp_path), Token(fetch))
    with pytest.raises(AccessError, match="just issued"):
        list(transport.run(lambda _: transport.send(call(server)), range(50)))
    assert len(fetched) <= 3
    transport.close()


def test_a_refused_log_in_is_not_repeated_by_any_thread() -> None:
    asked: list[int] = []

    def fetch() -> tuple[str, float | None]:
        asked.append(1)
        time.sleep(0.05)
        raise AccessError("the refresh token was revoked; log in again")

    token = Token(fetch)
    errors: list[Exception] = []

    def use() -> None:
        try:
            token.value()
        except ConnectorError as error:
            errors.append(error)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), len(errors)) == (1, 16)
    with pytest.raises(AccessError, match="revoked"):
        token.value()
    assert len(asked) == 1


def test_while_one_thread_renews_early_the_others_go_on_with_what_works() -> None:
    begun, proceed = threading.Event(), threading.Event()
    texts = iter(["old", "new"])
    now = [0.0]

    def fetch() -> tuple[str, float | None]:
        text = next(texts)
        if text == "new":
            begun.set()
            proceed.wait(5)
        return text, 100.0

    token = Token(fetch, clock=lambda: now[0])
    assert token.value() == "old"
    now[0] = 95.0
    renewing = threading.Thread(target=token.value)
    renewing.start()
    begun.wait(5)
    assert token.value() == "old"
    proceed.set()
    renewing.join()
    assert token.value() == "new"


def test_an_outage_of_the_log_in_does_not_stop_a_token_that_still_works() -> None:
    now = [0.0]
    asked: list[float] = []

    def fetch() -> tuple[str, float | None]:
        asked.append(now[0])
        if len(asked) > 1:
            raise TemporaryError("down")
        return "works", 100.0

    token = Token(fetch, clock=lambda: now[0])
    for moment in range(100):
        now[0] = float(moment)
        assert token.value() == "works"
    assert asked == [0.0, 90.0]
    now[0] = 101.0
    with pytest.raises(TemporaryError):
        token.value()


@pytest.mark.parametrize("text", ["", "abc def", "abc\n", "pat-ü", "a\r\nX-Evil: 1"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(AccessError) as raised:
        Token.fixed(text)
    assert not text.strip() or text.strip() not in str(raised.value)


def test_a_fixed_token_that_is_rejected_asks_for_a_person(server: Server, transport: Transport) -> None:
    server.tokens = {}
    transport.token = Token.fixed("pat-secret")
    with pytest.raises(AccessError, match="create a new one") as raised:
        transport.send(call(server))
    assert "secret" not in f"{raised.value} {transport.token!r}"


def test_a_log_in_goes_through_the_same_door_without_a_token(server: Server, transport: Transport) -> None:
    def fetch() -> tuple[str, float | None]:
        transport.send(call(server, method="POST", url=server.url + "/token", body=b"x", anonymous=True))
        return "fresh", 60.0

    transport.token = Token(fetch)
    transport.send(call(server))
    assert [(path, headers.get("Authorization")) for _, path, headers, _ in server.seen] == [
        ("/token", None),
        ("/things", "Bearer fresh"),
    ]
    assert transport.calls.read == 2


def test_a_netrc_and_cookies_of_the_server_change_nothing(
    server: Server, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    transport.token = Token.fixed("mine")
    server.script.append(status(200, Set_Cookie="session=1"))
    transport.send(call(server))
    transport.send(call(server))
    assert [(headers["Authorization"], headers.get("Cookie")) for _, _, headers, _ in server.seen] == [
        ("Bearer mine", None)
    ] * 2


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: Server, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert transport.send(call(server)).ok


def test_results_come_in_order_and_only_so_far_ahead(transport: Transport) -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.001 * (number % 3))
        return number

    results = transport.run(work, range(1000))
    assert [next(results) for _ in range(10)] == list(range(10))
    time.sleep(0.1)
    assert len(begun) <= 10 + transport.threads * 4
    results.close()  # type: ignore[attr-defined]


def test_the_first_error_stops_the_others_at_once(server: Server, transport: Transport) -> None:
    server.script.extend([status(503, b"")] + [None] * 3)

    def work(number: int) -> object:
        if number == 2:
            raise RequestError("no")
        transport.rate_limit.pause(30)
        return transport.send(call(server))

    begun = time.monotonic()
    with pytest.raises((RequestError, TemporaryError)):
        list(transport.run(work, [2, *range(10, 40)]))
    assert time.monotonic() - begun < 2
    assert threading.active_count() < 60


def test_closing_sends_home_who_waits(server: Server, transport: Transport) -> None:
    transport.rate_limit.pause(30)
    ended: list[Exception] = []

    def use() -> None:
        try:
            transport.send(call(server))
        except TemporaryError as error:
            ended.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    time.sleep(0.05)
    transport.close()
    thread.join(2)
    assert ended


def test_a_gone_daily_budget_stops_before_the_next_call(server: Server, tmp_path: Path) -> None:
    transport = Transport(Plain(), RateLimit("k", {}, reserve=0.3, folder=tmp_path))
    server.script.append(status(200, X_Left="300"))
    transport.send(call(server))
    with pytest.raises(QuotaError, match="300 left"):
        transport.send(call(server))
    assert len(server.seen) == 1
    transport.close()


def test_a_refusal_lets_everybody_pause(server: Server, tmp_path: Path) -> None:
    transport = Transport(Plain(), RateLimit("k", {"": Rate(1000, 1)}, folder=tmp_path))
    server.latency = 0.01
    server.script.extend([None] * 20 + [status(429, Retry_After="0.5")])
    list(transport.run(lambda _: transport.send(call(server)), range(60)))
    moments = sorted(moment for moment, *_ in server.seen)
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) >= 0.45
    transport.close()


def test_no_log_holds_an_address(
    server: Server, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    server.script.extend([reset_before, cut, status(503)])
    transport.send(call(server, params=[("email", "jane@example.com")]))
    assert "jane" not in caplog.text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/contacts/jane@example.com", "/contacts/…"),
        ("/a/jane%40x.io/b", "/a/…/b"),
        ("/token/" + "x" * 60, "/token/…"),
    ],
)
def test_a_message_names_no_person_and_no_secret_of_the_path(
    server: Server, transport: Transport, path: str, shown: str
) -> None:
    server.script.extend([status(500)] * 5)
    with pytest.raises(TemporaryError) as raised:
        transport.send(call(server, url=server.url + path))
    assert f"127.0.0.1{shown}:" in str(raised.value)


def test_a_call_shows_neither_its_query_nor_its_headers_nor_its_body() -> None:
    shown = repr(
        Call(
            "POST",
            "https://h/x?q=jane",
            params=[("email", "jane")],
            headers={"Authorization": "jane"},
            body=b"jane",
        )
    )
    assert shown == "Call(POST h/x)"


def test_an_address_is_checked_before_a_token_goes_there() -> None:
    assert api_url("https://api.hubapi.com/") == "https://api.hubapi.com"
    assert api_url(" http://127.0.0.1:8080/x/ ") == "http://127.0.0.1:8080/x"
    assert api_url("http://[::1]:1") == "http://[::1]:1"
    for wrong, why in {
        "http://api.hubapi.com": "plain http",
        "https://jane:pw@api.hubapi.com": "user name or password",
        "https://api.hubapi.com?key=1": r"has a \? or #",
        "api.hubapi.com": "not an address",
        "ftp://x": "not an address",
        "https://": "not an address",
        "http://127.0.0.1.evil.example": "plain http",
        "http://[::1": "not an address",
        "https://a:99999": "not an address",
    }.items():
        with pytest.raises(ValueError, match=why) as raised:
            api_url(wrong)
        assert "pw" not in str(raised.value)


def test_a_header_that_cannot_be_sent_is_refused_without_being_quoted(
    server: Server, transport: Transport
) -> None:
    with pytest.raises(RequestError) as raised:
        transport.send(call(server, headers={"X-Bad": "secret\nX-Evil: 1"}))
    assert "secret" not in str(raised.value)
