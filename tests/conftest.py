"""What every test starts from: hypothesis without deadlines (the machine may be busy), the same examples in
CI, an empty cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.browsing import browser  # noqa: F401  (a fixture)

if TYPE_CHECKING:
    from tests.warehouses import Warehouse

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("busy"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "busy")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What processes of this machine share of an account's limits is not shared with an earlier run of the
    tests.
    """
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _no_terminal() -> None:
    """What we print does not depend on the terminal in which the tests were started."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session", autouse=True)
def _no_database_server_is_left() -> Iterator[None]:
    """Those that tests started end with them."""
    yield
    from tests.servers.databases import stop_all

    stop_all()


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Warehouse]]:
    """Makes databases into which loaders land, by their kind."""
    from tests.warehouses import Warehouse

    opened: list[Warehouse] = []

    def make(kind: str) -> Warehouse:
        opened.append(Warehouse(kind, tmp_path, monkeypatch))
        return opened[-1]

    yield make
    for each in opened:
        each.shop.close()
