"""Where does a token stand, for each CRM that wants it elsewhere?"""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import ConnectorError
from connectors.http import credentials
from connectors.http.credentials import AuthScheme, Token
from connectors.http.rate_limit import RateLimit
from connectors.http.transport import Transport
from tests.loopback import Server, status
from tests.test_transport import Plain, call, server

__all__ = ["server"]  # a fixture


@pytest.mark.parametrize(
    ("scheme", "where"),
    [
        (credentials.bearer, "Bearer secret-1"),
        (credentials.header("X-Api-Key"), "secret-1"),
        (credentials.query("api_key"), "api_key=secret-1"),
        (credentials.body("token"), '"token":"secret-1"'),
    ],
)
def test_a_token_stands_where_the_crm_wants_it_and_nowhere_else(
    server: Server, tmp_path: Path, scheme: AuthScheme, where: str
) -> None:
    transport = Transport(
        Plain(), RateLimit("k", {}, folder=tmp_path), Token.fixed("secret-1"), scheme=scheme, attempts=1
    )
    transport.send(call(server, method="POST", params=[("page", "2")], body=b'{"name":"Jane"}'))
    _, path, headers, body = server.seen[-1]
    sent = [path, body.decode(), *headers.values()]
    assert sum("secret-1" in text for text in sent) == 1 and any(where in text for text in sent)
    assert "page=2" in path and '"name":"Jane"' in body.decode()
    server.script.append(status(500))
    with pytest.raises(ConnectorError) as refused:
        transport.send(call(server, method="POST", body=b"{}"))
    assert "secret-1" not in str(refused.value)
    transport.close()
