"""How are MySQL and MariaDB written to? Changes come as bound values into a temporary table; one transaction of
InnoDB merges them.
"""

from __future__ import annotations

import re

import pyarrow as pa

from connectors.sql.engines.mysql import MySqlEngine
from connectors.sql.statements import name_of
from connectors.sql.writers.base import Writer

_SHORT = ("record_type", "id", "target")  # keys, which are compared with our tables' keys
_GRANT = re.compile(r"GRANT (.+?) ON (\S+) TO ")


class MySqlWriter(Writer, MySqlEngine):
    opening = (
        # a text that does not fit is refused, not cut off; a backslash is a backslash for us alone to escape
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION READ WRITE",
    )

    def begin(self) -> None:
        super().begin()
        self._connection.encoders = self.driver("pymysql").converters.encoders  # of bound values

    def run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def stage(self, name: str, rows: pa.Table) -> None:
        types = {
            column: "INT"
            if pa.types.is_integer(field.type)
            else "VARCHAR(255)"
            if column in _SHORT
            else "TEXT"
            for column, field in zip(rows.column_names, rows.schema, strict=True)
        }
        names = [name_of(column).sql(self.dialect) for column in types]
        columns = ", ".join(f"{column} {type_}" for column, type_ in zip(names, types.values(), strict=True))
        table = self.tables.staged(name).sql(self.dialect)
        self.run(f"CREATE TEMPORARY TABLE {table} ({columns}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        cells = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        places = ", ".join(["%s"] * len(names))
        with self._connection.cursor() as cursor:
            insert = f"INSERT INTO {table} ({', '.join(names)})".replace("%", "%%")
            cursor.executemany(f"{insert} VALUES ({places})", list(cells))

    def commit(self) -> None:
        self._connection.commit()

    def may_create(self) -> bool:
        granted = [str(row) for batch in self.batches("SHOW GRANTS") for row in batch.column(0).to_pylist()]
        ours = {"*.*", f"{name_of(self.tables.schema).sql(self.dialect)}.*"}
        for text in granted:
            match = _GRANT.match(text)
            if match is None:
                return True  # by a role, whose rights are not listed
            rights = {right.strip() for right in match[1].split(",")}
            if match[2].replace("\\", "") in ours and rights & {"ALL PRIVILEGES", "CREATE"}:
                return True
        return False

    def create_grant(self) -> str:
        rights = "CREATE, CREATE VIEW, DROP, CREATE TEMPORARY TABLES, SELECT, INSERT, UPDATE, DELETE"
        return f"GRANT {rights} ON {self._all()} TO {self._user()}"

    def stage_grant(self) -> str:
        return f"GRANT CREATE TEMPORARY TABLES ON {self._all()} TO {self._user()}"

    def _all(self) -> str:
        return f"{name_of(self.tables.schema).sql(self.dialect)}.*"

    def _user(self) -> str:
        return name_of(self.address.user or "?").sql(self.dialect)


WRITER = MySqlWriter
