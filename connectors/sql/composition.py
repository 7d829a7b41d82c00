"""Which table or query of the config reads a landed table? Composed of tables and columns that are really there.

A query holds no more than a person would write: one SELECT of our names, with a subquery for each table whose
rows are added up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp

from connectors.sql.catalogue import Kind, TableEntry
from connectors.sql.landed import Landing, Part
from connectors.sql.loaders import active_column, deleted_column, synced_column
from connectors.sql.statements import name_of, truth_of

_OURS = "t"  # the alias of the table itself
_KEY, _SYNCED = "key", "synced"  # of a part: the row that it belongs to, and when it was last written
_YES = ("true", "t", "yes", "y", "1")
_DIALECT_OF_DESCRIPTIONS = "postgres"
_IGNORING_NULLS = ("postgres", "duckdb")  # whose GREATEST takes what is there


@dataclass(frozen=True)
class Composed:
    """What the config says of a stream."""

    columns: dict[str, str]  # our name → header
    settings: dict[str, Any]
    missing: tuple[str, ...]  # our names that the description has, of which nothing is there
    bare: dict[str, str]  # our names and status headers that are columns of the table itself → those


@dataclass(frozen=True)
class _Scope:
    """What expressions may name: alias → spelling and kind of a column, by its name."""

    dialect: str
    tables: Mapping[str, Callable[[str], tuple[str, Kind] | None]]
    main: str = _OURS

    def written(self, alternatives: Iterable[str]) -> exp.Expression | None:
        """The first expression whose columns are all there, for the dialect."""
        return next(filter(None, map(self._written, alternatives)), None)

    def _written(self, text: str) -> exp.Expression | None:
        tree = sqlglot.parse_one(text, read=_DIALECT_OF_DESCRIPTIONS)
        kinds: dict[int, Kind] = {}
        for column in [*tree.find_all(exp.Column)]:
            alias = column.table or self.main
            there = self.tables[alias](column.name) if alias in self.tables else None
            if there is None:
                return None
            spelling, kind = there
            column.set("this", name_of(spelling))
            column.set("table", name_of(alias))
            kinds[id(column)] = kind
        plain: exp.Expression = tree.transform(lambda node: self._plain(node, kinds), copy=False)
        return plain

    def _plain(self, node: exp.Expression, kinds: Mapping[int, Kind]) -> exp.Expression:
        """``is_true(column)`` and ``instant(column)``, and JSON that is kept as text, in the dialect's own terms."""
        if isinstance(node, exp.Anonymous) and node.expressions:
            column = node.expressions[0]
            if node.name.lower() == "is_true":
                return is_true(column, kinds.get(id(column), "bool"))
            if node.name.lower() == "instant":
                return instant(column, kinds.get(id(column), "instant"), self.dialect)
            if node.name.lower() == "day_of":
                return _day(column, kinds.get(id(column), "date"), self.dialect)
        if isinstance(node, exp.Greatest):
            return _greatest([node.this, *node.expressions], self.dialect)
        kept_as_text = isinstance(node, exp.JSONExtractScalar) and kinds.get(id(node.this)) == "text"
        if kept_as_text and self.dialect == "postgres":
            node.set("this", exp.cast(node.this, "JSON"))
        return node


def is_true(column: exp.Expression, kind: Kind) -> exp.Expression:
    """A condition that is true where a mark is set, whatever type it has; false where it is not known."""
    if kind in ("instant", "local", "date"):
        return exp.Not(this=exp.Is(this=column, expression=exp.Null()))
    if kind == "bool":
        return exp.func("COALESCE", column, exp.false())
    if kind == "number":
        return exp.NEQ(
            this=exp.func("COALESCE", column, exp.Literal.number(0)), expression=exp.Literal.number(0)
        )
    words = [exp.Literal.string(word) for word in _YES]
    return exp.In(
        this=exp.func("LOWER", exp.func("COALESCE", column, exp.Literal.string(""))), expressions=words
    )


def instant(column: exp.Expression, kind: Kind, dialect: str) -> exp.Expression:
    """A time of a platform, which is one in UTC where its type does not say so."""
    if kind == "number" and dialect == "sqlite":
        seconds = exp.func("DATETIME", column, exp.Literal.string("unixepoch"))
        return exp.Concat(expressions=[seconds, exp.Literal.string("+00:00")])
    if kind == "number":
        moment = exp.UnixToTime(this=column)
        return instant(moment, "local", dialect) if dialect == "mysql" else moment
    if kind == "text" and dialect in ("postgres", "duckdb"):  # whose session is in UTC
        return exp.cast(exp.func("NULLIF", column, exp.Literal.string("")), "TIMESTAMPTZ")
    if kind == "local" and dialect in ("postgres", "duckdb"):
        return exp.AtTimeZone(this=column, zone=exp.Literal.string("UTC"))
    if kind == "local" and dialect == "mysql":
        return exp.Concat(expressions=[column, exp.Literal.string("+00:00")])
    if kind in ("local", "text") and dialect == "sqlite":
        zoned = [
            exp.Like(this=column.copy(), expression=exp.Literal.string(end)) for end in ("%Z", "%+%", "%:%-%")
        ]
        utc = exp.Concat(expressions=[column.copy(), exp.Literal.string("+00:00")])
        return exp.Case(ifs=[exp.If(this=exp.or_(*zoned), true=column)], default=utc)
    return column


def _day(column: exp.Expression, kind: Kind, dialect: str) -> exp.Expression:
    """A day that may have been landed as its midnight in UTC."""
    if kind == "instant" and dialect in ("postgres", "duckdb"):
        column = exp.AtTimeZone(this=column, zone=exp.Literal.string("UTC"))
    return exp.cast(column, "DATE") if kind in ("instant", "local") else column


def composed(landing: Landing) -> Composed | None:
    """The settings of a stream for a table that was recognised, from what is there of it; None where that lacks
    something that the description needs.
    """
    description, table = landing.description, landing.table
    parts = _parts(landing)
    scope = _Scope(
        table.dialect, {_OURS: _of_table(table), **{alias: part.column for alias, part in parts.items()}}
    )
    ours = {name: scope.written(alternatives) for name, alternatives in description.columns.items()}
    further = {
        header: scope.written(description.further.get(header, (header,))) for header in description.status
    }
    columns = {name: tree for name, tree in ours.items() if tree is not None}
    absent = tuple(name for name in description.columns if name not in columns)
    statuses = {header: tree for header, tree in further.items() if tree is not None}
    if not {*columns, *statuses}.issuperset(description.needs):
        return None
    gone = _marks_of_deletion(table, columns.pop("deleted", None))
    used = _used(parts, [*columns.values(), *statuses.values()])
    settings = dict(description.settings)
    if statuses:
        decided = {header: description.status[header].decided().model_dump() for header in statuses}
        settings["status"] = decided
    words = {name: words.plain().model_dump() for name, words in description.words.items() if name in columns}
    if words:
        settings["words"] = words
    named = {**columns, **statuses}
    bare = {name: tree.name for name, tree in named.items() if _is_bare(tree)}
    if len(bare) == len(named) and active_column(table) is None:
        mapping = {name: bare[name] for name in columns}
        place = _as_table(table, columns, description.stream, gone)
        return Composed(mapping, {**place, **settings}, absent, bare)
    return Composed(*_as_query(landing, columns, statuses, used, gone, settings), absent, bare)


def _marks_of_deletion(table: TableEntry, own: exp.Expression | None) -> list[str]:
    """The columns that say that a row is gone: the loader's, and the platform's own."""
    names = [deleted_column(table), own.name if isinstance(own, exp.Column) else None]
    return [name for name in names if name is not None]


def _as_table(
    table: TableEntry, columns: Mapping[str, exp.Expression], stream: str, gone: list[str]
) -> dict[str, Any]:
    """The table as it stands."""
    found: dict[str, Any] = {"table": table.shown}
    changed = synced_column(table) or (columns["changed_at"].name if "changed_at" in columns else None)
    if changed is not None and (stream != "activity" or "id" in columns):
        found["changed_at"] = changed
    return found | _deleted(table, gone)


def _deleted(table: TableEntry, gone: list[str]) -> dict[str, str]:
    """The key ``deleted``: a column, or a condition where two columns tell."""
    if len(gone) > 1:
        return {"deleted": _is_gone(table, gone, None).sql(table.dialect)}
    if not gone:
        return {}
    return {"deleted": gone[0] if re.fullmatch(r"\w+", gone[0]) else name_of(gone[0]).sql(table.dialect)}


def _is_gone(table: TableEntry, gone: list[str], alias: str | None) -> exp.Expression:
    columns = [(name, exp.Column(this=name_of(name), table=alias and name_of(alias))) for name in gone]
    return exp.or_(*(is_true(column, table.kind(name)) for name, column in columns))


def _as_query(
    landing: Landing,
    columns: Mapping[str, exp.Expression],
    statuses: Mapping[str, exp.Expression],
    parts: Mapping[str, _Rolled],
    gone: list[str],
    settings: dict[str, Any],
) -> tuple[dict[str, str], dict[str, Any]]:
    """Columns and settings of a query that gives our names; of a table of records all columns, since the others are
    attributes.
    """
    table, records = landing.table, landing.description.stream != "activity"
    bare = {name: tree.name for name, tree in columns.items() if records and _is_bare(tree)}
    query = exp.select(exp.Column(this=exp.Star(), table=name_of(_OURS))) if records else exp.select()
    named = {name: tree for name, tree in {**columns, **statuses}.items() if name not in bare}
    found: dict[str, Any] = {"query": ""}
    changed = _changed(table, parts)
    if records and isinstance(changed, exp.Column):
        found["changed_at"] = changed.name
    elif changed is not None:
        named["changed_at"], found["changed_at"] = changed, "changed_at"
    if records:
        found |= _deleted(table, gone)
    elif gone:
        named["deleted"] = (
            truth_of(_is_gone(table, gone, _OURS)) if len(gone) > 1 else _column(_OURS, gone[0])
        )
        found["deleted"] = "deleted"
    query = query.select(*(exp.alias_(tree, name, quoted=True) for name, tree in named.items()))
    query = query.from_(exp.alias_(_tree(table), _OURS, table=True, quoted=True))
    for alias, part in parts.items():
        on = exp.EQ(this=_column(alias, _KEY), expression=_column(_OURS, part.of))
        query = query.join(part.query.subquery(name_of(alias)), on=on, join_type="left")
    if (active := active_column(table)) is not None:
        query = query.where(is_true(_column(_OURS, active), table.kind(active)))
    found["query"] = query.sql(table.dialect, pretty=True)
    return {name: bare.get(name, name) for name in columns}, {**found, **settings}


def _changed(table: TableEntry, parts: Mapping[str, _Rolled]) -> exp.Expression | None:
    """When a row or one of those that are added up to it was last written; None where some of them do not tell."""
    own = synced_column(table)
    if own is None or any(not part.tells for part in parts.values()):
        return None
    mine = _column(_OURS, own)
    others = [
        exp.func("COALESCE", _column(alias, _SYNCED), mine.copy())
        for alias, part in parts.items()
        if part.synced
    ]
    return _greatest([mine, *others], table.dialect) if others else mine


def _greatest(values: Sequence[exp.Expression], dialect: str) -> exp.Expression:
    if dialect == "sqlite":  # which calls it so
        return exp.Anonymous(this="MAX", expressions=list(values))
    # none of them is null
    return exp.Greatest(this=values[0], expressions=list(values[1:]), ignore_nulls=dialect in _IGNORING_NULLS)


# -- tables whose rows are added up --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rolled:
    """A subquery with one row for each of ours."""

    query: exp.Select = field(repr=False)
    names: tuple[str, ...]
    of: str
    synced: bool  # it tells when its rows were last written
    tells: bool  # ... or its rows are written together with ours

    def column(self, wanted: str) -> tuple[str, Kind] | None:
        """A column that it gives."""
        return (wanted, "number") if wanted in self.names else None


def _parts(landing: Landing) -> dict[str, _Rolled]:
    """The parts of which all that is needed is there."""
    rolled = {alias: _rolled(landing, part) for alias, part in landing.description.parts.items()}
    return {alias: part for alias, part in rolled.items() if part is not None}


def _rolled(landing: Landing, part: Part) -> _Rolled | None:
    table = landing.sibling(part.table)
    of = next(filter(None, map(landing.table.column, part.of)), None)
    if table is None or of is None:
        return None
    joined = {alias: landing.sibling(join.table) for alias, join in part.joined.items()}
    there = {alias: entry for alias, entry in joined.items() if entry is not None}
    scope = _Scope(
        table.dialect,
        {_OURS: _of_table(table), **{alias: _of_table(entry) for alias, entry in there.items()}},
    )
    key = scope.written([part.key])
    if key is None:
        return None
    counts = _counts(table)
    sums = {name: scope.written(alternatives) for name, alternatives in part.columns.items()}
    given = {name: _of_counting(tree, counts) for name, tree in sums.items() if tree is not None}
    if not given:
        return None
    synced = synced_column(table)
    if synced is not None:
        given[_SYNCED] = exp.Max(this=_column(_OURS, synced))
    query = exp.select(exp.alias_(key.copy(), _KEY, quoted=True))
    query = query.select(*(exp.alias_(tree, name, quoted=True) for name, tree in given.items()))
    query = query.from_(exp.alias_(_tree(table), _OURS, table=True, quoted=True))
    for alias, entry in there.items():
        join = part.joined[alias]
        mine, theirs = table.column(join.on), entry.column(join.key)
        if mine is None or theirs is None:
            return None
        on = exp.EQ(this=_column(alias, theirs), expression=_column(_OURS, mine))
        query = query.join(exp.alias_(_tree(entry), alias, table=True, quoted=True), on=on, join_type="left")
    below = table.name.lower().startswith(f"{landing.table.name.lower()}__")
    return _Rolled(query.group_by(key), tuple(given), of, synced is not None, synced is not None or below)


def _counts(table: TableEntry) -> exp.Expression | None:
    """A condition that rows meet which are there, and are no former versions; None: all are."""
    conditions: list[exp.Expression] = []
    if (gone := deleted_column(table)) is not None:
        conditions.append(exp.Not(this=is_true(_column(_OURS, gone), table.kind(gone))))
    if (active := active_column(table)) is not None:
        conditions.append(is_true(_column(_OURS, active), table.kind(active)))
    return exp.and_(*conditions) if conditions else None


def _of_counting(tree: exp.Expression, counts: exp.Expression | None) -> exp.Expression:
    """An aggregate of the rows that count alone. The others still tell that something changed."""
    if counts is not None:
        for aggregate in [*tree.find_all(exp.AggFunc)]:
            aggregate.set("this", exp.Case(ifs=[exp.If(this=counts.copy(), true=aggregate.this)]))
    return tree


def _used(parts: Mapping[str, _Rolled], trees: Iterable[exp.Expression]) -> dict[str, _Rolled]:
    named = {column.table for tree in trees for column in tree.find_all(exp.Column)}
    return {alias: part for alias, part in parts.items() if alias in named}


def _is_bare(tree: exp.Expression) -> bool:
    """Whether it is a column of the table itself."""
    return isinstance(tree, exp.Column) and tree.table == _OURS


def _of_table(table: TableEntry) -> Callable[[str], tuple[str, Kind] | None]:
    def column(wanted: str) -> tuple[str, Kind] | None:
        spelling = table.column(wanted)
        return None if spelling is None else (spelling, table.kind(spelling))

    return column


def _tree(table: TableEntry) -> exp.Table:
    above = {"db": table.schema, "catalog": table.catalog}
    return exp.Table(this=name_of(table.name), **{key: name_of(part) for key, part in above.items() if part})


def _column(alias: str, name: str) -> exp.Column:
    return exp.Column(this=name_of(name), table=name_of(alias))
