"""How many calls do a first pull and an unchanged run make? Counted by the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.portal_shop import Shop, hasten, portal_of


@pytest.mark.parametrize("lists", ["dynamic", "static"])
def test_an_unchanged_run_makes_few_calls_also_beside_a_full_recycle_bin(
    lists: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=120, deals=200) as server:
        for number in range(450):
            server.portal.archive(
                "contacts", server.portal.put("contacts", {"email": f"gone-{number}@example.org"})
            )
        server.portal.settle(3600)
        company = Shop(tmp_path, server, lists=lists)
        company.code("setup")
        for _ in range(2):
            assert company.finish() == 0
            server.portal.settle(3600)
        server.portal.log.clear()
        assert company.code("run") == 0
        assert len(server.portal.log) <= 12, server.portal.counts()["paths"]
        gone = server.portal.store.shelves["contacts"].live[5]
        server.portal.archive("contacts", gone)
        server.portal.put("contacts", {"email": "new@example.org"})
        server.portal.settle(3600)
        assert company.finish() == 0
        server.portal.log.clear()
        assert company.code("run") == 0
        assert len(server.portal.log) <= 12, server.portal.counts()["paths"]


def test_a_first_pull_makes_few_calls_beyond_its_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=9_000, deals=12_000) as server:
        company = Shop(tmp_path, server)
        server.portal.log.clear()
        assert company.code("pull") == 0
        calls, pages = len(server.portal.log), (9_000 + 12_000) / 100
        assert calls <= 1.05 * pages + 4, server.portal.counts()["paths"]
