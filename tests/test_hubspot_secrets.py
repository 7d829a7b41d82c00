"""Does a token, an e-mail address or a name ever leave the contact's own row: into a log, a plan, an
exception, a report?
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync import cli
from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN, Fault, Knobs

START = datetime.now(UTC)
FIRST, LAST = "Xanthippe", "Quillfeather"
SECRET = (TOKEN, CLIENT_SECRET, REFRESH_TOKEN, "@example.org", FIRST, LAST)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Customers of one unusual name, two of whom HubSpot refuses while it quotes them."""
    hasten(monkeypatch, tmp_path)
    monkeypatch.setenv("HUBSPOT_REFRESH", REFRESH_TOKEN)
    monkeypatch.setenv("HUBSPOT_SECRET", CLIENT_SECRET)
    (tmp_path / "shop").mkdir()
    with portal_of(Knobs(poison_refusal="each"), 40, 100, START) as server:
        portal = server.portal
        for id in list(portal.store.shelves["contacts"].live):
            portal.put("contacts", {"firstname": FIRST, "lastname": LAST}, id)
        portal.index.settle(everything=True)
        portal.knobs.poison = dict.fromkeys(
            [str(id) for id in portal.store.shelves["contacts"].live[:2]], "INVALID_EMAIL"
        )
        yield Shop(tmp_path / "shop", server, lists="static", day=START.date() - timedelta(days=2))


def told(shop: Shop, command: str, **arguments: Any) -> str:
    """All that a command says: its answer, or its error with the whole chain of causes."""
    try:
        return json.dumps(shop.do(command, **arguments), default=str)
    except Exception as error:
        return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def assert_clean(text: str, *more: str) -> None:
    leaks = [secret for secret in (*SECRET, *more) if secret in text]
    assert not leaks, (leaks, text[max(0, text.find(leaks[0]) - 200) :][:400])


OAUTH = (
    f'client_id = "{CLIENT_ID}"\nclient_secret = "env:HUBSPOT_SECRET"\nrefresh_token = "env:HUBSPOT_REFRESH"'
)


@pytest.mark.parametrize("login", [None, OAUTH], ids=["key", "oauth"])
def test_what_is_said_holds_no_token_address_or_name(
    shop: Shop, caplog: pytest.LogCaptureFixture, login: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.login = login or shop.login
    texts = [told(shop, command) for command in ("check", "setup", "plan", "run", "rejects", "status", "run")]
    failures = [Fault("status", status=code) for code in (400, 401, 403, 429, 477, 500, 502, 530)] + [
        Fault("lost"),
        Fault("html"),
    ]
    for fault in failures:
        fault.path, fault.retry_after = (
            "batch/update|/objects/(contacts|deals)$",
            86_400 if fault.status in (429, 477) else None,
        )
        shop.strikes(fault)
        texts.append(told(shop, "run"))
    shop.strikes()
    ids = shop.portal.store.shelves["contacts"].live
    shown = shop.do("show", id=str(ids[5]))
    assert shown.pop("person")["name"] == f"{FIRST} {LAST}", (
        "show names the person who was asked for, there and nowhere else"
    )
    texts += [json.dumps(shown, default=str), told(shop, "undo", number=4), told(shop, "report")]
    pages = [file.read_text(encoding="utf-8") for file in shop.folder.rglob("*.html")]
    journal = (shop.folder / "state" / "journal.sqlite").read_bytes().decode("latin-1")
    assert pages
    for text in (*texts, *pages, caplog.text, journal):
        assert_clean(text, *shop.portal.access.grants)


def test_the_command_line_prints_no_token_address_or_name(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    runner = CliRunner()
    printed = []
    for verb in (["check"], ["setup", "--yes"], ["plan"], ["run"], ["rejects"], ["status"]):
        printed.append(runner.invoke(cli.app, [*verb, "--config", str(shop.config)]).output)
    shop.strikes(Fault("status", path="batch/update", status=401))
    printed.append(runner.invoke(cli.app, ["run", "--config", str(shop.config), "--json"]).output)
    printed += list(capfd.readouterr())
    assert len("".join(printed)) > 500
    for text in printed:
        assert_clean(text)
        assert "Traceback" not in text


def test_settings_that_are_printed_hide_the_token(shop: Shop) -> None:
    from sync.config.config import load

    assert_clean(repr(load(shop.config)) + str(load(shop.config).accounts["portal"]))
