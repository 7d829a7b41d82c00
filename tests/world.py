"""A small business to run the loop on: a config in a folder, a CRM in memory that outlives every run, and a
clock to turn.
"""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors import open_connector
from connectors.contract import Account, Connector
from sync import commands
from sync.commands import Options
from sync.config.config import Config, load
from tests.folder_store import FolderStore
from tests.memory_crm import Faults, MemoryCrm, Store

GUARDS = (
    "max_change", "max_enter", "max_leave", "min_size", "max_cleared", "max_overwrite", "max_writes", "max_calls", "max_shrink",
    "max_enrolled",
    "max_rejected", "max_unmatched", "max_stale_days", "max_drop",
)  # fmt: skip
ALLOWED = dict.fromkeys(GUARDS, "a law holds at any size")
DAY = date(2024, 6, 30)

CONFIG = """
state_dir = "state"
as_of = 2024-06-30

[accounts.portal]
crm = "files"
path = "{path}"
on_conflict = "{on_conflict}"

{account}[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
{label}lists = "{lists}"
extra_fields = {extra_fields}

{value}{more}
"""

VALUE = """[[segmentations]]
name = "value"
kind = "abc"
field = "seg_value"
"""


@dataclass
class World:
    """Everything that a test needs to play a company: people edit ``store``, ``do`` runs a command."""

    folder: Path
    path: str = "unused"  # where a FolderStore lives
    on_conflict: str = "keep"
    lists: str = "static"
    extra_fields: str = "[]"
    account: str = ""  # further lines of the account, and further accounts
    label: str = ""  # a line of the config that names the segmentation rfm
    value: str = VALUE  # the second segmentation
    more: str = ""  # further lines of the config
    # people of a small world buy seldom, some never: how old the newest purchase may be is no question here
    stale_days: int = 36_500
    batch_size: int = 25
    page_size: int = 50
    store: Store = field(default_factory=Store)
    shop: Store = field(default_factory=Store)  # of the account ``shop``, where a config has one
    faults: Faults = field(default_factory=Faults)
    now: datetime = datetime(2024, 7, 1, 12, tzinfo=UTC)
    progress: Callable[[str, int, int], None] = lambda what, done, total: None
    opened: list[Account] = field(default_factory=list)  # what connectors were opened with

    def config(self) -> Config:
        """The config, written anew as it stands."""
        path = self.folder / "config.toml"
        text = CONFIG.format(
            **{
                n: getattr(self, n)
                for n in ("path", "on_conflict", "lists", "extra_fields", "account", "label", "value", "more")
            }
        )
        table = "[guards]\n"
        if table not in text:
            text += f"\n{table}"
        path.write_text(
            text.replace(table, f"{table}max_stale_days = {self.stale_days}\n", 1), encoding="utf-8"
        )
        return load(path)

    def do(
        self,
        command: str,
        *,
        allow: Mapping[str, str] | None = None,
        as_of: date | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Run a command as the library does."""
        # a day counts once it is over
        over = datetime.combine(as_of or date.min, self.now.timetz()) + timedelta(days=1)
        options = Options(
            allow=allow or {},
            as_of=as_of,
            progress=self.progress,
            clock=lambda: max(self.now, over),
            open=self._open,
        )
        if isinstance(self.store, FolderStore):
            self.store.save()
        try:
            answer: dict[str, Any] = getattr(commands, command)(self.config(), options, **arguments)
        finally:
            if isinstance(self.store, FolderStore):
                self.store.load()
        return answer

    def _open(self, account: Account) -> Connector:
        if isinstance(self.store, FolderStore):
            return open_connector(account)
        store = self.shop if account.name == "shop" else self.store
        self.opened.append(account)
        return MemoryCrm(account, store, self.faults, self.page_size, self.batch_size)

    @classmethod
    def of_files(cls, folder: Path, **settings: Any) -> World:
        """A world whose CRM is a folder of files."""
        return cls(folder, path="crm", store=FolderStore(folder=folder / "crm"), **settings)

    def customers(self, count: int) -> None:
        """That many contacts, each with a history of its own."""
        for number in range(1, count + 1):
            self.store.put(str(number), email=f"customer{number}@example.org")
            for purchase in range(number % 5):
                self.buys(str(number), (number * 7 + purchase * 31) % 300, 1000 + number * 10)

    def buys(self, id: str, days_ago: int = 0, amount: int = 5000, **columns: Any) -> None:
        """A record buys something, so many days before the last day that counts."""
        moment = datetime(2024, 6, 30, 10, tzinfo=UTC) - timedelta(days=days_ago)
        self.store.act(
            id, moment, amount_minor=amount, **{"order_id": f"order-{self.store.clock}", **columns}
        )

    def first_run(self) -> dict[str, Any]:
        """Set up, label and write for the first time, as a person who has looked at the plan would."""
        self.do("setup")
        planned = self.do("plan")
        return self.do("apply", number=planned["plan"]["plan"])

    def held(self, name: str) -> dict[str, Any]:
        """What the CRM holds in a field, by record id."""
        return {
            id: row.get("field." + name)
            for (_type, id), row in self.store.records.items()
            if row.get("field." + name)
        }

    def members(self) -> dict[str, set[str]]:
        """Members of every list."""
        return {key: self.store.members_of(key) for key in self.store.lists}

    def state(self) -> tuple[dict[str, dict[str, Any]], dict[str, set[str]]]:
        """All that we can write in the CRM: what its fields hold, and who is in its lists."""
        return {
            name: self.held(name) for name in sorted({name for _type, name in self.store.fields})
        }, self.members()

    def copy(self, folder: Path) -> World:
        """The same world in another folder, to live another life."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        world = replace(
            self, folder=folder, store=copy.deepcopy(self.store), faults=copy.deepcopy(self.faults)
        )
        if isinstance(world.store, FolderStore):
            world.store.folder = folder / world.path
        return world

    def lose_mirror(self) -> None:
        """Somebody deletes the cache."""
        for path in (self.folder / "state").glob("mirror.duckdb*"):
            path.unlink()

    def journal(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of the journal."""
        connection = sqlite3.connect(self.folder / "state" / "journal.sqlite")
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                return [dict(row) for row in connection.execute(sql, parameters)]
        finally:
            connection.close()

    def written(self) -> list[tuple[str, str, str | None, str | None]]:
        """Every change that the CRM confirmed: id, target, before, after."""
        rows: Iterable[dict[str, Any]] = self.do("history")["history"]
        return [
            (row["id"], row["target"], row["before"], row["after"]) for row in rows if row["status"] == "done"
        ]

    def labels(self, segmentation: str) -> dict[str, str]:
        """Id → segment, as the last labelling left it in the mirror."""
        import duckdb

        with duckdb.connect(str(self.folder / "state" / "mirror.duckdb"), read_only=True) as mirror:
            rows = mirror.execute(
                f"SELECT id, segment FROM portal.labels_{segmentation} JOIN portal.ids USING (record)"
            ).fetchall()
        return dict(rows)
