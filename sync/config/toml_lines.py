"""On which line of a TOML text does a key stand?

``tomllib`` reads values and forgets where they stood. This walks the tokens of a text that ``tomllib``
accepts and notes the line of every key path, so that a fault can be shown where a person fixes it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Step = str | int
KeyPath = tuple[Step, ...]

_TOKEN = re.compile(
    r"""(?P<long>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5})
      | (?P<text>"(?:\\.|[^"\\\n])*"|'[^'\n]*')
      | (?P<comment>\#[^\n]*)
      | (?P<newline>\n)
      | (?P<mark>[\[\]{}=,.])
      | (?P<bare>[^\s\[\]{}=,.\#"']+)""",
    re.VERBOSE | re.DOTALL,
)


class Lines:
    """The line (counted from 1) of each key path of a valid TOML text; array elements are steps of type int."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._lines: dict[KeyPath, int] = {}
        self._elements: dict[KeyPath, int] = {}  # array of tables → index of its latest element
        self._walk()

    def of(self, path: KeyPath) -> int | None:
        """The line of a key, or of the nearest key around it; None where even the first step is not in the
        text.
        """
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    def _walk(self) -> None:
        table: KeyPath = ()
        while (kind := self._peek()) is not None:
            if kind == "[":
                table = self._header()
            elif kind == "\n":
                self._next += 1
            else:
                self._assignment(table)

    def _peek(self) -> str | None:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def _take(self) -> tuple[str, int]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _note(self, path: KeyPath, line: int) -> None:
        for depth in range(1, len(path) + 1):
            self._lines.setdefault(path[:depth], line)

    def _key(self, end: str) -> tuple[list[str], int]:
        """A dotted key up to and with the ``end`` mark, and its line."""
        steps, line = [], self._tokens[self._next][1]
        while (token := self._take()[0]) != end:
            if token != ".":
                steps.append(_unquoted(token))
        return steps, line

    def _header(self) -> KeyPath:
        self._take()
        array = self._peek() == "["
        if array:
            self._take()
        steps, line = self._key("]")
        if array:
            self._take()
        path: KeyPath = ()
        for number, step in enumerate(steps, 1):
            path = (*path, step)
            if array and number == len(steps):
                self._elements[path] = self._elements.get(path, -1) + 1
            if path in self._elements:
                path = (*path, self._elements[path])
        self._note(path, line)
        return path

    def _assignment(self, table: KeyPath) -> None:
        steps, line = self._key("=")
        path = (*table, *steps)
        self._note(path, line)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        if self._peek() == "[":
            self._take()
            self._array(path)
        elif self._peek() == "{":
            self._take()
            while self._skip_to_content() != "}":
                self._assignment(path)
            self._take()
        else:
            while self._peek() not in (None, "\n", ",", "]", "}"):
                self._next += 1

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._skip_to_content() != "]":
            self._note((*path, index), self._tokens[self._next][1])
            self._value((*path, index))
            index += 1
        self._take()

    def _skip_to_content(self) -> str | None:
        while self._peek() in ("\n", ","):
            self._next += 1
        return self._peek()


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "comment":
            yield match.group(), line
        line += match.group().count("\n")


def _unquoted(token: str) -> str:
    return next(iter(tomllib.loads(f"{token} = 0"))) if token[0] in "\"'" else token
