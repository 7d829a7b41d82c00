"""How is the memory of a state directory carried elsewhere? As one file: the journal, which holds models and
consents too, and what tells whether it is whole.

The mirror is a cache and stays behind.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sync.exit_codes import CommandError, UsageError
from sync.store import integrity
from sync.store.journal import Journal
from sync.store.journal.database import now
from sync.store.soundness import set_aside

_FORM = "crm-segments backup 1"
_JOURNAL, _MANIFEST = "journal.sqlite", "manifest.json"
_NOTE = "restored.json"  # beside a restored journal, until each account has run
_TOUCHED_BY_SQLITE = ("-wal", "-shm")


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    form: str
    made_at: str
    digest: str  # SHA-256 of the journal
    size: int
    last_run: int


def back_up(journal: Path, out: Path) -> Manifest:
    """Write a backup of a journal, also of one in use; it takes the place of ``out`` as a whole."""
    if not journal.is_file():
        raise UsageError(f"There is no journal {journal}, so there is nothing to back up yet")
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as folder:
        copy, archive = Path(folder) / _JOURNAL, Path(folder) / "archive"
        try:
            with closing(sqlite3.connect(journal)) as connection:
                integrity.copy_soundly(connection, copy)
            with closing(sqlite3.connect(copy)) as connection:
                [last] = connection.execute("SELECT coalesce(max(run), 0) FROM runs").fetchone()
        except sqlite3.Error as error:
            raise CommandError(f"the journal {journal} cannot be backed up: {error}") from error
        manifest = Manifest(_FORM, now(), _digest(copy), copy.stat().st_size, last)
        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            _add(tar, _MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
            tar.add(copy, _JOURNAL, filter=_private)
        archive.chmod(0o600)
        archive.replace(out)
    return manifest


def restore(backup: Path, journal: Path, replace: bool) -> tuple[Manifest, Path | None]:
    """Put the journal of a backup in its place, once it proved to be whole; the one that was there is set aside
    under a new name, which is answered too. UsageError where there is one and nobody said ``replace``.
    """
    if journal.exists() and not replace:
        raise UsageError(
            f"{journal.parent} has a journal already, and nothing was changed. Say --replace to set it aside under another name"
        )
    with tempfile.TemporaryDirectory(dir=journal.parent) as folder:
        copy = Path(folder) / _JOURNAL
        manifest = _unpacked(backup, copy)
        _require_sound(copy, backup)
        aside = set_aside(journal, "replaced", _TOUCHED_BY_SQLITE) if journal.exists() else None
        for end in _TOUCHED_BY_SQLITE:
            journal.with_name(journal.name + end).unlink(missing_ok=True)
        note = {"made_at": manifest.made_at, "ran": []}
        (journal.parent / _NOTE).write_text(json.dumps(note), encoding="utf-8")
        copy.replace(journal)
    return manifest, aside


def _unpacked(backup: Path, copy: Path) -> Manifest:
    try:
        with tarfile.open(backup, "r:gz") as tar:
            manifest = Manifest(**json.loads(_content(tar, _MANIFEST).read()))
            with copy.open("wb") as sink:
                copy.chmod(0o600)
                source = _content(tar, _JOURNAL)
                while part := source.read(1 << 20):
                    sink.write(part)
    except FileNotFoundError:
        raise UsageError(f"There is no file {backup}") from None
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{backup} is damaged, or not a backup of crm-segments; nothing was changed"
        ) from error
    if manifest.form != _FORM:
        raise CommandError(f"{backup} is a backup of another version; nothing was changed")
    if (_digest(copy), copy.stat().st_size) != (manifest.digest, manifest.size):
        raise CommandError(f"{backup} is damaged: its digest does not match; nothing was changed")
    return manifest


def _require_sound(copy: Path, backup: Path) -> None:
    """A journal of a later version refuses by itself."""
    try:
        opened = Journal(copy)
        opened.look_through()
        opened.close()
    except (sqlite3.Error, ValueError, integrity.JournalDamaged) as error:
        raise CommandError(f"the journal in {backup} cannot be used: {error}; nothing was changed") from error


def _content(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    member = tar.extractfile(name)
    if not isinstance(member, io.BufferedReader):
        raise KeyError(name)
    return member


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = _private(tarfile.TarInfo(name))
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _private(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nothing of the machine stands in a backup."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- a journal that may be older than the CRM ------------------------------------------------------------------


def restored_from(state_dir: Path, account: str) -> str | None:
    """When (ISO) the backup was made that the journal was restored from, until the account has run since."""
    note = _note(state_dir)
    return None if account in note.get("ran", ()) else note.get("made_at")


def has_run(state_dir: Path, account: str) -> None:
    """An account ran well since its journal was restored: what it knows of the CRM is of today again."""
    note = _note(state_dir)
    if note and account not in note["ran"]:
        note["ran"].append(account)
        (state_dir / _NOTE).write_text(json.dumps(note), encoding="utf-8")


def _note(state_dir: Path) -> dict[str, Any]:
    try:
        note = json.loads((state_dir / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
