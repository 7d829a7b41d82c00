"""A wrong address is told soon, by the key of the config that it stands under."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.errors import TemporaryError
from connectors.http.rate_limit import RateLimit
from connectors.http.transport import Call, Transport
from sync.cli import app
from tests.loopback import Server
from tests.test_transport import Plain


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://127.0.0.1:1", "it is refused"), ("https://nowhere.invalid", "this name is not known")],
)
def test_a_server_that_never_answered_is_given_up_soon_and_its_key_is_named(
    tmp_path: Path, url: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    transport = Transport(Plain(), RateLimit("k", {}, folder=tmp_path), addresses={url: "login_url"})
    begun = time.monotonic()
    with pytest.raises(TemporaryError, match=f"no connection, {why} .*Check login_url in the config"):
        transport.send(Call("GET", f"{url}/things"))
    assert time.monotonic() - begun < 10


def test_what_never_left_is_sent_again_even_if_it_may_not_be_repeated(tmp_path: Path) -> None:
    quota = RateLimit("k", {}, folder=tmp_path)
    with Server() as gone:
        nowhere, before = gone.url, Transport(Plain(), quota)
        assert before.send(Call("GET", nowhere)).ok, "who answered once is waited for"
        before.close()
    with pytest.raises(TemporaryError, match="no connection, it is refused, 5 times"):
        Transport(Plain(), quota, backoff=0.01, attempts=5).send(
            Call("POST", nowhere, body=b"{}", repeatable=False)
        )


UNREACHED = {
    "api_url of HubSpot": (
        'crm = "hubspot"\ntoken = "file:secret"\napi_url = "http://127.0.0.1:1"',
        "api_url",
    ),
    "api_url of Salesforce": (
        'crm = "salesforce"\nclient_id = "x"\nclient_secret = "file:secret"\napi_url = "http://127.0.0.1:1"',
        "api_url",
    ),
    "login_url of Salesforce": (
        'crm = "salesforce"\nclient_id = "x"\nclient_secret = "file:secret"\n'
        'api_url = "http://127.0.0.1:2"\nlogin_url = "http://127.0.0.1:1"',
        "login_url",
    ),
    "host of PostgreSQL": (
        'crm = "sql"\nengine = "postgres"\nhost = "127.0.0.1"\nport = 1\nuser = "u"\npassword = "file:secret"\n'
        'database = "d"\n[accounts.shop.contacts]\ntable = "people"\ncolumns = { id = "id" }',
        "host",
    ),
}


@pytest.mark.parametrize("place", UNREACHED)
def test_a_wrong_address_is_told_within_ten_seconds_by_its_key(tmp_path: Path, place: str) -> None:
    account, key = UNREACHED[place]
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    segmentation = '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n'
    (tmp_path / "config.toml").write_text(f"[accounts.shop]\n{account}\n{segmentation}", encoding="utf-8")
    began = time.monotonic()
    result = CliRunner().invoke(app, ["pull", "--config", str(tmp_path / "config.toml")])
    assert time.monotonic() - began < 10
    assert result.exit_code == 75 and key in result.stderr and "heck" in result.stderr, result.output
