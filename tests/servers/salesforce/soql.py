"""What does a SOQL statement say? Text in, a tree out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tests.servers.salesforce.refusals import Refusal

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)(?![T\d])
    | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][\w.]*(?::\d+)?)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_SIGNS = {"=", "!=", "<>", "<", "<=", ">", ">="}
_CLAUSES = {"from", "where", "order", "limit", "offset", "group", "having", "for", "all", "with", "using"}
FUNCTIONS = {
    "count",
    "count_distinct",
    "min",
    "max",
    "sum",
    "avg",
    "tolabel",
    "format",
    "convertcurrency",
    "calendar_year",
}
DATE_LITERAL = re.compile(
    r"(today|yesterday|tomorrow|(?:last|this|next)_(?:week|month|quarter|year)|(?:last|next)_90_days)|(?:(?:last|next)_n_(?:days|weeks|months|years)|n_(?:days|weeks|months)_ago):\d+",
    re.IGNORECASE,
)


@dataclass
class Value:
    """A literal: its kind (text, number, date, datetime, boolean, null, period) and what it says."""

    kind: str
    value: Any


@dataclass
class Item:
    """Something selected: a path of fields, perhaps within a function."""

    path: str
    function: str = ""
    alias: str = ""


@dataclass
class Test:
    """A comparison of one field. ``values``: literals, or a query of one column."""

    item: Item
    sign: str
    values: list[Value] | Query


@dataclass
class Logic:
    """``and``, ``or`` and ``not`` of conditions."""

    sign: str
    parts: list[Condition]


Condition = Test | Logic


@dataclass
class Query:
    """One statement."""

    items: list[Item]
    entity: str
    alias: str = ""
    where: Condition | None = None
    group: list[str] = field(default_factory=list)
    having: Condition | None = None
    order: list[tuple[Item, str, str]] = field(default_factory=list)  # item, asc or desc, first or last
    limit: int | None = None
    offset: int = 0


def malformed(message: str) -> NoReturn:
    raise Refusal(400, "MALFORMED_QUERY", message)


def parse(text: str) -> Query:
    """The tree of a statement; MALFORMED_QUERY says where it breaks."""
    if len(text) > 100_000:
        raise Refusal(
            400, "QUERY_TOO_COMPLICATED", "SOQL statements cannot be longer than 100000 characters."
        )
    reader = _Reader(_tokens(text))
    query = reader.query()
    if reader.kind:
        malformed(f"unexpected token: '{reader.token}'")
    return query


def parse_condition(text: str) -> Condition:
    """The tree of what stands after WHERE."""
    return _Reader(_tokens(text)).condition()


def _tokens(text: str) -> list[tuple[str, str]]:
    position, tokens = 0, []
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match or match.lastgroup is None:
            malformed(f"unexpected token: '{text[position:].strip()[:20]}'")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.place = tokens, 0

    @property
    def kind(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    @property
    def token(self) -> str:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else "<EOF>"

    def is_(self, *words: str) -> bool:
        return self.kind in ("name", "sign") and self.token.lower() in words

    def next(self) -> str:
        token = self.token
        self.place += 1
        return token

    def take(self, *words: str) -> bool:
        if self.is_(*words):
            self.place += 1
            return True
        return False

    def want(self, word: str) -> None:
        if not self.take(word):
            malformed(f"expecting '{word}', found '{self.token}'")

    def name(self) -> str:
        if self.kind != "name":
            malformed(f"unexpected token: '{self.token}'")
        return self.next()

    def query(self) -> Query:
        self.want("select")
        items = [self.item()]
        while self.take(","):
            items.append(self.item())
        self.want("from")
        query = Query(items, self.name())
        self.take("as")
        if self.kind == "name" and not self.is_(*_CLAUSES):
            query.alias = self.name()
        if self.take("using"):
            self.want("scope")
            self.name()
        if self.take("where"):
            query.where = self.condition()
        self._tail(query)
        return query

    def _tail(self, query: Query) -> None:
        if self.take("group"):
            self.want("by")
            query.group.append(self.name())
            while self.take(","):
                query.group.append(self.name())
            if self.take("having"):
                query.having = self.condition()
        if self.take("order"):
            self.want("by")
            query.order.append(self._ordering())
            while self.take(","):
                query.order.append(self._ordering())
        if self.take("limit"):
            query.limit = self._count()
        if self.take("offset"):
            query.offset = self._count()

    def _count(self) -> int:
        if self.kind != "number" or not self.token.isdigit():
            malformed(f"unexpected token: '{self.token}'")
        return int(self.next())

    def _ordering(self) -> tuple[Item, str, str]:
        item = self.item(alias=False)
        way = "desc" if self.take("desc") else "asc"
        self.take("asc")
        nulls = "first" if way == "asc" else "last"
        if self.take("nulls"):
            nulls = "first" if self.take("first") else "last"
            self.take("last")
        return item, way, nulls

    def item(self, alias: bool = True) -> Item:
        if self.is_("("):
            malformed("a query of child records is not supported by this server")
        name = self.name()
        item = Item(name)
        if self.take("("):
            if name.lower() not in FUNCTIONS:
                malformed(f"unexpected token: '{name}'")
            item = Item("" if self.is_(")") else self.name(), name.lower())
            self.want(")")
        if alias and self.kind == "name" and not self.is_("from"):
            item.alias = self.name()
        return item

    def condition(self) -> Condition:
        first = self._conjunct()
        if not self.is_("and", "or"):
            return first
        sign = self.token.lower()
        logic = Logic(sign, [first])
        while self.take(sign):
            logic.parts.append(self._conjunct())
        if self.is_("and", "or"):
            malformed(f"unexpected token: '{self.token}'")  # AND beside OR needs brackets
        return logic

    def _conjunct(self) -> Condition:
        if self.take("not"):
            return Logic("not", [self._conjunct()])
        if self.take("("):
            inner = self.condition()
            self.want(")")
            return inner
        return self._test()

    def _test(self) -> Condition:
        item = self.item(alias=False)
        if self.kind == "sign" and self.token in _SIGNS:
            sign = self.next()
            return Test(item, "!=" if sign == "<>" else sign, [self._value()])
        if self.take("like"):
            return Test(item, "like", [self._value()])
        sign = "not in" if self.take("not") else ""
        if sign or self.is_("in"):
            self.want("in")
            return Test(item, sign or "in", self._values())
        if self.is_("includes", "excludes"):
            word = self.next().lower()
            values = self._values()
            return Test(item, word, values)
        malformed(f"unexpected token: '{self.token}'")

    def _values(self) -> list[Value] | Query:
        self.want("(")
        if self.is_("select"):
            inner = self.query()
            self.want(")")
            return inner
        values = [self._value()]
        while self.take(","):
            values.append(self._value())
        self.want(")")
        return values

    def _value(self) -> Value:
        kind, token = self.kind, self.token
        if kind == "sign" or not kind:
            malformed(f"unexpected token: '{token}'")
        self.next()
        if kind == "text":
            return Value(
                "text",
                re.sub(
                    r"\\(.)",
                    lambda m: _ESCAPES.get(m[1], m[1] if m[1] in "'\"\\" else m[0]),
                    token[1:-1],
                    flags=re.DOTALL,
                ),
            )
        if kind == "number":
            return Value("number", float(token) if "." in token or "e" in token.lower() else int(token))
        if kind in ("date", "datetime"):
            return Value(kind, token)
        if token.lower() in ("true", "false"):
            return Value("boolean", int(token.lower() == "true"))
        if token.lower() == "null":
            return Value("null", None)
        if DATE_LITERAL.fullmatch(token):
            return Value("period", token.lower())
        malformed(f"unexpected token: '{token}'")
