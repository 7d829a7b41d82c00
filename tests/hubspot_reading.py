"""A portal on loopback, and a reader of it that folds pages as a mirror does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Account, Page
from connectors.http.rate_limit import Rate
from connectors.hubspot.reading import Reading
from connectors.hubspot.session import Portal as Session
from connectors.hubspot.settings import Settings
from tests.servers.hubspot import TOKEN, Knobs, Portal, serving

Row = dict[str, Any]
QUICK = {"limit": 1_000_000, "search_limit": 1_000_000, "index_lag": 0.0, "gzip": False}


@dataclass
class Fold:
    """What a mirror holds of a stream: records by id, activity by id with all rows of it."""

    stream: str
    position: str | None = None
    parts: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    unfinished: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)

    def take(self, page: Page) -> None:
        rows: dict[str, list[Row]] = {}
        for row in page.records.to_pylist():
            rows.setdefault(row["id"], []).append(
                {name: value for name, value in row.items() if value is not None}
            )
        if page.whole and page.first:
            self.unfinished[page.part] = {}
        records = self.unfinished[page.part] if page.whole else self.parts.setdefault(page.part, {})
        assert all(len(several) == 1 for several in rows.values()) or self.stream == "activity", (
            "a page names a record once"
        )
        for id, several in rows.items():
            records[id] = several
            if any(row.get("deleted") for row in several):
                del records[id]
        if page.whole and page.last:
            self.parts[page.part] = self.unfinished.pop(page.part)
        self.position = page.position
        self.pages.append(page)
        self.rejects += page.rejects.to_pylist() if page.rejects is not None else []

    @property
    def rows(self) -> dict[str, list[Row]]:
        return {id: several for part in self.parts.values() for id, several in part.items()}

    @property
    def records(self) -> dict[str, Row]:
        return {id: several[0] for id, several in self.rows.items()}


@dataclass
class World:
    """A portal, what people do in it, and readers of it."""

    portal: Portal
    url: str
    account: Account = field(default_factory=lambda: Account("portal", "hubspot", None))
    settings: dict[str, Any] = field(default_factory=dict)

    def session(self, **changed: Any) -> Session:
        """A new log-in, as a new process would have it."""
        settings = Settings(**{"api_url": self.url, "token": TOKEN, **self.settings, **changed})
        session = Session(
            replace(self.account, settings=settings),
            lambda: datetime.fromtimestamp(self.portal.clock.now() / 1000, UTC),
        )
        session.rate_limit.learn_rate("search", Rate(1_000_000, 1.0))
        session.rate_limit.learn_rate("", Rate(1_000_000, 1.0))
        return session

    def pull(self, fold: Fold, pages: int | None = None, **changed: Any) -> int:
        """Read on (at most so many pages) as a new process; how many rows came."""
        session, came = self.session(**changed), 0
        try:
            for number, page in enumerate(Reading(session).pages(fold.stream, fold.position), 1):
                fold.take(page)
                came += page.records.num_rows
                if number == pages:
                    break
        finally:
            session.close()
        return came

    def read(self, stream: str = "contact", **changed: Any) -> Fold:
        """Everything, from the beginning."""
        fold = Fold(stream)
        self.pull(fold, **changed)
        return fold

    def calls(self) -> list[str]:
        """Method and path of each call since the last time that somebody asked."""
        calls = [f"{call.method} {call.path}" for call in self.portal.log]
        self.portal.log.clear()
        return calls

    def later(self, seconds: float = 3600) -> None:
        self.portal.settle(seconds)

    def deal(self, *contacts: int, company: int | None = None, **values: str) -> int:
        """A deal, won unless said otherwise."""
        values = {"dealstage": "closedwon", "amount": "10", "closedate": "2024-01-05T12:00:00Z", **values}
        id = self.portal.put("deals", values)
        for contact in contacts:
            self.portal.associate("deals", id, "contacts", contact)
        if company is not None:
            self.portal.associate("deals", id, "companies", company)
        return id


@contextmanager
def world(folder: Path, monkeypatch: pytest.MonkeyPatch | None = None, **knobs: Any) -> Iterator[World]:
    """A portal that serves; limits out of the way unless asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        portal = Portal(Knobs(**{**QUICK, **knobs}))
        with serving(portal) as server:
            yield World(portal, server.url)
