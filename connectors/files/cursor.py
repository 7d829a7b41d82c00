"""How far has each file of a stream been read, and is it still the file that was read?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from connectors.contract import Account
from connectors.files.utf8_file import Stamp, settled

_FORM = 2  # of the position; and of what is read out of a file: a change makes every position void


@dataclass(frozen=True)
class Progress:
    """How far one file has been read."""

    stamp: tuple[int, ...]
    settled: bool  # the stamp tells every later change
    digest: str = ""  # of the first ``hashed`` bytes
    hashed: int = 0
    offset: int = 0  # of the text behind the rows that were delivered; of Parquet, their number
    line: int = 1  # that follows
    open: bool = False  # the last row had no line end
    done: bool = False
    whole: bool = True  # this reading began at the beginning of the file
    listed: int = 0  # rejects listed by this reading

    def unchanged(self, stamp: Stamp) -> bool:
        """Whether the stamp alone says that the file is as it was when it was read to its end."""
        return self.done and self.settled and tuple(stamp) == self.stamp


@dataclass(frozen=True)
class Position:
    """Progress of every file of a stream, under the settings that it was read with."""

    fingerprint: str
    files: dict[str, Progress]
    habits: list[Any] | None = None  # how the files are written, as far as they had to prove it

    def after(self, part: str, progress: Progress | None) -> Position:
        """The position once a file has been read so far; None: it has vanished."""
        files = {name: reached for name, reached in self.files.items() if name != part}
        if progress is not None:
            files[part] = progress
        return replace(self, files=files)

    def dumps(self) -> str:
        """As text."""
        return json.dumps(
            {
                "form": self.fingerprint,
                "habits": self.habits,
                "files": {name: asdict(progress) for name, progress in self.files.items()},
            }
        )


def loads(text: str | None, fingerprint: str) -> tuple[Position, list[str]]:
    """The position, void where it was made under other settings, and the names of all files that it knew."""
    try:
        tree: dict[str, Any] = json.loads(text or "{}")
        files = {
            name: Progress(**{**stored, "stamp": tuple(stored["stamp"])})
            for name, stored in tree.get("files", {}).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return Position(fingerprint, {}), []
    if tree.get("form") != fingerprint:
        return Position(fingerprint, {}), list(files)
    return Position(fingerprint, files, tree.get("habits")), list(files)


def fingerprint(account: Account, stream: str, joined: Sequence[Any] = ()) -> str:
    """What changes as soon as the same bytes would be read differently.

    ``joined``: stamps of files that rows are completed from.
    """
    facts: list[Any] = [
        _FORM,
        joined,
        account.consent_basis,
        stream,
        account.time_zone,
        account.currency,
        {name: dict(days) for name, days in account.rates.items()},
    ]
    settings = account.settings.model_dump(mode="json", exclude={"path", "export_columns"})
    # under its first name: a renamed key makes nobody read everything again
    settings["activities"]["kinds"] = settings["activities"].pop("activity_types")
    facts.append(settings)
    facts.append(
        {name: asdict(spec) for name, spec in account.attributes.items()} if stream != "activity" else None
    )
    facts.append([(spec.name, spec.record_type) for spec in account.fields] if stream == "value" else None)
    return hashlib.blake2b(
        json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=12
    ).hexdigest()


def begun(stamp: Stamp) -> Progress:
    """Nothing of a file has been read yet."""
    return Progress(tuple(stamp), settled(stamp))
