"""What is alike where a database is a file?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.errors import ConnectorError
from connectors.sql.engines.base import Engine


class FileEngine(Engine):
    """A connection of this process to a file."""

    _connection: Any = None

    def existing(self) -> Path:
        """The file, which must be there: a driver would make one. Else it raises what ``failed`` says of a missing database."""
        if not self.address.path.is_file():
            raise self.failed("database", "no such file")
        return self.address.path

    def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def explained(self, error: Exception, source: str, grant: str) -> ConnectorError | None:
        if isinstance(error, PermissionError):
            return self.failed("grant", error.strerror, source, "the right to read the file")
        return None
