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

from sync.label.drift import OLD
from sync.store.label_tables import FileTables
from sync.store.mirror import AccountMirror


class FileModels:
    """Of one segmentation on a day. ``key``: all that its model depends on but the facts and the day."""

    def __init__(self, mirror: AccountMirror, name: str, key: str, as_of: date) -> None:
        self._mirror, self._key, self._as_of = mirror, key, as_of
        self._stamp = f"filed:{name}"
        self.tables = FileTables(mirror, name)

    def model(self) -> dict[str, Any] | None:
        """The model of an earlier file, where it is of these settings and not too old."""
        from segmentation import model_file

        header, _, content = (self._mirror.stamp(self._stamp) or "").partition("\n")
        if not content or json.loads(header)["key"] != self._key:
            return None
        age = (self._as_of - date.fromisoformat(json.loads(header)["as_of"])).days
        return model_file.from_json(content) if 0 <= age < OLD else None

    def keep(self, model: Mapping[str, Any]) -> None:
        """Use this model for the files to come.

        Segments that a model finds are others in another model, so their labels are forgotten.
        """
        from segmentation import model_file
        from segmentation.kinds import kind_named

        if kind_named(model["kind"]).finds_segments(model):
            self.tables.forget()
        header = json.dumps({"key": self._key, "as_of": self._as_of.isoformat()})
        self._mirror.set_stamp(self._stamp, f"{header}\n{model_file.to_json(model)}")
