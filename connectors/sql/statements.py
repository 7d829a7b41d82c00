"""How do we ask a database? Statements are trees of sqlglot: names are quoted for the dialect, bounds are typed
literals, and a query of the config must be one SELECT that changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from connectors.errors import RequestError

_CHANGES = (
    exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.Set, exp.Use, exp.Copy, exp.Drop, exp.Alter, exp.TruncateTable,
    exp.Transaction, exp.Commit, exp.Rollback, exp.Attach, exp.Detach, exp.Pragma, exp.Kill, exp.LoadData, exp.Grant,
)  # fmt: skip
_PART = re.compile(r'"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([^."`]+)')
_TABLE = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern})){{0,2}}")
# how a bound is written, by what its column holds; where a dialect has none, text is compared as the server does
_TYPES = {"instant": "TIMESTAMPTZ", "local": "TIMESTAMP", "date": "DATE"}
_UNTYPED = ("mysql", "sqlite")


@dataclass(frozen=True)
class RowSource:
    """A table or query of the config, for one dialect."""

    dialect: str
    shown: str  # as people read it
    tree: exp.Expression = field(repr=False)

    def everything(self) -> str:
        """All columns and no row."""
        return exp.select("*").from_(self.tree.copy()).limit(0).sql(self.dialect)

    def rows(
        self,
        columns: Sequence[exp.Expression],
        where: exp.Expression | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> str:
        """Expressions under names of ours (c0, c1, ...), of the rows that meet a condition, by a column."""
        listed = [exp.alias_(column, f"c{number}", quoted=True) for number, column in enumerate(columns)]
        statement = exp.select(*listed).from_(self.tree.copy())
        if where is not None:
            statement = statement.where(where)
        if order is not None:
            statement = statement.order_by(
                exp.Ordered(this=name(order), nulls_first=_nulls_first(self.dialect))
            )
        if limit is not None:
            statement = statement.limit(limit)
        return statement.sql(self.dialect)

    def words(self, column: exp.Expression, limit: int) -> str:
        """The different values of a column, and how many rows have each."""
        counted = exp.alias_(exp.Count(this=exp.Star()), "c1", quoted=True)
        statement = exp.select(exp.alias_(column, "c0", quoted=True), counted).from_(self.tree.copy())
        return statement.group_by(column.copy()).limit(limit).sql(self.dialect)


def _nulls_first(dialect: str) -> bool:
    """As the dialect sorts by itself: no row without a value is asked for."""
    return dialect in ("mysql", "sqlite", "bigquery")


def table_source(text: str, dialect: str) -> RowSource:
    """A table by its name, with database and schema before it; parts may stand in quotes."""
    parts = [next(filter(None, match.groups())) for match in _PART.finditer(text)]
    parts = [part.replace('""', '"').replace("``", "`").strip() for part in parts]
    if _TABLE.fullmatch(text) is None or not all(parts):
        raise RequestError(f'{text!r} is not the name of a table: write table = "schema.name"')
    identifiers = [exp.to_identifier(part, quoted=True) for part in parts]
    keys = ("this", "db", "catalog")
    return RowSource(dialect, text, exp.Table(**dict(zip(keys, reversed(identifiers), strict=False))))


def query_source(text: str, dialect: str, shown: str) -> RowSource:
    """A query of the config. RequestError where it is not one SELECT, or might change something."""
    try:
        statements = [tree for tree in sqlglot.parse(text, read=dialect) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        line = re.sub(r"\x1b\[[0-9]*m", "", str(error)).splitlines()[0][:200]
        raise RequestError(f"{shown} cannot be read ({line}): write one SELECT") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise RequestError(f"{shown} is not one SELECT: a database is only read")
    if strange := next(statements[0].find_all(*_CHANGES), None):
        raise RequestError(
            f"{shown} has {strange.key.upper()}, which may change or lock something: write one plain SELECT"
        )
    return RowSource(
        dialect, shown, exp.Subquery(this=statements[0], alias=exp.TableAlias(this=name_of("asked")))
    )


def condition(text: str, dialect: str, shown: str) -> exp.Expression:
    """A column or condition of the config. RequestError where it is anything else."""
    try:
        trees = sqlglot.parse(text, read=dialect)
    except (SqlglotError, RecursionError):
        trees = []
    tree = trees[0] if len(trees) == 1 else None
    if tree is None or isinstance(tree, (exp.Query, *_CHANGES, exp.Alias)) or tree.find(exp.Query, *_CHANGES):
        raise RequestError(
            f"{shown} is neither a column nor a condition: write it like deleted_at IS NOT NULL"
        )
    return tree


def since(column: str, bound: str, kind: str, dialect: str) -> exp.Expression:
    """Rows whose column is not below a bound. ``kind``: instant, local, date, number or text."""
    literal: exp.Expression
    if kind == "number":
        literal = exp.Literal.number(int(bound))
    else:
        literal = exp.Literal.string(bound)
        if kind in _TYPES and dialect not in _UNTYPED:
            literal = exp.cast(literal, _TYPES[kind])
    return exp.GTE(this=name(column), expression=literal)


def without_value(column: str) -> exp.Expression:
    """Rows whose column is empty."""
    return exp.Is(this=name(column), expression=exp.Null())


def name(column: str) -> exp.Column:
    """A column, quoted."""
    return exp.Column(this=name_of(column))


def name_of(text: str) -> exp.Identifier:
    return exp.to_identifier(text, quoted=True)


def as_type(column: exp.Expression, type_: str) -> exp.Expression:
    """A column as another type."""
    return exp.cast(column, type_)


def truth_of(tree: exp.Expression) -> exp.Expression:
    """A condition as 1 or 0; 0 where it is not known."""
    return exp.Case(ifs=[exp.If(this=tree, true=exp.Literal.number(1))], default=exp.Literal.number(0))


def bare_column(tree: exp.Expression) -> str | None:
    """The name of a condition that is nothing but a column."""
    return tree.name if isinstance(tree, exp.Column) and not tree.table else None


def grant_statement(source: RowSource, user: str, dialect: str) -> str:
    """What gives a user the right to read a table; of a query, in words."""
    if not isinstance(source.tree, exp.Table) or not user:
        return "SELECT on the tables that it names"
    return f"GRANT SELECT ON {source.tree.sql(dialect)} TO {name_of(user).sql(dialect)}"
