"""What does the journal keep of what segmentations learned? Every model, by its version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, cast

from sync.store.journal.database import Repository, now


@dataclass(frozen=True)
class StoredModel:
    """A fitted model as the journal keeps it."""

    version: int
    as_of: str  # ISO date
    digest: str  # of the settings that it was fitted under
    content: str  # ``segmentation.model_file`` reads it


class ModelVersion(TypedDict):
    """Which model of a segmentation is the newest."""

    segmentation: str
    version: int
    as_of: str


class Models(Repository):
    """Models, by segmentation and version."""

    def save(self, account: str, segmentation: str, as_of: str, digest: str, content: str) -> int:
        """A fitted model; returns its version."""
        sql = "SELECT coalesce(max(version), 0) + 1 FROM models WHERE account = ? AND segmentation = ?"
        version = int(self._database.value(sql, account, segmentation))
        row = (account, segmentation, version, as_of, digest, now(), content)
        self._database.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
        return version

    def latest(self, account: str, segmentation: str) -> StoredModel | None:
        """The newest model."""
        return self._newest("account = ? AND segmentation = ?", account, segmentation)

    def saved_by(self, account: str, segmentation: str, moment: str) -> StoredModel | None:
        """The newest model that was saved by a moment."""
        return self._newest("account = ? AND segmentation = ? AND at <= ?", account, segmentation, moment)

    def of_version(self, account: str, segmentation: str, version: int) -> StoredModel | None:
        """The model of a version."""
        return self._newest(
            "account = ? AND segmentation = ? AND version = ?", account, segmentation, version
        )

    def known_on(self, account: str, segmentation: str, digest: str, day: str) -> StoredModel | None:
        """The newest model of these settings that was created by a day."""
        where = "account = ? AND segmentation = ? AND digest = ? AND as_of <= ?"
        return self._newest(where, account, segmentation, digest, day)

    def versions(self, account: str) -> list[ModelVersion]:
        """The newest version of each segmentation's model."""
        sql = "SELECT segmentation, max(version) AS version, max(as_of) AS as_of FROM models WHERE account = ? GROUP BY segmentation"
        return [cast(ModelVersion, row) for row in self._database.rows(sql, account)]

    def _newest(self, condition: str, *parameters: Any) -> StoredModel | None:
        columns = "version, as_of, digest, content"
        sql = f"SELECT {columns} FROM models WHERE {condition} ORDER BY version DESC LIMIT 1"
        rows = self._database.rows(sql, *parameters)
        return StoredModel(**rows[0]) if rows else None
