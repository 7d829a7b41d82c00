"""Does ``check`` say that plans will stop, where the CRM does not tell what they would start?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import org_shop, portal_shop
from tests.org_store import RIGHTS
from tests.servers.hubspot import ALL_SCOPES
from tests.world import ALLOWED


def blind(notes: list[str]) -> list[str]:
    return [note for note in notes if "max_enrolled" in note]


def test_a_hubspot_key_without_the_scope_automation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    portal_shop.hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    with portal_shop.portal_of() as server:
        shop = portal_shop.Shop(tmp_path / "shop", server)
        assert not blind(shop.do("check")["notes"])
        server.portal.grant("pat-blind", ALL_SCOPES - {"automation"})
        monkeypatch.setenv(portal_shop.KEY, "pat-blind")
        [note] = blind(shop.do("check")["notes"])
        assert "the scope automation" in note and "more than 0 records" in note
        assert "set max_enrolled in [guards]" in note and "--allow max_enrolled --reason TEXT" in note
        shop.do("setup")
        allowed = {name: why for name, why in ALLOWED.items() if name != "max_enrolled"}
        assert shop.code("run", allow=allowed) == 5 and "max_enrolled" in str(shop.said)
        shop.more = "[guards]\nmax_enrolled = 1000\n"
        assert shop.code("run", allow=allowed) == 0


def test_a_salesforce_user_who_may_not_look_into_the_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_shop.hasten(monkeypatch, tmp_path)
    with org_shop.shop_of(tmp_path / "shop", 30, set_up=False) as shop:
        told = blind(shop.do("check")["notes"])
        assert bool(told) == ("ViewSetup" not in RIGHTS)
        shop.org.revoke("ViewSetup")
        [note] = blind(shop.do("check")["notes"])
        assert "View Setup and Configuration" in note
        shop.org.grant("ViewSetup")
        assert not blind(shop.do("check")["notes"])
