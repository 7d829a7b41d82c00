"""Do days and money follow the CRM where the config says nothing of them: in ``init``, in ``check``, and for
days to come?
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.commands import Options
from sync.config.config import load
from sync.exit_codes import UsageError
from tests.portal_shop import KEY, Shop, hasten, portal_of
from tests.servers.hubspot import Knobs


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A portal in Los Angeles that counts in dollars."""
    hasten(monkeypatch, tmp_path)
    with portal_of(Knobs(time_zone="America/Los_Angeles", currency="USD"), 5, 5) as server:
        yield Shop(tmp_path, server)


def init(shop: Shop, **access: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = commands.init(
        shop.folder / "new.toml", crm="hubspot", access={"api_url": shop.server.url, "secret": KEY, **access}
    )
    return answer


def test_init_asks_the_portal_and_check_agrees_with_what_it_wrote(shop: Shop) -> None:
    answer = init(shop)
    assert (answer["time_zone"], answer["currency"]) == ("America/Los_Angeles", "USD")
    text = (shop.folder / "new.toml").read_text()
    assert (
        "# currency is the account's own, USD;" in text
        and "# time_zone is the account's own, America/Los_Angeles;" in text
    )
    assert not {"currency", "time_zone"} & load(shop.folder / "new.toml").accounts["portal"].model_fields_set
    assert commands.check(shop.folder / "new.toml")["problems"] == []


def test_without_a_token_init_leaves_both_to_the_account_and_says_so(shop: Shop) -> None:
    answer = init(shop, secret="NO_SUCH_VARIABLE")
    assert any("NO_SUCH_VARIABLE is not set:" in note for note in answer["notes"])
    assert not {"currency", "time_zone"} & load(shop.folder / "new.toml").accounts["portal"].model_fields_set


def test_a_token_that_is_refused_is_told_and_the_config_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD_KEY", "pat-eu1-wrong")
    answer = init(shop, secret="OLD_KEY")
    assert any("time zone and currency could not be read" in note for note in answer["notes"])
    assert not any("pat-eu1-wrong" in note for note in answer["notes"])
    load(shop.folder / "new.toml")


def test_a_day_that_has_not_come_where_the_portal_lives_is_refused(shop: Shop) -> None:
    init(shop)
    morning = datetime(2026, 11, 28, 6, tzinfo=UTC)  # ten in the evening of the 27th in Los Angeles
    for command in ("label", "pull", "check"):
        options = Options(as_of=date(2026, 11, 28), clock=lambda: morning)
        with pytest.raises(UsageError, match="2026-11-28 is in the future") as refused:
            getattr(commands, command)(shop.folder / "new.toml", options)
        assert refused.value.exit_code == 2
    assert (
        commands.pull(shop.folder / "new.toml", Options(as_of=date(2026, 11, 27), clock=lambda: morning))[
            "exit_code"
        ]
        == 0
    )
