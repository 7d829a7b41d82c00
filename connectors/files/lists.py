"""Who is a member of a list? A list is ``lists/KEY.csv``, a row for each member."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

from connectors.contract import ListSpec, Page, RemoteList
from connectors.errors import AccessError, RequestError, UnsupportedError
from connectors.files.csv_editor import ID, TYPE, Sheet
from connectors.files.fields import named_rows, whole
from connectors.files.folder import Folder
from connectors.files.settings import LISTS, WHITESPACE
from connectors.files.shared_file import clean, glimpse, load, replace
from connectors.tables.rejects import TableRejects

_KEY = re.compile(r"[a-z0-9_-][a-z0-9_.-]*\Z")


class Lists:
    """The files in ``lists``."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        given = folder.account.settings.delimiter
        self.delimiter: str = given if given and given != WHITESPACE else ","

    def path(self, key: str) -> str:
        """The name of a list's file within the folder. Raises RequestError for a key that makes no safe name."""
        if not _KEY.match(key) or len(key) > 200:
            remedy = "use a-z, 0-9, _ and - in names of segmentations and segments"
            raise RequestError(f"a list of the key {key!r} has no safe file name: {remedy}")
        return f"{LISTS}/{key}.csv"

    def all(self) -> list[RemoteList]:
        """Every list there is, ours or not."""
        folder = self.folder.path / LISTS
        try:
            keys = (
                sorted(path.stem for path in folder.glob("*.csv") if not path.name.startswith("."))
                if folder.is_dir()
                else []
            )
        except OSError as error:
            raise AccessError(f"{folder} cannot be read: {error.strerror}") from error
        return [RemoteList(key, key, key, "static", self._type(key)) for key in keys]

    def ensure(self, spec: ListSpec) -> RemoteList:
        """Create the file with its header. One that is there stays as it is."""
        if spec.kind == "dynamic":
            raise UnsupportedError(f"{spec.key}: a folder has no dynamic lists: ask for a static one")
        path = self.folder.path / self.path(spec.key)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise AccessError(
                f"{path.parent} cannot be created: {error.strerror}: allow this user to write there"
            ) from error
        clean(path)
        if not path.exists():
            header = ID if spec.record_type == "contact" else f"{ID}{self.delimiter}{TYPE}"
            replace(path, f"{header}\n".encode(), ())
        return RemoteList(spec.key, spec.key, spec.key, "static", spec.record_type)

    def members(self, remote: RemoteList, position: str | None) -> Iterator[Page]:
        """The members of a list, one whole part; nothing where the file did not change."""
        yield from whole(
            self.folder, f"list:{remote.id}", self.path(remote.id), self.delimiter, position, _members
        )

    def sheet(self, key: str) -> Sheet | None:
        """The rows of a list; None where there is none."""
        return load(self.folder.path / self.path(key), self.delimiter)[0] if _KEY.match(key) else None

    def _type(self, key: str) -> str:
        sheet = None
        path = self.folder.path / LISTS / f"{key}.csv"
        try:
            sheet = glimpse(path, self.delimiter)
        except (RequestError, AccessError):
            return "contact"  # of a file that is no list of ours
        return str(sheet.types[0].as_py()) if sheet is not None and len(sheet.starts) else "contact"


def _members(sheet: Sheet, rejects: TableRejects) -> pa.Table:
    return named_rows(sheet, rejects)[0]
