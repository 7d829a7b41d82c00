"""Random damage to an answer of a CRM: nothing, a page of a proxy, half of it, keys missing, values of another
type, another status.

A ``Garbler`` stands in a stand-in server, before and behind what answers. The same chance does the same.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_PAGE = b"<html><head><title>Sign in</title></head><body><h1>Guest network</h1></body></html>"
_ODD: list[Any] = [
    None, True, False, 0, -1, 7, 2**63, 10**400, -0.5, 1e308, "", " ", "x", "0", "-1", "NaN", "\0", "\ud800", "ü" * 300, "2024-13-45",
    "2024-01-01T00:00:00Z", "99999-01-01", [], [None], [[]], ["x"], [{}], {}, {"a": 1}, {"id": None}, "<b>",
]  # fmt: skip


@dataclass
class Sent:
    """What a server sends."""

    status: int
    body: bytes
    type: str


@dataclass
class Garbler:
    """What happens to calls that a pattern fits, from the ``nth`` of them on.

    ``lasting``: once, to all of them, or to every call that follows whatever it asks. ``early`` damage stands
    before the CRM, which never hears of the call.
    """

    method: str
    pattern: str  # searched for in path and query
    how: str | Callable[[Sent, random.Random], Sent]  # a name of WAYS, "another", or what spoils an answer
    chance: random.Random
    nth: int = 1
    lasting: str = "once"  # once | endpoint | all
    early: bool = False
    seen: int = 0
    struck: int = 0
    others: dict[str, bytes] = field(default_factory=dict)  # what other calls were answered
    calls: list[tuple[str, str]] = field(default_factory=list)  # method and target of all

    def through(self, method: str, target: str, ask: Callable[[], Sent]) -> Sent:
        """What arrives of an answer; not asked for at all where early damage stands before it."""
        strikes = self.strikes(method, target)
        sent = Sent(200, b"{}", "application/json") if strikes and self.early else ask()
        if strikes:
            return self.spoilt(sent, target)
        self.remember(sent, target)
        return sent

    def strikes(self, method: str, target: str) -> bool:
        """Whether this call is damaged; counts it."""
        self.calls.append((method, target))
        fits = method == self.method and re.search(self.pattern, target) is not None
        self.seen += fits
        if self.lasting == "once":
            happens = fits and self.seen == self.nth
        elif self.lasting == "endpoint":
            happens = fits and self.seen >= self.nth
        else:
            happens = self.seen >= self.nth and (fits or self.struck > 0)
        self.struck += happens
        return happens

    def spoilt(self, sent: Sent, target: str) -> Sent:
        """The answer as it arrives; refusals are damaged too."""
        if callable(self.how):
            return self.how(sent, self.chance)
        other = self.chance.choice([b"{}", *(body for path, body in self.others.items() if path != target)])
        if self.how == "another":
            return Sent(sent.status, other, sent.type)
        return WAYS[self.how](sent, self.chance)

    def remember(self, sent: Sent, target: str) -> None:
        """Keep an answer, to give it to another call."""
        if len(self.others) < 8 and sent.body:
            self.others[target] = sent.body


def _empty(sent: Sent, chance: random.Random) -> Sent:
    return Sent(chance.choice((200, 200, 202, 204)), b"", sent.type)


def _page(sent: Sent, chance: random.Random) -> Sent:
    status = chance.choice((200, 200, 200, 203, 403, 502))
    return Sent(status, _PAGE, chance.choice(("text/html", "text/html; charset=utf-16", sent.type)))


def _constant(sent: Sent, chance: random.Random) -> Sent:
    body = chance.choice(
        (
            b"null",
            b"[]",
            b"{}",
            b"17",
            b'"ok"',
            b"[[1], 2, null]",
            b"true",
            b"[{}]",
            b'{"a": {}}',
            b"NaN",
            b"[null]",
        )
    )
    return Sent(200, body, sent.type)


def _cut(sent: Sent, chance: random.Random) -> Sent:
    return Sent(sent.status, sent.body[: chance.randrange(len(sent.body) + 1)], sent.type)


def _noise(sent: Sent, chance: random.Random) -> Sent:
    """Bytes that no text holds."""
    content = bytearray(sent.body)
    for _ in range(chance.choice((1, 1, 4))):
        content.insert(chance.randrange(len(content) + 1), chance.choice((0, 7, 0x80, 0xC3, 0xFF)))
    return Sent(sent.status, bytes(content), sent.type)


def _encoded(sent: Sent, chance: random.Random) -> Sent:
    """Another encoding, a mark of byte order, or more behind the end."""
    text = sent.body.decode("utf-8", "replace")
    body = chance.choice(
        (
            text.encode("utf-16"),
            b"\xef\xbb\xbf" + sent.body,
            sent.body * 2,
            sent.body + b"\n<!-- 0.2 s -->",
            b")]}',\n" + sent.body,
        )
    )
    return Sent(
        sent.status, body, chance.choice((sent.type, "text/plain; charset=klingon", "application/xml"))
    )


def _status(sent: Sent, chance: random.Random) -> Sent:
    return Sent(
        chance.choice((200, 201, 202, 204, 206, 207, 301, 304, 400, 404, 409, 418, 429, 500, 503, 599)),
        sent.body,
        sent.type,
    )


def _in_json(change: Callable[[Any, random.Random], Any]) -> Callable[[Sent, random.Random], Sent]:
    def spoilt(sent: Sent, chance: random.Random) -> Sent:
        try:
            content = json.loads(sent.body)
        except ValueError:
            return _lines(sent, chance)
        return Sent(sent.status, json.dumps(change(content, chance)).encode(), sent.type)

    return spoilt


def _lines(sent: Sent, chance: random.Random) -> Sent:
    """Of a table of text: a line gone, its header gone, or cells gone."""
    lines = sent.body.split(b"\n")
    position = chance.choice((0, chance.randrange(len(lines))))
    if chance.random() < 0.5:
        del lines[position]
    else:
        lines[position] = lines[position].rpartition(b",")[0] or b'"'
    return Sent(sent.status, b"\n".join(lines), sent.type)


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    positions, waiting = [], [content]
    while waiting:
        here = waiting.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        positions += [(here, key) for key in keys]
        waiting += [here[key] for key in keys]
    return positions


def _key(content: Any, chance: random.Random) -> Any:
    """A key is missing, in one object or wherever it stands."""
    places = [(here, key) for here, key in _places(content) if isinstance(here, dict)]
    if not places:
        return None
    _, name = chance.choice(places)
    chosen = [position for position in places if position[1] == name]
    for here, key in chosen if chance.random() < 0.6 else [chance.choice(chosen)]:
        del here[key]
    return content


def _type(content: Any, chance: random.Random) -> Any:
    """A value of another type, in one place or wherever its key stands."""
    places = _places(content)
    if not places:
        return chance.choice(_ODD)
    here, name = chance.choice(places)
    other, everywhere = chance.choice(_ODD), isinstance(here, dict) and chance.random() < 0.5
    for container, key in (
        [position for position in places if position[1] == name] if everywhere else [(here, name)]
    ):
        container[key] = other
    return content


def _types(content: Any, chance: random.Random) -> Any:
    """Many values of another type."""
    for here, key in _places(content):
        if chance.random() < 0.2:
            here[key] = chance.choice(_ODD)
    return content


def _rows(content: Any, chance: random.Random) -> Any:
    """A list with a row twice, without a row, in another order, or with something else in it."""
    lists = [here[key] for here, key in _places(content) if isinstance(here[key], list) and here[key]]
    if not lists:
        return [content]
    rows = chance.choice(lists)
    how = chance.randrange(4)
    if how == 0:
        rows.append(chance.choice(rows))
    elif how == 1:
        rows.insert(chance.randrange(len(rows) + 1), chance.choice(_ODD))
    elif how == 2:
        rows.reverse()
    else:
        rows[chance.randrange(len(rows))] = None
    return content


WAYS: dict[str, Callable[[Sent, random.Random], Sent]] = {
    "empty": _empty, "a page": _page, "a constant": _constant, "cut": _cut, "noise": _noise, "encoded": _encoded, "status": _status,
    "key": _in_json(_key), "type": _in_json(_type), "types": _in_json(_types), "rows": _in_json(_rows),
}  # fmt: skip
# What leaves an answer that may be true: which labels follow from it is not asked.
PLAUSIBLE = ("key", "type", "types", "rows", "another", "status", "a constant")


def garbler(method: str, pattern: str, calls: int, chance: random.Random) -> Garbler:
    """Random damage to an endpoint that is asked so often."""
    return Garbler(
        method,
        pattern,
        chance.choice([*WAYS, "key", "type", "another"]),
        chance,
        nth=chance.choice((1, chance.randint(1, calls))),
        lasting=chance.choice(("once", "endpoint", "endpoint", "all")),
        early=chance.random() < 0.3,
    )


def listener() -> Garbler:
    """Damages nothing, and keeps what was asked."""
    return Garbler("none", "", "empty", random.Random(0))
