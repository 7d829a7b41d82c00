"""Does a secret reach the keyring, only once the CRM takes it, and nothing else?"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked
from typer.testing import CliRunner

from connectors.hubspot.secret_steps import SCOPES
from sync import commands
from sync.cli import app
from sync.config.config import load
from sync.config.secret import secret
from sync.exit_codes import CommandError, UsageError
from tests.hubspot_account import Shop, shop
from tests.salesforce_client import small_org
from tests.servers.hubspot import ALL_SCOPES, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN
from tests.servers.salesforce import Server

ROOT = Path(__file__).parent.parent
REFERENCE = "keyring:crm-segments/portal.token"


class Remembering(KeyringBackend):
    """A keyring that lives as long as the test. ``locked``: it opens for nobody."""

    priority = 1
    name = "keyring of the tests"
    locked = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(f"{service} {username}")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked(f"{service} {username} {password}")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remembering]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    before, ours = keyring.get_keyring(), Remembering()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


@pytest.fixture
def portal() -> Iterator[Shop]:
    with shop(3) as opened:
        yield opened


@pytest.fixture(scope="module")
def org() -> Iterator[Server]:
    with small_org() as opened:
        yield opened


def login(*words: str, typed: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["login", *words], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def config(folder: Path, portal: Shop, lines: str) -> Path:
    path = folder / "config.toml"
    segmentation = '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n'
    account = f'[accounts.crm]\ncrm = "hubspot"\napi_url = "{portal.url}"\n{lines}\n'
    path.write_text(f'state_dir = "state"\n{account}{segmentation}')
    return path


def test_a_token_that_the_portal_takes_is_stored_and_a_config_reads_it(
    portal: Shop, ring: Remembering
) -> None:
    code, text = login("hubspot", "--api-url", portal.url, typed=f"  {TOKEN}\n")
    assert code == 0 and ring.kept == {("crm-segments", "portal.token"): TOKEN}
    assert "it counts 3 contacts" in text and "keyring of the tests" in text and TOKEN not in text
    assert secret(REFERENCE) == TOKEN
    (next_step,) = re.findall(r"Next: crm-segments (init .*)", text)
    made = CliRunner().invoke(app, [*next_step.split(), "--api-url", portal.url])
    assert made.exit_code == 0, made.output
    assert f'token = "{REFERENCE}"' in Path("config.toml").read_text()
    assert load("config.toml").account("portal").settings.token.get_secret_value() == TOKEN


def test_it_is_tried_by_one_call_that_changes_nothing(portal: Shop) -> None:
    before = portal.portal.dump()
    portal.portal.log.clear()
    assert login("hubspot", "--api-url", portal.url, typed=TOKEN)[0] == 0
    assert len(portal.portal.log) == 1 and portal.portal.dump() == before


@pytest.mark.parametrize("scopes", [None, ALL_SCOPES - {"crm.objects.contacts.read"}])
def test_a_token_that_the_portal_refuses_is_not_stored(
    portal: Shop, ring: Remembering, scopes: frozenset[str] | None
) -> None:
    if scopes is not None:
        portal.portal.grant("pat-na1-narrow", scopes)
    code, text = login("hubspot", "--api-url", portal.url, typed="pat-na1-narrow\n")
    assert (code, ring.kept) == (1, {}) and "--no-check" in text and "narrow" not in text
    assert ("crm.objects.contacts.read" if scopes else "does not know this token") in text


@pytest.mark.parametrize("typed", ["", "\n", "  \n"])
def test_nothing_is_no_token(portal: Shop, ring: Remembering, typed: str) -> None:
    portal.portal.log.clear()
    code, text = login("hubspot", "--api-url", portal.url, typed=typed)
    assert (code, ring.kept, len(portal.portal.log)) == (2, {}, 0) and "token is empty" in text


def test_without_a_check_nobody_is_asked(ring: Remembering) -> None:
    code, text = login("hubspot", "--no-check", typed="pat-na1-later")
    assert code == 0 and ring.kept == {("crm-segments", "portal.token"): "pat-na1-later"}
    assert "takes it" not in text


def test_what_the_keyring_holds_stays_until_a_person_says_yes(portal: Shop, ring: Remembering) -> None:
    ring.kept["crm-segments", "portal.token"] = "of another shop"
    code, text = login("hubspot", "--api-url", portal.url, typed=TOKEN)
    assert code == 1 and REFERENCE in text and "--yes" in text
    assert ring.kept == {("crm-segments", "portal.token"): "of another shop"}
    assert login("hubspot", "--api-url", portal.url, "--yes", typed=TOKEN)[0] == 0
    assert ring.kept == {("crm-segments", "portal.token"): TOKEN}


# -- the config


def test_an_account_of_the_config_is_asked_for_what_its_log_in_needs(
    tmp_path: Path, portal: Shop, ring: Remembering
) -> None:
    oauth = f'client_id = "{CLIENT_ID}"\nclient_secret = "env:NOT_SET"\nrefresh_token = "env:NOT_SET_EITHER"'
    path = config(tmp_path, portal, oauth)
    code, text = login("hubspot", "--config", str(path), typed=f"{CLIENT_SECRET}\n{REFRESH_TOKEN}\n")
    assert code == 0, text
    assert ring.kept == {
        ("crm-segments", "crm.client_secret"): CLIENT_SECRET,
        ("crm-segments", "crm.refresh_token"): REFRESH_TOKEN,
    }
    assert CLIENT_SECRET not in text and REFRESH_TOKEN not in text and "under [accounts.crm]" in text
    lines = [line.strip() for line in text.splitlines() if '= "keyring:' in line]
    path = config(tmp_path, portal, "\n".join([f'client_id = "{CLIENT_ID}"', *lines]))
    assert load(path).account("crm").settings.refresh_token.get_secret_value() == REFRESH_TOKEN
    again = login(
        "hubspot", "crm", "--yes", "--config", str(path), typed=f"{CLIENT_SECRET}\n{REFRESH_TOKEN}\n"
    )
    assert again[0] == 0 and "Put this into" not in again[1], "the config names them already"


def test_an_account_that_the_config_does_not_have_is_a_slip_of_the_pen(
    tmp_path: Path, portal: Shop, ring: Remembering
) -> None:
    path = config(tmp_path, portal, 'token = "env:NOT_SET"')
    for words, said in {("hubspot", "crn"): "crm", ("salesforce", "crm"): "not of salesforce"}.items():
        code, text = login(*words, "--config", str(path), typed=TOKEN)
        assert (code, ring.kept) == (2, {}) and said in text


def test_of_several_accounts_one_is_named(tmp_path: Path, portal: Shop) -> None:
    path = config(
        tmp_path, portal, 'token = "env:NOT_SET"\n[accounts.b]\ncrm = "hubspot"\ntoken = "env:NOT_SET"'
    )
    code, text = login("hubspot", "--config", str(path), typed=TOKEN)
    assert code == 2 and "login hubspot crm" in text


@pytest.mark.parametrize("crm", ["files", "hubsopt"])
def test_a_crm_without_a_log_in_is_refused(crm: str) -> None:
    with pytest.raises(UsageError, match="hubspot, salesforce"):
        commands.login("config.toml", crm)


# -- Salesforce


def test_a_client_secret_is_tried_by_logging_in(org: Server, ring: Remembering) -> None:
    words = ("salesforce", "--api-url", org.url, "--client-id", str(org.org.login.client_id))
    code, text = login(*words, typed="wrong-secret\n")
    assert (code, ring.kept) == (1, {}) and "wrong-secret" not in text
    code, text = login(*words, typed=f"{org.org.login.client_secret}\n")
    assert code == 0, text
    assert ring.kept == {("crm-segments", "org.client_secret"): org.org.login.client_secret}


@pytest.mark.parametrize("missing", ["--api-url", "--client-id"])
def test_without_a_config_an_org_needs_an_address_and_a_client_id(ring: Remembering, missing: str) -> None:
    given = {"--api-url": "https://acme.my.salesforce.com", "--client-id": "3MVG9"}
    words = [word for option, value in given.items() if option != missing for word in (option, value)]
    code, _ = login("salesforce", *words, typed="x")
    assert (code, ring.kept) == (2, {})


def test_a_private_key_of_many_lines_comes_whole(tmp_path: Path, ring: Remembering) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\nBBBB\n-----END PRIVATE KEY-----"
    path = tmp_path / "config.toml"
    path.write_text(
        '[accounts.org]\ncrm = "salesforce"\napi_url = "https://acme.my.salesforce.com"\nclient_id = "a"\n'
        'username = "u@example.org"\nprivate_key = "file:key.pem"\n'
        '[[segmentations]]\nname = "rfm"\nkind = "rfm"\nfield = "seg_rfm"\n'
    )
    code, text = login("salesforce", "--no-check", "--config", str(path), typed=key + "\n")
    assert code == 0 and ring.kept == {("crm-segments", "org.private_key"): key} and "BBBB" not in text


# -- keyrings that are none


@pytest.mark.parametrize("none", [fail.Keyring, null.Keyring])
def test_where_no_keyring_is_nobody_is_asked_and_env_is_named(none: type[KeyringBackend]) -> None:
    keyring.set_keyring(none())
    asked: list[str] = []
    with pytest.raises(CommandError, match=r"no keyring.*env:NAME"):
        commands.login("config.toml", "hubspot", secret=lambda key: asked.append(key) or TOKEN)  # type: ignore[func-returns-value]
    assert asked == []


def test_a_locked_keyring_says_so_and_not_what_it_was_given(portal: Shop, ring: Remembering) -> None:
    ring.locked = True
    code, text = login("hubspot", "--api-url", portal.url, typed=TOKEN)
    assert code == 1 and "unlock it" in text and TOKEN not in text


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    code, text = login("hubspot", typed=TOKEN)
    assert code == 1 and "pip install keyring" in text


# -- what a person sees


def test_json_holds_no_secret(portal: Shop) -> None:
    code, text = login("hubspot", "--json", "--api-url", portal.url, typed=TOKEN)
    answer = json.loads(text)
    assert code == 0 and answer["lines"] == [f'token = "{REFERENCE}"'] and answer["records"] == 3
    assert TOKEN not in text


def test_the_scopes_that_are_told_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs/crms/hubspot.md").read_text(encoding="utf-8")
    table = page.partition("## Scopes")[2].partition("##")[0]
    told = set(re.findall(r"`((?:crm|sales|automation)[\w.-]*)`", table))
    assert told | {"crm.objects.companies.write", "crm.schemas.companies.write"} == set(SCOPES)


def on_a_terminal(environment: Mapping[str, str], typed: bytes, *words: str) -> tuple[str, int]:
    """All that a person sees who types this at the question, and the exit code."""
    person, program = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sync", "login", *words],
        stdin=program, stdout=program, stderr=program, cwd=ROOT, env={**os.environ, **environment},
        start_new_session=True, preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(program)
    seen = _seen_until(person, b"not shown")
    wait_until(lambda: not termios.tcgetattr(person)[3] & termios.ECHO)
    os.write(person, typed)
    seen += _seen_until(person, b"")
    return seen.decode(), process.wait(timeout=60)


def wait_until(done: Callable[[], bool]) -> None:
    """What is typed before the program hides it is thrown away by the terminal."""
    end = time.monotonic() + 30
    while not done() and time.monotonic() < end:
        time.sleep(0.01)


def _seen_until(person: int, text: bytes) -> bytes:
    """What comes up to a text; without one, up to the end."""
    seen = b""
    while not (text and text in seen) and select.select([person], [], [], 60)[0]:
        try:
            more = os.read(person, 4096)
        except OSError:  # the program has ended
            break
        seen += more
    return seen


def _own_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_on_a_terminal_it_says_how_and_never_shows_what_is_typed(tmp_path: Path, portal: Shop) -> None:
    backend: dict[str, Any] = {"PYTHON_KEYRING_BACKEND": "tests.file_keyring.FileKeyring"}
    place = {"FILE_KEYRING": str(tmp_path / "ring.json"), "PYTHONPATH": str(ROOT)}
    words = ("hubspot", "--api-url", portal.url, "--config", str(tmp_path / "none.toml"))
    seen, code = on_a_terminal({**backend, **place}, f"{TOKEN}\n".encode(), *words)
    assert code == 0, seen
    assert "Service keys" in seen and "crm.lists.write" in seen and TOKEN not in seen
    assert json.loads((tmp_path / "ring.json").read_text()) == {"crm-segments/portal.token": TOKEN}


def test_ctrl_c_at_the_question_leaves_a_terminal_that_shows_what_is_typed(tmp_path: Path) -> None:
    backend = {"PYTHON_KEYRING_BACKEND": "tests.file_keyring.FileKeyring", "PYTHONPATH": str(ROOT)}
    place = {"FILE_KEYRING": str(tmp_path / "ring.json")}
    seen, code = on_a_terminal({**backend, **place}, b"half\x03", "hubspot")
    assert code == 130 and "half" not in seen and not (tmp_path / "ring.json").exists()
