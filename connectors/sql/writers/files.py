"""What is alike where the database that is written to is a file?"""

from __future__ import annotations

import os

from connectors.sql.engines.files import FileEngine
from connectors.sql.writers.base import Writer

GRANT = "the right to write to the file and its folder"


class FileWriter(Writer, FileEngine):
    """A writer that needs no server's leave."""

    def commit(self) -> None:
        self.run("COMMIT")

    def may_create(self) -> bool:
        path = self.address.path
        return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)

    def create_grant(self) -> str:
        return GRANT
