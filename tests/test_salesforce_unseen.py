"""What another org, or another server, may do that the documentation allows, and that our own stand-in does
not do by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.org_shop import Shop, hasten, shop_of

Opened = Callable[..., AbstractContextManager[Shop]]
LARGE = 2_300


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    hasten(monkeypatch, tmp_path)

    @contextmanager
    def shop(contacts: int = 60, set_up: bool = True, settings: Any = None, **knobs: Any) -> Iterator[Shop]:
        with shop_of(tmp_path / "shop", contacts, set_up, settings, **knobs) as made:
            yield made

    return shop


def _all_labelled(shop: Shop) -> None:
    assert all(values["seg_rfm__c"] for values in shop.fields().values())


@pytest.mark.parametrize("hidden", [("instancename", "timezonesidkey"), ("timezonesidkey",)], ids=str)
def test_an_org_that_hides_what_it_says_of_itself_is_worked_with(
    hidden: tuple[str, ...], opened: Opened
) -> None:
    with opened(set_up=False) as shop:
        for name in hidden:
            del shop.org.schema["Organization"].fields[name]
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said
        _all_labelled(shop)


def test_an_org_that_hides_whether_it_is_a_sandbox_is_not_written(opened: Opened) -> None:
    with opened(set_up=False) as shop:
        del shop.org.schema["Organization"].fields["issandbox"]
        assert shop.code("setup") in (1, 2), shop.said
        assert "production" in str(shop.said)
        assert shop.written() == 0


def test_the_log_in_tells_whose_permission_set_it_is_where_userinfo_is_closed(opened: Opened) -> None:
    with opened(set_up=False) as shop:
        shop.strikes(
            {
                "match": {"path": "userinfo"},
                "do": "error",
                "status": 403,
                "code": "Bad_OAuth_Token",
                "times": 99,
            }
        )
        assert (shop.code("setup"), shop.code()) == (0, 0), shop.said
        _all_labelled(shop)


def test_a_list_view_that_is_not_there_may_be_called_by_another_code(opened: Opened) -> None:
    with opened(set_up=False, settings={"lists": "dynamic"}) as shop:
        absent = {
            "match": {"method": "GET", "path": "list-info"},
            "do": "error",
            "status": 404,
            "code": "ITEM_NOT_FOUND",
            "times": 99,
        }
        shop.strikes(absent)
        assert shop.code("setup") == 0, shop.said
        assert len(shop.org.list_views.views) >= 5


@pytest.mark.parametrize("page_rows", [130, 120_000])
def test_listed_pages_may_be_of_any_length(page_rows: int, opened: Opened) -> None:
    with opened(LARGE, settings={"reads": 2_000, "writes": 200}, page_rows=page_rows) as shop:
        assert shop.code() == 0, shop.said
        _all_labelled(shop)


def test_a_list_of_pages_that_breaks_off_loses_no_row(opened: Opened) -> None:
    with opened(LARGE, settings={"reads": 2_000, "writes": 200}, page_rows=130) as shop:
        broken = {
            "match": {"path": "result[Pp]ages.*locator"},
            "do": "error",
            "status": 400,
            "code": "API_ERROR",
            "times": 99,
        }
        shop.strikes(broken)
        assert shop.code() == 0, shop.said
        _all_labelled(shop)
