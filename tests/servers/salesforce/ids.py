"""How does Salesforce spell an id? Three characters of key prefix, twelve of base 62, three of checksum."""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "Hs000"  # instance and reserved characters
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_PAIR_BITS = [(a in _DIGITS[10:36]) | (b in _DIGITS[10:36]) << 1 for a in _DIGITS for b in _DIGITS]


def _bits(chunk: str) -> str:
    return _CHECKSUM[sum(1 << position for position, letter in enumerate(chunk) if "A" <= letter <= "Z")]


def long_id(text: str) -> str:
    """The 18 characters of an id of 15; one of 18 comes back with its letters in the case that the checksum
    tells.
    """
    body = text[:15]
    if len(text) == 18:
        letters = list(body)
        for position in range(15):
            upper = _CHECKSUM.find(text[15 + position // 5].upper()) >> (position % 5) & 1
            letters[position] = letters[position].upper() if upper else letters[position].lower()
        body = "".join(letters)
    return body + _bits(body[:5]) + _bits(body[5:10]) + _bits(body[10:])


def is_id(text: object) -> bool:
    """Does a text have the shape of an id, and of 18 characters, the right checksum?"""
    return (
        isinstance(text, str)
        and bool(_SHAPE.fullmatch(text))
        and (len(text) == 15 or long_id(text)[15:] == text[15:].upper())
    )


def make_id(prefix: str, number: int) -> str:
    """The id of the n-th record of an object. Ids of one prefix sort as their numbers do (below 62 ** 7)."""
    head = (prefix + _POD)[:8]
    number, low = divmod(number, 3844)
    number, middle = divmod(number, 3844)
    number, high = divmod(number, 3844)
    first = _DIGITS[number % 62]
    body = head + first + _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]
    # Characters 8 to 14 are the number: two close the second group of five, five make the third.
    last = (_PAIR_BITS[high] >> 1) | _PAIR_BITS[middle] << 1 | _PAIR_BITS[low] << 3
    return body + _bits(head[:5]) + _bits(body[5:10]) + _CHECKSUM[last]


class Ids:
    """Hands out ids, each once."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def next(self, prefix: str) -> str:
        self.last[prefix] = self.last.get(prefix, 0) + 1
        return make_id(prefix, self.last[prefix])

    def many(self, prefix: str, count: int) -> list[str]:
        first = self.last.get(prefix, 0) + 1
        self.last[prefix] = first + count - 1
        return [make_id(prefix, number) for number in range(first, first + count)]
