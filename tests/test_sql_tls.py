"""Does a database speak TLS with us where it should, and only as the server that its certificate names?"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from connectors.errors import AccessError
from connectors.schemas import ATTRIBUTE
from connectors.sql.address import address_of
from tests.database_shops import shop_of
from tests.segment_databases import SegmentDatabase
from tests.servers.certificates import Authority
from tests.servers.databases import PASSWORD

HOST = "orders.shop.test"  # off loopback by its name; it is this machine
MODES = ("require", "verify-ca", "verify-full")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Authority of the tests")


@pytest.fixture(params=["postgres", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shop with one customer, whose server is reached as HOST."""
    usual = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **named: usual("127.0.0.1" if host == HOST else host, *rest, **named),
    )
    opened = shop_of(request.param, tmp_path)
    opened.put("1", city="Ulm")
    password = quote(PASSWORD, safe="")
    scheme, option = ("postgresql", "?hostaddr=127.0.0.1") if request.param == "postgres" else ("mysql", "")
    url = f"{scheme}://reader:{password}@{HOST}:{opened.server.port}/{opened.database}{option}"
    opened.settings = dict.fromkeys(opened.where) | {"url": url}
    yield opened
    opened.close()
    opened.server.restart()


def trusting(shop: Any, authority: Authority, folder: Path, mode: str | None = None) -> None:
    """The config names the authority's file, and how much is verified."""
    (folder / "authority.pem").write_bytes(authority.pem)
    shop.settings |= {"sslrootcert": str(folder / "authority.pem"), "sslmode": mode}


def refusal(shop: Any) -> str:
    """Why the shop is not read; without a secret."""
    with pytest.raises(AccessError) as caught:
        list(shop.connect().read("contact", None))
    said = str(caught.value)
    (problem,) = shop.connect().check()
    assert problem.what in said and problem.remedy in said
    assert PASSWORD not in said and quote(PASSWORD, safe="") not in said
    return said


def encrypted(shop: Any) -> bool:
    """Whether the server says that the connection over which we read is encrypted."""
    query = (
        "SELECT 1 AS id, ssl AS city FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        if shop.instant == "timestamptz"
        else "SELECT 1 AS id, VARIABLE_VALUE <> '' AS city FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'"
    )
    shop.contacts, usual = {"query": query}, shop.contacts
    (page,) = shop.connect().read("contact", None)
    shop.contacts = usual
    return page.records[ATTRIBUTE + "city"].to_pylist()[0] in ("true", "1")


def test_off_loopback_the_right_server_is_accepted_and_the_connection_encrypted(
    shop: Any, authority: Authority, tmp_path: Path
) -> None:
    shop.server.restart_with_tls(authority.certificate(HOST))
    trusting(shop, authority, tmp_path)
    assert address_of(shop.account()).tls == "verify-full"
    assert shop.connect().check() == [] and encrypted(shop)


def test_segments_are_written_over_tls_too(shop: Any, authority: Authority, tmp_path: Path) -> None:
    shop.server.restart_with_tls(authority.certificate("another.shop.test"))
    settings = shop.settings
    database = SegmentDatabase(shop)
    shop.settings |= settings
    trusting(shop, authority, tmp_path)
    with pytest.raises(AccessError, match="name the host as its certificate has it"):
        database.connect().ensure_field(database.fields[0])
    shop.server.restart_with_tls(authority.certificate(HOST))
    database.connect().ensure_field(database.fields[0])
    assert ("contact", database.fields[0].name) in database.connect().fields()


def test_a_certificate_of_another_host_is_refused_unless_only_the_authority_counts(
    shop: Any, authority: Authority, tmp_path: Path
) -> None:
    shop.server.restart_with_tls(authority.certificate("another.shop.test", "127.0.0.1"))
    trusting(shop, authority, tmp_path)
    assert "name the host as its certificate has it" in refusal(shop)
    for mode in ("verify-ca", "require"):
        trusting(shop, authority, tmp_path, mode)
        assert encrypted(shop), mode


def test_a_certificate_of_an_authority_that_nobody_named_is_refused(
    shop: Any, authority: Authority, tmp_path: Path
) -> None:
    shop.server.restart_with_tls(Authority("Somebody else").certificate(HOST))
    assert "sslrootcert" in refusal(shop), "the system does not know it"
    for mode in ("verify-full", "verify-ca"):
        trusting(shop, authority, tmp_path, mode)
        assert "sslrootcert" in refusal(shop), mode
    shop.settings |= {"sslrootcert": None, "sslmode": "require"}
    assert encrypted(shop)


def test_a_certificate_that_has_expired_is_refused(shop: Any, authority: Authority, tmp_path: Path) -> None:
    shop.server.restart_with_tls(authority.certificate(HOST, days=-1))
    for mode in ("verify-full", "verify-ca"):
        trusting(shop, authority, tmp_path, mode)
        said = refusal(shop)
        assert "expired" in said and "renew" in said


def test_a_server_without_tls_gets_no_password(shop: Any, authority: Authority, tmp_path: Path) -> None:
    for mode in (None, *MODES):
        trusting(shop, authority, tmp_path, mode)
        assert "switch TLS on at the server" in refusal(shop), mode
    trusting(shop, authority, tmp_path, "disable")
    assert not encrypted(shop)


def test_a_file_that_holds_no_certificate_is_told(shop: Any, authority: Authority, tmp_path: Path) -> None:
    shop.server.restart_with_tls(authority.certificate(HOST))
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("no-such.pem", "empty.pem"):
        shop.settings |= {"sslrootcert": str(tmp_path / name)}
        assert "sslrootcert" in refusal(shop), name


def test_loopback_is_not_encrypted_unless_the_config_says_so(
    shop: Any, authority: Authority, tmp_path: Path
) -> None:
    shop.server.restart_with_tls(authority.certificate("127.0.0.1"))
    shop.settings = {}
    assert not encrypted(shop)
    shop.settings = {"sslmode": "require"}
    assert encrypted(shop)
    trusting(shop, authority, tmp_path, "verify-full")
    assert encrypted(shop)
