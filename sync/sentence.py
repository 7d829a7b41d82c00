"""How does a message become a sentence? It starts with a capital and ends with one full stop.

Messages are written without either, since one may be part of another. A name at the start (of a file, a key, a
command, a record) stays as it is written, and a command at the end after a colon: it is copied from there.
"""

from __future__ import annotations

import re

# a plain word, which no name is: a key has an underscore or stands before "=", a path a stroke, a field a colon
_WORD = re.compile(r"(?!crm-segments\b)[a-z]+(?:['-][a-z]+)*[,;]?(?=\s(?!=)|[.!?]*$)")
_ENDS = (".", "!", "?", ":", "…")
_COMMAND = re.compile(r": crm-segments (?:(?!\. ).)*$")
_TWO_STOPS = re.compile(r"(?<=[^.\s/])\.\.(?=\s|$)")


def sentence(text: str) -> str:
    """Each line of a message as a sentence; lines that go on with another one, indented, keep their beginning."""
    return "\n".join(map(_line, text.rstrip().splitlines()))


def sentences(*texts: str) -> str:
    """Messages one after another, such as what is wrong and its remedy."""
    return " ".join(sentence(text) for text in texts if text)


def _line(line: str) -> str:
    line = _TWO_STOPS.sub(".", line.rstrip())
    if _WORD.match(line):
        line = line[:1].upper() + line[1:]
    return line if not line or line.endswith(_ENDS) or _COMMAND.search(line) else f"{line}."
