"""Does the connector get along with a portal that does what the documentation leaves open, otherwise than our
stand-in?
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, ListSpec
from connectors.hubspot.api_errors import Refused
from connectors.hubspot.session import Portal
from connectors.hubspot.settings import Settings
from tests.contract_suite import Paper, changes, statuses
from tests.hubspot_account import SEGMENT, shop
from tests.loopback import Fault as Answer
from tests.loopback import Server, status
from tests.servers.hubspot import Fault


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Server() as opened:
        yield opened


@pytest.fixture
def portal(server: Server) -> Iterator[Portal]:
    opened = Portal(Account("crm", "hubspot", Settings(api_url=server.url, token="pat-eu1-x")))
    yield opened
    opened.close()


def answering(body: object) -> Answer:
    return status(200, json.dumps(body).encode())


def test_a_call_that_is_sent_on_to_the_same_path_with_a_slash_keeps_its_method_and_body(
    server: Server, portal: Portal
) -> None:
    server.script.append(status(301, b"", Location="/crm/v3/lists/"))
    answer = portal.ask(
        "POST", "/crm/v3/lists", body={"name": "ours"}, params=[("a", "1")], writes=True, repeatable=False
    )
    assert answer == {"path": "/crm/v3/lists/?a=1"}
    assert server.done == [b'{"name":"ours"}']


def test_a_call_that_is_sent_elsewhere_does_not_go_there(server: Server, portal: Portal) -> None:
    server.script.append(status(302, b"", Location="https://example.org/log-in"))
    with pytest.raises(Refused, match="302"):
        portal.ask("GET", "/crm/v3/lists/1")
    assert len(server.seen) == 1


def test_properties_that_come_in_pages_are_all_known(server: Server, portal: Portal) -> None:
    server.script += [
        answering({"results": [{"name": "city"}], "paging": {"next": {"after": "1"}}}),
        answering({"results": [{"name": "tier"}]}),
    ]
    assert list(portal.properties("contacts")) == ["city", "tier"]
    assert [path.partition("?")[2] for _, path, _, _ in server.seen] == ["", "after=1"]


LOST: dict[str, dict[str, Any]] = {
    "the connection was cut": {"do": "lost"},
    "half of the answer": {"do": "truncated", "honest": True},
    "a gateway gave up": {"do": "status_after", "status": 504},
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_values_whose_answer_was_lost_are_looked_up_instead_of_sent_again(
    server: Server, fault: dict[str, Any]
) -> None:
    with shop(3) as opened:
        opened.fail(Fault(**fault, path="batch/update", times=1))
        outcomes = opened.connect().write_fields(
            changes(*((id, SEGMENT.name, None, "loyal") for id in opened.ids)), Paper()
        )
        assert statuses(outcomes) == ["done"] * 3
        assert opened.held(SEGMENT.name) == dict.fromkeys(opened.ids, "loyal")
        assert opened.calls("POST", "batch/update") == 1


def test_values_that_did_not_arrive_are_sent_again(server: Server) -> None:
    with shop(3) as opened:
        opened.fail(Fault("reset", path="batch/update", times=2))
        outcomes = opened.connect().write_fields(
            changes(*((id, SEGMENT.name, None, "loyal") for id in opened.ids)), Paper()
        )
        assert statuses(outcomes) == ["done"] * 3
        assert opened.held(SEGMENT.name) == dict.fromkeys(opened.ids, "loyal")


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_list_whose_answer_was_lost_is_made_once_and_is_ours(server: Server, fault: dict[str, Any]) -> None:
    with shop() as opened:
        opened.fail(Fault(**fault, method="POST", path=r"/lists/?$", times=1))
        spec = ListSpec("rfm.loyal", "Buying habits: Loyal", "dynamic", field=SEGMENT.name, value="loyal")
        made = opened.connect().ensure_list(spec)
        assert [crm_list.name for crm_list in opened.portal.lists.all.values()] == [spec.label]
        assert (
            opened.connect(account={"lists": {made.id: spec.key}}).ensure_list(replace(spec, id=made.id))
            == made
        )


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_folder_whose_answer_was_lost_holds_our_lists(server: Server, fault: dict[str, Any]) -> None:
    with shop() as opened:
        opened.fail(Fault(**fault, method="POST", path=r"/folders$", times=1))
        opened.connect().ensure_list(ListSpec("rfm.loyal", "Buying habits: Loyal", "static"))
        assert [crm_list.folder for crm_list in opened.portal.lists.all.values()] == [
            next(id for id in opened.portal.lists.folders if id)
        ]
