"""Is a plan made from what was gathered before, and from nothing that the CRM is asked on the way?

From the moment at which everything is gathered, the connector refuses every call. Only who reacts to a plan is
asked once it is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from connectors import open_source
from connectors.contract import Account, Connector, Destination, Source
from sync import commands
from sync.commands import Options
from sync.plan import plan, retire, undo, withdraw
from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot import Knobs
from tests.world import ALLOWED, World

LAST_GATHERED = [
    (plan, "write_history"),
    (withdraw, "write_history"),
    (undo, "consent_of"),
    (retire, "consent_of"),
]
ASKED_OF_A_PLAN = "automations"
METHODS = [
    name
    for contract in (Source, Destination)
    for name, method in vars(contract).items()
    if callable(method) and not name.startswith("_")
]


@dataclass
class Silence:
    """While it lasts, connectors refuse every call."""

    lasts: bool = False
    plans: list[str] = field(default_factory=list)  # that were made in it

    def over(self, connector: Any) -> Any:
        """The connector, refusing while silence lasts."""
        for name in METHODS:
            setattr(connector, name, self._refusing(name, getattr(connector, name)))
        return connector

    def _refusing(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            assert not self.lasts or name == ASKED_OF_A_PLAN, f"planning asks the CRM for {name}"
            return method(*arguments, **named)

        return call

    def begins_after(self, gather: Callable[..., Any]) -> Callable[..., Any]:
        def gathered(*arguments: Any, **named: Any) -> Any:
            answer = gather(*arguments, **named)
            self.lasts = True
            return answer

        return gathered

    def ends_with(self, finish: Callable[..., Any]) -> Callable[..., Any]:
        def finished(*arguments: Any, **named: Any) -> Any:
            assert self.lasts
            try:
                return finish(*arguments, **named)
            finally:
                self.lasts = False
                self.plans.append(arguments[4].kind)

        return finished


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Silence:
    kept = Silence()
    for module, name in LAST_GATHERED:
        monkeypatch.setattr(module, name, kept.begins_after(getattr(module, name)))
        monkeypatch.setattr(module, "finish", kept.ends_with(module.finish))
    return kept


def test_over_the_connector_in_memory(tmp_path: Path, silence: Silence) -> None:
    class Quiet(World):
        def _open(self, account: Account) -> Connector:
            connector: Connector = silence.over(super()._open(account))
            return connector

    world = Quiet(tmp_path, extra_fields='["reason", "since"]')
    world.customers(40)
    world.first_run()
    for number in range(1, 20):
        world.buys(str(number), number % 3, 100_000 * number)
    world.store.put("30", objects_to_profiling=True)
    run = world.do("run", allow=ALLOWED)
    world.value = ""
    assert world.do("undo", number=run["run"])["exit_code"] == 0
    assert world.do("retire", target="seg_value", allow=ALLOWED)["applied"]["done"]
    assert silence.plans == ["forward", "consent", "forward", "undo", "retire"]


def test_over_hubspot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: Silence) -> None:
    hasten(monkeypatch, tmp_path)
    (tmp_path / "shop").mkdir()
    start = datetime.now(UTC)

    def opened(account: Account) -> Source:
        connector: Source = silence.over(open_source(account))
        return connector

    def do(command: str, **named: Any) -> dict[str, Any]:
        options = Options(allow=ALLOWED, as_of=shop.day, clock=shop.now, open=opened)
        answer: dict[str, Any] = getattr(commands, command)(shop.config, options, **named)
        return answer

    with portal_of(Knobs(), 30, 75, start) as server:
        shop = Shop(tmp_path / "shop", server, lists="static", day=start.date() - timedelta(days=2))
        server.portal.flows.add("Any habit", property="seg_rfm")
        do("setup")
        run = do("run")
        assert run["applied"]["done"]
        assert do("undo", number=run["run"])["plan"]["changes"]
    assert silence.plans == ["forward", "undo"]
