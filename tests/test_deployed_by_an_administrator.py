"""Is what an administrator makes from ``setup --export`` ours, and what somebody else makes under the same
name not?
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import TOKEN


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=5, deals=5) as server:
        yield Shop(tmp_path, server)


def exported(shop: Shop) -> list[tuple[str, bytes]]:
    """The calls that the export names: address and body."""
    files = [Path(name) for name in shop.do("setup", export=shop.folder / "export")["files"]]
    calls = next(path for path in files if path.name == "calls.txt")
    lines = [line.removeprefix("POST ").split("  ") for line in calls.read_text().splitlines()]
    return [(url, (calls.parent / name).read_bytes()) for url, name in lines]


def deploy(calls: list[tuple[str, bytes]]) -> None:
    """What an administrator does with them."""
    for url, body in calls:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        requests.post(url, body, headers=headers, timeout=20).raise_for_status()


def made(shop: Shop) -> dict[str, Any]:
    answer = shop.do("setup")
    assert answer["setup"]["refused"] == [], answer["setup"]
    return answer


def test_what_was_described_is_ours_after_a_deployment_and_a_run_writes_it(shop: Shop) -> None:
    deploy(exported(shop))
    made(shop)
    assert shop.do("setup")["setup"]["steps"] == []
    assert shop.do("run")["applied"]["done"] > 0
    assert all(values.get("seg_rfm") for values in shop.fields().values())


def test_an_export_that_nobody_deployed_is_made_by_setup(shop: Shop) -> None:
    exported(shop)
    assert made(shop)["made"] > 0


def test_a_property_that_somebody_made_otherwise_is_not_taken_for_ours(shop: Shop) -> None:
    exported(shop)
    url = f"{shop.server.url}/crm/v3/properties/contacts"
    body = {
        "name": "seg_rfm",
        "label": "My own",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    deploy([(url, json.dumps(body).encode())])
    refused = shop.code("setup")
    assert refused == 2 and "field seg_rfm exists already, and crm-segments did not create it" in str(
        shop.said
    )
