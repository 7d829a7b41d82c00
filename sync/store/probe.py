"""Can DuckDB read this file? Asked in a process of its own, because a damaged file may end the process that
reads it.

Exit codes: 0 a mirror of ours, or nothing yet · 3 DuckDB refuses it, and says why · 4 it belongs to another
program.
"""

from __future__ import annotations

import os
import resource
import sys
import threading

REFUSED, FOREIGN = 3, 4


def main(path: str, memory_limit: str) -> int:
    """Look at the file, as long as whoever asked is there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return look(path, memory_limit)


def look(path: str, memory_limit: str) -> int:
    """Open the file without changing it, and read through what tables of ours it has."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": "false",
    }
    try:
        with duckdb.connect(path, read_only=True, config=config) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            if tables and ("main", "mirror") not in tables:
                return FOREIGN
            for names in tables:
                table = ".".join('"' + name.replace('"', '""') + '"' for name in names)
                connection.execute(f"SELECT bit_xor(hash(every_row)) FROM {table} AS every_row").fetchall()
    except duckdb.Error as error:
        print(f"{type(error).__name__}\n{error}")
        return REFUSED
    return 0


def _end_with_parent() -> None:
    """Whoever asked holds the other end of this pipe: it is closed when they end, however they end."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # the thread waits for ever
