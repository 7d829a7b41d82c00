"""A folder of exports for tests of the files connector, and what a reading of it gives."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.contract import Account, Connector, Page
from connectors.files import connect
from connectors.files.settings import Settings
from connectors.schemas import CHANGE_SCHEMA

HEAD = "contact_id,occurred_at,amount\n"


@dataclass
class Read:
    """Rows and rejects of a reading, and the position behind it."""

    pages: list[Page] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for page in self.pages for row in page.records.to_pylist()]

    @property
    def rejects(self) -> list[dict[str, Any]]:
        return [row for page in self.pages if page.rejects for row in page.rejects.to_pylist()]

    @property
    def rejected(self) -> int:
        return sum(page.rejected for page in self.pages)

    @property
    def ownerless(self) -> int:
        return sum(page.ownerless for page in self.pages)

    @property
    def left_out(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for page in self.pages:
            total.update(page.left_out)
        return dict(total)

    @property
    def position(self) -> str:
        return self.pages[-1].position

    def ids(self) -> list[str]:
        return [str(row.get("record_id", row.get("id"))) for row in self.rows]

    def lines(self) -> list[tuple[int, str | None]]:
        return [(row["line"], row["column"]) for row in self.rejects]


@dataclass
class Shop:
    """One folder and how it is opened."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    account: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, content: str | bytes, *, old: bool = True) -> Path:
        """Save a file; an old one was last modified long ago."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if old:
            moment = time.time() - 1000 + len(content) % 500
            os.utime(path, (moment, moment))
        return path

    def open(self) -> Connector:
        settings = Settings(**{"path": str(self.folder), **self.settings})
        return connect(Account("shop", "files", settings, self.folder, **self.account))

    def read(self, stream: str, position: str | None = None) -> Read:
        return Read(list(self.open().read(stream, position)))


class Paper:
    """A ticket kept in memory."""

    job: str | None = None

    def save(self, job: str) -> None:
        self.job = job


def changes(rows: list[tuple[str, str, str | None, str | None]], record_type: str = "contact") -> pa.Table:
    """Changes: id, target, before, after."""
    columns = [[row[position] for row in rows] for position in range(4)]
    return pa.table([[record_type] * len(rows), *columns], schema=CHANGE_SCHEMA)
