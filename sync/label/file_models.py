"""What did files say of a day before? Models and labels of segmentations that the config does not have, kept
for the next file.

Without it each file would fit again and forget: stages and tiers would flap from week to week. A model
serves files of the next ``OLD`` days; labels remember those of the file before as a labelling does, and a day
told twice starts from the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from sync.account.session import Session
from sync.label.drift import OLD
from sync.store.mirror import quoted


class FileModels:
    """Of one segmentation. ``key``: all that its model depends on but the facts and the day."""

    def __init__(self, session: Session, name: str, key: str) -> None:
        self._session, self._name, self._key = session, name, key
        self.table, self.before = f"file_labels_{name}", f"file_before_{name}"

    def model(self) -> dict[str, Any] | None:
        """The model of an earlier file, where it is of these settings and not too old."""
        from segmentation import model_file

        header, _, content = (self._session.mirror().stamp(f"filed:{self._name}") or "").partition("\n")
        if not content or json.loads(header)["key"] != self._key:
            return None
        age = (self._session.as_of - date.fromisoformat(json.loads(header)["as_of"])).days
        return model_file.from_json(content) if 0 <= age < OLD else None

    def keep(self, model: Mapping[str, Any]) -> None:
        """Use this model for the files to come.

        Clusters of another model are others, so their labels are forgotten.
        """
        from segmentation import model_file

        if model["kind"] == "clusters":
            self._told(None, None)
        header = json.dumps({"key": self._key, "as_of": self._session.as_of.isoformat()})
        self._session.mirror().set_stamp(f"filed:{self._name}", f"{header}\n{model_file.to_json(model)}")

    def turn(self) -> date | None:
        """Make ``before`` the labels of an earlier day, and tell which; None: there are none."""
        mirror, today = self._session.mirror(), self._session.as_of.isoformat()
        kept = json.loads(mirror.stamp(f"filed_labels:{self._name}") or "{}")
        before = kept.get("before")
        if kept.get("as_of") and kept["as_of"] < today and mirror.has_table(self.table):
            mirror.run(f"DROP TABLE IF EXISTS {quoted(self.before)}")
            mirror.run(f"ALTER TABLE {quoted(self.table)} RENAME TO {quoted(self.before)}")
            before = kept["as_of"]
        elif not before or before >= today or not mirror.has_table(self.before):
            before = None
        self._told(today, before)
        return date.fromisoformat(before) if before else None

    def _told(self, as_of: str | None, before: str | None) -> None:
        self._session.mirror().set_stamp(
            f"filed_labels:{self._name}", json.dumps({"as_of": as_of, "before": before})
        )
