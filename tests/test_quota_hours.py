"""When the CRM's calls of the day come back: told once, in the zone of the account, whatever zones the CRM
and the machine live in.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import Fault, Knobs

START = datetime.now(UTC)


@pytest.mark.parametrize("account", ["", "quota_reserve = 0.3"])
def test_the_hour_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(Knobs(daily=1000, used_today=700), 10, 20, START) as server:
        shop = Shop(tmp_path, server, account=account, day=START.date() - timedelta(days=2))
        if "reserve" not in account:
            shop.strikes(Fault("status", path="/crm/", status=429, policy="DAILY", times=10**6))
        assert shop.code("setup") == 75
        sentence = str(shop.said)
        assert len(re.findall(r"\d\d:\d\d", sentence)) == 1 and re.search(r" CES?T", sentence), sentence
        assert sentence.count("is saved") == 1 and sentence.count("run again") == 1, sentence
